/* Reductions over any axes.
 *
 * Order, on the logical index of the reduced axes (row-major, whatever the strides): element r goes to
 * virtual lane r % 16; lanes are summed in order within blocks of 256 elements, block sums added in order,
 * sums of 64 blocks again, and the 16 lanes at the end by one tree (8, 4, 2, 1 apart). */
#ifndef TD_REDUCE_H
#define TD_REDUCE_H

#include "map.h"

#define TD_REDUCTIONS(K) K(sum) K(mean) K(max) K(min) K(prod) K(sumsq)
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

TD_INLINE float td_reduce_join1(int op, float a, float b) {
    switch (op) {
    case TD_REDUCE_max: return a >= b || a != a ? a : b;
    case TD_REDUCE_min: return a <= b || a != a ? a : b;
    case TD_REDUCE_prod: return a * b;
    default: return a + b;
    }
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

/* The next n <= 256 elements; all blocks but the last are full. */
TD_INLINE void td_lanes_block(td_lanes *s, const int op, const float *x, int64_t n) {
    vf acc[TD_NV];
    for (int v = 0; v < TD_NV; v++) acc[v] = td_set(td_reduce_start(op));
    int64_t i = 0;
    for (; i + TD_PANEL <= n; i += TD_PANEL)
        for (int v = 0; v < TD_NV; v++)
            acc[v] = td_reduce_step(op, acc[v], td_load(x + i + v * TD_LANES));
    if (i < n) {
        float edge[TD_PANEL];
        for (int e = 0; e < TD_PANEL; e++) edge[e] = i + e < n ? x[i + e] : td_reduce_start(op);
        for (int v = 0; v < TD_NV; v++)
            acc[v] = td_reduce_step(op, acc[v], td_load(edge + v * TD_LANES));
    }
    for (int v = 0; v < TD_NV; v++) s->total[v] = td_reduce_join(op, s->total[v], acc[v]);
    if (++s->blocks == TD_REDUCE_BLOCKS) {
        for (int v = 0; v < TD_NV; v++) {
            s->large[v] = td_reduce_join(op, s->large[v], s->total[v]);
            s->total[v] = td_set(td_reduce_start(op));
        }
        s->blocks = 0;
    }
}

TD_INLINE float td_lanes_end(const td_lanes *s, const int op) {
    float lane[TD_PANEL];
    for (int v = 0; v < TD_NV; v++)
        td_store(lane + v * TD_LANES, td_reduce_join(op, s->large[v], s->total[v]));
    for (int apart = 8; apart; apart /= 2)
        for (int i = 0; i < apart; i++) lane[i] = td_reduce_join1(op, lane[i], lane[i + apart]);
    return lane[0];
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
enum { TD_REDUCE_COLUMNS = 64 };

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

/* Reduced elements [first, first + n) of an output at x, gathered into a row. */
static void td_reduce_gather(const td_axes *a, const float *x, int64_t first, int64_t n, float *row) {
    int64_t at[TD_MAX_RANK] = {0}, offset = 0;
    const int last = a->rank - 1;
    for (int i = last; i >= 0; i--) {
        at[i] = first % a->shape[i];
        first /= a->shape[i];
        offset += at[i] * a->stride[i];
    }
    for (int64_t e = 0; e < n; e++) {
        row[e] = x[offset];
        if (last < 0) continue;
        offset += a->stride[last];
        at[last]++;
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

/* One vector of columns: lanes are rows, the order is that of td_lanes for each column. */
TD_INLINE vf td_reduce_column(const int op, const td_axes *a, const float *x, int64_t n) {
    vf block[TD_PANEL], total[TD_PANEL], large[TD_PANEL];
    const vf start = td_set(td_reduce_start(op));
    int64_t at[TD_MAX_RANK] = {0}, offset = 0, blocks = 0;
    const int last = a->rank - 1;
    for (int i = 0; i < TD_PANEL; i++) block[i] = total[i] = large[i] = start;
    for (int64_t r = 0; r < a->count; r++) {
        vf v = n < TD_LANES ? td_loadn(x + offset, n) : td_load(x + offset);
        block[r % TD_PANEL] = td_reduce_step(op, block[r % TD_PANEL], v);
        if (r % TD_REDUCE_BLOCK == TD_REDUCE_BLOCK - 1) {
            for (int i = 0; i < TD_PANEL; i++) {
                total[i] = td_reduce_join(op, total[i], block[i]);
                block[i] = start;
            }
            if (++blocks == TD_REDUCE_BLOCKS) {
                for (int i = 0; i < TD_PANEL; i++) {
                    large[i] = td_reduce_join(op, large[i], total[i]);
                    total[i] = start;
                }
                blocks = 0;
            }
        }
        if (last < 0) continue;
        offset += a->stride[last];
        at[last]++;
        for (int i = last; i > 0 && at[i] == a->shape[i]; i--) {
            offset += a->stride[i - 1] - at[i] * a->stride[i];
            at[i] = 0;
            at[i - 1]++;
        }
    }
    for (int i = 0; i < TD_PANEL; i++)
        total[i] = td_reduce_join(op, large[i], td_reduce_join(op, total[i], block[i]));
    for (int apart = 8; apart; apart /= 2)
        for (int i = 0; i < apart; i++) total[i] = td_reduce_join(op, total[i], total[i + apart]);
    return total[0];
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
        const int64_t end = TD_MIN(first + TD_REDUCE_COLUMNS, r.run);
        for (int64_t c = first; c < end; c += TD_LANES) {
            const int64_t n = TD_MIN(end - c, TD_LANES);
            vf v = td_reduce_column(op, &r.reduced, x + from + c, n);
            if (op == TD_REDUCE_mean) v /= count;
            td_storen(y + to + c, n, v);
        }
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
