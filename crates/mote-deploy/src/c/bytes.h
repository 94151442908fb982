/* From real numbers to bytes and back, and what is done with bytes alone. */
#ifndef MOTE_BYTES_H
#define MOTE_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* y = round(x / scale) + zero_point, to even, held to a byte; a NaN becomes the zero point. */
void mote_quantize(const float *x, size_t n, float scale, int8_t zero_point, int8_t *y);

/* y = (x - zero_point) * scale */
void mote_dequantize(const int8_t *x, size_t n, float scale, int8_t zero_point, float *y);

/* y = table[x + 128] */
void mote_lookup(const int8_t *x, size_t n, const int8_t *table, int8_t *y);

/* One operand of a sum of bytes: its zero point, and its factor in units of 2^-20. */
typedef struct {
    int8_t zero_point;
    int32_t multiplier;
} mote_addend;

/* y = clamp(zero_point + ((a * m_a + b * m_b + 2^19) >> 20)), with the zero points taken off. */
void mote_add(const int8_t *a, mote_addend of_a, const int8_t *b, mote_addend of_b, size_t n,
              int32_t zero_point, int32_t low, int32_t high, int8_t *y);

#endif
