/* Folds along an axis, and what is normalized by them. */
#include "normalize.h"

#include <math.h>

void mote_fold(const float *x, size_t outer, size_t length, size_t inner, float *y,
               float (*f)(float, float)) {
    for (size_t o = 0; o < outer; o++, y += inner) {
        for (size_t l = 0; l < length; l++) {
            for (size_t i = 0; i < inner; i++, x++) {
                y[i] = l == 0 ? *x : f(y[i], *x);
            }
        }
    }
}

void mote_cumulative_sum(const float *x, size_t outer, size_t length, size_t inner, int reverse,
                         float *y) {
    const size_t block = length * inner;
    for (size_t o = 0; o < outer; o++, x += block, y += block) {
        for (size_t n = 0; n < block; n++) {
            const size_t i = reverse ? block - 1 - n : n;
            y[i] = n < inner ? x[i] : (reverse ? y[i + inner] : y[i - inner]) + x[i];
        }
    }
}

void mote_softmax(const float *x, size_t rows, size_t width, float *y) {
    for (size_t r = 0; r < rows; r++, x += width, y += width) {
        float top = -INFINITY, sum = 0.0f;
        for (size_t i = 0; i < width; i++) {
            top = fmaxf(top, x[i]);
        }
        for (size_t i = 0; i < width; i++) {
            y[i] = expf(x[i] - top);
            sum += y[i];
        }
        for (size_t i = 0; i < width; i++) {
            y[i] /= sum;
        }
    }
}

void mote_layer_norm(const float *x, size_t rows, size_t width, const float *gain,
                     const float *bias, float epsilon, float *y) {
    for (size_t r = 0; r < rows; r++, x += width, y += width) {
        float mean = 0.0f, variance = 0.0f;
        for (size_t i = 0; i < width; i++) {
            mean += x[i];
        }
        mean /= (float)width;
        for (size_t i = 0; i < width; i++) {
            variance += (x[i] - mean) * (x[i] - mean);
        }
        const float scale = 1.0f / sqrtf(variance / (float)width + epsilon);
        for (size_t i = 0; i < width; i++) {
            y[i] = (x[i] - mean) * scale * gain[i] + bias[i];
        }
    }
}
