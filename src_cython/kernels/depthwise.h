/* Depthwise convolution: every channel by its own kernel, or a few channels by those of their group; no
 * packing. */
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

enum {
    TD_DW_FLOATS = 8192, /* of weights and input lines, which the first cache shall hold */
    TD_DW_CHANNELS = 64, /* fewest at a time for which that pays */
    TD_DW_ROWS = 9,      /* most kernel rows for which runs of pixels are made */
    TD_DW_WIDTH = 8      /* most channels of a group: half a panel of a product */
};

typedef struct td_depthwise {
    td_window w;
    int64_t width; /* channels of a group, 1 or a power of 2 up to TD_DW_WIDTH */
    td_edges edges;
    int64_t ring; /* lines of the second axis that memory holds: line h lies at h % ring */
    const float *weights, *scale, *shift, *residual;
    const float *zeros; /* a pixel that stands for those outside, or NULL where weights hold inf or NaN */
    int64_t residual_step;
    td_act act;
} td_depthwise;

/* An output line, and the kernel rows that lie inside for it: where its first pixel reads each row's first
 * tap, which may lie before the data, and the weights of that tap. */
typedef struct td_dw_line {
    float *y;
    int64_t row; /* index of the line's first pixel */
    int64_t count;
    const float *x[TD_BLOCK], *weights[TD_BLOCK];
} td_dw_line;

static void td_dw_line_of(td_dw_line *to, const td_depthwise *d, const float *x, float *y,
                          int64_t index) {
    const td_window *w = &d->w;
    const td_line line = td_line_at(w, x, y, index);
    const int64_t h = index % w->out[1] * w->stride[1] - w->pad[1];
    to->y = line.y;
    to->row = line.row;
    to->count = 0;
    for (int64_t kd = line.d0; kd < line.d1; kd++)
        for (int64_t kh = line.h0; kh < line.h1; kh++) {
            const int64_t at = h + kh * w->dilation[1];
            to->x[to->count] = line.x + kd * w->dilation[0] * w->in_step[0] +
                               (at % d->ring - h) * w->in_step[1];
            to->weights[to->count++] =
                d->weights + (kd * w->kernel[1] + kh) * w->kernel[2] * d->width * w->channels;
        }
}

/* Sums of n channels from c on of `count` neighbouring pixels from `at` on become results. */
TD_INLINE void td_dw_finish(const td_depthwise *d, const td_dw_line *line, vf *acc, int64_t at, int64_t c,
                            int64_t n, const int count, const int full) {
    const int64_t out_step = d->w.out_step[2];
    const vf scale = d->scale ? td_load_some(d->scale + c, n, full) : td_set(1.0f);
    const vf shift = (d->shift ? td_load_some(d->shift + c, n, full) : td_set(0.0f)) + 0.0f;
    const vf low = td_set(d->act.low), high = td_set(d->act.high);
    float *y = line->y + at * out_step + c;
#pragma GCC unroll 8
    for (int i = 0; i < count; i++) acc[i] = td_fma(acc[i], scale, shift);
    if (d->residual) {
        const float *more = d->residual + (line->row + at) * d->residual_step + c;
#pragma GCC unroll 8
        for (int i = 0; i < count; i++)
            acc[i] += td_load_some(more + i * d->residual_step, n, full);
    }
#pragma GCC unroll 8
    for (int i = 0; i < count; i++)
        td_store_some(y + i * out_step, n, td_clamp(acc[i], low, high), full);
}

/* The taps of a group of pixels that lie inside: where the first pixel reads, and the weights. */
typedef struct td_taps {
    int64_t count;
    const float *x[TD_BLOCK], *weights[TD_BLOCK];
} td_taps;

TD_INLINE void td_taps_of(td_taps *taps, const td_depthwise *d, const td_dw_line *line, int64_t at) {
    const td_window *w = &d->w;
    const int64_t first = at * w->stride[2] * w->in_step[2], tap = w->dilation[2] * w->in_step[2];
    taps->count = 0;
    for (int64_t r = 0; r < line->count; r++)
        for (int64_t kw = d->edges.first[at]; kw < d->edges.last[at]; kw++) {
            taps->x[taps->count] = line->x[r] + first + kw * tap;
            taps->weights[taps->count++] = line->weights[r] + kw * d->width * w->channels;
        }
}

/* Channel i of the group of each of the channels from c on, of the pixel at x. */
TD_INLINE vf td_dw_member(const float *x, int64_t c, int64_t n, const int i, const int width,
                          const int full) {
    if (width == 1) return td_load_some(x + c, n, full);
    if (width >= TD_LANES) return td_set(x[c / width * width + i]);
    return td_spread(td_load(x + c), i, width);
}

/* n channels from c on of `count` neighbouring pixels from `at` on, which have the same taps. */
TD_INLINE void td_dw_any(const td_depthwise *d, const td_dw_line *line, const td_taps *taps,
                         int64_t at, int64_t c, int64_t n, const int count, const int width,
                         const int full) {
    const int64_t step = d->w.stride[2] * d->w.in_step[2];
    vf acc[8];
#pragma GCC unroll 8
    for (int i = 0; i < count; i++) acc[i] = (vf){0};
    for (int64_t t = 0; t < taps->count; t++) {
        const float *x = taps->x[t], *weights = taps->weights[t] + c;
#pragma GCC unroll 8
        for (int k = 0; k < width; k++) {
            const vf by = td_load_some(weights + k * d->w.channels, n, full);
#pragma GCC unroll 8
            for (int i = 0; i < count; i++)
                acc[i] = td_fma(td_dw_member(x + i * step, c, n, k, width, full), by, acc[i]);
        }
    }
    td_dw_finish(d, line, acc, at, c, n, count, full);
}

enum { TD_DW_MOST = 8, TD_DW_READS = 19 }; /* pixels of a run, and most pixels of a line that it reads */

/* One vector of channels from c on for `count` neighbouring pixels from `at` on: kernel row r reads the
 * pixels at x[r * TD_DW_READS], each loaded once for all results that it is part of. */
TD_INLINE void td_dw_run(const td_depthwise *d, const td_dw_line *line, const float *const *x,
                         int64_t at, int64_t c, const int taps, const int stride,
                         const int count) {
    vf acc[TD_DW_MOST];
#pragma GCC unroll 8
    for (int i = 0; i < count; i++) acc[i] = (vf){0};
    for (int64_t r = 0; r < line->count; r++, x += TD_DW_READS) {
        const float *weights = line->weights[r] + c;
        vf by[7];
#pragma GCC unroll 7
        for (int k = 0; k < taps; k++) by[k] = td_keep(td_load(weights + k * d->w.channels));
#pragma GCC unroll 19
        for (int j = 0; j < (count - 1) * stride + taps; j++) {
            const vf v = td_keep(td_load(x[j] + c));
#pragma GCC unroll 7
            for (int k = 0; k < taps; k++)
                if (j >= k && (j - k) % stride == 0 && (j - k) / stride < count)
                    acc[(j - k) / stride] = td_fma(v, by[k], acc[(j - k) / stride]);
        }
    }
    td_dw_finish(d, line, acc, at, c, TD_LANES, count, 1);
}

/* Channels [c, end) of a run of pixels.  The last vector reaches back over channels that are done. */
typedef void td_dw_fn(const td_depthwise *d, const td_dw_line *line, const float *const *x,
                      int64_t at, int64_t c, int64_t end);

#define TD_DW_RUN(taps, stride, count)                                                            \
    static void td_dw_##taps##_##stride##_##count(const td_depthwise *d, const td_dw_line *line,  \
                                                  const float *const *x, int64_t at, int64_t c,   \
                                                  int64_t end) {                                  \
        for (; c + TD_LANES < end; c += TD_LANES)                                                 \
            td_dw_run(d, line, x, at, c, taps, stride, count);                                    \
        td_dw_run(d, line, x, at, end - TD_LANES, taps, stride, count);                           \
    }
#define TD_DW_RUNS(taps, stride)                                                                  \
    TD_DW_RUN(taps, stride, 1) TD_DW_RUN(taps, stride, 2) TD_DW_RUN(taps, stride, 3)              \
    TD_DW_RUN(taps, stride, 4) TD_DW_RUN(taps, stride, 5) TD_DW_RUN(taps, stride, 6)              \
    TD_DW_RUN(taps, stride, 7) TD_DW_RUN(taps, stride, 8)
#define TD_DW_NAME(taps, stride, count) [count] = td_dw_##taps##_##stride##_##count,
#define TD_DW_ROW(taps, stride)                                                                   \
    {taps, stride, {TD_DW_NAME(taps, stride, 1) TD_DW_NAME(taps, stride, 2)                       \
                    TD_DW_NAME(taps, stride, 3) TD_DW_NAME(taps, stride, 4)                       \
                    TD_DW_NAME(taps, stride, 5) TD_DW_NAME(taps, stride, 6)                       \
                    TD_DW_NAME(taps, stride, 7) TD_DW_NAME(taps, stride, 8)}},
#define TD_DW_SHAPES(K) K(3, 1) K(3, 2) K(5, 1) K(5, 2) K(7, 1)
TD_DW_SHAPES(TD_DW_RUNS)

static const struct {
    int taps, stride;
    td_dw_fn *pixels[TD_DW_MOST + 1];
} td_dw_table[] = {TD_DW_SHAPES(TD_DW_ROW)};

/* The functions for a window, or NULL where none is made for it. */
TD_INLINE td_dw_fn *const *td_dw_fns(const td_depthwise *d) {
    const td_window *w = &d->w;
    if (d->zeros && d->width == 1 && w->dilation[2] == 1 && w->channels >= TD_LANES &&
        w->kernel[0] * w->kernel[1] <= TD_DW_ROWS)
        for (size_t i = 0; i < sizeof td_dw_table / sizeof *td_dw_table; i++)
            if (td_dw_table[i].taps == w->kernel[2] && td_dw_table[i].stride == w->stride[2])
                return td_dw_table[i].pixels;
    return NULL;
}

static void td_dw_runs(const td_depthwise *d, const td_dw_line *line, td_dw_fn *const *fns,
                       int64_t c, int64_t end) {
    const td_window *w = &d->w;
    const int64_t pieces = (w->out[2] + TD_DW_MOST - 1) / TD_DW_MOST;
    for (int64_t i = 0; i < pieces; i++) {
        const int64_t at = td_piece_start(w->out[2], pieces, i);
        const int64_t count = td_piece_start(w->out[2], pieces, i + 1) - at;
        const int64_t first = at * w->stride[2], reads = (count - 1) * w->stride[2] + w->kernel[2];
        const float *x[TD_DW_ROWS * TD_DW_READS];
        for (int64_t r = 0; r < line->count; r++)
            for (int64_t j = 0; j < reads; j++) {
                const int in = (uint64_t)(first + j - w->pad[2]) < (uint64_t)w->in[2];
                x[r * TD_DW_READS + j] = in ? line->x[r] + (first + j) * w->in_step[2] : d->zeros;
            }
        fns[count](d, line, x, at, c, end);
    }
}

/* Channels [c, end) of `count` pixels of a group. */
TD_INLINE void td_dw_pixels(const td_depthwise *d, const td_dw_line *line, const td_taps *taps,
                            int64_t at, int64_t c, int64_t end, const int count, const int width) {
    for (; c + TD_LANES <= end; c += TD_LANES)
        td_dw_any(d, line, taps, at, c, TD_LANES, count, width, 1);
    if (width == 1 && c < end) td_dw_any(d, line, taps, at, c, end - c, count, width, 0);
}

/* The same for any window; the pixels of a group have the same taps. */
TD_INLINE void td_dw_groups(const td_depthwise *d, const td_dw_line *line, int64_t c, int64_t end,
                            const int width) {
    for (int64_t at = 0, count; at < d->w.out[2]; at += count) {
        const int64_t room = at < d->edges.inner ? 1 : d->edges.outer - at;
        td_taps taps;
        td_taps_of(&taps, d, line, at);
        count = width > 1 && room >= 8 ? 8 : room >= 4 ? 4 : 1;
        if (count == 8) td_dw_pixels(d, line, &taps, at, c, end, 8, width);
        else if (count == 4) td_dw_pixels(d, line, &taps, at, c, end, 4, width);
        else td_dw_pixels(d, line, &taps, at, c, end, 1, width);
    }
}

TD_FUNC void td_dw_line_any(const td_depthwise *d, const td_dw_line *line, int64_t c, int64_t end) {
    switch (d->width) {
    case 1: td_dw_groups(d, line, c, end, 1); break;
    case 2: td_dw_groups(d, line, c, end, 2); break;
    case 4: td_dw_groups(d, line, c, end, 4); break;
    case 8: td_dw_groups(d, line, c, end, 8); break;
    }
}

/* Output lines [first, last), as many channels at a time as have their weights, and where that is many
 * their lines, in the first cache. */
static void td_dw_lines(const td_depthwise *d, const float *x, float *y, int64_t first,
                        int64_t last) {
    const td_window *w = &d->w;
    td_dw_fn *const *fns = td_dw_fns(d);
    const int64_t taps = w->kernel[0] * w->kernel[1] * w->kernel[2] * d->width;
    const int64_t lines = w->kernel[0] * (w->kernel[1] + w->stride[1]) * w->in[2];
    int64_t most = TD_DW_FLOATS / (taps + lines) / TD_PANEL * TD_PANEL;
    if (most < TD_DW_CHANNELS) most = TD_MAX(TD_DW_FLOATS / 2 / taps / TD_PANEL, 1) * TD_PANEL;
    for (int64_t c = 0; c < w->channels; c += most) {
        const int64_t end = w->channels - c < 2 * most ? w->channels : c + most;
        for (int64_t u = first; u < last; u++) {
            td_dw_line line;
            td_dw_line_of(&line, d, x, y, u);
            if (fns) td_dw_runs(d, &line, fns, c, end);
            else td_dw_line_any(d, &line, c, end);
            if (d->act.kind > TD_ACT_clamp)
                td_act_tile(&d->act, line.y + c, w->out_step[2], w->out[2], end - c);
        }
        if (end == w->channels) break;
    }
}

static int td_depthwise_of(td_depthwise *d, const td_call *call) {
    const td_tensor *x = call->in[0], *weights = call->in[1], *y = call->out[0];
    int64_t rows;
    if (!td_is_f32(x) || !td_is_f32(weights) || !td_is_f32(y)) return TD_REFUSED;
    if (td_window_of(&d->w, x, y, call->ints + 2)) return TD_REFUSED;
    const td_window *w = &d->w;
    d->ring = TD_MAX(w->in[1], 1);
    const int64_t taps = w->kernel[0] * w->kernel[1] * w->kernel[2];
    if (y->shape[y->rank - 1] != w->channels || weights->rank != 2) return TD_REFUSED;
    const int64_t sums = weights->shape[0], width = d->width = sums / taps;
    if (sums > TD_BLOCK || sums != taps * width || weights->shape[1] != w->channels)
        return TD_REFUSED;
    if (width < 1 || width > TD_DW_WIDTH || (width & (width - 1)) ||
        (width > 1 && w->channels % TD_PANEL))
        return TD_REFUSED;
    if (!td_dense_last(weights) || (sums > 1 && weights->stride[0] != w->channels))
        return TD_REFUSED;
    d->weights = weights->data;
    d->scale = call->in[2]->data;
    d->shift = call->in[3]->data;
    d->residual = call->in[4]->data;
    if (d->residual) td_rows_of(call->in[4], 1, &rows, &d->residual_step);
    d->act = td_act_of(call->ints[0], call->floats);
    return TD_OK;
}

/* What a run works with: zeros and edges. */
TD_INLINE int64_t td_dw_scratch(const td_window *w) {
    return (w->channels * (int64_t)sizeof(float) + td_edges_bytes(w) + 63) / 64 * 64;
}

static void td_dw_start(td_depthwise *d, float *memory, int not_finite) {
    memset(memory, 0, sizeof(float) * (size_t)d->w.channels);
    d->zeros = not_finite ? NULL : memory;
    td_edges_of(&d->edges, &d->w, memory + d->w.channels);
}

/* depthwise: x [n, spatial..., c], w [taps * channels of a group, c], [scale c], [shift c],
 *            [residual like y]
 *            -> y [n, spatial..., c]
 *            ints: activation, whether weights hold inf or NaN; then kernel, stride, dilation, padding
 *                  before as for conv
 *            floats: the activation's two parameters */
static int depthwise_plan(const td_call *call, td_work *work) {
    td_depthwise d = {0};
    if (td_depthwise_of(&d, call)) return TD_REFUSED;
    const td_window *w = &d.w;
    const int64_t cost = w->out[2] * w->channels * call->in[1]->shape[0];
    const int64_t lines = w->batch * w->out[0] * w->out[1];
    *work = (td_work){cost ? lines : 0, 1 + (64 << 10) / (cost + 1), td_dw_scratch(w)};
    return td_epilogue_plan(call, 2, call->out[0]);
}

static int depthwise_run(const td_call *call) {
    td_depthwise d = {0};
    td_depthwise_of(&d, call);
    td_dw_start(&d, call->scratch, call->ints[1] != 0);
    td_dw_lines(&d, call->in[0]->data, call->out[0]->data, call->begin, call->end);
    return TD_OK;
}

#endif
