/* Layers whose weights are of half precision: they take half the flash, and widen on the way. */
#ifndef MOTE_HALF_H
#define MOTE_HALF_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    size_t inputs;
    /* The bits of each number. For each group of four outputs its inputs, four numbers each; the last
       group is padded with zeros. */
    const uint16_t *weights;
    const float *bias;
} mote_half_matrix;

/* y[o] = bias[o] + sum of x[i] * w[o, i]. */
void mote_half_product(const float *x, const mote_half_matrix *matrix, size_t outputs, float *y);

#endif
