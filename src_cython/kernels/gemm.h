/* Matrix products. */
#ifndef TD_GEMM_H
#define TD_GEMM_H

#include "pack.h"
#include "tile.h"

/* Whether all axes but the last `inner` are one run of equal steps, which is *stride; *rows is its length. */
TD_INLINE int td_rows_of(const td_tensor *t, int inner, int64_t *rows, int64_t *stride) {
    *rows = 1;
    *stride = 0;
    int64_t next = 0;
    for (int i = t->rank - 1 - inner; i >= 0; i--) {
        if (t->shape[i] == 1) continue;
        if (*rows == 1) *stride = t->stride[i];
        else if (t->stride[i] != next) return 0;
        next = t->stride[i] * t->shape[i];
        *rows *= t->shape[i];
    }
    return 1;
}

TD_INLINE int td_is_f32(const td_tensor *t) { return t->dtype == TD_F32; }
TD_INLINE int td_dense_last(const td_tensor *t) {
    return t->rank && (t->stride[t->rank - 1] == 1 || t->shape[t->rank - 1] <= 1);
}
TD_INLINE int td_is_dense(const td_tensor *t) {
    int64_t step = 1;
    int dense = 1;
    for (int i = t->rank - 1; i >= 0; step *= t->shape[i--])
        dense &= t->shape[i] < 2 || t->stride[i] == step;
    return dense || !step;
}
/* A per-channel operand of an epilogue: absent, or n floats in a row. */
TD_INLINE int td_is_channels(const td_tensor *t, int64_t n) {
    return !t->data || (td_is_f32(t) && t->rank == 1 && t->shape[0] == n && td_dense_last(t));
}

enum { TD_CACHE_FLOATS = 160 * 1024, TD_WANTED_UNITS = 8, TD_GRAIN_FMA = 1 << 18 };

/* Scale, shift and residual stand at call->in[at], [at + 1] and [at + 2], the activation in ints[0]. */
static int td_epilogue_plan(const td_call *call, int at, const td_tensor *out) {
    const td_tensor *residual = call->in[at + 2];
    const int64_t n = out->shape[out->rank - 1];
    int64_t rows, stride;
    if (!td_is_channels(call->in[at], n) || !td_is_channels(call->in[at + 1], n)) return TD_REFUSED;
    if (residual->data) {
        if (!td_is_f32(residual) || residual->rank != out->rank || !td_dense_last(residual))
            return TD_REFUSED;
        for (int i = 0; i < out->rank; i++)
            if (residual->shape[i] != out->shape[i]) return TD_REFUSED;
        if (!td_rows_of(residual, 1, &rows, &stride)) return TD_REFUSED;
    }
    return call->ints[0] < 0 || call->ints[0] >= TD_ACT_COUNT ? TD_REFUSED : TD_OK;
}

TD_INLINE void td_epilogue(td_sum *s, const td_call *call, int at, const td_tensor *out) {
    int64_t rows;
    s->scale = call->in[at]->data;
    s->shift = call->in[at + 1]->data;
    s->residual = call->in[at + 2]->data;
    if (s->residual) td_rows_of(call->in[at + 2], 1, &rows, &s->residual_stride);
    s->out = out->data;
    s->n = out->shape[out->rank - 1];
    td_rows_of(out, 1, &rows, &s->out_stride);
    if (rows * s->n > TD_CACHE_FLOATS) s->far = 1 + (s->residual != NULL);
    s->act = td_act_of(call->ints[0], call->floats);
}

/* How a sum of `rows` rows by `panels` panels of k floats is cut into units: chunks of rows whose operands
 * stay in the second cache beside the weights in use, and chunks of panels where the rows alone give too
 * few units. */
typedef struct td_cut {
    int64_t row_chunk, panel_chunk, row_chunks, panel_chunks; /* row_chunk: the most rows of a chunk */
    int64_t tiles;                                            /* of all rows */
} td_cut;

TD_INLINE td_cut td_cut_sum(int64_t rows, int64_t panels, int64_t k, int64_t row_floats) {
    td_cut cut;
    /* Weights that stay in the cache are read again by every chunk at no cost. */
    const int64_t most = panels * TD_PANEL * k <= TD_CACHE_FLOATS
                             ? 8 * TD_ROWS : TD_MAX(TD_CACHE_FLOATS / (row_floats + 1), 70);
    const int64_t even = (rows + TD_WANTED_UNITS - 1) / TD_WANTED_UNITS;
    cut.row_chunk = TD_MIN(most, TD_MAX(even, 112));
    cut.row_chunk = TD_MAX(TD_MIN(cut.row_chunk, rows), 1);
    cut.row_chunks = (rows + cut.row_chunk - 1) / cut.row_chunk;
    cut.tiles = (rows + TD_ROWS - 1) / TD_ROWS;
    if (cut.row_chunks)
        cut.row_chunk = TD_MIN((cut.tiles + cut.row_chunks - 1) / cut.row_chunks * TD_ROWS, rows);
    const int64_t want = cut.row_chunks ? (TD_WANTED_UNITS - 1) / cut.row_chunks + 1 : 1;
    /* Few rows read many panels side by side. */
    const int64_t step = cut.row_chunk > TD_ROWS ? 2 : TD_ROWS8 && panels >= 16 ? 8 : 4;
    cut.panel_chunk = TD_MAX((panels + want * step - 1) / (want * step), 1) * step;
    cut.panel_chunks = (panels + cut.panel_chunk - 1) / cut.panel_chunk;
    return cut;
}

/* The first row of chunk i of `rows` rows: whole tiles, as evenly as they can be shared. */
TD_INLINE int64_t td_cut_row(const td_cut *cut, int64_t rows, int64_t i) {
    return TD_MIN(i * cut->tiles / cut->row_chunks * TD_ROWS, rows);
}

TD_INLINE int64_t td_grain(int64_t work_of_unit) { return 1 + TD_GRAIN_FMA / (work_of_unit + 1); }

/* Work of a unit that sums `rows` rows by weights of so many floats: reading one takes as long as some
 * multiply-adds, which is what few rows wait for. */
TD_INLINE int64_t td_cost_of_sum(int64_t rows, int64_t floats) { return (rows + 12) * floats; }

/* Rows that begin a multiple of 4 KB apart share the ways of a few sets of the first cache.  Where a tile has
 * more of them than there are ways, and they meet enough panels, copies are multiplied, so far apart: */
TD_INLINE int64_t td_gemm_step(int64_t k) { return (k + 31) / 16 * 16; }
TD_INLINE int td_gemm_copies(int64_t stride, int64_t panels) {
    return TD_ROWS > 8 && stride % 1024 == 0 && stride && panels >= 32;
}

/* matmul: a [..., m, k], panels of b [k, n], [scale n], [shift n], [residual like out] -> out [..., m, n]
 *         ints: activation; floats: its two parameters */
static int matmul_plan(const td_call *call, td_work *work) {
    const td_tensor *a = call->in[0], *b = call->in[1], *out = call->out[0];
    int64_t rows, out_rows, a_stride, stride;
    if (!td_is_f32(a) || !td_is_f32(b) || !td_is_f32(out) || a->rank < 1 || out->rank < 1)
        return TD_REFUSED;
    const int64_t k = a->shape[a->rank - 1], n = out->shape[out->rank - 1];
    if (!td_dense_last(a) || !td_dense_last(out)) return TD_REFUSED;
    if (!td_rows_of(a, 1, &rows, &a_stride) || !td_rows_of(out, 1, &out_rows, &stride))
        return TD_REFUSED;
    if (rows != out_rows || b->shape[0] != td_panels(n) * k * TD_PANEL) return TD_REFUSED;
    const td_cut cut = td_cut_sum(rows, td_panels(n), k, k);
    const int64_t cost = td_cost_of_sum(cut.row_chunk, cut.panel_chunk * TD_PANEL * k);
    *work = (td_work){rows && n ? cut.row_chunks * cut.panel_chunks : 0, td_grain(cost),
                      cut.row_chunk * (int64_t)sizeof(float *)};
    if (td_gemm_copies(a_stride, td_panels(n)))
        work->scratch += cut.row_chunk * td_gemm_step(k) * (int64_t)sizeof(float);
    return td_epilogue_plan(call, 2, out);
}

/* The table of `count` rows of k floats that begin `stride` floats apart, with their copies behind it where
 * they would meet in the first cache. */
TD_INLINE void td_gemm_rows(const float **table, const float *rows, int64_t stride, int64_t count, int64_t k,
                            int64_t panels) {
    float *copy = (float *)(table + count);
    const int64_t step = td_gemm_step(k);
    if (td_gemm_copies(stride, panels)) {
        for (int64_t i = 0; i < count; i++)
            memcpy(copy + i * step, rows + i * stride, sizeof(float) * (size_t)k);
        rows = copy;
        stride = step;
    }
    for (int64_t i = 0; i < count; i++) table[i] = rows + i * stride;
}

static int matmul_run(const td_call *call) {
    const td_tensor *a = call->in[0];
    const float *data = a->data, **table = call->scratch;
    int64_t rows, stride;
    td_rows_of(a, 1, &rows, &stride);
    const int64_t k = a->shape[a->rank - 1];
    td_sum s = {.taps = 1, .len = k, .k = k, .panels = call->in[1]->data};
    td_epilogue(&s, call, 2, call->out[0]);
    const int64_t panels = td_panels(s.n);
    const td_cut cut = td_cut_sum(rows, panels, k, k);
    for (int64_t u = call->begin, stop; u < call->end; u = stop) {
        const int64_t chunk = u / cut.panel_chunks, row = td_cut_row(&cut, rows, chunk);
        const int64_t count = td_cut_row(&cut, rows, chunk + 1) - row, first = chunk * cut.panel_chunks;
        stop = TD_MIN(call->end, first + cut.panel_chunks);
        const int64_t panel = (u - first) * cut.panel_chunk;
        const int64_t last = TD_MIN((stop - first) * cut.panel_chunk, panels);
        td_gemm_rows(table, data + row * stride, stride, count, k, last - panel);
        td_sum_rows(&s, table, row, count, panel, last);
    }
    return TD_OK;
}

#endif
