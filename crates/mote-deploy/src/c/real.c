/* Layers in single precision: a matrix that meets one window of numbers after the other. */
#include "real.h"

/* sums[o] = sum of x[i] * w[i][o]. */
#if defined(MOTE_MVE_REALS)
#define sum_group mote_mve_real_group
void sum_group(float sums[4], const float *w, const float *x, size_t inputs);
#elif defined(MOTE_FPU)
#define sum_group mote_fpu_group
void sum_group(float sums[4], const float *w, const float *x, size_t inputs);
#else
static void sum_group(float sums[4], const float *w, const float *x, size_t inputs) {
    sums[0] = sums[1] = sums[2] = sums[3] = 0.0f;
    for (size_t i = 0; i < inputs; i++, w += 4) {
        sums[0] += x[i] * w[0];
        sums[1] += x[i] * w[1];
        sums[2] += x[i] * w[2];
        sums[3] += x[i] * w[3];
    }
}
#endif

void mote_product(const float *x, const mote_real_matrix *matrix, size_t outputs, float *y) {
    const float *w = matrix->weights, *bias = matrix->bias;
    const size_t inputs = matrix->inputs;
    for (size_t first = 0; first < outputs; first += 4, w += 4 * inputs) {
        float sums[4];
        sum_group(sums, w, x, inputs);
        for (size_t o = 0; o < 4 && first + o < outputs; o++) {
            y[first + o] = bias[first + o] + sums[o];
        }
    }
}
