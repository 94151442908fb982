/* The newest rows of a series, where each new one takes the place of the oldest. */
#include "ring.h"

#include <string.h>

size_t mote_push(const void *x, size_t row_bytes, void *ring, size_t ring_bytes, size_t oldest) {
    const size_t next = oldest + row_bytes;
    memcpy((char *)ring + oldest, x, row_bytes);
    return next < ring_bytes ? next : 0;
}

const void *mote_ring_window(const void *ring, size_t ring_bytes, size_t oldest, size_t row_bytes,
                             size_t taps, size_t step, void *gathered) {
    size_t at = oldest;
    for (size_t k = 0; k < taps; k++) {
        memcpy((char *)gathered + k * row_bytes, (const char *)ring + at, row_bytes);
        at += step;
        if (at >= ring_bytes) {
            at -= ring_bytes;
        }
    }
    return gathered;
}
