/* Folds along an axis, and what is normalized by them. */
#ifndef MOTE_NORMALIZE_H
#define MOTE_NORMALIZE_H

#include <stddef.h>

/* y = f(f(x[0], x[1]), ..) along an axis of `length` with `inner` numbers behind it, for each of
   `outer`. */
void mote_fold(const float *x, size_t outer, size_t length, size_t inner, float *y,
               float (*f)(float, float));

/* y[i] = x[0] + .. + x[i] along an axis of `length` with `inner` numbers behind it, for each of `outer`; with
   `reverse` x[i] + .. + x[length - 1]. */
void mote_cumulative_sum(const float *x, size_t outer, size_t length, size_t inner, int reverse,
                         float *y);

/* y = e^x / sum of e^x over rows of `width`. */
void mote_softmax(const float *x, size_t rows, size_t width, float *y);

/* y = (x - mean) / sqrt(variance + epsilon) * gain + bias over rows of `width`. */
void mote_layer_norm(const float *x, size_t rows, size_t width, const float *gain,
                     const float *bias, float epsilon, float *y);

#endif
