/* Weights of eight bits, row by row, for any processor. */
#include "integer.h"

const uint8_t *mote_rows(const int8_t *x, size_t inputs, const uint8_t *weights, size_t outputs,
                         int32_t *sums, int32_t *scratch) {
    (void)scratch;
    for (size_t o = 0; o < outputs; o++) {
        const int8_t *w = (const int8_t *)weights;
        int32_t sum = 0;
        for (size_t i = 0; i < inputs; i++) {
            sum += (int32_t)x[i] * w[i];
        }
        sums[o] = (int32_t)((uint32_t)sums[o] + (uint32_t)sum);
        weights += inputs;
    }
    return weights;
}
