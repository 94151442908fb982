@ sums[r] = sum of x[i] * w[i][r] for four outputs, on the single precision of a Cortex-M.
@
@ Products are rounded before they are added (VMLA), as in the plain version: the same bits.
@
@ void mote_fpu_group(float sums[4], const float *w, const float *x, uint32_t inputs)
@   w: four numbers for each input
@
@ Weak, and only once in an assembly, because several exported crates may meet in one firmware.
        .ifndef mote_fpu_group
        .syntax unified
        .thumb
        .section .text.mote_fpu_group, "ax", %progbits
        .weak mote_fpu_group
        .type mote_fpu_group, %function
        .thumb_func
        .p2align 2
mote_fpu_group:
        vpush   {s16-s31}
        mov     r12, #0
        vmov    s0, r12
        vmov    s1, r12
        vmov    s2, r12
        vmov    s3, r12
        lsrs    r12, r3, #2
        beq     2f
1:      vldmia  r2!, {s4-s7}
        vldmia  r1!, {s16-s31}
        vmla.f32 s0, s4, s16
        vmla.f32 s1, s4, s17
        vmla.f32 s2, s4, s18
        vmla.f32 s3, s4, s19
        vmla.f32 s0, s5, s20
        vmla.f32 s1, s5, s21
        vmla.f32 s2, s5, s22
        vmla.f32 s3, s5, s23
        vmla.f32 s0, s6, s24
        vmla.f32 s1, s6, s25
        vmla.f32 s2, s6, s26
        vmla.f32 s3, s6, s27
        vmla.f32 s0, s7, s28
        vmla.f32 s1, s7, s29
        vmla.f32 s2, s7, s30
        vmla.f32 s3, s7, s31
        subs    r12, #1
        bne     1b
2:      ands    r3, #3
        beq     4f
3:      vldmia  r2!, {s4}
        vldmia  r1!, {s16-s19}
        vmla.f32 s0, s4, s16
        vmla.f32 s1, s4, s17
        vmla.f32 s2, s4, s18
        vmla.f32 s3, s4, s19
        subs    r3, #1
        bne     3b
4:      vstmia  r0, {s0-s3}
        vpop    {s16-s31}
        bx      lr
        .size mote_fpu_group, . - mote_fpu_group
        .endif
