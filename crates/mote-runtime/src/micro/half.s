@ sums[r] = sum of x[i] * w[i][r] for four outputs, on the single precision of a Cortex-M, which widens weights of half
@ precision exactly.
@
@ Products are rounded before they are added (VMLA), as in the plain version: the same bits.
@
@ void mote_fpu_half_group(float sums[4], const uint32_t *w, const float *x, uint32_t inputs)
@   w: two words of two numbers for each input
@
@ Weak, and only once in an assembly, because several exported crates may meet in one firmware.
        .ifndef mote_fpu_half_group
        .syntax unified
        .thumb
        .section .text.mote_fpu_half_group, "ax", %progbits
        .weak mote_fpu_half_group
        .type mote_fpu_half_group, %function
        .thumb_func
        .p2align 2
mote_fpu_half_group:
        vpush   {s16-s27}
        mov     r12, #0
        vmov    s0, r12
        vmov    s1, r12
        vmov    s2, r12
        vmov    s3, r12
        lsrs    r12, r3, #1
        beq     2f
1:      vldmia  r1!, {s16-s19}
        vldmia  r2!, {s4-s5}
        vcvtb.f32.f16 s20, s16
        vcvtt.f32.f16 s21, s16
        vcvtb.f32.f16 s22, s17
        vcvtt.f32.f16 s23, s17
        vcvtb.f32.f16 s24, s18
        vcvtt.f32.f16 s25, s18
        vcvtb.f32.f16 s26, s19
        vcvtt.f32.f16 s27, s19
        vmla.f32 s0, s4, s20
        vmla.f32 s1, s4, s21
        vmla.f32 s2, s4, s22
        vmla.f32 s3, s4, s23
        vmla.f32 s0, s5, s24
        vmla.f32 s1, s5, s25
        vmla.f32 s2, s5, s26
        vmla.f32 s3, s5, s27
        subs    r12, #1
        bne     1b
2:      ands    r3, #1
        beq     4f
        vldmia  r1!, {s16-s17}
        vldmia  r2!, {s4}
        vcvtb.f32.f16 s20, s16
        vcvtt.f32.f16 s21, s16
        vcvtb.f32.f16 s22, s17
        vcvtt.f32.f16 s23, s17
        vmla.f32 s0, s4, s20
        vmla.f32 s1, s4, s21
        vmla.f32 s2, s4, s22
        vmla.f32 s3, s4, s23
4:      vstmia  r0, {s0-s3}
        vpop    {s16-s27}
        bx      lr
        .size mote_fpu_half_group, . - mote_fpu_half_group
        .endif
