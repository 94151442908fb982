/* Copies that change only where numbers lie. */
#ifndef MOTE_LAYOUT_H
#define MOTE_LAYOUT_H

#include <stddef.h>

/* Copies `blocks` blocks of `bytes`, which lie `x_step` bytes apart in `x` and `y_step` in `y`:
   slices, and parts of what is joined. */
void mote_copy_blocks(const void *x, size_t x_step, void *y, size_t y_step, size_t blocks,
                      size_t bytes);

/* Copies numbers of `bytes` in the order of `y`, whose axes have these lengths, and these steps in
   `x`. */
void mote_permute(const void *x, size_t bytes, const size_t lengths[4], const size_t steps[4],
                  void *y);

#endif
