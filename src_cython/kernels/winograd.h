/* Winograd's F(4x4, 3x3) with the points 0, +-sqrt(1/2), +-sqrt(2) and infinity (Lavin and Gray 2015; the
 * points keep the matrices small, and with them the rounding).
 *
 * Tiles of 6 x 6 input pixels become 36 numbers per channel, 36 products of [tiles, c] by [c, c'] give the
 * numbers of the 4 x 4 output pixels.  Sums over channels keep the order of tile.h.  An infinity spreads
 * over its tile as NaN. */
#ifndef TD_WINOGRAD_H
#define TD_WINOGRAD_H

#include "conv.h"

enum { TD_W_IN = 6, TD_W_OUT = 4, TD_W_POINTS = 36, TD_W_CACHE = 256 * 1024, TD_W_TILES = 64 };
#define TD_SQRT_HALF 0.70710678118654752
#define TD_SQRT_TWO 1.41421356237309505

/* G g of one column g of three weights. */
TD_INLINE void td_w_weights(const double g[3], double out[6]) {
    const double even = g[0] + 0.5 * g[2], odd = TD_SQRT_HALF * g[1];
    const double even2 = g[0] + 2.0 * g[2], odd2 = TD_SQRT_TWO * g[1];
    out[0] = g[0];
    out[1] = (even + odd) / -1.5;
    out[2] = (even - odd) / -1.5;
    out[3] = (even2 + odd2) / 6.0;
    out[4] = (even2 - odd2) / 6.0;
    out[5] = g[2];
}

/* All 36 matrices of a group of panels stand in a row, so that weights are read in one run. */
enum { TD_W_GROUP = 16 };

TD_INLINE int64_t td_w_group(int64_t panels, int64_t panel) {
    return TD_MIN(TD_W_GROUP, panels - panel);
}

/* pack_winograd: w [3, 3, c, c'] of any strides -> 36 packed matrices, 36 * ceil(c' / 16) * c * 16 floats */
static int pack_winograd_plan(const td_call *call, td_work *work) {
    const td_tensor *w = call->in[0], *out = call->out[0];
    if (!td_is_f32(w) || !td_is_f32(out) || w->rank != 4 || out->rank != 1) return TD_REFUSED;
    if (w->shape[0] != 3 || w->shape[1] != 3) return TD_REFUSED;
    const int64_t panels = td_panels(w->shape[3]);
    if (out->shape[0] != TD_W_POINTS * panels * w->shape[2] * TD_PANEL) return TD_REFUSED;
    *work = (td_work){panels, 1, 0};
    return TD_OK;
}

static int pack_winograd_run(const td_call *call) {
    const td_tensor *w = call->in[0];
    const int64_t c = w->shape[2], n = w->shape[3], panels = td_panels(n);
    float *out = call->out[0]->data;
    for (int64_t u = call->begin; u < call->end; u++) {
        const int64_t first = u - u % TD_W_GROUP, point = td_w_group(panels, first) * c * TD_PANEL;
        float *panel = out + (first * TD_W_POINTS + u % TD_W_GROUP) * c * TD_PANEL;
        for (int64_t i = 0; i < c; i++)
            for (int64_t j = 0; j < TD_PANEL; j++) {
                const int64_t column = u * TD_PANEL + j;
                float *to = panel + i * TD_PANEL + j;
                double g[3], half[3][6], full[6];
                for (int kw = 0; kw < 3 && column < n; kw++) {
                    for (int kh = 0; kh < 3; kh++)
                        g[kh] = ((const float *)w->data)[kh * w->stride[0] + kw * w->stride[1] +
                                                         i * w->stride[2] + column * w->stride[3]];
                    td_w_weights(g, half[kw]);
                }
                for (int a = 0; a < TD_W_IN; a++) {
                    for (int kw = 0; kw < 3; kw++) g[kw] = column < n ? half[kw][a] : 0.0;
                    td_w_weights(g, full);
                    for (int b = 0; b < TD_W_IN; b++)
                        to[(a * TD_W_IN + b) * point] = (float)full[b];
                }
            }
    }
    return TD_OK;
}

/* B^T of six vectors, `step` apart. */
TD_INLINE void td_w_input(const vf *d, vf *out, const int step) {
    const vf even = td_fma(d[2 * step], td_set(-2.0f), d[4 * step]);
    const vf odd = td_fma(d[step], td_set(-2.0f), d[3 * step]) * (float)TD_SQRT_HALF;
    const vf even2 = td_fma(d[2 * step], td_set(-0.5f), d[4 * step]);
    const vf odd2 = td_fma(d[step], td_set(-0.5f), d[3 * step]) * (float)TD_SQRT_TWO;
    out[0] = td_fma(d[2 * step], td_set(-2.5f), d[0] + d[4 * step]);
    out[step] = even + odd;
    out[2 * step] = even - odd;
    out[3 * step] = even2 + odd2;
    out[4 * step] = even2 - odd2;
    out[5 * step] = td_fma(d[3 * step], td_set(-2.5f), d[step] + d[5 * step]);
}

/* A^T of six vectors. */
TD_INLINE void td_w_output(const vf *m, vf *out, const int step, const int to) {
    const vf sum = m[step] + m[2 * step], dif = (m[step] - m[2 * step]) * (float)TD_SQRT_HALF;
    const vf sum2 = m[3 * step] + m[4 * step];
    const vf dif2 = (m[3 * step] - m[4 * step]) * (float)TD_SQRT_TWO;
    out[0] = m[0] + sum + sum2;
    out[to] = dif + dif2;
    out[2 * to] = td_fma(sum2, td_set(2.0f), sum * 0.5f);
    out[3 * to] = td_fma(dif2, td_set(2.0f), dif * 0.5f) + m[5 * step];
}

typedef struct td_winograd {
    td_window w;
    int64_t columns, panels, tiles_h, tiles_w, tiles; /* tiles of all images */
    int64_t block, blocks;                            /* tiles of a unit */
    int64_t pairs;                                    /* units of a block: panels by two */
} td_winograd;

static int td_winograd_of(td_winograd *g, const td_call *call) {
    const td_tensor *x = call->in[0], *y = call->out[0];
    const int64_t ints[] = {3, 3, 1, 1, 1, 1, call->ints[1], call->ints[2]};
    if (!td_is_f32(x) || !td_is_f32(y) || !td_is_f32(call->in[1]) || x->rank != 4) return TD_REFUSED;
    if (td_window_of(&g->w, x, y, ints)) return TD_REFUSED;
    const td_window *w = &g->w;
    g->columns = y->shape[3];
    g->panels = td_panels(g->columns);
    if (call->in[1]->shape[0] != TD_W_POINTS * g->panels * w->channels * TD_PANEL) return TD_REFUSED;
    g->tiles_h = (w->out[1] + TD_W_OUT - 1) / TD_W_OUT;
    g->tiles_w = (w->out[2] + TD_W_OUT - 1) / TD_W_OUT;
    g->tiles = w->batch * g->tiles_h * g->tiles_w;
    const int64_t floats = TD_W_POINTS * (w->channels + TD_W_GROUP * TD_PANEL);
    const int64_t weights = TD_W_POINTS * w->channels * g->panels * TD_PANEL;
    /* The tiles of a unit fit the second cache, unless to read all weights for so few costs more than
     * to spill the numbers of many. */
    const int64_t most = TD_MAX(TD_W_CACHE / floats, TD_MIN(weights / (2 * floats), TD_W_TILES));
    g->blocks = TD_MAX((g->tiles + most - 1) / most, 1);
    g->block = (g->tiles + g->blocks - 1) / g->blocks;
    g->pairs = (g->panels + 1) / 2;
    return TD_OK;
}

TD_INLINE int64_t td_w_round(int64_t floats) { return (floats + 15) / 16 * 16; }

/* winograd: x [n, h, w, c], w of pack_winograd, [scale c'], [shift c'], [residual like y] -> y [n, h', w', c']
 *           a 3 x 3 convolution of stride 1
 *           ints: activation, padding above, padding on the left; floats: the activation's parameters */
static int winograd_plan(const td_call *call, td_work *work) {
    td_winograd g = {0};
    if (td_winograd_of(&g, call)) return TD_REFUSED;
    const int64_t c = g.w.channels;
    const int64_t floats = td_w_round(TD_W_POINTS * g.block * c) + td_w_round(c) +
                           td_w_round(TD_W_POINTS * g.block * TD_W_GROUP * TD_PANEL);
    const int64_t cost = TD_W_POINTS * g.block * c * 2 * TD_PANEL;
    /* Whoever takes a part of a block makes the numbers of its tiles anew: a quarter pays for that. */
    const int64_t least = g.blocks < 4 ? (g.pairs + 3) / 4 : g.pairs;
    *work = (td_work){g.tiles && c ? g.blocks * g.pairs : 0, TD_MAX(least, td_grain(cost)),
                      floats * 4 + g.block * (int64_t)sizeof(float *)};
    return td_epilogue_plan(call, 2, call->out[0]);
}

/* The 36 numbers of tile `t` of a block for every channel: v[point][t][channel]. */
static void td_w_tile_in(const td_winograd *g, const float *x, const float *zeros, int64_t tile,
                         float *v, int64_t point) {
    const td_window *w = &g->w;
    const float *from[TD_W_POINTS];
    const int64_t col = tile % g->tiles_w * TD_W_OUT - w->pad[2];
    const int64_t row = tile / g->tiles_w % g->tiles_h * TD_W_OUT - w->pad[1];
    const float *image = x + tile / g->tiles_w / g->tiles_h * w->in_batch;
    for (int i = 0; i < TD_W_IN; i++)
        for (int j = 0; j < TD_W_IN; j++) {
            const int in = (uint64_t)(row + i) < (uint64_t)w->in[1] &&
                           (uint64_t)(col + j) < (uint64_t)w->in[2];
            from[i * TD_W_IN + j] = in ? image + (row + i) * w->in_step[1] +
                                             (col + j) * w->in_step[2] : zeros;
        }
    for (int64_t c = 0; c < w->channels; c += TD_LANES) {
        const int64_t n = TD_MIN(w->channels - c, TD_LANES);
        vf d[TD_W_POINTS], t[TD_W_POINTS];
#pragma GCC unroll 6
        for (int j = 0; j < TD_W_IN; j++) {
#pragma GCC unroll 6
            for (int i = 0; i < TD_W_IN; i++) {
                const float *p = from[i * TD_W_IN + j] + c;
                d[i * TD_W_IN + j] = n == TD_LANES ? td_load(p) : td_loadn(p, n);
            }
            td_w_input(d + j, t + j, TD_W_IN);
        }
#pragma GCC unroll 6
        for (int i = 0; i < TD_W_IN; i++) {
            td_w_input(t + i * TD_W_IN, d + i * TD_W_IN, 1);
#pragma GCC unroll 6
            for (int j = 0; j < TD_W_IN; j++) {
                float *to = v + (i * TD_W_IN + j) * point + c;
                if (n == TD_LANES) td_store(to, d[i * TD_W_IN + j]);
                else td_storen(to, n, d[i * TD_W_IN + j]);
            }
        }
    }
}

/* The 4 x 4 pixels of a tile from m[point][t][column], `width` columns of them from `first` on. */
static void td_w_tile_out(const td_winograd *g, const td_sum *s, int64_t tile, const float *m,
                          int64_t point, int64_t first, int64_t width) {
    const td_window *w = &g->w;
    const int64_t col = tile % g->tiles_w * TD_W_OUT;
    const int64_t row = tile / g->tiles_w % g->tiles_h * TD_W_OUT;
    const int64_t image = tile / g->tiles_w / g->tiles_h;
    const int64_t rows = TD_MIN(TD_W_OUT, w->out[1] - row), cols = TD_MIN(TD_W_OUT, w->out[2] - col);
    const int64_t pixel = (image * w->out[1] + row) * w->out[2] + col;
    const vf low = td_set(s->act.low), high = td_set(s->act.high);
    for (int64_t c = 0; c < width; c += TD_LANES) {
        const int64_t n = TD_MIN(width - c, TD_LANES), at = first + c;
        vf d[TD_W_POINTS], t[24], y[16];
#pragma GCC unroll 6
        for (int j = 0; j < TD_W_IN; j++) {
#pragma GCC unroll 6
            for (int i = 0; i < TD_W_IN; i++)
                d[i * TD_W_IN + j] = td_load(m + (i * TD_W_IN + j) * point + c);
            td_w_output(d + j, t + j, TD_W_IN, TD_W_IN);
        }
#pragma GCC unroll 4
        for (int i = 0; i < TD_W_OUT; i++) td_w_output(t + i * TD_W_IN, y + i * TD_W_OUT, 1, 1);
        const vf scale = s->scale ? td_loadn(s->scale + at, n) : td_set(1.0f);
        const vf shift = (s->shift ? td_loadn(s->shift + at, n) : td_set(0.0f)) + 0.0f;
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            if (i / 4 >= rows || i % 4 >= cols) continue;
            const int64_t p = pixel + i / 4 * w->out[2] + i % 4;
            vf v = td_fma(y[i], scale, shift);
            if (s->residual) v += td_loadn(s->residual + p * s->residual_stride + at, n);
            td_storen(s->out + p * s->out_stride + at, n, td_clamp(v, low, high));
        }
    }
    if (s->act.kind > TD_ACT_clamp)
        for (int64_t i = 0; i < rows; i++)
            td_act_tile(&s->act, s->out + (pixel + i * w->out[2]) * s->out_stride + first,
                        s->out_stride, cols, width);
}

static int winograd_run(const td_call *call) {
    td_winograd g = {0};
    td_winograd_of(&g, call);
    const int64_t c = g.w.channels;
    float *zeros = call->scratch, *v = zeros + td_w_round(c);
    float *m = v + td_w_round(TD_W_POINTS * g.block * c);
    const float **table =
        (const float **)(m + td_w_round(TD_W_POINTS * g.block * TD_W_GROUP * TD_PANEL));
    memset(zeros, 0, sizeof(float) * (size_t)c);
    td_sum s = {0};
    td_epilogue(&s, call, 2, call->out[0]);
    int64_t ready = -1; /* block whose input stands in v */
    for (int64_t u = call->begin; u < call->end;) {
        const int64_t block = u / g.pairs, tile = block * g.block;
        const int64_t tiles = TD_MIN(g.block, g.tiles - tile);
        if (ready != block)
            for (int64_t t = 0; t < tiles; t++)
                td_w_tile_in(&g, call->in[0]->data, zeros, tile + t, v + t * c, g.block * c);
        ready = block;
        /* Panels from `first` on, of one group: as many as there are, or were asked for. */
        const int64_t first = u % g.pairs * 2, group = first / TD_W_GROUP * TD_W_GROUP;
        const int64_t together = td_w_group(g.panels, group);
        const int64_t panels = TD_MIN(group + together - first, (call->end - u) * 2);
        const int64_t width = panels * TD_PANEL, matrix = together * c * TD_PANEL;
        td_sum product = {.taps = 1, .len = c, .k = c, .n = width, .out_stride = width};
        product.act = td_act_of(TD_ACT_linear, NULL);
        product.panels = (const float *)call->in[1]->data + group * TD_W_POINTS * c * TD_PANEL +
                         (first - group) * c * TD_PANEL;
        product.out = m;
        for (int p = 0; p < TD_W_POINTS; p++) {
            for (int64_t t = 0; t < tiles; t++) table[t] = v + (p * g.block + t) * c;
            td_sum_rows(&product, table, 0, tiles, 0, panels);
            product.panels += matrix;
            product.out += g.block * width;
        }
        const int64_t col = first * TD_PANEL;
        for (int64_t t = 0; t < tiles; t++)
            td_w_tile_out(&g, &s, tile + t, m + t * width, g.block * width, col,
                          TD_MIN(width, g.columns - col));
        u += (panels + 1) / 2;
    }
    return TD_OK;
}

#endif
