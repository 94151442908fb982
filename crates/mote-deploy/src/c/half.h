/* Layers whose weights are of half precision: they take half the flash, and widen on the way. */
#ifndef MOTE_HALF_H
#define MOTE_HALF_H

#include <stddef.h>
#include <stdint.h>

/* Vectors of real numbers, or registers for single precision, and calls that use them. */
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 2)
#define MOTE_MVE_REALS 1
#elif defined(__ARM_PCS_VFP) && defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'
#define MOTE_FPU 1
#endif

typedef struct {
    size_t inputs;
    /* The bits of two numbers in a word, the first in its low half. For each group of four outputs its
       inputs, four numbers each; the last group is padded with zeros. */
    const uint32_t *weights;
    const float *bias;
} mote_half_matrix;

/* y[o] = bias[o] + sum of x[i] * w[o, i]. */
void mote_half_product(const float *x, const mote_half_matrix *matrix, size_t outputs, float *y);

#endif
