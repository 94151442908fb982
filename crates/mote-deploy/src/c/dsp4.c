/* Weights of four bits for the DSP instructions of a Cortex-M4, M7 or M33. dsp4.S tells how. */
#include "integer.h"

#if defined(MOTE_DSP)

/* Inputs in a block; groups are padded to a multiple. */
#define BLOCK 8u

void mote_dsp4_pairs(int32_t *sums, const void *w, const void *x, const void *x_end, int32_t *end);

static int32_t both(int32_t low, int32_t high) {
    return (int32_t)(((uint32_t)low & 0xFFFFu) | (uint32_t)high << 16);
}

/* A group of inputs as pairs: of odd ones, and of 16 * even - odd. Returns what follows them. */
static int32_t *widen(const int8_t *x, size_t inputs, int32_t *words) {
    const size_t blocks = (inputs + BLOCK - 1) / BLOCK;
    int32_t even = 0, *pairs = words + 2;
    for (size_t b = 0; b < blocks; b++, x += BLOCK, pairs += 4) {
        int32_t v[BLOCK] = {0};
        for (size_t i = 0; i < BLOCK && b * BLOCK + i < inputs; i++) {
            v[i] = x[i];
        }
        pairs[0] = both(v[1], v[5]);
        pairs[1] = both(16 * v[0] - v[1], 16 * v[4] - v[5]);
        pairs[2] = both(v[3], v[7]);
        pairs[3] = both(16 * v[2] - v[3], 16 * v[6] - v[7]);
        even += v[0] + v[2] + v[4] + v[6];
    }
    words[0] = -128 * even;
    words[1] = (int32_t)blocks;
    return pairs;
}

const uint8_t *mote_dsp4(const int8_t *x, size_t inputs, const uint8_t *weights, size_t outputs,
                         int32_t *sums, int32_t *scratch) {
    const size_t pairs = (outputs + 1) / 2;
    const int8_t *const x_end = x + inputs;
    while (x < x_end) {
        /* A chunk begins with the number of its groups and the length of each. */
        const size_t groups = weights[0];
        int32_t *words = scratch;
        for (size_t g = 1; g <= groups; g++) {
            words = widen(x, weights[g], words);
            x += weights[g];
        }
        weights += (groups + 1 + 3) / 4 * 4;
        mote_dsp4_pairs(sums, weights, scratch, words, sums + 2 * pairs);
        weights += pairs * 2 * (size_t)(words - scratch);
    }
    return weights;
}

#endif
