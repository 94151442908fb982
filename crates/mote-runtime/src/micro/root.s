@ The square root, by the instruction of a Cortex-M with single precision.
@
@ float mote_fpu_sqrt(float x)
@
@ Weak, and only once in an assembly, because several exported crates may meet in one firmware.
        .ifndef mote_fpu_sqrt
        .syntax unified
        .thumb
        .section .text.mote_fpu_sqrt, "ax", %progbits
        .weak mote_fpu_sqrt
        .type mote_fpu_sqrt, %function
        .thumb_func
        .p2align 2
mote_fpu_sqrt:
        vsqrt.f32 s0, s0
        bx      lr
        .size mote_fpu_sqrt, . - mote_fpu_sqrt
        .endif
