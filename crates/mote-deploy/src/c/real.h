/* Layers in single precision: a matrix that meets one window of numbers after the other. */
#ifndef MOTE_REAL_H
#define MOTE_REAL_H

#include <stddef.h>

/* y[o] = bias[o] + sum of x[i] * w[o, i]. Weights: for each group of four outputs its inputs, four
   numbers each; the last group is padded with zeros. */
void mote_product(const float *x, size_t inputs, const float *weights, const float *bias,
                  size_t outputs, float *y);

#endif
