@ sums[o] += factor[o, g] * sum of x[i] * w[o, i] over each group of four-bit weights, for groups of four
@ outputs, on the vectors of a Cortex-M55 or M85.
@
@ A byte of weights is 16 * w[odd] + w[even] + 8. A group begins at -8 times the sum of its even inputs.
@
@ void mote_mve4_groups(int32_t *sums, const void *w, const void *x, uint32_t groups, int32_t *end)
@   w: for each four outputs their groups: a vector of each output, then four bytes of factors
@   x: for each group its beginning, a vector of even inputs, one of odd inputs
@
@ Weak, and only once in an assembly, because several exported crates may meet in one firmware.
        .ifndef mote_mve4_groups
        .syntax unified
        .thumb
        .section .text.mote_mve4_groups, "ax", %progbits
        .weak mote_mve4_groups
        .type mote_mve4_groups, %function
        .thumb_func
        .p2align 2
mote_mve4_groups:
        push    {r4-r11, lr}
        vpush   {d8-d9}
        vmov.i8 q3, #15
1:      mov     r5, r2
        dls     lr, r3
2:      ldr     r4, [r5], #4
        mov     r6, r4
        mov     r8, r4
        mov     r10, r4
        vldrb.8 q0, [r5], #16
        vldrb.8 q1, [r5], #16
        vldrb.8 q2, [r1], #16
        vshr.s8 q4, q2, #4
        vmladava.s8 r4, q1, q4
        vand    q4, q2, q3
        vmladava.s8 r4, q0, q4
        vldrb.8 q2, [r1], #16
        vshr.s8 q4, q2, #4
        vmladava.s8 r6, q1, q4
        vand    q4, q2, q3
        vmladava.s8 r6, q0, q4
        vldrb.8 q2, [r1], #16
        vshr.s8 q4, q2, #4
        vmladava.s8 r8, q1, q4
        vand    q4, q2, q3
        vmladava.s8 r8, q0, q4
        vldrb.8 q2, [r1], #16
        vshr.s8 q4, q2, #4
        vmladava.s8 r10, q1, q4
        vand    q4, q2, q3
        vmladava.s8 r10, q0, q4
        ldr     r7, [r1], #4
        ldrd    r9, r11, [r0]
        uxtb    r12, r7
        mla     r9, r4, r12, r9
        uxtb    r12, r7, ror #8
        mla     r11, r6, r12, r11
        strd    r9, r11, [r0]
        ldrd    r9, r11, [r0, #8]
        uxtb    r12, r7, ror #16
        mla     r9, r8, r12, r9
        lsrs    r7, r7, #24
        mla     r11, r10, r7, r11
        strd    r9, r11, [r0, #8]
        le      lr, 2b
        adds    r0, #16
        ldr     r12, [sp, #52]
        cmp     r0, r12
        bne     1b
        vpop    {d8-d9}
        pop     {r4-r11, pc}
        .size mote_mve4_groups, . - mote_mve4_groups
        .endif
