/* Reductions over any axes.
 *
 * Order, on the logical index of the reduced axes (row-major, whatever the strides): element r goes to
 * virtual lane r % 16; lanes are summed in order within blocks of 256 elements, block sums added in order,
 * sums of 64 blocks again, and the 16 lanes at the end by one tree (8, 4, 2, 1 apart). */
#ifndef TD_REDUCE_H
#define TD_REDUCE_H

#include "map.h"

#define TD_REDUCE_ENUM(name) TD_REDUCE_##name,
enum { TD_REDUCTIONS(TD_REDUCE_ENUM) TD_REDUCE_COUNT };
#undef TD_REDUCE_ENUM

enum { TD_REDUCE_BLOCK = 256, TD_REDUCE_BLOCKS = 64 };

TD_INLINE float td_reduce_start(int op) {
    return op == TD_REDUCE_max ? -__builtin_inff() : op == TD_REDUCE_min ? __builtin_inff()
         : op == TD_REDUCE_prod ? 1.0f : 0.0f;
}

enum { TD_REDUCE_most = TD_REDUCE_COUNT }; /* max that passes NaN over, where a is none */

/* Two partial results. */
TD_INLINE vf td_reduce_join(int op, vf a, vf b) {
    return op == TD_REDUCE_most  ? td_max2(b, a)
           : op == TD_REDUCE_max  ? td_max_nan(a, b)
           : op == TD_REDUCE_min  ? td_min_nan(a, b)
           : op == TD_REDUCE_prod ? a * b
                                  : a + b;
}
/* A partial result and an element. */
TD_INLINE vf td_reduce_step(int op, vf a, vf x) {
    return op == TD_REDUCE_sumsq ? td_fma(x, x, a) : td_reduce_join(op, a, x);
}

/* The 16 virtual lanes become as many as a vector has: those 8 apart are joined, and so on. */
TD_INLINE vf td_reduce_halves(const int op, vf *lanes) {
    for (int half = TD_NV / 2; half; half /= 2)
        for (int v = 0; v < half; v++) lanes[v] = td_reduce_join(op, lanes[v], lanes[v + half]);
    return lanes[0];
}

/* The lanes become one: 8, 4, 2, 1 apart. */
TD_INLINE float td_reduce_tree(const int op, vf x) {
#pragma GCC unroll 4
    for (int apart = TD_LANES / 2; apart; apart /= 2)
        x = td_reduce_join(op, x, td_turn_lanes(x, apart));
    return x[0];
}

/* The same for as many rows as a vector has lanes: lane i of what comes back is row i's.  Two vectors with
 * `apart` lanes to join become one, until each lane is another row. */
TD_INLINE vf td_reduce_trees(const int op, vf *x) {
#pragma GCC unroll 4
    for (int apart = TD_LANES / 2; apart; apart /= 2)
#pragma GCC unroll 8
        for (int i = 0; i < apart; i++)
            x[i] = td_reduce_join(op, td_beside(x[i], x[i + apart], apart, 0),
                                  td_beside(x[i], x[i + apart], apart, 1));
    return x[0];
}

/* The 16 virtual lanes of one running reduction, block by block. */
typedef struct td_lanes {
    vf total[TD_NV], large[TD_NV];
    int64_t blocks;
} td_lanes;

TD_INLINE void td_lanes_start(td_lanes *s, const int op) {
    for (int v = 0; v < TD_NV; v++) s->total[v] = s->large[v] = td_set(td_reduce_start(op));
    s->blocks = 0;
}

/* The lanes of a block, or of what is left of one. */
TD_INLINE void td_lanes_join(td_lanes *s, const int op, const vf *block) {
    for (int v = 0; v < TD_NV; v++) s->total[v] = td_reduce_join(op, s->total[v], block[v]);
    if (++s->blocks < TD_REDUCE_BLOCKS) return;
    for (int v = 0; v < TD_NV; v++) {
        s->large[v] = td_reduce_join(op, s->large[v], s->total[v]);
        s->total[v] = td_set(td_reduce_start(op));
    }
    s->blocks = 0;
}

/* The lanes of n <= 256 elements. */
TD_INLINE void td_lanes_of_block(vf *acc, const int op, const float *x, int64_t n) {
    for (int v = 0; v < TD_NV; v++) acc[v] = td_set(td_reduce_start(op));
    int64_t i = 0;
    for (; i + TD_PANEL <= n; i += TD_PANEL)
        for (int v = 0; v < TD_NV; v++)
            acc[v] = td_reduce_step(op, acc[v], td_load(x + i + v * TD_LANES));
    if (i < n)
        for (int v = 0; v < TD_NV; v++) {
            const int64_t m = td_part(n - i, v);
            vf edge = td_loadn(x + i + v * TD_LANES, m);
            if (td_reduce_start(op) != 0.0f)
                edge = td_sel(td_iota() < (int32_t)m, edge, td_set(td_reduce_start(op)));
            acc[v] = td_reduce_step(op, acc[v], edge);
        }
}

/* The next n <= 256 elements; all blocks but the last are full. */
TD_INLINE void td_lanes_block(td_lanes *s, const int op, const float *x, int64_t n) {
    vf acc[TD_NV];
    td_lanes_of_block(acc, op, x, n);
    td_lanes_join(s, op, acc);
}

/* What is left to be joined: as many lanes as a vector has. */
TD_INLINE vf td_lanes_last(const td_lanes *s, const int op) {
    vf lanes[TD_NV];
    for (int v = 0; v < TD_NV; v++) lanes[v] = td_reduce_join(op, s->large[v], s->total[v]);
    return td_reduce_halves(op, lanes);
}

TD_INLINE float td_lanes_end(const td_lanes *s, const int op) {
    return td_reduce_tree(op, td_lanes_last(s, op));
}

/* n elements in a row. */
TD_INLINE float td_reduce_row(const int op, const float *x, int64_t n) {
    td_lanes s;
    td_lanes_start(&s, op);
    for (int64_t i = 0; i < n; i += TD_REDUCE_BLOCK)
        td_lanes_block(&s, op, x + i, TD_MIN(n - i, TD_REDUCE_BLOCK));
    return td_lanes_end(&s, op);
}

TD_INLINE vf td_halves_of_block(const int op, const float *x, int64_t n) {
    vf lanes[TD_NV];
    td_lanes_of_block(lanes, op, x, n);
    return td_reduce_halves(op, lanes);
}

/* Those of n <= 16 elements that fill `vectors` vectors: lanes without an element hold the start of a
 * reduction, which changes nothing that it is joined to. */
TD_INLINE vf td_halves_of_few(const int op, const float *x, int64_t n, const int vectors) {
    vf lanes[TD_NV];
    const vf start = td_set(td_reduce_start(op));
    for (int v = 0; v < vectors; v++) {
        const int64_t m = n - v * TD_LANES;
        lanes[v] = td_load_some(x + v * TD_LANES, m, v + 1 < vectors);
        if (td_reduce_start(op) != 0.0f && v + 1 == vectors)
            lanes[v] = td_sel(td_iota() < (int32_t)m, lanes[v], start);
        lanes[v] = td_reduce_step(op, start, lanes[v]);
    }
    for (int half = TD_NV / 2; half; half /= 2)
        for (int v = 0; v < half && v + half < vectors; v++)
            lanes[v] = td_reduce_join(op, lanes[v], lanes[v + half]);
    return lanes[0];
}

/* `rows` <= TD_LANES rows of n <= 256 elements, `step` apart, each as td_reduce_row does it. */
TD_INLINE vf td_reduce_short(const int op, const float *x, int64_t step, int64_t n, int64_t rows) {
    vf joined[TD_LANES];
#define TD_SHORT(halves) \
    for (int i = 0; i < TD_LANES; i++) { \
        const float *row = x + TD_MIN(i, rows - 1) * step; \
        joined[i] = halves; \
    }
    switch (n <= TD_PANEL ? (n + TD_LANES - 1) / TD_LANES : 0) {
    case 1: TD_SHORT(td_halves_of_few(op, row, n, 1)) break;
    case 2: TD_SHORT(td_halves_of_few(op, row, n, TD_MIN(2, TD_NV))) break;
    case 3: TD_SHORT(td_halves_of_few(op, row, n, TD_MIN(3, TD_NV))) break;
    case 4: TD_SHORT(td_halves_of_few(op, row, n, TD_NV)) break;
    default: TD_SHORT(td_halves_of_block(op, row, n))
    }
#undef TD_SHORT
    return td_reduce_trees(op, joined);
}

/* Axes of a reduction, kept and reduced ones apart, neighbours joined where their steps allow. */
typedef struct td_axes {
    int rank;
    int64_t shape[TD_MAX_RANK], stride[TD_MAX_RANK], to[TD_MAX_RANK], count;
} td_axes;

TD_INLINE void td_axes_add(td_axes *a, int64_t length, int64_t stride, int64_t to) {
    a->count *= length;
    if (length == 1) return;
    const int last = a->rank - 1;
    if (last >= 0 && a->stride[last] == stride * length && a->to[last] == to * length) {
        a->shape[last] *= length;
        a->stride[last] = stride;
        a->to[last] = to;
        return;
    }
    a->shape[a->rank] = length;
    a->stride[a->rank] = stride;
    a->to[a->rank++] = to;
}

TD_INLINE void td_axes_at(const td_axes *a, int64_t index, int64_t *from, int64_t *to) {
    *from = *to = 0;
    for (int i = a->rank - 1; i >= 0; i--) {
        *from += index % a->shape[i] * a->stride[i];
        *to += index % a->shape[i] * a->to[i];
        index /= a->shape[i];
    }
}

/* How the outputs along the last kept axis are computed: each on its own; the columns of an axis that is
 * dense on both sides, in vectors; rows that are dense, several together. */
enum { TD_REDUCE_ONES, TD_REDUCE_COLUMNS, TD_REDUCE_ROWS };

/* Outputs of a unit at most. */
enum { TD_REDUCE_PIECE = 256 };

typedef struct td_reduce {
    td_axes kept, reduced;
    int way;
    int64_t run, step, to; /* outputs along the last kept axis, and their steps */
} td_reduce;

static int td_reduce_of(td_reduce *r, const td_call *call) {
    const td_tensor *x = call->in[0], *y = call->out[0];
    if (x->dtype != y->dtype || x->rank != y->rank) return TD_REFUSED;
    r->kept = r->reduced = (td_axes){.count = 1};
    for (int i = 0; i < x->rank; i++) {
        const int reduced = call->ints[1] >> i & 1;
        if (y->shape[i] != (reduced ? 1 : x->shape[i])) return TD_REFUSED;
        if (reduced) td_axes_add(&r->reduced, x->shape[i], x->stride[i], 0);
        else td_axes_add(&r->kept, x->shape[i], x->stride[i], y->stride[i]);
    }
    const int last = r->kept.rank - 1;
    const td_axes *a = &r->reduced;
    const int dense = a->rank == 0 || (a->rank == 1 && a->stride[0] == 1);
    r->run = last >= 0 ? r->kept.shape[last] : 1;
    r->step = last >= 0 ? r->kept.stride[last] : 0;
    r->to = last >= 0 ? r->kept.to[last] : 0;
    r->way = r->step == 1 && r->to == 1 ? TD_REDUCE_COLUMNS
           : dense && a->count <= TD_REDUCE_BLOCK ? TD_REDUCE_ROWS : TD_REDUCE_ONES;
    if (!td_is_f32(x)) r->way = TD_REDUCE_ONES;
    if (r->way == TD_REDUCE_ONES) r->run = 1;
    return TD_OK;
}

TD_INLINE int64_t td_reduce_pieces(const td_reduce *r) {
    return (r->run + TD_REDUCE_PIECE - 1) / TD_REDUCE_PIECE;
}

/* reduce: x -> y of the same rank, 1 along each reduced axis; float32, and float64, int32 and int64 but for
 *         sumsq and the mean of integers, which wrap around
 *         ints: operation of TD_REDUCTIONS, bit mask of the reduced axes */
static int reduce_plan(const td_call *call, td_work *work) {
    td_reduce r = {0};
    if (td_reduce_of(&r, call)) return TD_REFUSED;
    const int64_t op = call->ints[0];
    if (op < 0 || op >= TD_REDUCE_COUNT) return TD_REFUSED;
    const int dtype = call->in[0]->dtype, integer = dtype == TD_I32 || dtype == TD_I64;
    if (dtype != TD_F32 && dtype != TD_F64 && !integer) return TD_REFUSED;
    if (dtype != TD_F32 && (op == TD_REDUCE_sumsq || (op == TD_REDUCE_mean && integer)))
        return TD_REFUSED;
    const int64_t units = r.kept.count ? r.kept.count / r.run * td_reduce_pieces(&r) : 0;
    const int64_t cost = r.reduced.count * TD_MIN(r.run, TD_REDUCE_PIECE);
    *work = (td_work){units, 1 + (64 << 10) / (cost + 16), 0};
    return TD_OK;
}

/* n elements `step` apart become a row. */
TD_INLINE void td_reduce_fetch(float *to, const float *from, int64_t n, int64_t step) {
    int64_t i = 0;
    if (step == 1) {
        for (; i + TD_LANES <= n; i += TD_LANES) td_store(to + i, td_load(from + i));
        for (; i < n; i++) to[i] = from[i];
    }
    for (; i < n; i++) to[i] = from[i * step];
}

/* Reduced elements [first, first + n) of an output at x, gathered into a row; there are axes. */
static void td_reduce_gather(const td_axes *a, const float *x, int64_t first, int64_t n, float *row) {
    int64_t at[TD_MAX_RANK] = {0}, offset = 0;
    const int last = a->rank - 1;
    for (int i = last; i >= 0; i--) {
        at[i] = first % a->shape[i];
        first /= a->shape[i];
        offset += at[i] * a->stride[i];
    }
    for (int64_t e = 0; e < n;) {
        const int64_t run = TD_MIN(n - e, a->shape[last] - at[last]);
        td_reduce_fetch(row + e, x + offset, run, a->stride[last]);
        e += run;
        offset += run * a->stride[last];
        at[last] += run;
        for (int i = last; i > 0 && at[i] == a->shape[i]; i--) {
            offset += a->stride[i - 1] - at[i] * a->stride[i];
            at[i] = 0;
            at[i - 1]++;
        }
    }
}

TD_INLINE float td_reduce_one(const int op, const td_axes *a, const float *x) {
    if (a->rank <= 1 && (a->rank == 0 || a->stride[0] == 1)) return td_reduce_row(op, x, a->count);
    td_lanes s;
    float row[TD_REDUCE_BLOCK];
    td_lanes_start(&s, op);
    for (int64_t i = 0; i < a->count; i += TD_REDUCE_BLOCK) {
        const int64_t n = TD_MIN(a->count - i, TD_REDUCE_BLOCK);
        td_reduce_gather(a, x, i, n, row);
        td_lanes_block(&s, op, row, n);
    }
    return td_lanes_end(&s, op);
}

/* The lanes of a piece of columns are rows; each column has the order of td_lanes. */
enum { TD_REDUCE_VECTORS = TD_REDUCE_PIECE / TD_LANES };
typedef vf td_column_lanes[TD_REDUCE_VECTORS][TD_PANEL];

/* n <= 16 rows join the lanes of their block. */
TD_INLINE void td_columns_rows(const int op, const float *const *rows, int n, int64_t width,
                               td_column_lanes block) {
    for (int64_t c = 0; c < width; c += TD_LANES) {
        vf *lane = block[c / TD_LANES];
        if (n == TD_PANEL && width - c >= TD_LANES) {
#pragma GCC unroll 16
            for (int i = 0; i < TD_PANEL; i++)
                lane[i] = td_reduce_step(op, lane[i], td_load(rows[i] + c));
        } else {
            const int64_t m = TD_MIN(width - c, TD_LANES);
            for (int i = 0; i < n; i++)
                lane[i] = td_reduce_step(op, lane[i], td_loadn(rows[i] + c, m));
        }
    }
}

/* `from` joins `to` and starts anew. */
TD_INLINE void td_columns_join(const int op, td_column_lanes to, td_column_lanes from, int vectors) {
    for (int v = 0; v < vectors; v++)
        for (int i = 0; i < TD_PANEL; i++) {
            to[v][i] = td_reduce_join(op, to[v][i], from[v][i]);
            from[v][i] = td_set(td_reduce_start(op));
        }
}

/* `width` <= 256 columns at x into y. */
TD_INLINE void td_reduce_columns(const int op, const td_axes *a, const float *x, float *y,
                                 int64_t width) {
    td_column_lanes block, total, large;
    const int vectors = (int)((width + TD_LANES - 1) / TD_LANES);
    for (int v = 0; v < vectors; v++)
        for (int i = 0; i < TD_PANEL; i++)
            block[v][i] = total[v][i] = large[v][i] = td_set(td_reduce_start(op));
    int64_t at[TD_MAX_RANK] = {0}, offset = 0;
    const int last = a->rank - 1;
    for (int64_t r = 0; r < a->count; r += TD_PANEL) {
        const float *rows[TD_PANEL];
        const int n = (int)TD_MIN(a->count - r, TD_PANEL);
        for (int i = 0; i < n; i++) {
            rows[i] = x + offset;
            if (last < 0) continue;
            offset += a->stride[last];
            at[last]++;
            for (int j = last; j > 0 && at[j] == a->shape[j]; j--) {
                offset += a->stride[j - 1] - at[j] * a->stride[j];
                at[j] = 0;
                at[j - 1]++;
            }
        }
        td_columns_rows(op, rows, n, width, block);
        const int64_t done = r + TD_PANEL;
        if (done % TD_REDUCE_BLOCK == 0) td_columns_join(op, total, block, vectors);
        if (done % (TD_REDUCE_BLOCK * TD_REDUCE_BLOCKS) == 0)
            td_columns_join(op, large, total, vectors);
    }
    td_columns_join(op, total, block, vectors);
    for (int v = 0; v < vectors; v++) {
        vf *lane = total[v];
        for (int i = 0; i < TD_PANEL; i++) lane[i] = td_reduce_join(op, large[v][i], lane[i]);
        for (int apart = 8; apart; apart /= 2)
            for (int i = 0; i < apart; i++) lane[i] = td_reduce_join(op, lane[i], lane[i + apart]);
        if (op == TD_REDUCE_mean) lane[0] /= (float)a->count;
        td_store_to(y + v * TD_LANES, width - v * TD_LANES, lane[0]);
    }
}

/* So few elements that the lanes of a vector of columns are done one by one. */
enum { TD_REDUCE_FEW = 64 };

/* Where each of the reduced elements lies, in order. */
static void td_reduce_offsets(const td_axes *a, int64_t *offsets) {
    offsets[0] = 0;
    int64_t count = 1;
    for (int i = a->rank - 1; i >= 0; count *= a->shape[i--])
        for (int64_t e = count; e < count * a->shape[i]; e++)
            offsets[e] = offsets[e - count] + a->stride[i];
}

/* As td_reduce_columns, of n <= TD_REDUCE_FEW elements each, in one block: lanes without an element hold
 * the start of a reduction, which changes nothing. */
TD_INLINE void td_reduce_few(const int op, const int64_t *offsets, int n, const float *x, float *y,
                             int64_t width) {
    const int lanes = TD_MIN(n, TD_PANEL);
    for (int64_t c = 0; c < width; c += TD_LANES) {
        vf lane[TD_PANEL];
        const int64_t part = width - c;
        for (int i = 0; i < lanes; i++) {
            vf a = td_set(td_reduce_start(op));
            for (int e = i; e < n; e += TD_PANEL)
                a = td_reduce_step(op, a, td_load_to(x + offsets[e] + c, part));
            lane[i] = a;
        }
        for (int apart = 8; apart; apart /= 2)
            for (int i = 0; i < apart && i + apart < lanes; i++)
                lane[i] = td_reduce_join(op, lane[i], lane[i + apart]);
        if (op == TD_REDUCE_mean) lane[0] /= (float)n;
        td_store_to(y + c, part, lane[0]);
    }
}

/* Rows of n <= 256 elements, `step` apart, into outputs `to` apart. */
TD_INLINE void td_reduce_rows(const int op, const float *x, int64_t step, int64_t n, float *y,
                              int64_t to, int64_t rows) {
    for (int64_t r = 0; r < rows; r += TD_LANES) {
        const int64_t m = TD_MIN(rows - r, TD_LANES);
        if (m * 4 > TD_LANES || m * n <= 64) {
            vf all = td_reduce_short(op, x + r * step, step, n, m);
            if (op == TD_REDUCE_mean) all /= (float)n;
            if (to == 1) td_store_to(y + r, m, all);
            else
                for (int64_t i = 0; i < m; i++) y[(r + i) * to] = all[i];
            continue;
        }
        for (int64_t i = 0; i < m; i++) {
            const float one = td_reduce_row(op, x + (r + i) * step, n);
            y[(r + i) * to] = op == TD_REDUCE_mean ? one / (float)n : one;
        }
    }
}

TD_INLINE int td_reduce_units(const td_call *call, const int op) {
    td_reduce r = {0};
    td_reduce_of(&r, call);
    const int64_t pieces = td_reduce_pieces(&r), n = r.reduced.count;
    const int few = r.way == TD_REDUCE_COLUMNS && n && n <= TD_REDUCE_FEW;
    int64_t offsets[TD_REDUCE_FEW];
    if (few) td_reduce_offsets(&r.reduced, offsets);
    for (int64_t u = call->begin; u < call->end; u++) {
        int64_t from, to;
        td_axes_at(&r.kept, u / pieces * r.run, &from, &to);
        const int64_t first = u % pieces * TD_REDUCE_PIECE;
        const int64_t width = TD_MIN(TD_REDUCE_PIECE, r.run - first);
        const float *x = (const float *)call->in[0]->data + from + first * r.step;
        float *y = (float *)call->out[0]->data + to + first * r.to;
        if (few) td_reduce_few(op, offsets, (int)n, x, y, width);
        else if (r.way == TD_REDUCE_COLUMNS) td_reduce_columns(op, &r.reduced, x, y, width);
        else if (r.way == TD_REDUCE_ROWS) td_reduce_rows(op, x, r.step, n, y, r.to, width);
        else {
            const float one = td_reduce_one(op, &r.reduced, x);
            *y = op == TD_REDUCE_mean ? one / (float)n : one;
        }
    }
    return TD_OK;
}

/* One output of another type, in the same order; `sum` is the type in which sums wrap around. */
#define TD_WIDE_JOIN(op, type, sum, a, b)                                                         \
    ((op) == TD_REDUCE_max ? ((a) >= (b) || (a) != (a) ? (a) : (b))                               \
     : (op) == TD_REDUCE_min ? ((a) <= (b) || (a) != (a) ? (a) : (b))                             \
     : (op) == TD_REDUCE_prod ? (type)((sum)(a) * (sum)(b)) : (type)((sum)(a) + (sum)(b)))

#define TD_WIDE_FN(type, sum, least, most)                                                        \
    static void td_gather_##type(const td_axes *a, const type *x, int64_t first, int64_t n,       \
                                 type *row) {                                                     \
        int64_t at[TD_MAX_RANK] = {0}, offset = 0;                                                \
        for (int64_t e = 0; e < n && a->rank == 1; e++) row[e] = x[(first + e) * a->stride[0]];   \
        if (a->rank == 1) return;                                                                 \
        for (int i = a->rank - 1; i >= 0; first /= a->shape[i--]) {                               \
            at[i] = first % a->shape[i];                                                          \
            offset += at[i] * a->stride[i];                                                       \
        }                                                                                         \
        for (int64_t e = 0; e < n; e++) {                                                         \
            row[e] = x[offset];                                                                   \
            for (int i = a->rank - 1; i >= 0; i--) {                                              \
                offset += a->stride[i];                                                           \
                if (++at[i] < a->shape[i]) break;                                                 \
                offset -= at[i] * a->stride[i];                                                   \
                at[i] = 0;                                                                        \
            }                                                                                     \
        }                                                                                         \
    }                                                                                             \
    TD_FUNC type td_reduce_##type(const int op, const td_axes *a, const type *x) {                \
        const type start = op == TD_REDUCE_max ? least : op == TD_REDUCE_min ? most               \
                         : op == TD_REDUCE_prod ? 1 : 0;                                          \
        type lane[TD_PANEL], total[TD_PANEL], large[TD_PANEL], row[TD_REDUCE_BLOCK];              \
        for (int i = 0; i < TD_PANEL; i++) total[i] = large[i] = start;                           \
        for (int64_t first = 0, block = 1; first < a->count; first += TD_REDUCE_BLOCK, block++) { \
            const int64_t n = TD_MIN(a->count - first, TD_REDUCE_BLOCK);                          \
            for (int64_t e = n; e < n + TD_PANEL && e < TD_REDUCE_BLOCK; e++) row[e] = start;     \
            td_gather_##type(a, x, first, n, row);                                                \
            for (int i = 0; i < TD_PANEL; i++) lane[i] = start;                                   \
            for (int64_t e = 0; e < n; e += TD_PANEL)                                             \
                for (int i = 0; i < TD_PANEL; i++)                                                \
                    lane[i] = TD_WIDE_JOIN(op, type, sum, lane[i], row[e + i]);                   \
            for (int i = 0; i < TD_PANEL; i++)                                                    \
                total[i] = TD_WIDE_JOIN(op, type, sum, total[i], lane[i]);                        \
            for (int i = 0; i < TD_PANEL && block % TD_REDUCE_BLOCKS == 0; i++) {                 \
                large[i] = TD_WIDE_JOIN(op, type, sum, large[i], total[i]);                       \
                total[i] = start;                                                                 \
            }                                                                                     \
        }                                                                                         \
        for (int i = 0; i < TD_PANEL; i++)                                                        \
            lane[i] = TD_WIDE_JOIN(op, type, sum, large[i], total[i]);                            \
        for (int apart = TD_PANEL / 2; apart; apart /= 2)                                         \
            for (int i = 0; i < apart; i++)                                                       \
                lane[i] = TD_WIDE_JOIN(op, type, sum, lane[i], lane[i + apart]);                  \
        return op == TD_REDUCE_mean ? (type)(lane[0] / (type)a->count) : lane[0];                 \
    }
TD_WIDE_FN(double, double, -__builtin_inf(), __builtin_inf())
TD_WIDE_FN(int32_t, uint32_t, INT32_MIN, INT32_MAX)
TD_WIDE_FN(int64_t, uint64_t, INT64_MIN, INT64_MAX)

#define TD_WIDE_CASE(code, type)                                                                  \
    case code:                                                                                    \
        for (int64_t u = call->begin; u < call->end; u++) {                                       \
            int64_t from, to;                                                                     \
            td_axes_at(&r.kept, u, &from, &to);                                                   \
            ((type *)call->out[0]->data)[to] =                                                    \
                td_reduce_##type(op, &r.reduced, (const type *)call->in[0]->data + from);         \
        }                                                                                         \
        break;

static int td_reduce_wide(const td_call *call) {
    const int op = (int)call->ints[0];
    td_reduce r = {0};
    td_reduce_of(&r, call);
    switch (call->in[0]->dtype) {
        TD_WIDE_CASE(TD_F64, double)
        TD_WIDE_CASE(TD_I32, int32_t)
        TD_WIDE_CASE(TD_I64, int64_t)
    }
    return TD_OK;
}

#define TD_REDUCE_FN(name) \
    static int td_reduce_units_##name(const td_call *call) { \
        return td_reduce_units(call, TD_REDUCE_##name); \
    }
TD_REDUCTIONS(TD_REDUCE_FN)
#define TD_REDUCE_ENTRY(name) td_reduce_units_##name,

static int reduce_run(const td_call *call) {
    static int (*const table[])(const td_call *) = {TD_REDUCTIONS(TD_REDUCE_ENTRY)};
    return td_is_f32(call->in[0]) ? table[call->ints[0]](call) : td_reduce_wide(call);
}

#endif
