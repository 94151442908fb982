/* From real numbers to bytes and back, and what is done with bytes alone. */
#include "bytes.h"

static int32_t clamp(int32_t q, int32_t low, int32_t high) {
    return q < low ? low : q > high ? high : (int32_t)q;
}

void mote_quantize(const float *x, size_t n, float scale, int8_t zero_point, int8_t *y) {
    for (size_t i = 0; i < n; i++) {
        float steps = x[i] / scale;
        steps = steps > 1e6f ? 1e6f : steps < -1e6f ? -1e6f : steps;
        /* What is no number compares with nothing, itself included. */
        if (x[i] != x[i]) {
            steps = 0.0f;
        }
        /* Rounds to even, whatever the compiler makes of sums of constants. */
        int32_t q = (int32_t)steps;
        const float rest = steps - (float)q;
        if (rest > 0.5f || (rest == 0.5f && q % 2 != 0)) {
            q++;
        } else if (rest < -0.5f || (rest == -0.5f && q % 2 != 0)) {
            q--;
        }
        y[i] = (int8_t)clamp(q + zero_point, -128, 127);
    }
}

void mote_dequantize(const int8_t *x, size_t n, float scale, int8_t zero_point, float *y) {
    for (size_t i = 0; i < n; i++) {
        y[i] = (float)(x[i] - zero_point) * scale;
    }
}

void mote_lookup(const int8_t *x, size_t n, const int8_t *table, int8_t *y) {
    for (size_t i = 0; i < n; i++) {
        y[i] = table[x[i] + 128];
    }
}

void mote_add(const int8_t *a, mote_addend of_a, const int8_t *b, mote_addend of_b, size_t n,
              int32_t zero_point, int32_t low, int32_t high, int8_t *y) {
    for (size_t i = 0; i < n; i++) {
        const int64_t sum = (int64_t)(a[i] - of_a.zero_point) * of_a.multiplier +
                            (int64_t)(b[i] - of_b.zero_point) * of_b.multiplier + (1 << 19);
        /* Below 2^51, so that 32 bits hold what is left; unsigned, because a shift of a negative
           number is not defined in C99. */
        const int32_t steps = (int32_t)(uint32_t)((uint64_t)sum >> 20);
        y[i] = (int8_t)clamp(steps + zero_point, low, high);
    }
}
