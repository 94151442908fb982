/* Weights of eight bits for the vectors (Helium, MVE) of a Cortex-M55 or M85; see mve.S. */
#include "integer.h"

#if defined(MOTE_MVE)

void mote_mve_groups(int32_t *sums, const void *w, const void *x, uint32_t inputs, int32_t *end);

const uint8_t *mote_mve(const int8_t *x, size_t inputs, const uint8_t *weights, size_t outputs,
                        int32_t *sums, int32_t *scratch) {
    const size_t padded_outputs = (outputs + 3) / 4 * 4, padded_inputs = (inputs + 15) / 16 * 16;
    (void)scratch;
    mote_mve_groups(sums, weights, x, (uint32_t)inputs, sums + padded_outputs);
    return weights + padded_outputs * padded_inputs;
}

#endif
