/* Copies that change only where numbers lie. */
#include "layout.h"

#include <string.h>

void mote_copy_blocks(const void *x, size_t x_step, void *y, size_t y_step, size_t blocks,
                      size_t bytes) {
    for (size_t i = 0; i < blocks; i++) {
        memcpy((char *)y + i * y_step, (const char *)x + i * x_step, bytes);
    }
}

void mote_permute(const void *x, size_t bytes, const size_t lengths[4], const size_t steps[4],
                  void *y) {
    char *to = y;
    for (size_t i = 0; i < lengths[0]; i++) {
        for (size_t j = 0; j < lengths[1]; j++) {
            for (size_t k = 0; k < lengths[2]; k++) {
                const size_t start = i * steps[0] + j * steps[1] + k * steps[2];
                for (size_t l = 0; l < lengths[3]; l++, to += bytes) {
                    memcpy(to, (const char *)x + (start + l * steps[3]) * bytes, bytes);
                }
            }
        }
    }
}
