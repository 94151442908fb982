@ sums[o] += factor[o, g] * sum of x[i] * w[o, i] over each group of four-bit weights, for pairs of outputs,
@ on the DSP instructions of a Cortex-M4, M7 or M33.
@
@ A byte of weights is 16 * w[odd] + a with a = w[even] + 8. Taken out as a half by SXTB16, one SMLAD adds
@ 16 * w[odd] * x[odd], plus a * x[odd], which nobody wants; a second SMLAD of its low four bits with
@ 16 * x[even] - x[odd] adds what is wanted and takes away what is not. A group begins at -128 times the sum
@ of the even inputs, which takes the 8 back: four instructions for four products.
@
@ void mote_dsp4_pairs(int32_t *sums, const void *w, const void *x, const void *x_end, int32_t *end)
@   w: for each pair its groups: blocks of two words, one of each output, then a word with both factors
@   x: for each group its beginning, its number of blocks, then blocks of four pairs
@
@ Weak, and only once in an assembly, because several exported crates may meet in one firmware.
        .ifndef mote_dsp4_pairs
        .syntax unified
        .thumb
        .section .text.mote_dsp4_pairs, "ax", %progbits
        .weak mote_dsp4_pairs
        .type mote_dsp4_pairs, %function
        .thumb_func
        .p2align 2
mote_dsp4_pairs:
        push    {r4-r11, lr}
        push    {r2, r3}
1:      ldr     r2, [sp]
2:      ldrd    r4, r3, [r2], #8
        mov     r5, r4
3:      ldrd    r6, r7, [r1], #8
        ldm     r2!, {r8-r11}
        sxtb16  r12, r6
        sxtb16  lr, r7
        smlad   r4, r12, r8, r4
        smlad   r5, lr, r8, r5
        and     r12, r12, #0x000F000F
        and     lr, lr, #0x000F000F
        smlad   r4, r12, r9, r4
        smlad   r5, lr, r9, r5
        sxtb16  r12, r6, ror #8
        sxtb16  lr, r7, ror #8
        smlad   r4, r12, r10, r4
        smlad   r5, lr, r10, r5
        and     r12, r12, #0x000F000F
        and     lr, lr, #0x000F000F
        smlad   r4, r12, r11, r4
        smlad   r5, lr, r11, r5
        subs    r3, #1
        bne     3b
        ldr     r12, [r1], #4
        ldrd    r6, r7, [r0]
        asr     r4, r4, #4
        asr     r5, r5, #4
        uxth    lr, r12
        lsr     r12, r12, #16
        mla     r6, r4, lr, r6
        mla     r7, r5, r12, r7
        strd    r6, r7, [r0]
        ldr     r12, [sp, #4]
        cmp     r2, r12
        bne     2b
        adds    r0, #8
        ldr     r12, [sp, #44]
        cmp     r0, r12
        bne     1b
        add     sp, #8
        pop     {r4-r11, pc}
        .size mote_dsp4_pairs, . - mote_dsp4_pairs
        .endif
