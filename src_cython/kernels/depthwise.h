/* Depthwise convolution: every channel by its own kernel, no packing. */
#ifndef TD_DEPTHWISE_H
#define TD_DEPTHWISE_H

#include "conv.h"

/* Taps [first, last) of one axis that lie inside for the window that starts at `at`. */
TD_INLINE void td_inside(const td_window *w, int axis, int64_t at, int64_t *first, int64_t *last) {
    const int64_t d = w->dilation[axis], length = w->in[axis];
    *first = at >= 0 ? 0 : (-at + d - 1) / d;
    *last = at >= length ? 0 : TD_MIN(w->kernel[axis], (length - 1 - at) / d + 1);
    if (*last < *first) *last = *first;
}

/* Output positions [first, last) of the line's axis whose whole window lies inside. */
TD_INLINE void td_interior(const td_window *w, int64_t *first, int64_t *last) {
    const int64_t s = w->stride[2], reach = (w->kernel[2] - 1) * w->dilation[2];
    const int64_t room = w->in[2] - 1 - reach + w->pad[2];
    *first = TD_MIN((w->pad[2] + s - 1) / s, w->out[2]);
    *last = TD_MAX(room < 0 ? 0 : TD_MIN(room / s + 1, w->out[2]), *first);
}

/* One output line of a window kernel: image, and what of the two outer axes lies inside. */
typedef struct td_line {
    const float *x; /* first tap of output position 0; may lie before the data */
    float *y;
    int64_t row;    /* index of the line's first pixel */
    int64_t d0, d1, h0, h1;
} td_line;

TD_INLINE td_line td_line_at(const td_window *w, const float *x, float *y, int64_t index) {
    td_line line;
    line.row = index * w->out[2];
    const int64_t h = index % w->out[1], d = index / w->out[1] % w->out[0];
    const int64_t image = index / w->out[1] / w->out[0];
    const int64_t at_d = d * w->stride[0] - w->pad[0], at_h = h * w->stride[1] - w->pad[1];
    td_inside(w, 0, at_d, &line.d0, &line.d1);
    td_inside(w, 1, at_h, &line.h0, &line.h1);
    line.x = x + image * w->in_batch + at_d * w->in_step[0] + at_h * w->in_step[1] -
             w->pad[2] * w->in_step[2];
    line.y = y + image * w->out_batch + d * w->out_step[0] + h * w->out_step[1];
    return line;
}

/* Taps of the last axis that lie inside, for each output position, and the positions where all do. */
typedef struct td_edges {
    int32_t *first, *last;
    int64_t inner, outer;
} td_edges;

TD_INLINE int64_t td_edges_bytes(const td_window *w) {
    return w->out[2] * 2 * (int64_t)sizeof(int32_t);
}

static void td_edges_of(td_edges *e, const td_window *w, void *memory) {
    e->first = memory;
    e->last = e->first + w->out[2];
    td_interior(w, &e->inner, &e->outer);
    for (int64_t i = 0; i < w->out[2]; i++) {
        int64_t first, last;
        td_inside(w, 2, i * w->stride[2] - w->pad[2], &first, &last);
        e->first[i] = (int32_t)first;
        e->last[i] = (int32_t)last;
    }
}

typedef struct td_depthwise {
    td_window w;
    td_edges edges;
    const float *weights, *scale, *shift, *residual;
    int64_t residual_step;
    td_act act;
} td_depthwise;

/* The taps of a group of pixels that lie inside: where the first pixel reads, and the weights. */
typedef struct td_taps {
    int64_t count;
    const float *x[TD_BLOCK], *weights[TD_BLOCK];
} td_taps;

TD_INLINE void td_taps_of(td_taps *taps, const td_depthwise *d, const td_line *line, int64_t at) {
    const td_window *w = &d->w;
    const float *first = line->x + at * w->stride[2] * w->in_step[2];
    taps->count = 0;
    for (int64_t kd = line->d0; kd < line->d1; kd++)
        for (int64_t kh = line->h0; kh < line->h1; kh++)
            for (int64_t kw = d->edges.first[at]; kw < d->edges.last[at]; kw++) {
                taps->x[taps->count] = first + kd * w->dilation[0] * w->in_step[0] +
                                       kh * w->dilation[1] * w->in_step[1] +
                                       kw * w->dilation[2] * w->in_step[2];
                taps->weights[taps->count++] =
                    d->weights + ((kd * w->kernel[1] + kh) * w->kernel[2] + kw) * w->channels;
            }
}

/* n channels from c on of `count` neighbouring pixels from `at` on. */
TD_INLINE void td_depthwise_vector(const td_depthwise *d, const td_taps *taps, const td_line *line,
                                   int64_t at, int64_t c, int64_t n, const int count,
                                   const int full) {
    const td_window *w = &d->w;
    const int64_t step = w->stride[2] * w->in_step[2], out_step = w->out_step[2];
    vf acc[8];
#pragma GCC unroll 8
    for (int i = 0; i < count; i++) acc[i] = (vf){0};
    for (int64_t t = 0; t < taps->count; t++) {
        const float *x = taps->x[t] + c;
        const vf by = td_load_some(taps->weights[t] + c, n, full);
#pragma GCC unroll 8
        for (int i = 0; i < count; i++)
            acc[i] = td_fma(td_load_some(x + i * step, n, full), by, acc[i]);
    }
    const vf scale = d->scale ? td_load_some(d->scale + c, n, full) : td_set(1.0f);
    const vf shift = (d->shift ? td_load_some(d->shift + c, n, full) : td_set(0.0f)) + 0.0f;
    const vf low = td_set(d->act.low), high = td_set(d->act.high);
    float *y = line->y + at * out_step + c;
#pragma GCC unroll 8
    for (int i = 0; i < count; i++) {
        vf v = td_fma(acc[i], scale, shift);
        if (d->residual)
            v += td_load_some(d->residual + (line->row + at + i) * d->residual_step + c, n, full);
        v = td_clamp(v, low, high);
        if (full) td_store(y + i * out_step, v);
        else td_storen(y + i * out_step, n, v);
    }
}

/* All channels of `count` neighbouring pixels. */
TD_INLINE void td_depthwise_pixels(const td_depthwise *d, const td_line *line, int64_t at,
                                   const int count) {
    td_taps taps;
    td_taps_of(&taps, d, line, at);
    int64_t c = 0;
    for (; c + TD_LANES <= d->w.channels; c += TD_LANES)
        td_depthwise_vector(d, &taps, line, at, c, TD_LANES, count, 1);
    if (c < d->w.channels)
        td_depthwise_vector(d, &taps, line, at, c, d->w.channels - c, count, 0);
}

static void td_depthwise_line(const td_depthwise *d, const td_line *line) {
    for (int64_t at = 0; at < d->w.out[2];) {
        const int64_t room = at < d->edges.inner ? 1 : d->edges.outer - at;
        if (room >= 8) {
            td_depthwise_pixels(d, line, at, 8);
            at += 8;
        } else if (room >= 4) {
            td_depthwise_pixels(d, line, at, 4);
            at += 4;
        } else if (room >= 2) {
            td_depthwise_pixels(d, line, at, 2);
            at += 2;
        } else {
            td_depthwise_pixels(d, line, at, 1);
            at++;
        }
    }
}

static int td_depthwise_of(td_depthwise *d, const td_call *call) {
    const td_tensor *x = call->in[0], *weights = call->in[1], *y = call->out[0];
    int64_t rows;
    if (!td_is_f32(x) || !td_is_f32(weights) || !td_is_f32(y)) return TD_REFUSED;
    if (td_window_of(&d->w, x, y, call->ints + 1)) return TD_REFUSED;
    const td_window *w = &d->w;
    const int64_t taps = w->kernel[0] * w->kernel[1] * w->kernel[2];
    if (y->shape[y->rank - 1] != w->channels || taps > TD_BLOCK) return TD_REFUSED;
    if (weights->rank != 2 || weights->shape[0] != taps || weights->shape[1] != w->channels)
        return TD_REFUSED;
    if (!td_dense_last(weights) || (taps > 1 && weights->stride[0] != w->channels))
        return TD_REFUSED;
    d->weights = weights->data;
    d->scale = call->in[2]->data;
    d->shift = call->in[3]->data;
    d->residual = call->in[4]->data;
    if (d->residual) td_rows_of(call->in[4], 1, &rows, &d->residual_step);
    d->act = td_act_of(call->ints[0], call->floats);
    return TD_OK;
}

/* depthwise: x [n, spatial..., c], w [taps, c], [scale c], [shift c], [residual like y]
 *            -> y [n, spatial..., c]
 *            ints: activation; then kernel, stride, dilation, padding before as for conv
 *            floats: the activation's two parameters */
static int depthwise_plan(const td_call *call, td_work *work) {
    td_depthwise d = {0};
    if (td_depthwise_of(&d, call)) return TD_REFUSED;
    const td_window *w = &d.w;
    const int64_t cost = w->out[2] * w->channels * w->kernel[0] * w->kernel[1] * w->kernel[2];
    const int64_t lines = w->batch * w->out[0] * w->out[1];
    *work = (td_work){cost ? lines : 0, 1 + (64 << 10) / (cost + 1), td_edges_bytes(w)};
    return td_epilogue_plan(call, 2, call->out[0]);
}

static int depthwise_run(const td_call *call) {
    td_depthwise d = {0};
    td_depthwise_of(&d, call);
    const td_window *w = &d.w;
    td_edges_of(&d.edges, w, call->scratch);
    for (int64_t u = call->begin; u < call->end; u++) {
        const td_line line = td_line_at(w, call->in[0]->data, call->out[0]->data, u);
        td_depthwise_line(&d, &line);
        if (d.act.kind > TD_ACT_clamp)
            td_act_tile(&d.act, line.y, w->out_step[2], w->out[2], w->channels);
    }
    return TD_OK;
}

#endif
