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

/* Two partial results. */
TD_INLINE vf td_reduce_join(int op, vf a, vf b) {
    return op == TD_REDUCE_max ? td_max_nan(a, b) : op == TD_REDUCE_min ? td_min_nan(a, b)
         : op == TD_REDUCE_prod ? a * b : a + b;
}
/* A partial result and an element. */
TD_INLINE vf td_reduce_step(int op, vf a, vf x) {
    return op == TD_REDUCE_sumsq ? td_fma(x, x, a) : td_reduce_join(op, a, x);
}

/* The 16 virtual lanes become one: 8, 4, 2, 1 apart. */
TD_INLINE float td_reduce_tree(const int op, vf *lanes) {
    for (int half = TD_NV / 2; half; half /= 2)
        for (int v = 0; v < half; v++) lanes[v] = td_reduce_join(op, lanes[v], lanes[v + half]);
    vf x = lanes[0];
#pragma GCC unroll 4
    for (int apart = TD_LANES / 2; apart; apart /= 2)
        x = td_reduce_join(op, x, td_turn_lanes(x, apart));
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

/* The next n <= 256 elements; all blocks but the last are full. */
TD_INLINE void td_lanes_block(td_lanes *s, const int op, const float *x, int64_t n) {
    vf acc[TD_NV];
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
    td_lanes_join(s, op, acc);
}

TD_INLINE float td_lanes_end(const td_lanes *s, const int op) {
    vf lanes[TD_NV];
    for (int v = 0; v < TD_NV; v++) lanes[v] = td_reduce_join(op, s->large[v], s->total[v]);
    return td_reduce_tree(op, lanes);
}

/* n elements in a row. */
TD_INLINE float td_reduce_row(const int op, const float *x, int64_t n) {
    td_lanes s;
    td_lanes_start(&s, op);
    for (int64_t i = 0; i < n; i += TD_REDUCE_BLOCK)
        td_lanes_block(&s, op, x + i, TD_MIN(n - i, TD_REDUCE_BLOCK));
    return td_lanes_end(&s, op);
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

typedef struct td_reduce {
    td_axes kept, reduced;
    int columns; /* the kept axes end in a dense one, which is done in vectors */
    int64_t run; /* outputs of one unit */
} td_reduce;

static int td_reduce_of(td_reduce *r, const td_call *call) {
    const td_tensor *x = call->in[0], *y = call->out[0];
    if (!td_is_f32(x) || !td_is_f32(y) || x->rank != y->rank) return TD_REFUSED;
    r->kept = r->reduced = (td_axes){.count = 1};
    for (int i = 0; i < x->rank; i++) {
        const int reduced = call->ints[1] >> i & 1;
        if (y->shape[i] != (reduced ? 1 : x->shape[i])) return TD_REFUSED;
        if (reduced) td_axes_add(&r->reduced, x->shape[i], x->stride[i], 0);
        else td_axes_add(&r->kept, x->shape[i], x->stride[i], y->stride[i]);
    }
    const int last = r->kept.rank - 1;
    r->columns = last >= 0 && r->kept.stride[last] == 1 && r->kept.to[last] == 1;
    r->run = r->columns ? r->kept.shape[last] : 1;
    return TD_OK;
}

/* A row's columns are cut into pieces of this many. */
enum { TD_REDUCE_COLUMNS = 256 };

TD_INLINE int64_t td_reduce_pieces(const td_reduce *r) {
    return r->columns ? (r->run + TD_REDUCE_COLUMNS - 1) / TD_REDUCE_COLUMNS : 1;
}

/* reduce: x -> y of the same rank, 1 along each reduced axis
 *         ints: operation of TD_REDUCTIONS, bit mask of the reduced axes */
static int reduce_plan(const td_call *call, td_work *work) {
    td_reduce r = {0};
    if (td_reduce_of(&r, call)) return TD_REFUSED;
    if (call->ints[0] < 0 || call->ints[0] >= TD_REDUCE_COUNT) return TD_REFUSED;
    const int64_t units = r.kept.count ? r.kept.count / r.run * td_reduce_pieces(&r) : 0;
    const int64_t cost = r.reduced.count * (r.columns ? TD_MIN(r.run, TD_REDUCE_COLUMNS) : 1);
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
enum { TD_REDUCE_VECTORS = TD_REDUCE_COLUMNS / TD_LANES };
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

TD_INLINE int td_reduce_units(const td_call *call, const int op) {
    td_reduce r = {0};
    td_reduce_of(&r, call);
    const float *x = call->in[0]->data;
    float *y = call->out[0]->data;
    const float count = op == TD_REDUCE_mean ? (float)r.reduced.count : 1.0f;
    const int64_t pieces = td_reduce_pieces(&r);
    for (int64_t u = call->begin; u < call->end; u++) {
        int64_t from, to;
        td_axes_at(&r.kept, u / pieces * r.run, &from, &to);
        if (!r.columns) {
            const float one = td_reduce_one(op, &r.reduced, x + from);
            y[to] = op == TD_REDUCE_mean ? one / count : one;
            continue;
        }
        const int64_t first = u % pieces * TD_REDUCE_COLUMNS;
        td_reduce_columns(op, &r.reduced, x + from + first, y + to + first,
                          TD_MIN(TD_REDUCE_COLUMNS, r.run - first));
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
    return table[call->ints[0]](call);
}

#endif
