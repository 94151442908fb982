/* Weights of four bits for the vectors (Helium, MVE) of a Cortex-M55 or M85; see mve4.S. */
#include "integer.h"

#if defined(MOTE_MVE)

#include <string.h>

/* Words of a group of inputs: its beginning, 16 even ones, 16 odd ones. */
#define GROUP_WORDS 9u
/* Bytes of weights for a group of four outputs: four vectors and as many factors. */
#define GROUP_BYTES 68u

void mote_mve4_groups(int32_t *sums, const void *w, const void *x, uint32_t groups, int32_t *end);

static void split(const int8_t *x, size_t inputs, int32_t *words) {
    int8_t *even = (int8_t *)(words + 1), *odd = (int8_t *)(words + 5);
    int32_t sum = 0;
    memset(words, 0, GROUP_WORDS * sizeof *words);
    for (size_t i = 0; i < inputs; i++) {
        if (i % 2 == 0) {
            even[i / 2] = x[i];
            sum += x[i];
        } else {
            odd[i / 2] = x[i];
        }
    }
    words[0] = -8 * sum;
}

const uint8_t *mote_mve4(const int8_t *x, size_t inputs, const uint8_t *weights, size_t outputs,
                         int32_t *sums, int32_t *scratch) {
    const size_t fours = (outputs + 3) / 4;
    const int8_t *const x_end = x + inputs;
    while (x < x_end) {
        /* A chunk begins with the number of its groups and the length of each. */
        const size_t groups = weights[0];
        for (size_t g = 0; g < groups; g++) {
            split(x, weights[1 + g], scratch + g * GROUP_WORDS);
            x += weights[1 + g];
        }
        weights += (groups + 1 + 3) / 4 * 4;
        mote_mve4_groups(sums, weights, scratch, (uint32_t)groups, sums + 4 * fours);
        weights += fours * groups * GROUP_BYTES;
    }
    return weights;
}

#endif
