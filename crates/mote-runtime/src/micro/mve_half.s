@ sums[r] = sum of x[i] * w[i][r] for four outputs, on the vectors of a Cortex-M55 or M85 with floating point, which
@ widen weights of half precision exactly.
@
@ Products are added before they are rounded, unlike in the plain version; even and odd inputs have sums of their own,
@ so that none waits for the one before.
@
@ What widens is written as numbers, because binutils 2.40 assembles it for registers twice as far.
@
@ void mote_mve_half_group(float sums[4], const uint32_t *w, const float *x, uint32_t inputs)
@   w: two words of two numbers for each input
@
@ Weak, and only once in an assembly, because several exported crates may meet in one firmware.
        .ifndef mote_mve_half_group
        .syntax unified
        .thumb
        .section .text.mote_mve_half_group, "ax", %progbits
        .weak mote_mve_half_group
        .type mote_mve_half_group, %function
        .thumb_func
        .p2align 2
mote_mve_half_group:
        push    {r4-r5, lr}
        vmov.i32 q0, #0
        vmov.i32 q1, #0
        lsrs    r12, r3, #1
        wls     lr, r12, 2f
1:      ldrd    r4, r5, [r2], #8
        vldrh.u32 q2, [r1], #8
        .inst.w 0xfe3f4e05              @ vcvtb.f32.f16 q2, q2
        vldrh.u32 q3, [r1], #8
        .inst.w 0xfe3f6e07              @ vcvtb.f32.f16 q3, q3
        vfma.f32 q0, q2, r4
        vfma.f32 q1, q3, r5
        le      lr, 1b
2:      ands    r3, #1
        beq     4f
        ldr     r4, [r2]
        vldrh.u32 q2, [r1]
        .inst.w 0xfe3f4e05              @ vcvtb.f32.f16 q2, q2
        vfma.f32 q0, q2, r4
4:      vadd.f32 q0, q0, q1
        vstrw.32 q0, [r0]
        pop     {r4-r5, pc}
        .size mote_mve_half_group, . - mote_mve_half_group
        .endif
