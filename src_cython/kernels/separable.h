/* A depthwise convolution with the product before it and the one after it, in bands of lines, so that what
 * lies between them stays in the second cache.  The same sums in the same order as apart. */
#ifndef TD_SEPARABLE_H
#define TD_SEPARABLE_H

#include "depthwise.h"

/* Operands of `separable`, and where its ints and floats begin: those of conv, of depthwise, the last
 * activation and the lines and columns between conv and depthwise. */
enum { TD_S_X, TD_S_GROW, TD_S_DEPTH = 4, TD_S_THIN = 7 };
enum { TD_S_INTS_DEPTH = 11, TD_S_INTS_THIN = 21, TD_S_LINES, TD_S_COLUMNS };
enum { TD_BAND_ROWS = 112 }; /* pixels that the products take at a time, about */

typedef struct td_separable {
    int grows, thins;         /* whether there is a product before, and one after */
    td_tensor between, after; /* what depthwise reads and writes, as if whole */
    td_conv conv;
    td_depthwise depth;
    td_sum first, last;
    int64_t panels, band, bands, ring; /* panels of the last product; lines of a unit; units of an image */
} td_separable;

static const td_tensor td_absent = {.dtype = TD_F32};

static void td_image(td_tensor *t, int64_t n, int64_t h, int64_t w, int64_t c) {
    *t = (td_tensor){.shape = {n, h, w, c}, .stride = {h * w * c, w * c, c, 1}, .rank = 4,
                     .dtype = TD_F32};
}

static int td_separable_of(td_separable *g, const td_call *call) {
    const td_tensor *x = call->in[TD_S_X], *y = call->out[0], *weights = call->in[TD_S_DEPTH];
    const td_tensor *const *in = call->in, *between = &g->between, *after = &g->after;
    int64_t rows, step;
    if (x->rank != 4 || y->rank != 4 || weights->rank != 2 || !td_is_f32(y)) return TD_REFUSED;
    if (!td_dense_last(y) || !td_rows_of(y, 1, &rows, &step)) return TD_REFUSED;
    g->grows = in[TD_S_GROW]->data != NULL;
    g->thins = in[TD_S_THIN]->data != NULL;
    const int64_t c = weights->shape[1], *ints = call->ints;
    td_image(&g->between, x->shape[0], ints[TD_S_LINES], ints[TD_S_COLUMNS], c);
    td_image(&g->after, y->shape[0], y->shape[1], y->shape[2], c);
    if (!g->grows) g->between = *x;
    if (!g->thins) g->after = *y;

    const td_tensor *first[] = {x, in[1], in[2], in[3], &td_absent};
    const td_call grow = {.in = first, .out = &between, .ints = ints, .floats = call->floats};
    if (g->grows) {
        if (td_conv_of(&g->conv, &grow) || g->conv.groups != 1) return TD_REFUSED;
        if (td_epilogue_plan(&grow, 2, between)) return TD_REFUSED;
        td_epilogue(&g->first, &grow, 2, between);
        g->first.far = 0;
        g->first.taps = g->conv.taps;
        g->first.len = g->conv.len;
        g->first.k = g->conv.taps * g->conv.len;
        g->first.panels = in[TD_S_GROW]->data;
    }
    const td_tensor *second[] = {between, weights, in[5], in[6], &td_absent};
    const td_call depth = {.in = second, .out = &after, .ints = ints + TD_S_INTS_DEPTH,
                           .floats = call->floats + 2};
    if (td_depthwise_of(&g->depth, &depth) || td_epilogue_plan(&depth, 2, after)) return TD_REFUSED;
    const td_call thin = {.in = in + TD_S_THIN + 1, .ints = ints + TD_S_INTS_THIN,
                          .floats = call->floats + 4};
    if (g->thins) {
        g->panels = td_panels(y->shape[3]);
        if (!td_is_f32(in[TD_S_THIN]) || in[TD_S_THIN]->shape[0] != g->panels * c * TD_PANEL)
            return TD_REFUSED;
        if (td_epilogue_plan(&thin, 0, y)) return TD_REFUSED;
        td_epilogue(&g->last, &thin, 0, y);
        g->last.taps = 1;
        g->last.len = g->last.k = c;
        g->last.panels = in[TD_S_THIN]->data;
    }

    td_window *w = &g->depth.w;
    g->band = TD_MAX(TD_MIN(TD_BAND_ROWS / TD_MAX(w->out[2], 1), w->out[1]), 1);
    g->bands = (w->out[1] + g->band - 1) / g->band;
    if (g->grows) {
        const int64_t reach = (w->kernel[1] - 1) * w->dilation[1] + 1;
        g->ring = TD_MAX(TD_MIN((g->band - 1) * w->stride[1] + reach, w->in[1]), 1);
        td_conv_hold(&g->conv, g->ring * w->in[2]);
        g->depth.ring = g->ring;
        w->in_batch = 0;
    }
    if (g->thins) w->out_batch = 0;
    return TD_OK;
}

/* Where scratch holds what: the conv's own, the depthwise's own, the lines between, those after, and the
 * table of the last product. */
typedef struct td_sep_space {
    int64_t depth, lines, after, table, bytes;
} td_sep_space;

static td_sep_space td_sep_space_of(const td_separable *g) {
    const td_window *w = &g->depth.w;
    const int64_t pixels = g->band * w->out[2];
    const int64_t lines = g->grows ? g->ring * w->in[2] * w->channels : 0;
    const int64_t after = g->thins ? pixels * w->channels : 0;
    td_sep_space at;
    at.depth = g->grows ? td_conv_scratch(&g->conv) : 0;
    at.lines = at.depth + td_dw_scratch(w);
    at.after = at.lines + (lines + 15) / 16 * 64;
    at.table = at.after + (after + 15) / 16 * 64;
    at.bytes = at.table + (g->thins ? pixels * (int64_t)sizeof(float *) : 0);
    return at;
}

/* separable: x [n, h, w, c0], then of a conv: [panels of w], [scale], [shift];
 *            of a depthwise convolution: w [taps, c], [scale c], [shift c];
 *            of a product of pixels: [panels of w [c, c']], [scale c'], [shift c'], [residual like y]
 *            -> y [n, h', w', c'], the three after one another; the first or the last may be absent
 *            ints: of conv, of depthwise, activation of the product, lines and columns after the conv
 *            floats: two parameters of each activation */
static int separable_plan(const td_call *call, td_work *work) {
    td_separable g = {0};
    if (td_separable_of(&g, call)) return TD_REFUSED;
    const td_window *w = &g.depth.w;
    const int64_t pixels = g.band * w->out[2] * w->channels;
    const int64_t before = g.grows ? w->stride[1] * w->stride[2] * g.first.k : 0;
    const int64_t cost = pixels * (w->kernel[1] * w->kernel[2] + before + g.panels * TD_PANEL);
    *work = (td_work){cost ? w->batch * g.bands : 0, td_grain(cost), td_sep_space_of(&g).bytes};
    return TD_OK;
}

/* Where the lines end that unit u reads. */
TD_INLINE int64_t td_sep_end(const td_separable *g, int64_t u) {
    const td_window *w = &g->depth.w;
    const int64_t to = TD_MIN((u % g->bands + 1) * g->band, w->out[1]);
    return TD_MIN((to - 1) * w->stride[1] - w->pad[1] + (w->kernel[1] - 1) * w->dilation[1] + 1, w->in[1]);
}

/* Lines [*done, end) of image `image` come to their places in the ring. */
static void td_sep_grow(const td_separable *g, const td_conv_space *space, const float *x,
                        float *lines, int64_t image, int64_t *done, int64_t end) {
    const td_window *w = &g->depth.w;
    td_sum s = g->first;
    while (*done < end) {
        const int64_t slot = *done % g->ring, count = TD_MIN(end - *done, g->ring - slot);
        const int64_t rows = count * w->in[2];
        td_conv_fill(&g->conv, space, x, (image * w->in[1] + *done) * w->in[2], rows);
        s.out = lines + slot * w->in[2] * w->channels;
        td_sum_rows(&s, space->table, 0, rows, 0, g->conv.panels);
        *done += count;
    }
}

static int separable_run(const td_call *call) {
    td_separable g = {0};
    td_separable_of(&g, call);
    const td_window *w = &g.depth.w;
    const td_sep_space at = td_sep_space_of(&g);
    char *scratch = call->scratch;
    float *lines = (float *)(scratch + at.lines), *after = (float *)(scratch + at.after);
    const float **table = (const float **)(scratch + at.table), *x = call->in[0]->data;
    td_conv_space space = {0};
    if (g.grows) space = td_conv_start(&g.conv, scratch);
    g.first.zeros = g.conv.dense ? NULL : space.zeros;
    td_dw_start(&g.depth, (float *)(scratch + at.depth), call->ints[TD_S_INTS_DEPTH + 1] != 0);
    for (int64_t i = 0; g.thins && i < g.band * w->out[2]; i++) table[i] = after + i * w->channels;

    int64_t image = -1, done = 0; /* lines of `image` that are or were in the ring */
    if (call->before && call->before <= call->begin) {
        image = (call->before - 1) / g.bands;
        done = td_sep_end(&g, call->before - 1);
    }
    for (int64_t u = call->begin; u < call->end; u++) {
        const int64_t from = u % g.bands * g.band, to = TD_MIN(from + g.band, w->out[1]);
        const int64_t start = u / g.bands * w->out[1];
        if (g.grows) {
            const int64_t first = TD_MAX(from * w->stride[1] - w->pad[1], 0);
            done = image == u / g.bands ? TD_MAX(done, first) : first;
            image = u / g.bands;
            td_sep_grow(&g, &space, x, lines, image, &done, td_sep_end(&g, u));
        }
        td_dw_lines(&g.depth, g.grows ? lines : x,
                    g.thins ? after - from * w->out_step[1] : call->out[0]->data, start + from,
                    start + to);
        if (g.thins)
            td_sum_rows(&g.last, table, (start + from) * w->out[2], (to - from) * w->out[2], 0,
                        g.panels);
    }
    return TD_OK;
}

#endif
