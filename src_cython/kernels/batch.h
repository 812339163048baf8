/* Batched products of two computed operands: panels are packed on the way. */
#ifndef TD_BATCH_H
#define TD_BATCH_H

#include "gemm.h"

/* The last two axes of each operand, and how many products the others count. */
typedef struct td_batch {
    int64_t m, n, k, count, panels;
    int64_t chunk, chunks; /* panels of a unit, units of a product */
    int small;             /* one panel that is read in place */
} td_batch;

static int td_batch_of(td_batch *g, const td_call *call) {
    const td_tensor *a = call->in[0], *b = call->in[1], *y = call->out[0];
    const int rank = y->rank;
    if (!td_is_f32(a) || !td_is_f32(b) || !td_is_f32(y) || rank < 2) return TD_REFUSED;
    if (a->rank != rank || b->rank != rank || !td_dense_last(y)) return TD_REFUSED;
    g->m = y->shape[rank - 2];
    g->n = y->shape[rank - 1];
    g->k = a->shape[rank - 1];
    if (a->shape[rank - 2] != g->m || b->shape[rank - 1] != g->n || b->shape[rank - 2] != g->k)
        return TD_REFUSED;
    g->count = 1;
    for (int i = 0; i < rank - 2; i++) {
        if (a->shape[i] != y->shape[i] && a->shape[i] != 1) return TD_REFUSED;
        if (b->shape[i] != y->shape[i] && b->shape[i] != 1) return TD_REFUSED;
        g->count *= y->shape[i];
    }
    g->panels = td_panels(g->n);
    g->small = g->panels == 1 && g->k <= 64 && g->m <= 64 && b->stride[rank - 1] == 1 &&
               a->stride[rank - 1] == 1;
    g->chunk = g->count >= 8 ? g->panels : TD_MAX(8, (g->panels + 7) / 8 / 8 * 8);
    g->chunk = TD_MIN(g->chunk, TD_MAX(g->panels, 1));
    g->chunks = (g->panels + g->chunk - 1) / g->chunk;
    return TD_OK;
}

/* Offset of product `index` in an operand whose axes of length 1 are repeated. */
TD_INLINE int64_t td_batch_offset(const td_tensor *t, const td_tensor *y, int64_t index) {
    int64_t offset = 0;
    for (int i = y->rank - 3; i >= 0; i--) {
        if (t->shape[i] > 1) offset += index % y->shape[i] * t->stride[i];
        index /= y->shape[i];
    }
    return offset;
}

/* mr rows by at most 16 columns, b read where it lies; nv vectors hold a row. */
TD_INLINE void td_small_rows(const float *a, int64_t a_step, const float *b, int64_t b_step, float *y,
                             int64_t y_step, int64_t k, int64_t n, const int mr, const int nv) {
    vf acc[8][TD_NV];
#pragma GCC unroll 8
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 4
        for (int j = 0; j < nv; j++) acc[i][j] = (vf){0};
    for (int64_t c = 0; c < k; c++, b += b_step) {
        vf w[TD_NV];
#pragma GCC unroll 4
        for (int j = 0; j < nv; j++) w[j] = td_load_to(b + j * TD_LANES, td_part(n, j));
#pragma GCC unroll 8
        for (int i = 0; i < mr; i++)
#pragma GCC unroll 4
            for (int j = 0; j < nv; j++) acc[i][j] = td_fma(td_set(a[i * a_step + c]), w[j], acc[i][j]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 4
        for (int j = 0; j < nv; j++)
            td_store_to(y + i * y_step + j * TD_LANES, td_part(n, j), acc[i][j] + 0.0f);
}

TD_INLINE void td_small_product(const float *a, int64_t a_step, const float *b, int64_t b_step,
                                float *y, int64_t y_step, const td_batch *g, const int nv) {
    const int tall = TD_LANES == 16 ? 8 : 4;
    int64_t i = 0;
    for (; i + tall <= g->m; i += tall)
        td_small_rows(a + i * a_step, a_step, b, b_step, y + i * y_step, y_step, g->k, g->n, tall, nv);
    for (; i < g->m; i++)
        td_small_rows(a + i * a_step, a_step, b, b_step, y + i * y_step, y_step, g->k, g->n, 1, nv);
}

/* batch_matmul: a [..., m, k], b [..., k, n], each of any strides and repeated along axes of length 1,
 *               [scale n], [shift n], [residual like out] -> out [..., m, n]
 *               ints: activation; floats: its two parameters */
static int batch_matmul_plan(const td_call *call, td_work *work) {
    td_batch g = {0};
    if (td_batch_of(&g, call)) return TD_REFUSED;
    const td_tensor *y = call->out[0];
    for (int i = 2; i < 5; i++)
        if (call->in[i]->data && i == 4 && !td_dense_last(call->in[4])) return TD_REFUSED;
    const int64_t scratch = g.small ? 0
                                    : (g.chunk * g.k * TD_PANEL + g.m * g.k) * 4 +
                                          g.m * (int64_t)sizeof(float *) + 64;
    const int64_t cost = g.m * g.k * g.chunk * TD_PANEL + 64;
    const int empty = !g.m || !g.n;
    *work = (td_work){empty ? 0 : g.count * g.chunks, td_grain(cost), scratch};
    const td_tensor *residual = call->in[4];
    if (residual->data) {
        if (!td_is_f32(residual) || residual->rank != y->rank) return TD_REFUSED;
        for (int i = 0; i < y->rank; i++)
            if (residual->shape[i] != y->shape[i]) return TD_REFUSED;
    }
    if (!td_is_channels(call->in[2], g.n) || !td_is_channels(call->in[3], g.n)) return TD_REFUSED;
    return call->ints[0] < 0 || call->ints[0] >= TD_ACT_COUNT ? TD_REFUSED : TD_OK;
}

static int td_batch_small(const td_call *call, const td_batch *g) {
    const td_tensor *a = call->in[0], *b = call->in[1], *y = call->out[0];
    const int rank = y->rank;
    const int nv = (int)((g->n + TD_LANES - 1) / TD_LANES);
    for (int64_t u = call->begin; u < call->end; u++) {
        const float *from_a = (const float *)a->data + td_batch_offset(a, y, u);
        const float *from_b = (const float *)b->data + td_batch_offset(b, y, u);
        float *to = (float *)y->data + td_batch_offset(y, y, u);
        const int64_t sa = a->stride[rank - 2], sb = b->stride[rank - 2], sy = y->stride[rank - 2];
        if (nv == 1) td_small_product(from_a, sa, from_b, sb, to, sy, g, 1);
        else if (nv == 2) td_small_product(from_a, sa, from_b, sb, to, sy, g, TD_MIN(TD_NV, 2));
        else td_small_product(from_a, sa, from_b, sb, to, sy, g, TD_NV);
    }
    return TD_OK;
}

static int batch_matmul_run(const td_call *call) {
    td_batch g = {0};
    td_batch_of(&g, call);
    const td_tensor *a = call->in[0], *b = call->in[1], *y = call->out[0], *residual = call->in[4];
    const int last = y->rank - 1;
    const int plain = call->ints[0] == TD_ACT_linear && !call->in[2]->data && !call->in[3]->data &&
                      !residual->data;
    if (g.small && plain) return td_batch_small(call, &g);
    float packed_small[64 * TD_PANEL + 64 * 64];
    const float *table_small[64];
    float *packed = g.small ? packed_small : call->scratch;
    float *copy = packed + g.chunk * g.k * TD_PANEL;
    const float **table = g.small ? table_small : (const float **)(copy + (g.m * g.k + 1) / 2 * 2);
    const int64_t mc = TD_MAX(TD_CACHE_FLOATS / (g.k + 1), 96);
    td_sum s = {.taps = 1, .len = g.k, .k = g.k, .panels = packed};
    s.scale = call->in[2]->data;
    s.shift = call->in[3]->data;
    s.act = td_act_of(call->ints[0], call->floats);
    s.out_stride = y->stride[last - 1];
    s.residual_stride = residual->data ? residual->stride[last - 1] : 0;
    /* Product whose rows the table leads to. */
    int64_t ready = call->before && !g.small ? (call->before - 1) / g.chunks : -1;
    for (int64_t u = call->begin; u < call->end; u++) {
        const int64_t product = u / g.chunks, first = u % g.chunks * g.chunk;
        const int64_t panels = TD_MIN(g.chunk, g.panels - first);
        const float *from_a = (const float *)a->data + td_batch_offset(a, y, product);
        const float *from_b = (const float *)b->data + td_batch_offset(b, y, product);
        for (int64_t p = 0; p < panels; p++) {
            const int64_t col = (first + p) * TD_PANEL;
            td_pack_panel(packed + p * g.k * TD_PANEL, from_b + col * b->stride[last], g.k,
                          TD_MIN(g.n - col, TD_PANEL), b->stride[last - 1], b->stride[last]);
        }
        if (ready != product) {
            ready = product;
            int64_t step = a->stride[last - 1];
            if (a->stride[last] != 1 && g.k > 1) {
                if (step == 1) td_turn(from_a, a->stride[last], copy, g.k, g.k, g.m);
                else
                    for (int64_t i = 0; i < g.m; i++)
                        for (int64_t c = 0; c < g.k; c++)
                            copy[i * g.k + c] = from_a[i * step + c * a->stride[last]];
                from_a = copy;
                step = g.k;
            }
            for (int64_t i = 0; i < g.m; i++) table[i] = from_a + i * step;
        }
        const int64_t col = first * TD_PANEL;
        s.out = (float *)y->data + td_batch_offset(y, y, product) + col;
        s.residual = residual->data ? (const float *)residual->data +
                                          td_batch_offset(residual, y, product) + col : NULL;
        s.scale = call->in[2]->data ? (const float *)call->in[2]->data + col : NULL;
        s.shift = call->in[3]->data ? (const float *)call->in[3]->data + col : NULL;
        s.n = g.n - col;
        for (int64_t row = 0; row < g.m; row += mc)
            td_sum_rows(&s, table + row, row, TD_MIN(mc, g.m - row), 0, panels);
    }
    return TD_OK;
}

#endif
