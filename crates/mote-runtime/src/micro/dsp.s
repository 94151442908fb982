@ sums[o] += (start[o] + 256 * sum of x[i] * w[o, i]) >> 8 for groups of four outputs, on the DSP
@ instructions of a Cortex-M4, M7 or M33.
@
@ A word of weights holds inputs 4b .. 4b+3 of one output as two halves, each 256 * w[odd] + w[even].
@ One SMLAD takes both halves as they are: 256 * w[odd] * x[odd], plus w[even] * x[odd], which nobody
@ wants. One SXTB16 takes w[even] out of the halves, and a second SMLAD with 256 * x[even] - x[odd]
@ adds what is wanted and takes away what is not: three instructions for four products. The pair
@ 256 * x[even] - x[odd] + 127 just fits 16 bits; `start` holds the -127 * sum of w[even].
@
@ void mote_dsp_groups(int32_t *sums, const void *w, const void *x, uint32_t x_bytes, int32_t *end)
@   w: for each group 4 words of `start`, then x_bytes / 8 blocks of 4 words, one for each output
@   x: blocks of a pair of x[odd] and a pair of the other; x_bytes is a multiple of 16 above zero
@
@ Weak, and only once in an assembly, because several exported crates may meet in one firmware.
        .ifndef mote_dsp_groups
        .syntax unified
        .thumb
        .section .text.mote_dsp_groups, "ax", %progbits
        .weak mote_dsp_groups
        .type mote_dsp_groups, %function
        .thumb_func
        .p2align 2
mote_dsp_groups:
        push    {r4-r11, lr}
        push    {r2, r3}
1:      ldm     r1!, {r4-r7}
        ldrd    r2, r3, [sp]
        tst     r3, #16
        add     r3, r3, r2
        bne     3f
2:      ldm     r1!, {r8-r11}
        ldrd    r12, lr, [r2], #8
        smlad   r4, r8, r12, r4
        sxtb16  r8, r8
        smlad   r5, r9, r12, r5
        sxtb16  r9, r9
        smlad   r6, r10, r12, r6
        sxtb16  r10, r10
        smlad   r7, r11, r12, r7
        sxtb16  r11, r11
        smlad   r4, r8, lr, r4
        smlad   r5, r9, lr, r5
        smlad   r6, r10, lr, r6
        smlad   r7, r11, lr, r7
        ldm     r1!, {r8-r11}
        ldrd    r12, lr, [r2], #8
        smlad   r4, r8, r12, r4
        sxtb16  r8, r8
        smlad   r5, r9, r12, r5
        sxtb16  r9, r9
        smlad   r6, r10, r12, r6
        sxtb16  r10, r10
        smlad   r7, r11, r12, r7
        sxtb16  r11, r11
        smlad   r4, r8, lr, r4
        smlad   r5, r9, lr, r5
        smlad   r6, r10, lr, r6
        smlad   r7, r11, lr, r7
3:      ldm     r1!, {r8-r11}
        ldrd    r12, lr, [r2], #8
        smlad   r4, r8, r12, r4
        sxtb16  r8, r8
        smlad   r5, r9, r12, r5
        sxtb16  r9, r9
        smlad   r6, r10, r12, r6
        sxtb16  r10, r10
        smlad   r7, r11, r12, r7
        sxtb16  r11, r11
        smlad   r4, r8, lr, r4
        smlad   r5, r9, lr, r5
        smlad   r6, r10, lr, r6
        smlad   r7, r11, lr, r7
        ldm     r1!, {r8-r11}
        ldrd    r12, lr, [r2], #8
        smlad   r4, r8, r12, r4
        sxtb16  r8, r8
        smlad   r5, r9, r12, r5
        sxtb16  r9, r9
        smlad   r6, r10, r12, r6
        sxtb16  r10, r10
        smlad   r7, r11, r12, r7
        sxtb16  r11, r11
        smlad   r4, r8, lr, r4
        smlad   r5, r9, lr, r5
        smlad   r6, r10, lr, r6
        smlad   r7, r11, lr, r7
        cmp     r2, r3
        bne     2b
        ldm     r0, {r8-r11}
        add     r8, r8, r4, asr #8
        add     r9, r9, r5, asr #8
        add     r10, r10, r6, asr #8
        add     r11, r11, r7, asr #8
        stm     r0!, {r8-r11}
        ldr     r12, [sp, #44]
        cmp     r0, r12
        bne     1b
        add     sp, #8
        pop     {r4-r11, pc}
        .size mote_dsp_groups, . - mote_dsp_groups
        .endif
