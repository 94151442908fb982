/* Windows of a series: the rows that one output row of a layer reads, side by side. */
#ifndef MOTE_WINDOW_H
#define MOTE_WINDOW_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    /* Rows of the series, and bytes in a row. */
    size_t time, row_bytes;
    /* Rows in a window; of a transposed convolution, taps of the whole kernel. */
    size_t taps;
    /* Rows between two windows; of a transposed convolution, output rows for each input row. */
    size_t stride;
    /* Rows between two taps. */
    size_t dilation;
    /* Rows in front of the first; of a transposed convolution, output rows cut off there. */
    size_t before;
    /* Each byte of a row outside of the series. */
    int8_t fill;
} mote_geometry;

/* The window of output row `t` of a convolution; `gathered` holds it where its rows do not lie side
   by side. */
const void *mote_window(const void *x, const mote_geometry *g, size_t t, void *gathered);

/* The same of a transposed convolution, and the phase, which says with which weights it meets. */
const void *mote_transposed_window(const void *x, const mote_geometry *g, size_t t,
                                   void *gathered, size_t *phase);

#endif
