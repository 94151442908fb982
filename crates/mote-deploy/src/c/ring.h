/* The newest rows of a series, where each new one takes the place of the oldest. */
#ifndef MOTE_RING_H
#define MOTE_RING_H

#include <stddef.h>

/* Puts the row `x` where the oldest one lies, at the byte `oldest`; where the oldest one lies then. */
size_t mote_push(const void *x, size_t row_bytes, void *ring, size_t ring_bytes, size_t oldest);

/* `taps` rows side by side in `gathered`, from the oldest on, `step` bytes apart; no step is longer
   than the ring. */
const void *mote_ring_window(const void *ring, size_t ring_bytes, size_t oldest, size_t row_bytes,
                             size_t taps, size_t step, void *gathered);

#endif
