/* Fourier transforms of rows of real numbers, several rows at a time (Stockham's order, 1966). */
#ifndef TD_FFT_H
#define TD_FFT_H

#include "conv.h"

/* A vector's worth of rows, but no more than lets the points of usual frames stay in L1. */
enum { TD_FFT_BYTES = sizeof(vf) < 32 ? sizeof(vf) : 32, TD_FFT_LARGEST_RADIX = 31 };

/* The smallest prime factor, 0 for one that is too large. */
static int64_t td_fft_radix(int64_t n) {
    for (int64_t r = 2; r <= TD_FFT_LARGEST_RADIX; r++)
        if (n % r == 0) return r;
    return 0;
}

#define REAL float
#define OF(name) name##_f32
#include "fft_of.h"
#define REAL double
#define OF(name) name##_f64
#include "fft_of.h"

/* rfft: x [rows, length], cut or padded with zeros to n; turns [n, 2]: cos and sin of -2 pi k / n;
 *       [window [length]] -> y [rows, n / 2 + 1, 2], dense pairs, all float32 or all float64
 *       n is even and has no prime factor above 31 */
static int rfft_plan(const td_call *call, td_work *work) {
    const td_tensor *x = call->in[0], *turns = call->in[1], *window = call->in[2], *y = call->out[0];
    if (x->rank != 2 || turns->rank != 2 || y->rank != 3) return TD_REFUSED;
    if (x->dtype != TD_F32 && x->dtype != TD_F64) return TD_REFUSED;
    if (turns->dtype != x->dtype || y->dtype != x->dtype) return TD_REFUSED;
    const int64_t n = turns->shape[0];
    if (n < 2 || n % 2 || turns->shape[1] != 2) return TD_REFUSED;
    if (y->shape[0] != x->shape[0] || y->shape[1] != n / 2 + 1 || y->shape[2] != 2) return TD_REFUSED;
    if (y->stride[2] != 1 || turns->stride[0] != 2 || turns->stride[1] != 1) return TD_REFUSED;
    if (window->data && (window->rank != 1 || window->dtype != x->dtype || window->stride[0] != 1
                         || window->shape[0] != x->shape[1])) return TD_REFUSED;
    for (int64_t left = n / 2; left > 1;) {
        const int64_t r = td_fft_radix(left);
        if (!r) return TD_REFUSED;
        left /= r;
    }
    const int64_t rows = x->dtype == TD_F32 ? TD_FFT_ROWS_f32 : TD_FFT_ROWS_f64;
    *work = (td_work){(x->shape[0] + rows - 1) / rows, 1 + (16 << 10) / n, 2 * n * TD_FFT_BYTES};
    return TD_OK;
}

static int rfft_run(const td_call *call) {
    const int64_t points = call->in[1]->shape[0] / 2;
    if (call->in[0]->dtype == TD_F32) td_rfft_f32(call, points);
    else td_rfft_f64(call, points);
    return TD_OK;
}

#endif
