/* Weights of eight bits for the DSP instructions of a Cortex-M4, M7 or M33. dsp.S tells how. */
#include "integer.h"

#if defined(MOTE_DSP)

/* Inputs in a chunk: 256 * 127 * 128 * this stays below 2^31. */
#define CHUNK 128u
/* Inputs are padded to a multiple of this, with weights of zero. */
#define BLOCK 8u

void mote_dsp_groups(int32_t *sums, const void *w, const void *x, uint32_t bytes, int32_t *end);

/* Four inputs become the pair of the odd ones, and the pair of 256 * even - odd + 127. */
static void widen_block(int32_t a, int32_t b, int32_t c, int32_t d, int32_t *pair) {
    const uint32_t even = (uint32_t)(256 * a - b + 127), odd = (uint32_t)(256 * c - d + 127);
    pair[0] = (int32_t)(((uint32_t)b & 0xFFFFu) | (uint32_t)d << 16);
    pair[1] = (int32_t)((even & 0xFFFFu) | odd << 16);
}

static void widen(const int8_t *x, size_t inputs, int32_t *pair, const int32_t *end) {
    for (; inputs >= 4; inputs -= 4, x += 4, pair += 2) {
        widen_block(x[0], x[1], x[2], x[3], pair);
    }
    if (inputs > 0) {
        widen_block(x[0], inputs > 1 ? x[1] : 0, inputs > 2 ? x[2] : 0, 0, pair);
        pair += 2;
    }
    for (; pair < end; pair += 2) {
        widen_block(0, 0, 0, 0, pair);
    }
}

const uint8_t *mote_dsp(const int8_t *x, size_t inputs, const uint8_t *weights, size_t outputs,
                        int32_t *sums, int32_t *scratch) {
    const size_t groups = (outputs + 3) / 4;
    while (inputs > 0) {
        const size_t chunk = inputs < CHUNK ? inputs : CHUNK;
        const size_t words = (chunk + BLOCK - 1) / BLOCK * (BLOCK / 2);
        widen(x, chunk, scratch, scratch + words);
        mote_dsp_groups(sums, weights, scratch, (uint32_t)(4 * words), sums + 4 * groups);
        /* Four words of start, and two words for each word that was widened. */
        weights += groups * (16 + 8 * words);
        x += chunk;
        inputs -= chunk;
    }
    return weights;
}

#endif
