/* Transposed convolution, NHWC: the pixels of one output line that share a phase are a plain convolution
 * with those taps that meet the input grid. */
#ifndef TD_UNCONV_H
#define TD_UNCONV_H

#include "conv.h"

typedef struct td_unconv {
    td_window w; /* of y and x with the roles of a convolution: in is y, out is x */
    int64_t taps, len, panels, columns;
} td_unconv;

static int td_unconv_of(td_unconv *c, const td_call *call) {
    const td_tensor *x = call->in[0], *y = call->out[0];
    if (!td_is_f32(x) || !td_is_f32(y) || !td_is_f32(call->in[1])) return TD_REFUSED;
    if (td_window_of(&c->w, y, x, call->ints + 2)) return TD_REFUSED;
    const td_window *w = &c->w;
    c->columns = y->shape[y->rank - 1];
    c->len = x->shape[x->rank - 1];
    c->panels = td_panels(c->columns);
    c->taps = w->kernel[0] * w->kernel[1] * w->kernel[2];
    return call->in[1]->shape[0] == c->panels * c->taps * c->len * TD_PANEL ? TD_OK : TD_REFUSED;
}

TD_INLINE int64_t td_unconv_longest(const td_unconv *c) {
    return (c->w.in[2] + c->w.stride[2] - 1) / c->w.stride[2];
}

/* conv_transpose: x [n, spatial..., c], panels of w [1, taps, c, c'], [scale c'], [shift c'],
 *                 [residual like y] -> y [n, spatial..., c']
 *                 ints: activation, whether weights hold inf or NaN; then kernel, stride, dilation and
 *                 padding before of the convolution whose gradient this is */
static int conv_transpose_plan(const td_call *call, td_work *work) {
    td_unconv c = {0};
    if (td_unconv_of(&c, call)) return TD_REFUSED;
    const td_window *w = &c.w;
    const int64_t cost = w->in[2] * c.len * c.columns;
    *work = (td_work){cost ? w->batch * w->in[0] * w->in[1] * w->stride[2] : 0,
                      td_grain(cost / w->stride[2] * c.taps),
                      td_unconv_longest(&c) * c.taps * (int64_t)sizeof(float *) + c.len * 4};
    return td_epilogue_plan(call, 2, call->out[0]);
}

/* Input position that tap k of `axis` reads for output position `at`, or -1. */
TD_INLINE int64_t td_unconv_source(const td_window *w, int axis, int64_t at, int64_t k) {
    const int64_t t = at + w->pad[axis] - k * w->dilation[axis];
    return t >= 0 && t % w->stride[axis] == 0 && t / w->stride[axis] < w->out[axis]
               ? t / w->stride[axis] : -1;
}

/* Where tap t leads for `rows` pixels of output line (image, d, h) from `phase` on, a stride apart:
 * table[i * taps]. */
TD_INLINE void td_unconv_tap(const td_unconv *c, const float *x, const float *zeros, int64_t d, int64_t h,
                             int64_t phase, int64_t t, const float **table, int64_t rows) {
    const td_window *w = &c->w;
    const int64_t kw = t % w->kernel[2], kh = t / w->kernel[2] % w->kernel[1];
    const int64_t from_d = td_unconv_source(w, 0, d, t / w->kernel[2] / w->kernel[1]);
    const int64_t from_h = td_unconv_source(w, 1, h, kh);
    const int64_t at = phase + w->pad[2] - kw * w->dilation[2], first = at / w->stride[2];
    const int meets = from_d >= 0 && from_h >= 0 && at % w->stride[2] == 0;
    const int64_t begin = meets ? TD_MIN(TD_MAX(-first, 0), rows) : rows;
    const int64_t end = meets ? TD_MAX(TD_MIN(w->out[2] - first, rows), begin) : rows;
    x += from_d * w->out_step[0] + from_h * w->out_step[1] + first * w->out_step[2];
    for (int64_t i = 0; i < begin; i++) table[i * c->taps] = zeros;
    for (int64_t i = begin; i < end; i++) table[i * c->taps] = x + i * w->out_step[2];
    for (int64_t i = end; i < rows; i++) table[i * c->taps] = zeros;
}

static int conv_transpose_run(const td_call *call) {
    td_unconv c = {0};
    td_unconv_of(&c, call);
    const td_window *w = &c.w;
    const float *x = call->in[0]->data;
    const float **table = call->scratch;
    float *zeros = (float *)(table + td_unconv_longest(&c) * c.taps);
    memset(zeros, 0, sizeof(float) * (size_t)c.len);
    td_sum s = {.taps = c.taps, .len = c.len, .k = c.taps * c.len, .panels = call->in[1]->data};
    s.zeros = call->ints[1] ? NULL : zeros;
    td_epilogue(&s, call, 2, call->out[0]);
    const int64_t row_stride = s.out_stride, residual_stride = s.residual_stride, by = w->stride[2];
    const float *residual = s.residual;
    float *out = s.out;
    s.out_stride *= by;
    s.residual_stride *= by;
    for (int64_t u = call->begin; u < call->end; u++) {
        const int64_t phase = u % by, line = u / by;
        const int64_t h = line % w->in[1], d = line / w->in[1] % w->in[0];
        const int64_t image = line / w->in[1] / w->in[0];
        const int64_t rows = (w->in[2] - phase + by - 1) / by;
        if (rows <= 0) continue;
        for (int64_t t = 0; t < c.taps; t++)
            td_unconv_tap(&c, x + image * w->out_batch, zeros, d, h, phase, t, table + t, rows);
        const int64_t start = line * w->in[2] + phase;
        s.out = out + start * row_stride;
        s.residual = residual ? residual + start * residual_stride : NULL;
        td_sum_rows(&s, table, 0, rows, 0, c.panels);
    }
    return TD_OK;
}

#endif
