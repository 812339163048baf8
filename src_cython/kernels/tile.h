/* The compute core: a tile of output rows by panels, summed over taps of row pointers.
 *
 * Each output row is a sum over taps t and channels c of in[row, t][c] * weight[t * len + c].  A row of
 * a product has one tap, a pixel of a convolution one per kernel position; outside the image the pointer
 * leads to a row of zeros.  Weights are packed: panel p holds columns 16 p to 16 p + 15 of all k rows,
 * k-major, zeros past the last column.
 *
 * Order of summation, the same on every instruction set: FMA in order within blocks of 256 of the logical
 * index t * len + c, block sums added in order.  A tap that lies outside for every row of a tile is
 * skipped; adding its zeros could turn nothing but -0 into 0, and the epilogue ends in a sum with a shift
 * that is never -0.  (Where a weight is not finite, td_sum.zeros is NULL and nothing is skipped.) */
#ifndef TD_TILE_H
#define TD_TILE_H

#include "act.h"
#include "pack.h"
#include "simd.h"
#include "td.h"

enum { TD_BLOCK = 256 };
/* Rows of a panel, and of all panels of a tile, that are fetched into L1 ahead of use: as early as weights
 * that come from memory need it, and no more than the cache has room for. */
enum { TD_FETCH = 64, TD_FETCH_ALL = 256 };

/* Most rows of a tile that is 1, 2, 3, 4 or 8 panels wide, by what fits the registers. */
#if defined(__AVX512F__)
enum { TD_ROWS1 = 14, TD_ROWS2 = 14, TD_ROWS3 = 9, TD_ROWS4 = 6, TD_ROWS8 = 3 };
#elif defined(__AVX2__)
enum { TD_ROWS1 = 6, TD_ROWS2 = 2, TD_ROWS3 = 0, TD_ROWS4 = 1, TD_ROWS8 = 0 };
#elif defined(__aarch64__)
enum { TD_ROWS1 = 6, TD_ROWS2 = 3, TD_ROWS3 = 0, TD_ROWS4 = 1, TD_ROWS8 = 0 };
#else
enum { TD_ROWS1 = 3, TD_ROWS2 = 1, TD_ROWS3 = 0, TD_ROWS4 = 0, TD_ROWS8 = 0 };
#endif
/* Most rows of a tile of one panel, of half a panel (where that is one vector, as many as there are registers for
 * their addresses) and of any tile; most sums of a tile. */
enum { TD_ROWS = TD_ROWS1, TD_ROWS_HALF = TD_NV == 2 ? 8 : TD_NV > 2 ? 2 * TD_ROWS1 : 0, TD_ROWS_MOST = 14,
       TD_SUMS = 28 };

typedef struct td_sum {
    int64_t taps, len, k, n; /* k = taps * len rows and n columns of weights */
    const float *panels;
    const float *zeros;         /* where taps outside lead, if they may be skipped, or NULL */
    const float *factors;       /* per row, where neither scale nor shift is, or NULL */
    const float *scale, *shift; /* per column, or NULL */
    const float *residual;      /* added before the activation, or NULL */
    int64_t residual_stride;
    float *out;
    int64_t out_stride;
    int64_t far; /* 0 where the results stay in the caches, else of how many arrays a tile fetches its lines */
    td_act act;
    const float *wanted; /* what the tiles fetch, or NULL: panels and rows that follow */
    int64_t wanted_length;
} td_sum;

/* Vector j of the columns of mr rows of sums becomes results; n of its columns exist.  What is not wanted is
 * left out: the next tile waits for it. */
TD_INLINE void td_tile_column(const td_sum *s, vf *sums, int64_t row, int64_t col, int64_t n,
                              const int mr, const int width, const int full) {
    vf shift = td_set(0.0f);
    if (s->shift) shift += td_load_some(s->shift + col, n, full);
    if (s->scale) {
        const vf scale = td_load_some(s->scale + col, n, full);
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++) sums[i * width] = td_fma(sums[i * width], scale, shift);
    } else {
        if (s->factors)
#pragma GCC unroll 16
            for (int i = 0; i < mr; i++) sums[i * width] *= td_set(s->factors[row + i]);
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++) sums[i * width] += shift;
    }
    if (s->residual) {
        const float *more = s->residual + row * s->residual_stride + col;
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++)
            sums[i * width] += td_load_some(more + i * s->residual_stride, n, full);
    }
    if (td_clamps(s->act.kind)) {
        const vf low = td_set(s->act.low), high = td_set(s->act.high);
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++) sums[i * width] = td_clamp(sums[i * width], low, high);
    }
    const int64_t step = s->out_stride; /* a store could change what s holds, for all the compiler knows */
    float *out = s->out + row * step + col;
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++, out += step) td_store_some(out, n, sums[i * width], full);
}

/* The first of the lines of a tile's rows that piece i of what its end waits for consists of, *step apart: the
 * results' panels, then the residual's. */
TD_INLINE const float *td_tile_line(const td_sum *s, int64_t row, int64_t panel, int64_t i, const int np,
                                    int64_t *step) {
    const int added = i >= np;
    *step = added ? s->residual_stride : s->out_stride;
    return (added ? s->residual : s->out) + row * *step + (panel + i - added * np) * TD_PANEL;
}

/* mr rows from `row` on by np panels from `panel` on, nv vectors in all, fewer than the panels have where
 * the last columns do not exist; rows[i * taps + t] leads to tap t of row i.  What stands `ahead` floats
 * after the weights in use is wanted next and fetched into the second cache.  `flat` sums have one tap and
 * one block: what others need to begin and to end takes as long as some ten steps of a sum. */
TD_INLINE void td_tile(const td_sum *s, const float *const *rows, int64_t row, int64_t panel,
                       int64_t ahead, const int mr, const int np, const int nv, const int flat) {
    /* One row only reads, and as fast as the hardware fetches; half a panel has no time to spare. */
    const int fetches = np <= 3 && nv >= TD_NV, lines = fetches && !flat;
    const int soon = TD_MIN(TD_FETCH, TD_FETCH_ALL / np);
    const int64_t k16 = s->k * TD_PANEL, len = flat ? s->k : s->len, taps = flat ? 1 : s->taps;
    const float *panels = s->panels + panel * k16;
    vf acc[TD_SUMS];
    float sums[TD_SUMS * TD_LANES] __attribute__((aligned(64))), *total = sums;
    __asm__("" : "+r"(total)); /* else its elements would take registers */
    int64_t block = 0, fetched = 0;
    const float *zeros = taps > 1 ? s->zeros : NULL;

#pragma GCC unroll 28
    for (int i = 0; i < mr * nv; i++) acc[i] = (vf){0};
    if (s->residual && !lines)
        for (int i = 0; i < mr; i++)
            for (int p = 0; p < np; p++)
                __builtin_prefetch(s->residual + (row + i) * s->residual_stride +
                                   (panel + p) * TD_PANEL);
    if (!flat && s->k > TD_BLOCK)
#pragma GCC unroll 28
        for (int i = 0; i < mr * nv; i++) td_store(total + i * TD_LANES, (vf){0});

    for (int64_t t = 0; t < taps; t++) {
        const float *a[TD_ROWS_MOST];
        uintptr_t inside = 0;
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++) {
            a[i] = rows[i * taps + t];
            inside |= (uintptr_t)a[i] ^ (uintptr_t)zeros;
        }
        if (zeros && !inside) continue;
        for (int64_t c = 0; c < len;) {
            const int64_t at = t * len + c;
            if (!flat && at / TD_BLOCK != block) {
#pragma GCC unroll 16
                for (int i = 0; i < mr; i++)
#pragma GCC unroll 32
                    for (int j = 0; j < nv; j++) {
                        float *sum = total + (i * nv + j) * TD_LANES;
                        td_store(sum, td_load(sum) + acc[i * nv + j]);
                        acc[i * nv + j] = (vf){0};
                    }
                block = at / TD_BLOCK;
            }
            const float *b = panels + at * TD_PANEL, *next = b + ahead;
            int64_t stop = flat ? len : TD_MIN(len, c + TD_BLOCK - at % TD_BLOCK), step = TD_PANEL;
            int64_t near = soon * TD_PANEL;
            if (np >= 4) { /* a tile of all rows there are: the panels that follow come after these */
                const int64_t left = s->k - soon - at;
                if (left > 0) stop = TD_MIN(stop, c + left);
                else near += (np - 1) * k16;
            }
            if (lines && fetched < s->far * np) {
                stop = TD_MIN(stop, c + mr);
                next = td_tile_line(s, row, panel, fetched++, np, &step);
            }
            for (; c < stop; c++, b += TD_PANEL, next += step) {
                vf w[8 * TD_NV];
                if (fetches) __builtin_prefetch(next, 0, 2);
                if (mr > 1 && nv >= TD_NV)
#pragma GCC unroll 8
                    for (int p = 0; p < np; p++)
                        __builtin_prefetch(b + p * k16 + near);
#pragma GCC unroll 8
                for (int p = 0; p < np; p++)
#pragma GCC unroll 4
                    for (int v = 0; v < TD_MIN(TD_NV, nv); v++)
                        w[p * TD_NV + v] = td_load(b + p * k16 + v * TD_LANES);
#pragma GCC unroll 16
                for (int i = 0; i < mr; i++) {
                    vf x = td_set(a[i][c]);
#pragma GCC unroll 32
                    for (int j = 0; j < nv; j++) acc[i * nv + j] = td_fma(x, w[j], acc[i * nv + j]);
                }
            }
        }
    }
    if (!flat && s->k > TD_BLOCK) {
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++)
#pragma GCC unroll 32
            for (int j = 0; j < nv; j++) acc[i * nv + j] += td_load(total + (i * nv + j) * TD_LANES);
    }

    const int64_t col = panel * TD_PANEL;
#pragma GCC unroll 32
    for (int j = 0; j < nv; j++) {
        const int64_t at = col + j * TD_LANES, n = s->n - at;
        if (n >= TD_LANES) td_tile_column(s, &acc[j], row, at, TD_LANES, mr, nv, 1);
        else if (n > 0) td_tile_column(s, &acc[j], row, at, n, mr, nv, 0);
    }
}

/* `count` tiles one below the other, which fetch the `length` floats that stand `ahead`. */
TD_INLINE void td_strip(const td_sum *s, const float *const *rows, int64_t row, int64_t panel,
                        int64_t count, int64_t ahead, int64_t length, const int mr, const int np,
                        const int nv, const int flat) {
    const int64_t k16 = s->k * TD_PANEL, step = mr * (flat ? 1 : s->taps);
    for (; count > 0; count--, row += mr, rows += step, ahead += k16, length -= k16)
        td_tile(s, rows, row, panel, length > 0 ? ahead : 0, mr, np, nv, flat);
}

typedef void td_strip_fn(const td_sum *, const float *const *, int64_t, int64_t, int64_t, int64_t,
                         int64_t);

#define TD_STRIP(name, mr, np, nv, flat)                                                          \
    static void name(const td_sum *s, const float *const *rows, int64_t row, int64_t panel,       \
                     int64_t count, int64_t ahead, int64_t length) {                              \
        td_strip(s, rows, row, panel, count, ahead, length, mr, np, nv, flat);                    \
    }
#define TD_TILE(mr, np)                                                                           \
    TD_STRIP(td_tile_##mr##x##np, mr, np, np * TD_NV, 0)                                          \
    TD_STRIP(td_flat_##mr##x##np, mr, np, np * TD_NV, 1)
#define TD_TILE_NAME(mr, np) [mr] = {td_tile_##mr##x##np, td_flat_##mr##x##np},

#if defined(__AVX512F__)
#define TD_TILES14(K, np) K(1, np) K(2, np) K(3, np) K(4, np) K(5, np) K(6, np) K(7, np) K(8, np)  \
    K(9, np) K(10, np) K(11, np) K(12, np) K(13, np) K(14, np)
#define TD_TILES1(K) TD_TILES14(K, 1)
#define TD_TILES2(K) TD_TILES14(K, 2)
#define TD_TILES3(K) K(1, 3) K(2, 3) K(3, 3) K(4, 3) K(5, 3) K(6, 3) K(7, 3) K(8, 3) K(9, 3)
#define TD_TILES4(K) K(1, 4) K(2, 4) K(3, 4) K(4, 4) K(5, 4) K(6, 4)
#define TD_TILES5(K) K(1, 5)
#define TD_TILES6(K) K(1, 6)
#define TD_TILES7(K) K(1, 7)
#define TD_TILES8(K) K(1, 8) K(2, 8) K(3, 8)
#elif defined(__AVX2__)
#define TD_TILES1(K) K(1, 1) K(2, 1) K(3, 1) K(4, 1) K(5, 1) K(6, 1)
#define TD_TILES2(K) K(1, 2) K(2, 2)
#define TD_TILES3(K)
#define TD_TILES4(K) K(1, 4)
#define TD_TILES5(K)
#define TD_TILES6(K)
#define TD_TILES7(K)
#define TD_TILES8(K)
#elif defined(__aarch64__)
#define TD_TILES1(K) K(1, 1) K(2, 1) K(3, 1) K(4, 1) K(5, 1) K(6, 1)
#define TD_TILES2(K) K(1, 2) K(2, 2) K(3, 2)
#define TD_TILES3(K)
#define TD_TILES4(K) K(1, 4)
#define TD_TILES5(K)
#define TD_TILES6(K)
#define TD_TILES7(K)
#define TD_TILES8(K)
#else
#define TD_TILES1(K) K(1, 1) K(2, 1) K(3, 1)
#define TD_TILES2(K) K(1, 2)
#define TD_TILES3(K)
#define TD_TILES4(K)
#define TD_TILES5(K)
#define TD_TILES6(K)
#define TD_TILES7(K)
#define TD_TILES8(K)
#endif
TD_TILES1(TD_TILE) TD_TILES2(TD_TILE) TD_TILES3(TD_TILE) TD_TILES4(TD_TILE)
TD_TILES5(TD_TILE) TD_TILES6(TD_TILE) TD_TILES7(TD_TILE) TD_TILES8(TD_TILE)

/* The shapes of tiles: so many panels by up to so many rows, of any sums and of flat ones. */
static const struct {
    int most;
    td_strip_fn *rows[TD_ROWS + 1][2];
} td_tiles[] = {
    [1] = {TD_ROWS1, {TD_TILES1(TD_TILE_NAME)}}, [2] = {TD_ROWS2, {TD_TILES2(TD_TILE_NAME)}},
    [3] = {TD_ROWS3, {TD_TILES3(TD_TILE_NAME)}}, [4] = {TD_ROWS4, {TD_TILES4(TD_TILE_NAME)}},
    [5] = {TD_ROWS8 > 0, {TD_TILES5(TD_TILE_NAME)}}, [6] = {TD_ROWS8 > 0, {TD_TILES6(TD_TILE_NAME)}},
    [7] = {TD_ROWS8 > 0, {TD_TILES7(TD_TILE_NAME)}}, [8] = {TD_ROWS8, {TD_TILES8(TD_TILE_NAME)}},
};

/* How many of `panels` the next tile takes: few rows take wide tiles; else two panels at a time, three
 * where an odd number is left. */
TD_INLINE int td_tile_width(int64_t rows, int64_t panels) {
    if (panels >= 8 && rows <= TD_ROWS8) return 8;
    if (panels > 4 && rows == 1 && TD_ROWS8) return (int)panels;
    if (panels >= 4 && rows <= TD_ROWS4) return 4;
    if (panels == 3 && TD_ROWS3) return 3;
    return panels >= 2 && (TD_ROWS2 >= TD_ROWS1 || rows <= TD_ROWS2) ? 2 : 1;
}

/* Rows [start(i), start(i + 1)) are piece i of `rows` rows cut evenly into `pieces`. */
TD_INLINE int64_t td_piece_start(int64_t rows, int64_t pieces, int64_t i) {
    return i * (rows / pieces) + TD_MIN(i, rows % pieces);
}

TD_INLINE int td_is_flat(const td_sum *s) { return s->taps == 1 && s->k <= TD_BLOCK; }

/* A last panel of which no more than half exists wastes lanes.  Tiles of half its width take twice the rows;
 * of even fewer columns, where shuffles are cheap, the rows stand in the lanes.  The order of summation is
 * the same. */
#if defined(__AVX512F__)
enum { TD_TURNED = 8 }; /* most columns for which rows stand in the lanes */
#elif defined(__AVX2__)
enum { TD_TURNED = 4 };
#else
enum { TD_TURNED = 0 };
#endif
enum { TD_TURNED_LEAST = 12 /* rows that pay for it */ };

/* Whether rows stand in the lanes for a panel of n columns. */
TD_INLINE int td_is_turned(const td_sum *s, int64_t rows, int64_t n) {
    return n <= TD_TURNED && rows >= TD_TURNED_LEAST && !s->residual && !s->factors;
}

/* Whether the panel before `last` is done by td_sliver_rows. */
TD_INLINE int td_is_sliver(const td_sum *s, int64_t rows, int64_t last) {
    const int64_t n = s->n - (last - 1) * TD_PANEL;
    return (TD_ROWS_HALF && n <= TD_PANEL / 2 && rows > 1) || td_is_turned(s, rows, n);
}

#if defined(__AVX2__)
/* Taps [*t, ...) of `count` rows up to the first that does not lie outside for all; `in` leads to it. */
TD_INLINE int td_turned_tap(const td_sum *s, const float *const *table, int64_t count, int64_t *t,
                            const float **in) {
    const float *zeros = s->taps > 1 ? s->zeros : NULL;
    for (; *t < s->taps; ++*t) {
        uintptr_t inside = 0;
        for (int i = 0; i < TD_PANEL; i++) {
            in[i] = table[TD_MIN(i, count - 1) * s->taps + *t];
            inside |= (uintptr_t)in[i] ^ (uintptr_t)zeros;
        }
        if (!zeros || inside) return 1;
    }
    return 0;
}

/* The first `columns` columns of a panel for up to 16 rows, without residual. */
TD_INLINE void td_turned(const td_sum *s, const float *const *table, int64_t row, int64_t count,
                         int64_t panel, const int columns) {
    const float *in[TD_PANEL];
    vf acc[8][TD_NV], total[8][TD_NV], x[TD_NV][4];
    int64_t block = 0;
#pragma GCC unroll 8
    for (int j = 0; j < columns; j++)
#pragma GCC unroll 2
        for (int v = 0; v < TD_NV; v++) acc[j][v] = total[j][v] = (vf){0};
    for (int64_t t = 0; td_turned_tap(s, table, count, &t, in); t++)
        for (int64_t c = 0; c < s->len;) {
            const int64_t at = t * s->len + c;
            const int64_t stop = TD_MIN(s->len, c + TD_BLOCK - at % TD_BLOCK);
            const float *b = s->panels + (panel * s->k + at) * TD_PANEL;
            if (at / TD_BLOCK != block)
#pragma GCC unroll 8
                for (int j = 0; j < columns; j++)
#pragma GCC unroll 2
                    for (int v = 0; v < TD_NV; v++) {
                        total[j][v] += acc[j][v];
                        acc[j][v] = (vf){0};
                    }
            block = at / TD_BLOCK;
            for (; c < stop; c += 4, b += 4 * TD_PANEL) {
                const int64_t some = TD_MIN(stop - c, 4);
                if (some == 4) td_lanes_of_rows(in, c, 4, x);
                else td_lanes_of_rows(in, c, some, x);
#pragma GCC unroll 4
                for (int i = 0; i < 4; i++) {
                    if (i >= some) break;
#pragma GCC unroll 8
                    for (int j = 0; j < columns; j++) {
                        const vf w = td_set(b[i * TD_PANEL + j]);
#pragma GCC unroll 2
                        for (int v = 0; v < TD_NV; v++) acc[j][v] = td_fma(x[v][i], w, acc[j][v]);
                    }
                }
            }
            c = stop;
        }
    const int64_t col = panel * TD_PANEL, n = s->n - col;
    float *out = s->out + row * s->out_stride + col;
    const vf low = td_set(s->act.low), high = td_set(s->act.high);
#pragma GCC unroll 8
    for (int j = 0; j < columns; j++) {
        const vf scale = td_set(s->scale && j < n ? s->scale[col + j] : 1.0f);
        const vf shift = td_set(0.0f) + td_set(s->shift && j < n ? s->shift[col + j] : 0.0f);
#pragma GCC unroll 2
        for (int v = 0; v < TD_NV; v++) {
            if (s->k > TD_BLOCK) acc[j][v] += total[j][v];
            acc[j][v] = td_clamp(td_fma(acc[j][v], scale, shift), low, high);
        }
    }
#pragma GCC unroll 2
    for (int half = 0; half < columns; half += 4) {
        const __m128i some = td_first4(n - half);
#pragma GCC unroll 2
        for (int v = 0; v < TD_NV; v++) {
            vf y[4] = {acc[half][v], acc[half + 1][v], acc[half + 2][v], acc[half + 3][v]};
            td_turn4x4(y);
#pragma GCC unroll 16
            for (int i = 0; i < TD_LANES; i++)
                if (v * TD_LANES + i < count) {
                    float part[TD_LANES] __attribute__((aligned(64)));
                    td_store(part, y[i % 4]);
                    _mm_maskstore_ps(out + (v * TD_LANES + i) * s->out_stride + half, some,
                                     _mm_load_ps(part + i / 4 * 4));
                }
        }
    }
}

static void td_turned4(const td_sum *s, const float *const *table, int64_t row, int64_t count,
                       int64_t panel) {
    td_turned(s, table, row, count, panel, 4);
}
#if defined(__AVX512F__)
static void td_turned8(const td_sum *s, const float *const *table, int64_t row, int64_t count,
                       int64_t panel) {
    td_turned(s, table, row, count, panel, 8);
}
#else
#define td_turned8 td_turned4
#endif
#else
TD_INLINE void td_turned4(const td_sum *s, const float *const *table, int64_t row, int64_t count,
                          int64_t panel) {}
#define td_turned8 td_turned4
#endif

#if defined(__AVX512F__)
TD_INLINE void td_half_rows(const td_sum *s, const float *const *table, int64_t row, int64_t rows,
                            int64_t panel) {
    td_tiles[1].rows[rows][td_is_flat(s)](s, table, row, panel, 1, 0, 0);
}
#else
#define TD_TILES_HALF(K) K(1) K(2) K(3) K(4) K(5) K(6) K(7) K(8) K(9) K(10) K(11) K(12)
#define TD_TILE_HALF(mr)                                                                          \
    TD_STRIP(td_half_##mr, TD_MIN(mr, TD_ROWS_HALF), 1, TD_NV / 2, 0)                             \
    TD_STRIP(td_flat_half_##mr, TD_MIN(mr, TD_ROWS_HALF), 1, TD_NV / 2, 1)
#define TD_TILE_HALF_NAME(mr) [mr] = {td_half_##mr, td_flat_half_##mr},
TD_TILES_HALF(TD_TILE_HALF)
static td_strip_fn *const td_halves[][2] = {TD_TILES_HALF(TD_TILE_HALF_NAME)};

TD_INLINE void td_half_rows(const td_sum *s, const float *const *table, int64_t row, int64_t rows,
                            int64_t panel) {
    const int64_t tiles = (rows + TD_ROWS_HALF - 1) / TD_ROWS_HALF;
    const int64_t height = rows / tiles, taller = rows % tiles, after = taller * (height + 1);
    if (taller) td_halves[height + 1][td_is_flat(s)](s, table, row, panel, taller, 0, 0);
    td_halves[height][td_is_flat(s)](s, table + after * s->taps, row + after, panel, tiles - taller, 0,
                                      0);
}
#endif

TD_INLINE void td_sliver_rows(const td_sum *s, const float *const *table, int64_t row, int64_t rows,
                              int64_t panel) {
    const int64_t n = s->n - panel * TD_PANEL;
    int64_t i = 0;
    if (td_is_turned(s, rows, n))
        for (; rows - i >= TD_TURNED_LEAST; i += TD_MIN(rows - i, TD_PANEL)) {
            const int64_t count = TD_MIN(rows - i, TD_PANEL);
            const float *const *of = table + i * s->taps;
            if (n <= 4) td_turned4(s, of, row + i, count, panel);
            else td_turned8(s, of, row + i, count, panel);
        }
    if (i < rows) td_half_rows(s, table + i * s->taps, row + i, rows - i, panel);
}

/* The activation of `rows` rows from `row` on by the panels [first, last), which are in a cache: many at a time,
 * since it has longer chains than registers. */
TD_INLINE void td_sum_act(const td_sum *s, int64_t row, int64_t rows, int64_t first, int64_t last) {
    if (s->act.kind > TD_ACT_clamp)
        td_act_tile(&s->act, s->out + row * s->out_stride + first * TD_PANEL, s->out_stride, rows,
                    TD_MIN(last * TD_PANEL, s->n) - first * TD_PANEL);
}

/* All tiles of `rows` rows from `row` on by the panels [first, last); table[i * taps + t] leads to tap t
 * of row `row` + i. */
TD_FUNC void td_sum_rows(const td_sum *s, const float *const *table, int64_t row, int64_t rows,
                         int64_t first, int64_t last) {
    if (!rows) return;
    const int sliver = td_is_sliver(s, rows, last), flat = td_is_flat(s);
    const int64_t k16 = s->k * TD_PANEL;
    const float *wanted = s->wanted;
    int64_t length = s->wanted_length;
    last -= sliver;
    for (int64_t panel = first; panel < last;) {
        const int wide = td_tile_width(rows, last - panel), most = td_tiles[wide].most;
        const int64_t tiles = (rows + most - 1) / most, height = rows / tiles, taller = rows % tiles;
        /* The first tiles that use a group of panels fetch one panel each of the next group.  In later
         * chunks, whose panels are at hand, those that meet their rows fetch the rows that follow. */
        const int meet = panel == first && s->taps == 1 && row && !s->wanted;
        if (!s->wanted) {
            wanted = s->panels + (panel + wide) * k16;
            length = wide * k16;
        }
        for (int64_t i = 0, from = 0, count, high; i < tiles; i += count, from += count * high) {
            high = height + (i < taller);
            count = meet ? 1 : i < taller ? taller : tiles - i;
            if (meet) {
                wanted = table[from + high - 1] + s->len;
                length = k16;
            }
            const int64_t ahead = ((intptr_t)wanted - (intptr_t)(s->panels + panel * k16)) /
                                  (intptr_t)sizeof(float);
            td_tiles[wide].rows[high][flat](s, table + from * s->taps, row + from, panel, count, ahead,
                                            length);
            wanted += count * k16;
            length -= count * k16;
        }
        td_sum_act(s, row, rows, panel, panel + wide);
        panel += wide;
    }
    if (!sliver) return;
    td_sliver_rows(s, table, row, rows, last);
    td_sum_act(s, row, rows, last, last + 1);
}

#endif
