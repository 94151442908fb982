@ sums[o] += sum of x[i] * w[o, i] for groups of four outputs, on the vectors of a Cortex-M55 or M85.
@
@ void mote_mve_groups(int32_t *sums, const void *w, const void *x, uint32_t inputs, int32_t *end)
@   w: for each group blocks of 4 vectors, one for each output, of 16 inputs, padded with zeros
@   x: `inputs` bytes, above zero; the last vector is read only as far as they go
@
@ Weak, and only once in an assembly, because several exported crates may meet in one firmware.
        .ifndef mote_mve_groups
        .syntax unified
        .thumb
        .section .text.mote_mve_groups, "ax", %progbits
        .weak mote_mve_groups
        .type mote_mve_groups, %function
        .thumb_func
        .p2align 2
mote_mve_groups:
        push    {r4-r10, lr}
        ldr     r7, [sp, #32]
1:      mov     r5, r2
        ldrd    r4, r6, [r0]
        ldrd    r8, r10, [r0, #8]
        dlstp.8 lr, r3
2:      vldrb.8 q0, [r5], #16
        vldrb.8 q1, [r1], #16
        vmladava.s8 r4, q0, q1
        vldrb.8 q2, [r1], #16
        vmladava.s8 r6, q0, q2
        vldrb.8 q1, [r1], #16
        vmladava.s8 r8, q0, q1
        vldrb.8 q2, [r1], #16
        vmladava.s8 r10, q0, q2
        letp    lr, 2b
        strd    r4, r6, [r0], #8
        strd    r8, r10, [r0], #8
        cmp     r0, r7
        bne     1b
        pop     {r4-r10, pc}
        .size mote_mve_groups, . - mote_mve_groups

@ y[o] = clamp(zero_point + (sums[o] * multiplier[o] + 2^31) >> 32)
@
@ void mote_mve_requantize(const int32_t *sums, const int32_t *multiplier, int8_t *y, uint32_t outputs,
@                          const int32_t zero_low_high[3])
        .section .text.mote_mve_requantize, "ax", %progbits
        .weak mote_mve_requantize
        .type mote_mve_requantize, %function
        .thumb_func
        .p2align 2
mote_mve_requantize:
        push    {r4, r5, r6, lr}
        ldr     r12, [sp, #16]
        ldm     r12, {r4, r5, r6}
        vdup.32 q2, r5
        vdup.32 q3, r6
        dlstp.32 lr, r3
1:      vldrw.32 q0, [r0], #16
        vldrw.32 q1, [r1], #16
        vrmulh.s32 q0, q0, q1
        vadd.i32 q0, q0, r4
        vmax.s32 q0, q0, q2
        vmin.s32 q0, q0, q3
        vstrb.32 q0, [r2], #4
        letp    lr, 1b
        pop     {r4, r5, r6, pc}
        .size mote_mve_requantize, . - mote_mve_requantize
        .endif
