/* Layers whose weights are of half precision: they take half the flash, and widen on the way. */
#include "half.h"

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

void mote_half_product(const float *x, const mote_half_matrix *matrix, size_t outputs, float *y) {
    const uint16_t *w = matrix->weights;
    for (size_t first = 0; first < outputs; first += 4) {
        float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        for (size_t i = 0; i < matrix->inputs; i++, w += 4) {
            for (size_t o = 0; o < 4; o++) {
                sums[o] += x[i] * widen(w[o]);
            }
        }
        for (size_t o = 0; o < 4 && first + o < outputs; o++) {
            y[first + o] = matrix->bias[first + o] + sums[o];
        }
    }
}
