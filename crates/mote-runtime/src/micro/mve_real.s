@ sums[r] = sum of x[i] * w[i][r] for four outputs, on the vectors of a Cortex-M55 or M85 with floating point.
@
@ Products are added before they are rounded, unlike in the plain version; even and odd inputs have sums of their own,
@ so that none waits for the one before.
@
@ void mote_mve_real_group(float sums[4], const float *w, const float *x, uint32_t inputs)
@   w: four numbers for each input
@
@ Weak, and only once in an assembly, because several exported crates may meet in one firmware.
        .ifndef mote_mve_real_group
        .syntax unified
        .thumb
        .section .text.mote_mve_real_group, "ax", %progbits
        .weak mote_mve_real_group
        .type mote_mve_real_group, %function
        .thumb_func
        .p2align 2
mote_mve_real_group:
        push    {r4-r7, lr}
        vmov.i32 q0, #0
        vmov.i32 q1, #0
        lsrs    r12, r3, #2
        wls     lr, r12, 2f
1:      ldrd    r4, r5, [r2], #8
        vldrw.32 q2, [r1], #16
        vfma.f32 q0, q2, r4
        vldrw.32 q3, [r1], #16
        vfma.f32 q1, q3, r5
        ldrd    r6, r7, [r2], #8
        vldrw.32 q2, [r1], #16
        vfma.f32 q0, q2, r6
        vldrw.32 q3, [r1], #16
        vfma.f32 q1, q3, r7
        le      lr, 1b
2:      ands    r3, #3
        wls     lr, r3, 4f
3:      ldr     r4, [r2], #4
        vldrw.32 q2, [r1], #16
        vfma.f32 q0, q2, r4
        le      lr, 3b
4:      vadd.f32 q0, q0, q1
        vstrw.32 q0, [r0]
        pop     {r4-r7, pc}
        .size mote_mve_real_group, . - mote_mve_real_group
        .endif
