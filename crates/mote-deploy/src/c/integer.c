/* Layers of integers: exact sums of products, one rounding for each result. */
#include "integer.h"

#include <string.h>

#if defined(MOTE_MVE)
void mote_mve_requantize(const int32_t *sums, const int32_t *multiplier, int8_t *y,
                         uint32_t outputs, const mote_range *range);

static void requantize(const int32_t *sums, const int32_t *multiplier, const mote_range *range,
                       size_t outputs, int8_t *y) {
    mote_mve_requantize(sums, multiplier, y, (uint32_t)outputs, range);
}
#else
static void requantize(const int32_t *sums, const int32_t *multiplier, const mote_range *range,
                       size_t outputs, int8_t *y) {
    const int32_t zero_point = range->zero_point, low = range->low, high = range->high;
    for (size_t o = 0; o < outputs; o++) {
        /* Added as unsigned, because a shift of a negative number is not defined in C99. */
        const int64_t product = (int64_t)sums[o] * multiplier[o] + ((int64_t)1 << 31);
        int32_t q = (int32_t)(uint32_t)((uint64_t)product >> 32) + zero_point;
        q = q < low ? low : q;
        y[o] = (int8_t)(q > high ? high : q);
    }
}
#endif

/* Sums of one tile, and what follows its weights. */
static const uint8_t *sum_tile(const int8_t *x, const mote_matrix *m, const uint8_t *weights,
                               size_t first, size_t outputs, int32_t *scratch) {
    memcpy(scratch, m->bias + first, outputs * sizeof *scratch);
    if (m->inputs == 0) {
        return weights;
    }
    return m->order(x, m->inputs, weights, outputs, scratch, scratch + MOTE_TILE);
}

static size_t tile_outputs(const mote_matrix *m, size_t first) {
    return m->outputs - first < MOTE_TILE ? m->outputs - first : MOTE_TILE;
}

void mote_to_bytes(const int8_t *x, const mote_matrix *m, const int32_t *multiplier,
                   const mote_range *range, int32_t *scratch, int8_t *y) {
    const uint8_t *weights = m->weights;
    for (size_t first = 0; first < m->outputs; first += MOTE_TILE) {
        const size_t outputs = tile_outputs(m, first);
        weights = sum_tile(x, m, weights, first, outputs, scratch);
        requantize(scratch, multiplier + first, range, outputs, y + first);
    }
}

void mote_to_reals(const int8_t *x, const mote_matrix *m, const float *scale, int32_t *scratch,
                   float *y) {
    const uint8_t *weights = m->weights;
    for (size_t first = 0; first < m->outputs; first += MOTE_TILE) {
        const size_t outputs = tile_outputs(m, first);
        weights = sum_tile(x, m, weights, first, outputs, scratch);
        for (size_t o = 0; o < outputs; o++) {
            y[first + o] = (float)scratch[o] * scale[first + o];
        }
    }
}
