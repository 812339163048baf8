/* Maximum and mean of windows.
 *
 * As in TensorFlow, max_pool passes over NaN and answers the lowest float where nothing is larger; the mean
 * counts what lies inside only.  Sums run over the taps in order, or, where kernels overlap along the last
 * spatial axis, over columns first: a choice of the kernel's shape alone. */
#ifndef TD_POOL_H
#define TD_POOL_H

#include "depthwise.h"

enum { TD_POOL_MAX, TD_POOL_AVG };

enum { TD_POOL_FAR = 2 << 20 }; /* floats that no cache is sure to hold */

/* Where padding is part of the windows, `start` is what a window that reaches outside begins with, and
 * `taps` what every sum is divided by; else `taps` is 0. */
typedef struct td_pool {
    td_window w;
    float start;
    int64_t taps;
    int far; /* whether what is read comes from memory */
} td_pool;

TD_INLINE float td_pool_start(const int op) { return op == TD_POOL_MAX ? -3.40282347e38f : 0.0f; }
TD_INLINE vf td_pool_step(const int op, vf acc, vf x) {
    return op == TD_POOL_MAX ? td_max2(x, acc) : acc + x;
}

/* Columns are folded first where each is read by three windows or more. */
TD_INLINE int td_pool_by_columns(const td_window *w) {
    return w->dilation[2] == 1 && w->kernel[2] >= 3 * w->stride[2] &&
           w->kernel[0] * w->kernel[1] > 1;
}

/* `count` neighbouring results of one vector: taps [k0, k1) of each, in all of the line's kernel rows. */
TD_INLINE void td_pool_pixels(const td_pool *p, const td_line *line, int64_t at, int64_t c,
                              int64_t n, int64_t k0, int64_t k1, const int op, const int count,
                              const int full) {
    const td_window *w = &p->w;
    const int64_t taps = (line->d1 - line->d0) * (line->h1 - line->h0) * (k1 - k0);
    const vf start = td_set(taps < p->taps ? p->start : td_pool_start(op));
    const int64_t step = w->stride[2] * w->in_step[2], tap = w->dilation[2] * w->in_step[2];
    vf acc[4];
#pragma GCC unroll 4
    for (int i = 0; i < count; i++) acc[i] = start;
    for (int64_t kd = line->d0; kd < line->d1; kd++)
        for (int64_t kh = line->h0; kh < line->h1; kh++) {
            const float *x = line->x + at * step + kd * w->dilation[0] * w->in_step[0] +
                             kh * w->dilation[1] * w->in_step[1] + k0 * tap + c;
            for (int64_t k = k0; k < k1; k++, x += tap)
#pragma GCC unroll 4
                for (int i = 0; i < count; i++)
                    acc[i] = td_pool_step(op, acc[i], td_load_some(x + i * step, n, full));
        }
    float *y = line->y + at * w->out_step[2] + c;
    if (op == TD_POOL_AVG) {
        const float by = (float)(p->taps ? p->taps : taps);
#pragma GCC unroll 4
        for (int i = 0; i < count; i++) acc[i] /= by;
    }
#pragma GCC unroll 4
    for (int i = 0; i < count; i++) {
        if (full) td_store(y + i * w->out_step[2], acc[i]);
        else td_storen(y + i * w->out_step[2], n, acc[i]);
    }
}

/* Brings what the next line reads and this one does not into the second cache. */
TD_INLINE void td_pool_fetch(const td_pool *p, const td_line *line, int64_t at, int64_t count) {
    const td_window *w = &p->w;
    const int64_t length = count * w->stride[2] * w->in_step[2];
    const float *x = line->x + at * w->stride[2] * w->in_step[2] + w->kernel[1] * w->in_step[1];
    for (int64_t h = 0; h < w->stride[1]; h++, x += w->in_step[1])
        for (int64_t i = 0; i < length; i += TD_PANEL) __builtin_prefetch(x + i, 0, 2);
}

/* All channels of a line, pixel by pixel: memory is read as it lies. */
TD_INLINE void td_pool_line(const td_pool *p, const td_line *line, const int op) {
    const td_window *w = &p->w;
    int64_t inner, outer, at = 0;
    td_interior(w, &inner, &outer);
    while (at < w->out[2]) {
        const int four = at >= inner && outer - at >= 4;
        int64_t c = 0, k0, k1;
        if (p->far) td_pool_fetch(p, line, at, four ? 4 : 1);
        td_inside(w, 2, at * w->stride[2] - w->pad[2], &k0, &k1);
        for (; c + TD_LANES <= w->channels; c += TD_LANES) {
            if (four) td_pool_pixels(p, line, at, c, TD_LANES, k0, k1, op, 4, 1);
            else td_pool_pixels(p, line, at, c, TD_LANES, k0, k1, op, 1, 1);
        }
        const int64_t n = w->channels - c;
        if (n && four) td_pool_pixels(p, line, at, c, n, k0, k1, op, 4, 0);
        else if (n) td_pool_pixels(p, line, at, c, n, k0, k1, op, 1, 0);
        at += four ? 4 : 1;
    }
}

/* The same through columns: `column` holds in[2] vectors, each folded over the rows of the window. */
TD_INLINE void td_pool_columns(const td_pool *p, const td_line *line, int64_t c, int64_t n,
                               float *column, const int op, const int full) {
    const td_window *w = &p->w;
    const float *base = line->x + w->pad[2] * w->in_step[2] + c;
    for (int64_t i = 0; i < w->in[2]; i++) {
        vf acc = td_set(td_pool_start(op));
        for (int64_t kd = line->d0; kd < line->d1; kd++)
            for (int64_t kh = line->h0; kh < line->h1; kh++)
                acc = td_pool_step(op, acc,
                                   td_load_some(base + i * w->in_step[2] +
                                                    kd * w->dilation[0] * w->in_step[0] +
                                                    kh * w->dilation[1] * w->in_step[1], n, full));
        td_store(column + i * TD_LANES, acc);
    }
    const int64_t rows = (line->d1 - line->d0) * (line->h1 - line->h0);
    for (int64_t at = 0; at < w->out[2]; at++) {
        int64_t k0, k1;
        const int64_t from = at * w->stride[2] - w->pad[2];
        td_inside(w, 2, from, &k0, &k1);
        const int64_t taps = rows * (k1 - k0);
        vf acc = td_set(taps < p->taps ? p->start : td_pool_start(op));
        for (int64_t k = k0; k < k1; k++)
            acc = td_pool_step(op, acc, td_load(column + (from + k) * TD_LANES));
        if (op == TD_POOL_AVG) acc /= (float)(p->taps ? p->taps : taps);
        float *y = line->y + at * w->out_step[2] + c;
        if (full) td_store(y, acc);
        else td_storen(y, n, acc);
    }
}

/* max_pool, avg_pool: x [n, spatial..., c] -> y [n, spatial..., c]
 *                     ints: kernel, stride, dilation, padding before as for conv
 *                     floats: none, or what the padding holds if it is part of the windows (0 for sums) */
static int td_pool_plan(const td_call *call, td_work *work) {
    td_window w = {0};
    const td_tensor *x = call->in[0], *y = call->out[0];
    if (!td_is_f32(x) || !td_is_f32(y) || td_window_of(&w, x, y, call->ints)) return TD_REFUSED;
    if (y->shape[y->rank - 1] != w.channels) return TD_REFUSED;
    const int64_t cost = w.out[2] * w.channels * w.kernel[0] * w.kernel[1] * w.kernel[2];
    const int64_t lines = w.batch * w.out[0] * w.out[1];
    *work = (td_work){cost ? lines : 0, 1 + (128 << 10) / (cost + 1),
                      td_pool_by_columns(&w) ? w.in[2] * TD_LANES * (int64_t)sizeof(float) : 0};
    return TD_OK;
}

TD_INLINE int td_pool_run(const td_call *call, const int op) {
    td_pool p = {.start = td_pool_start(op)};
    const td_window *w = &p.w;
    td_window_of(&p.w, call->in[0], call->out[0], call->ints);
    p.far = w->batch * w->in_batch > TD_POOL_FAR;
    if (call->n_floats) {
        p.taps = w->kernel[0] * w->kernel[1] * w->kernel[2];
        if (call->floats[0] > p.start) p.start = call->floats[0];
    }
    const int columns = td_pool_by_columns(w);
    float *column = call->scratch;
    for (int64_t u = call->begin; u < call->end; u++) {
        const td_line line = td_line_at(w, call->in[0]->data, call->out[0]->data, u);
        if (!columns) {
            td_pool_line(&p, &line, op);
            continue;
        }
        int64_t c = 0;
        for (; c + TD_LANES <= w->channels; c += TD_LANES)
            td_pool_columns(&p, &line, c, TD_LANES, column, op, 1);
        if (c < w->channels)
            td_pool_columns(&p, &line, c, w->channels - c, column, op, 0);
    }
    return TD_OK;
}

static int max_pool_plan(const td_call *call, td_work *work) { return td_pool_plan(call, work); }
static int avg_pool_plan(const td_call *call, td_work *work) { return td_pool_plan(call, work); }
static int max_pool_run(const td_call *call) { return td_pool_run(call, TD_POOL_MAX); }
static int avg_pool_run(const td_call *call) { return td_pool_run(call, TD_POOL_AVG); }

#endif
