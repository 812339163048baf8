/* Winograd's F(4x4, 3x3), F(3x3, 3x3) and F(2x2, 3x3) (Lavin and Gray 2015) with the points 0, +-sqrt(1/2),
 * +-sqrt(2) and infinity, 0, +-3/4, -2 and infinity, and 0, +-1 and infinity: they keep the matrices small, and
 * with them the rounding.
 *
 * Tiles of 6 x 6 (5 x 5, 4 x 4) input pixels become 36 (25, 16) numbers per channel, as many products of
 * [tiles, c] by [c, c'] give the numbers of the 4 x 4 (3 x 3, 2 x 2) output pixels.  Small tiles suit small
 * images, where the weights, made larger by every point, are what takes time.  Sums over channels keep the order
 * of tile.h.
 * Of a volume, each slice that a kernel meets counts as more channels.
 * An infinity spreads over its tile as NaN. */
#ifndef TD_WINOGRAD_H
#define TD_WINOGRAD_H

#include "conv.h"

/* Points per side of the largest tile and of the least, and at most; a tile of `side` points has side - 2 output
 * pixels. */
enum { TD_W_SIDE = 6, TD_W_LEAST = 4, TD_W_POINTS = 36, TD_W_CACHE = 256 * 1024, TD_W_TILES = 64 };
#define TD_SQRT_HALF 0.70710678118654752
#define TD_SQRT_TWO 1.41421356237309505

/* G g of one column g of three weights. */
TD_INLINE void td_w_weights(const int side, const double g[3], double *out) {
    if (side == TD_W_SIDE) {
        const double even = g[0] + 0.5 * g[2], odd = TD_SQRT_HALF * g[1];
        const double even2 = g[0] + 2.0 * g[2], odd2 = TD_SQRT_TWO * g[1];
        out[0] = g[0];
        out[1] = (even + odd) / -1.5;
        out[2] = (even - odd) / -1.5;
        out[3] = (even2 + odd2) / 6.0;
        out[4] = (even2 - odd2) / 6.0;
    } else if (side == TD_W_LEAST) {
        out[0] = g[0];
        out[1] = (g[0] + g[1] + g[2]) / 2.0;
        out[2] = (g[0] - g[1] + g[2]) / 2.0;
    } else {
        const double even = g[0] + 0.5625 * g[2], odd = 0.75 * g[1];
        out[0] = g[0] / -1.125;
        out[1] = (even + odd) / 3.09375;
        out[2] = (even - odd) / 1.40625;
        out[3] = (g[0] - 2.0 * g[1] + 4.0 * g[2]) / -6.875;
    }
    out[side - 1] = g[2];
}

/* All matrices of a group of panels stand in a row, so that weights are read in one run. */
enum { TD_W_GROUP = 16 };

TD_INLINE int64_t td_w_group(int64_t panels, int64_t first) {
    return TD_MIN(TD_W_GROUP, panels - first);
}

/* Points per side of weights [floats] for c channels by so many panels, or 0. */
TD_INLINE int td_w_side(int64_t floats, int64_t c, int64_t panels) {
    for (int side = TD_W_SIDE; side >= TD_W_LEAST; side--)
        if (floats == side * side * panels * c * TD_PANEL) return side;
    return 0;
}

/* pack_winograd: w [3, 3, c, c'] of any strides -> 36, 25 or 16 packed matrices, each of
 *                ceil(c' / 16) * c * 16 floats */
static int pack_winograd_plan(const td_call *call, td_work *work) {
    const td_tensor *w = call->in[0], *out = call->out[0];
    if (!td_is_f32(w) || !td_is_f32(out) || w->rank != 4 || out->rank != 1) return TD_REFUSED;
    if (w->shape[0] != 3 || w->shape[1] != 3) return TD_REFUSED;
    const int64_t panels = td_panels(w->shape[3]);
    *work = (td_work){panels, 1, 0};
    return td_w_side(out->shape[0], w->shape[2], panels) ? TD_OK : TD_REFUSED;
}

static int pack_winograd_run(const td_call *call) {
    const td_tensor *w = call->in[0];
    const int64_t c = w->shape[2], n = w->shape[3], panels = td_panels(n);
    const int side = td_w_side(call->out[0]->shape[0], c, panels);
    float *out = call->out[0]->data;
    for (int64_t u = call->begin; u < call->end; u++) {
        const int64_t first = u - u % TD_W_GROUP, matrix = td_w_group(panels, first) * c * TD_PANEL;
        float *panel = out + (first * side * side + u % TD_W_GROUP) * c * TD_PANEL;
        for (int64_t i = 0; i < c; i++)
            for (int64_t j = 0; j < TD_PANEL; j++) {
                const int64_t column = u * TD_PANEL + j;
                float *to = panel + i * TD_PANEL + j;
                double g[3], half[3][TD_W_SIDE], full[TD_W_SIDE];
                for (int kw = 0; kw < 3 && column < n; kw++) {
                    for (int kh = 0; kh < 3; kh++)
                        g[kh] = ((const float *)w->data)[kh * w->stride[0] + kw * w->stride[1] +
                                                         i * w->stride[2] + column * w->stride[3]];
                    td_w_weights(side, g, half[kw]);
                }
                for (int a = 0; a < side; a++) {
                    for (int kw = 0; kw < 3; kw++) g[kw] = column < n ? half[kw][a] : 0.0;
                    td_w_weights(side, g, full);
                    for (int b = 0; b < side; b++) to[(a * side + b) * matrix] = (float)full[b];
                }
            }
    }
    return TD_OK;
}

/* B^T of a line of vectors, `step` apart. */
TD_INLINE void td_w_input(const int side, const vf *d, vf *out, const int step) {
    if (side == TD_W_SIDE) {
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
    } else if (side == TD_W_LEAST) {
        out[0] = d[0] - d[2 * step];
        out[step] = d[step] + d[2 * step];
        out[2 * step] = d[2 * step] - d[step];
        out[3 * step] = d[3 * step] - d[step];
    } else {
        const vf two = td_set(2.0f), square = td_set(-0.5625f);
        const vf even = td_fma(d[2 * step], two, d[3 * step]);
        const vf odd = td_fma(d[step], two, d[2 * step]) * 0.75f;
        const vf last = td_fma(d[step], square, d[3 * step]);
        out[0] = td_fma(td_fma(d[0], square, d[2 * step]), two, last);
        out[step] = even + odd;
        out[2 * step] = even - odd;
        out[3 * step] = last;
        out[4 * step] = td_fma(last, two, td_fma(d[2 * step], square, d[4 * step]));
    }
}

/* A^T of a line of vectors, `step` apart; results `to` apart. */
TD_INLINE void td_w_output(const int side, const vf *m, vf *out, const int step, const int to) {
    const vf sum = m[step] + m[2 * step], dif = m[step] - m[2 * step];
    if (side == TD_W_SIDE) {
        const vf odd = dif * (float)TD_SQRT_HALF, sum2 = m[3 * step] + m[4 * step];
        const vf odd2 = (m[3 * step] - m[4 * step]) * (float)TD_SQRT_TWO;
        out[0] = m[0] + sum + sum2;
        out[to] = odd + odd2;
        out[2 * to] = td_fma(sum2, td_set(2.0f), sum * 0.5f);
        out[3 * to] = td_fma(odd2, td_set(2.0f), odd * 0.5f) + m[5 * step];
    } else if (side == TD_W_LEAST) {
        out[0] = m[0] + sum;
        out[to] = dif + m[3 * step];
    } else {
        out[0] = m[0] + sum + m[3 * step];
        out[to] = td_fma(m[3 * step], td_set(-2.0f), dif * 0.75f);
        out[2 * to] = td_fma(m[3 * step], td_set(4.0f), td_fma(sum, td_set(0.5625f), m[4 * step]));
    }
}

typedef struct td_winograd {
    td_window w;
    int side;
    int64_t len; /* numbers that a point sums: channels of all slices */
    int64_t columns, panels, tiles_h, tiles_w, tiles; /* tiles of all images */
    int64_t block, blocks;                            /* tiles of a unit */
    int64_t pairs;                                    /* units of a block: panels by two */
} td_winograd;

static int td_winograd_of(td_winograd *g, const td_call *call) {
    const td_tensor *x = call->in[0], *y = call->out[0];
    const int64_t *ints = call->ints + 1;
    const int64_t flat[] = {3, 3, 1, 1, 1, 1, ints[0], ints[1]};
    const int64_t deep[] = {ints[2], 3, 3, 1, 1, 1, 1, 1, 1, ints[3], ints[0], ints[1]};
    if (!td_is_f32(x) || !td_is_f32(y) || !td_is_f32(call->in[1])) return TD_REFUSED;
    if (x->rank < 4 || td_window_of(&g->w, x, y, x->rank > 4 ? deep : flat)) return TD_REFUSED;
    const td_window *w = &g->w;
    g->len = w->kernel[0] * w->channels;
    g->columns = y->shape[y->rank - 1];
    g->panels = td_panels(g->columns);
    g->side = td_w_side(call->in[1]->shape[0], g->len, g->panels);
    if (!g->side) return TD_REFUSED;
    const int64_t points = g->side * g->side, pixels = g->side - 2;
    g->tiles_h = (w->out[1] + pixels - 1) / pixels;
    g->tiles_w = (w->out[2] + pixels - 1) / pixels;
    g->tiles = w->batch * w->out[0] * g->tiles_h * g->tiles_w;
    const int64_t together = td_w_group(g->panels, 0) * TD_PANEL;
    const int64_t floats = points * (g->len + together);
    const int64_t weights = points * g->len * g->panels * TD_PANEL;
    /* The tiles of a unit fit the second cache, unless to read all weights for so few costs more than
     * to spill the numbers of many. */
    const int64_t most = TD_MAX(TD_W_CACHE / floats, TD_MIN(weights / (2 * floats), TD_W_TILES));
    g->blocks = TD_MAX((g->tiles + most - 1) / most, 1);
    g->block = (g->tiles + g->blocks - 1) / g->blocks;
    g->pairs = (g->panels + 1) / 2;
    return TD_OK;
}

/* Floats of the parts of the scratch memory. */
typedef struct td_w_room {
    int64_t zeros, input, product;
} td_w_room;

TD_INLINE int64_t td_w_round(int64_t floats) { return (floats + 15) / 16 * 16; }
/* From the numbers of a point to those of the next one: an odd count of cache lines, since what is a power of two
 * apart displaces each other. */
TD_INLINE int64_t td_w_apart(int64_t floats) { return ((floats + 15) / 16 | 1) * 16; }

TD_INLINE td_w_room td_w_rooms(const td_winograd *g) {
    const int64_t points = g->side * g->side;
    const int64_t width = td_w_group(g->panels, 0) * TD_PANEL;
    return (td_w_room){td_w_round(g->w.channels), points * td_w_apart(g->block * g->len),
                       points * td_w_apart(g->block * width)};
}

/* winograd: x [n, h, w, c], w of pack_winograd, [scale c'], [shift c'], [residual like y] -> y [n, h', w', c']
 *           a 3 x 3 convolution of stride 1; or of x [n, d, h, w, c], by weights of [3, 3, slices * c, c']
 *           ints: activation, padding above, padding on the left, slices, padding before them
 *           floats: the activation's parameters */
static int winograd_plan(const td_call *call, td_work *work) {
    td_winograd g = {0};
    if (td_winograd_of(&g, call)) return TD_REFUSED;
    const td_w_room room = td_w_rooms(&g);
    const int64_t cost = g.side * g.side * g.block * g.len * 2 * TD_PANEL;
    /* Whoever takes a part of a block makes the numbers of its tiles anew: a quarter pays for that. */
    const int64_t least = g.blocks < 4 ? (g.pairs + 3) / 4 : g.pairs;
    *work = (td_work){g.tiles && g.w.channels ? g.blocks * g.pairs : 0, TD_MAX(least, td_grain(cost)),
                      (room.zeros + room.input + room.product) * 4 +
                          g.block * (int64_t)sizeof(float *)};
    return td_epilogue_plan(call, 2, call->out[0]);
}

/* Keeps a step out of the compiler's sight: it would keep one pointer per multiple otherwise. */
#define TD_W_HIDE(step) __asm__("" : "+r"(step))

/* The numbers of one vector of channels, `point` apart. */
TD_INLINE void td_w_vector_in(const int side, const float *const *from, int64_t c, int64_t n,
                              float *to, int64_t point, const int full) {
    vf d[TD_W_POINTS], t[TD_W_POINTS];
#pragma GCC unroll 6
    for (int j = 0; j < side; j++) {
#pragma GCC unroll 6
        for (int i = 0; i < side; i++)
            d[i * side + j] = td_load_some(from[i * side + j] + c, n, full);
        td_w_input(side, d + j, t + j, side);
    }
    TD_W_HIDE(point);
#pragma GCC unroll 6
    for (int i = 0; i < side; i++) {
        td_w_input(side, t + i * side, d + i * side, 1);
#pragma GCC unroll 6
        for (int j = 0; j < side; j++, to += point)
            td_store_some(to, n, d[i * side + j], full);
    }
}

/* The numbers of a tile of a slice for every channel, `point` apart; `slice` leads to its first pixel. */
TD_INLINE void td_w_slice_in(const int side, const td_window *w, const float *slice,
                             const float *zeros, int64_t row, int64_t col, float *v, int64_t point) {
    const float *from[TD_W_POINTS];
    for (int i = 0; i < side; i++)
        for (int j = 0; j < side; j++) {
            const int in = slice && (uint64_t)(row + i) < (uint64_t)w->in[1] &&
                           (uint64_t)(col + j) < (uint64_t)w->in[2];
            from[i * side + j] = in ? slice + (row + i) * w->in_step[1] +
                                          (col + j) * w->in_step[2] : zeros;
        }
    int64_t c = 0;
    for (; c + TD_LANES <= w->channels; c += TD_LANES)
        td_w_vector_in(side, from, c, TD_LANES, v + c, point, 1);
    if (c < w->channels) td_w_vector_in(side, from, c, w->channels - c, v + c, point, 0);
}

/* The same for all slices of a tile. */
TD_INLINE void td_w_tile_in(const int side, const td_winograd *g, const float *x,
                            const float *zeros, int64_t tile, float *v, int64_t point) {
    const td_window *w = &g->w;
    const int64_t col = tile % g->tiles_w * (side - 2) - w->pad[2];
    const int64_t row = tile / g->tiles_w % g->tiles_h * (side - 2) - w->pad[1];
    const int64_t image = tile / g->tiles_w / g->tiles_h;
    const float *volume = x + image / w->out[0] * w->in_batch;
    for (int64_t k = 0; k < w->kernel[0]; k++, v += w->channels) {
        const int64_t at = image % w->out[0] - w->pad[0] + k;
        const int in = (uint64_t)at < (uint64_t)w->in[0];
        td_w_slice_in(side, w, in ? volume + at * w->in_step[0] : NULL, zeros, row, col, v, point);
    }
}

/* One vector of columns of the rows x cols pixels of a tile, the first of which is `pixel`, from numbers
 * `point` apart. */
TD_INLINE void td_w_vector_out(const int side, const td_winograd *g, const td_sum *s,
                               const float *m, int64_t point, int64_t pixel, int64_t rows,
                               int64_t cols, int64_t at, int64_t n, const int full) {
    vf d[TD_W_POINTS], t[TD_W_POINTS], y[TD_W_POINTS];
    const int pixels = side - 2;
    int64_t line = side * point;
    TD_W_HIDE(point);
    TD_W_HIDE(line);
#pragma GCC unroll 6
    for (int j = 0; j < side; j++, m += point) {
        const float *from = m;
#pragma GCC unroll 6
        for (int i = 0; i < side; i++, from += line) d[i * side + j] = td_load(from);
        td_w_output(side, d + j, t + j, side, side);
    }
#pragma GCC unroll 4
    for (int i = 0; i < pixels; i++) td_w_output(side, t + i * side, y + i * pixels, 1, 1);
    const vf low = td_set(s->act.low), high = td_set(s->act.high);
    const vf scale = s->scale ? td_load_some(s->scale + at, n, full) : td_set(1.0f);
    const vf shift = (s->shift ? td_load_some(s->shift + at, n, full) : td_set(0.0f)) + 0.0f;
#pragma GCC unroll 4
    for (int i = 0; i < pixels; i++) {
        if (!full && i >= rows) break;
        const int64_t p = pixel + i * g->w.out[2];
        const float *more = s->residual ? s->residual + p * s->residual_stride + at : NULL;
        float *out = s->out + p * s->out_stride + at;
#pragma GCC unroll 4
        for (int j = 0; j < pixels; j++) {
            if (!full && j >= cols) break;
            vf v = td_fma(y[i * pixels + j], scale, shift);
            if (more) v += td_load_some(more + j * s->residual_stride, n, full);
            td_store_some(out + j * s->out_stride, n, td_clamp(v, low, high), full);
        }
    }
}

/* The pixels of a tile from m[point][t][column], `width` columns of them from `first` on. */
TD_INLINE void td_w_tile_out(const int side, const td_winograd *g, const td_sum *s, int64_t tile,
                             const float *m, int64_t point, int64_t first, int64_t width) {
    const td_window *w = &g->w;
    const int64_t pixels = side - 2;
    const int64_t col = tile % g->tiles_w * pixels, row = tile / g->tiles_w % g->tiles_h * pixels;
    const int64_t image = tile / g->tiles_w / g->tiles_h;
    const int64_t rows = TD_MIN(pixels, w->out[1] - row), cols = TD_MIN(pixels, w->out[2] - col);
    const int64_t pixel = (image * w->out[1] + row) * w->out[2] + col;
    for (int64_t c = 0; c < width; c += TD_LANES) {
        const int64_t n = TD_MIN(width - c, TD_LANES);
        if (n == TD_LANES && rows == pixels && cols == pixels)
            td_w_vector_out(side, g, s, m + c, point, pixel, rows, cols, first + c, n, 1);
        else
            td_w_vector_out(side, g, s, m + c, point, pixel, rows, cols, first + c, n, 0);
    }
    if (s->act.kind > TD_ACT_clamp)
        for (int64_t i = 0; i < rows; i++)
            td_act_tile(&s->act, s->out + (pixel + i * w->out[2]) * s->out_stride + first,
                        s->out_stride, cols, width);
}

TD_INLINE int td_winograd_run(const int side, const td_winograd *g, const td_call *call) {
    const int points = side * side;
    const int64_t c = g->len, apart = td_w_apart(g->block * c);
    const td_w_room room = td_w_rooms(g);
    float *zeros = call->scratch, *v = zeros + room.zeros, *m = v + room.input;
    const float **table = (const float **)(m + room.product);
    memset(zeros, 0, sizeof(float) * (size_t)g->w.channels);
    td_sum s = {0};
    td_epilogue(&s, call, 2, call->out[0]);
    int64_t ready = call->before ? (call->before - 1) / g->pairs : -1; /* block whose input stands in v */
    for (int64_t u = call->begin; u < call->end;) {
        const int64_t block = u / g->pairs, tile = block * g->block;
        const int64_t tiles = TD_MIN(g->block, g->tiles - tile);
        if (ready != block)
            for (int64_t t = 0; t < tiles; t++)
                td_w_tile_in(side, g, call->in[0]->data, zeros, tile + t, v + t * c, apart);
        ready = block;
        /* Panels from `first` on, of one group: as many as there are, or were asked for. */
        const int64_t first = u % g->pairs * 2, group = first / TD_W_GROUP * TD_W_GROUP;
        const int64_t together = td_w_group(g->panels, group);
        const int64_t panels = TD_MIN(group + together - first, (call->end - u) * 2);
        const int64_t width = panels * TD_PANEL, matrix = together * c * TD_PANEL;
        td_sum product = {.taps = 1, .len = c, .k = c, .n = width, .out_stride = width};
        product.act = td_act_of(TD_ACT_linear, NULL);
        product.panels = (const float *)call->in[1]->data + group * points * c * TD_PANEL +
                         (first - group) * c * TD_PANEL;
        product.out = m;
        for (int p = 0; p < points; p++) {
            for (int64_t t = 0; t < tiles; t++) table[t] = v + p * apart + t * c;
            td_sum_rows(&product, table, 0, tiles, 0, panels);
            product.panels += matrix;
            product.out += td_w_apart(g->block * width);
        }
        const int64_t col = first * TD_PANEL;
        for (int64_t t = 0; t < tiles; t++)
            td_w_tile_out(side, g, &s, tile + t, m + t * width, td_w_apart(g->block * width), col,
                          TD_MIN(width, g->columns - col));
        u += (panels + 1) / 2;
    }
    return TD_OK;
}

static int winograd_run(const td_call *call) {
    td_winograd g = {0};
    td_winograd_of(&g, call);
    return g.side == TD_W_SIDE    ? td_winograd_run(TD_W_SIDE, &g, call)
           : g.side == TD_W_LEAST ? td_winograd_run(TD_W_LEAST, &g, call)
                                  : td_winograd_run(TD_W_SIDE - 1, &g, call);
}

#endif
