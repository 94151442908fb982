/* Attention to a window of rows, in one pass and without memory of its own: what was summed is scaled
   down whenever a greater score comes (Milakov and Gimelshein 2018, arXiv 1805.02867). */
#ifndef MOTE_ATTENTION_H
#define MOTE_ATTENTION_H

#include <stddef.h>

/* What attention reads beside queries, and how they lie. */
typedef struct {
    /* (time, heads, width), and where the first row lies: what follows the last one lies in front. */
    const float *keys;
    size_t first_key;
    /* (time, heads, outputs), and where the first row lies. */
    const float *values;
    size_t first_value;
    /* (heads, window) */
    const float *bias;
    size_t time;
    size_t heads;
    /* Numbers of a query or key. */
    size_t width;
    /* Numbers of a value. */
    size_t outputs;
    size_t window;
    /* Rows of zeros before the first. */
    size_t before;
} mote_attended;

/* `y` (rows, heads, outputs) of `queries` (rows, heads, width). */
void mote_attention(const float *queries, size_t rows, const mote_attended *a, float *y);

#endif
