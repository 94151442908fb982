/* Layers in single precision: a matrix that meets one window of numbers after the other. */
#ifndef MOTE_REAL_H
#define MOTE_REAL_H

#include <stddef.h>

/* Vectors of real numbers, or registers for single precision, and calls that use them. */
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 2)
#define MOTE_MVE_REALS 1
#elif defined(__ARM_PCS_VFP) && defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'
#define MOTE_FPU 1
#endif

typedef struct {
    size_t inputs;
    /* For each group of four outputs its inputs, four numbers each; the last group is padded with
       zeros. */
    const float *weights;
    const float *bias;
} mote_real_matrix;

/* y[o] = bias[o] + sum of x[i] * w[o, i]. */
void mote_product(const float *x, const mote_real_matrix *matrix, size_t outputs, float *y);

#endif
