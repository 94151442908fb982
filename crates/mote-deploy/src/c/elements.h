/* What is done to each number, or to each pair of numbers. */
#ifndef MOTE_ELEMENTS_H
#define MOTE_ELEMENTS_H

#include <math.h>
#include <stddef.h>

static inline float mote_add_reals(float a, float b) { return a + b; }
static inline float mote_sub(float a, float b) { return a - b; }
static inline float mote_mul(float a, float b) { return a * b; }
static inline float mote_div(float a, float b) { return a / b; }
/* A NaN stays: it compares with nothing, itself included. */
static inline float mote_max(float a, float b) { return a < b || b != b ? b : a; }
static inline float mote_min(float a, float b) { return b < a || b != b ? b : a; }

static inline float mote_relu(float x) { return x < 0.0f ? 0.0f : x; }
static inline float mote_sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
static inline float mote_silu(float x) { return x * mote_sigmoid(x); }
static inline float mote_gelu(float x) {
    return 0.5f * x * (1.0f + erff(x * 0.70710678118654752440f));
}
static inline float mote_tanh(float x) { return tanhf(x); }
static inline float mote_softplus(float x) {
    return (x > 0.0f ? x : 0.0f) + log1pf(expf(-fabsf(x)));
}
static inline float mote_exp(float x) { return expf(x); }
static inline float mote_log(float x) { return logf(x); }
static inline float mote_sqrt(float x) { return sqrtf(x); }
static inline float mote_square(float x) { return x * x; }
static inline float mote_abs(float x) { return fabsf(x); }
static inline float mote_recip(float x) { return 1.0f / x; }

/* y = f(x); `y` may be `x`. */
static inline void mote_map(const float *x, size_t n, float *y, float (*f)(float)) {
    for (size_t i = 0; i < n; i++) {
        y[i] = f(x[i]);
    }
}

/* y = x * scale + offset */
static inline void mote_affine(const float *x, size_t n, float scale, float offset, float *y) {
    for (size_t i = 0; i < n; i++) {
        y[i] = x[i] * scale + offset;
    }
}

/* y = min(max(x, low), high); a NaN stays. */
static inline void mote_clamp(const float *x, size_t n, float low, float high, float *y) {
    for (size_t i = 0; i < n; i++) {
        y[i] = x[i] < low ? low : x[i] > high ? high : x[i];
    }
}

/* y = f(a, b), where the axes of `y` have these lengths, and these steps in `a` and `b`: none along
   axes that repeat. */
static inline void mote_broadcast(const float *a, const size_t of_a[4], const float *b,
                                  const size_t of_b[4], const size_t lengths[4], float *y,
                                  float (*f)(float, float)) {
    for (size_t i = 0; i < lengths[0]; i++) {
        for (size_t j = 0; j < lengths[1]; j++) {
            for (size_t k = 0; k < lengths[2]; k++) {
                const float *pa = a + i * of_a[0] + j * of_a[1] + k * of_a[2];
                const float *pb = b + i * of_b[0] + j * of_b[1] + k * of_b[2];
                for (size_t l = 0; l < lengths[3]; l++) {
                    *y++ = f(pa[l * of_a[3]], pb[l * of_b[3]]);
                }
            }
        }
    }
}

#endif
