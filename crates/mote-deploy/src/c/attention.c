/* Attention to a window of rows. */
#include "attention.h"

#include <math.h>

/* The numbers `i` behind the first row, of `n` in all. */
static const float *at(const float *rows, size_t first, size_t i, size_t n) {
    const size_t from = first + i;
    return rows + (from < n ? from : from - n);
}

/* The result of head `h` at row `t`. */
static void attend(const float *query, const mote_attended *a, size_t t, size_t h, float *y) {
    const size_t keys = a->time * a->heads * a->width;
    const size_t values = a->time * a->heads * a->outputs;
    float top = -INFINITY, sum = 0.0f;
    for (size_t i = 0; i < a->outputs; i++) {
        y[i] = 0.0f;
    }
    for (size_t j = 0; j < a->window; j++) {
        /* A row outside has zeros for key and value. */
        const int inside = t + j >= a->before;
        const size_t row = inside ? (t + j - a->before) * a->heads + h : 0;
        float score = 0.0f;
        if (inside) {
            const float *key = at(a->keys, a->first_key, row * a->width, keys);
            for (size_t i = 0; i < a->width; i++) {
                score += query[i] * key[i];
            }
        }
        score += a->bias[h * a->window + j];
        if (score == -INFINITY) {
            continue;
        }
        /* A NaN is not greater than a NaN, and stays. */
        if (score > top || score != score) {
            const float scale = expf(top - score);
            sum *= scale;
            for (size_t i = 0; i < a->outputs; i++) {
                y[i] *= scale;
            }
            top = score;
        }
        const float weight = expf(score - top);
        sum += weight;
        if (inside) {
            const float *value = at(a->values, a->first_value, row * a->outputs, values);
            for (size_t i = 0; i < a->outputs; i++) {
                y[i] += weight * value[i];
            }
        }
    }
    for (size_t i = 0; i < a->outputs; i++) {
        y[i] /= sum;
    }
}

void mote_attention(const float *queries, size_t rows, const mote_attended *a, float *y) {
    for (size_t t = 0; t < rows; t++) {
        for (size_t h = 0; h < a->heads; h++, queries += a->width, y += a->outputs) {
            attend(queries, a, t, h, y);
        }
    }
}
