/* Weights of four bits in groups, each with a factor, for any processor. */
#include "integer.h"

/* The low half of a byte as a number from -8 to 7. */
static int32_t low(uint8_t byte) {
    return (int32_t)((byte & 15u) ^ 8u) - 8;
}

const uint8_t *mote_nibbles(const int8_t *x, size_t inputs, const uint8_t *w, size_t outputs,
                            int32_t *sums, int32_t *scratch) {
    (void)scratch;
    for (size_t o = 0; o < outputs; o++) {
        for (size_t i = 0; i < inputs;) {
            const int32_t factor = w[0];
            const size_t end = i + w[1];
            int32_t sum = 0;
            for (w += 2; i + 1 < end; i += 2, w++) {
                sum += x[i] * low(*w) + x[i + 1] * low((uint8_t)(*w >> 4));
            }
            if (i < end) {
                sum += x[i++] * low(*w++);
            }
            sums[o] = (int32_t)((uint32_t)sums[o] + (uint32_t)(factor * sum));
        }
    }
    return w;
}
