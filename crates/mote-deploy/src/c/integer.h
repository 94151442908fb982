/* Layers of integers: exact sums of products, one rounding for each result. */
#ifndef MOTE_INTEGER_H
#define MOTE_INTEGER_H

#include <stddef.h>
#include <stdint.h>

/* Outputs that are summed up before they are rounded; a multiple of four. */
#define MOTE_TILE 64u

#if defined(__ARM_FEATURE_MVE)
#define MOTE_MVE 1
#define MOTE_SCRATCH_WORDS (MOTE_TILE + 64u)
#define mote_native mote_mve
#define mote_native4 mote_mve4
#elif defined(__ARM_FEATURE_DSP)
#define MOTE_DSP 1
#define MOTE_SCRATCH_WORDS (MOTE_TILE + 64u)
#define mote_native mote_dsp
#define mote_native4 mote_dsp4
#else
#define MOTE_SCRATCH_WORDS MOTE_TILE
#define mote_native mote_rows
#define mote_native4 mote_nibbles
#endif

/* sums[o] += sum of x[i] * w[o, i], modulo 2^32, for weights in one order; returns what follows
   them. Sums up to the next multiple of four may be overwritten. */
typedef const uint8_t *mote_order(const int8_t *x, size_t inputs, const uint8_t *weights,
                                  size_t outputs, int32_t *sums, int32_t *scratch);

/* (outputs, inputs), row major, one byte each. */
mote_order mote_rows;
/* For each output its groups: factor, count, then weights of four bits. */
mote_order mote_nibbles;
/* Eight and four bits for the DSP instructions of a Cortex-M4, M7 or M33; see dsp.S and dsp4.S. */
mote_order mote_dsp, mote_dsp4;
/* The same for the vectors of a Cortex-M55 or M85; see mve.S and mve4.S. */
mote_order mote_mve, mote_mve4;

/* Which byte stands for zero, and the least and the largest one. */
typedef struct {
    int32_t zero_point, low, high;
} mote_range;

typedef struct {
    mote_order *order;
    const uint8_t *weights;
    /* What each sum begins with. */
    const int32_t *bias;
    size_t inputs, outputs;
} mote_matrix;

/* y[o] = clamp(zero_point + ((sum[o] * multiplier[o] + 2^31) >> 32)). `scratch` has
   MOTE_SCRATCH_WORDS words. */
void mote_to_bytes(const int8_t *x, const mote_matrix *matrix, const int32_t *multiplier,
                   const mote_range *range, int32_t *scratch, int8_t *y);

/* y[o] = sum[o] * scale[o]. */
void mote_to_reals(const int8_t *x, const mote_matrix *matrix, const float *scale,
                   int32_t *scratch, float *y);

#endif
