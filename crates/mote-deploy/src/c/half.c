/* Layers whose weights are of half precision: they take half the flash, and widen on the way. */
#include "half.h"

/* sums[o] = sum of x[i] * w[i][o]. */
#if defined(MOTE_MVE_REALS)
#define sum_group mote_mve_half_group
void sum_group(float sums[4], const uint32_t *w, const float *x, size_t inputs);
#elif defined(MOTE_FPU)
#define sum_group mote_fpu_half_group
void sum_group(float sums[4], const uint32_t *w, const float *x, size_t inputs);
#else
/* The number that has these bits, exactly, if it is finite. */
static float widen(uint16_t half) {
    union {
        uint32_t bits;
        float number;
    } of;
    of.bits = (uint32_t)(half & 0x7fffu) << 13;
    /* Exponent and fraction are where single precision has them; the exponents count from elsewhere. */
    of.number *= 5192296858534827628530496329220096.0f;
    of.bits |= (uint32_t)(half & 0x8000u) << 16;
    return of.number;
}

static void sum_group(float sums[4], const uint32_t *w, const float *x, size_t inputs) {
    sums[0] = sums[1] = sums[2] = sums[3] = 0.0f;
    for (size_t i = 0; i < inputs; i++, w += 2) {
        for (size_t o = 0; o < 4; o++) {
            sums[o] += x[i] * widen((uint16_t)(w[o / 2] >> (o % 2 * 16)));
        }
    }
}
#endif

void mote_half_product(const float *x, const mote_half_matrix *matrix, size_t outputs, float *y) {
    const uint32_t *w = matrix->weights;
    const size_t inputs = matrix->inputs;
    for (size_t first = 0; first < outputs; first += 4, w += 2 * inputs) {
        float sums[4];
        sum_group(sums, w, x, inputs);
        for (size_t o = 0; o < 4 && first + o < outputs; o++) {
            y[first + o] = matrix->bias[first + o] + sums[o];
        }
    }
}
