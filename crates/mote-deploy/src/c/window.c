/* Windows of a series: the rows that one output row of a layer reads, side by side. */
#include "window.h"

#include <string.h>

/* Rows before the first are numbers so large that they lie behind the last. */
static const void *rows(const char *x, const mote_geometry *g, size_t first, size_t taps,
                        char *gathered) {
    const size_t bytes = g->row_bytes;
    if ((g->dilation == 1 || taps == 1) && taps <= g->time && first <= g->time - taps) {
        return x + first * bytes;
    }
    for (size_t k = 0; k < taps; k++) {
        const size_t row = first + k * g->dilation;
        if (row < g->time) {
            memcpy(gathered + k * bytes, x + row * bytes, bytes);
        } else {
            memset(gathered + k * bytes, g->fill, bytes);
        }
    }
    return gathered;
}

const void *mote_window(const void *x, const mote_geometry *g, size_t t, void *gathered) {
    return rows(x, g, t * g->stride - g->before, g->taps, gathered);
}

const void *mote_transposed_window(const void *x, const mote_geometry *g, size_t t,
                                   void *gathered, size_t *phase) {
    const size_t place = t + g->before;
    *phase = place % g->stride;
    const size_t taps = (g->taps + g->stride - 1 - *phase) / g->stride;
    return rows(x, g, place / g->stride + 1 - taps, taps, gathered);
}
