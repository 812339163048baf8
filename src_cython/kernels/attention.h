/* Attention: softmax(scale * q k^T + mask) v, the scores never leaving the second cache. */
#ifndef TD_ATTENTION_H
#define TD_ATTENTION_H

#include "gemm.h"
#include "rows.h"

enum { TD_ATTENTION_ROWS = 5 * TD_ROWS }; /* rows of scores at a time */

typedef struct td_attention {
    int64_t heads, t, s, d, dv; /* heads: product of the leading axes */
    int64_t chunk, chunks;      /* rows of a unit */
} td_attention;

/* Whole tiles in even pieces of at most `most` of n rows. */
TD_INLINE int64_t td_even(int64_t n, int64_t most) {
    const int64_t pieces = TD_MAX((n + most - 1) / most, 1), even = (n + pieces - 1) / pieces;
    return TD_MAX((even + TD_ROWS - 1) / TD_ROWS, 1) * TD_ROWS;
}

static int td_attention_of(td_attention *g, const td_call *call) {
    const td_tensor *q = call->in[0], *k = call->in[1], *v = call->in[2], *mask = call->in[3];
    const td_tensor *y = call->out[0];
    const int rank = y->rank;
    if (rank < 2 || q->rank != rank || k->rank != rank || v->rank != rank) return TD_REFUSED;
    const td_tensor *all[] = {q, k, v, y};
    for (int i = 0; i < 4; i++)
        if (!td_is_f32(all[i]) || !td_dense_last(all[i])) return TD_REFUSED;
    g->t = q->shape[rank - 2];
    g->d = q->shape[rank - 1];
    g->s = k->shape[rank - 2];
    g->dv = v->shape[rank - 1];
    if (k->shape[rank - 1] != g->d || v->shape[rank - 2] != g->s) return TD_REFUSED;
    if (y->shape[rank - 2] != g->t || y->shape[rank - 1] != g->dv) return TD_REFUSED;
    g->heads = 1;
    for (int i = 0; i < rank - 2; i++) {
        for (int j = 0; j < 3; j++)
            if (all[j]->shape[i] != y->shape[i] && all[j]->shape[i] != 1) return TD_REFUSED;
        g->heads *= y->shape[i];
    }
    if (mask->data) {
        if (!td_is_f32(mask) || mask->rank != rank || mask->shape[rank - 1] != g->s) return TD_REFUSED;
        if (mask->shape[rank - 2] != g->t && mask->shape[rank - 2] != 1) return TD_REFUSED;
        if (!td_dense_last(mask)) return TD_REFUSED;
        for (int i = 0; i < rank - 2; i++)
            if (mask->shape[i] != y->shape[i] && mask->shape[i] != 1) return TD_REFUSED;
    }
    const int64_t most = g->heads >= 8 ? 16 * TD_ATTENTION_ROWS : 2 * TD_ATTENTION_ROWS;
    g->chunk = TD_MAX(TD_MIN(td_even(g->t, most), g->t), 1);
    g->chunks = (g->t + g->chunk - 1) / g->chunk;
    return TD_OK;
}

/* attention: q [..., t, d], k [..., s, d], v [..., s, d'], [mask [..., t, s], added to the scores]
 *            -> y [..., t, d']; leading axes of length 1 are repeated
 *            floats: scale of the scores */
static int attention_plan(const td_call *call, td_work *work) {
    td_attention g = {0};
    if (td_attention_of(&g, call)) return TD_REFUSED;
    const int64_t panels = td_panels(g.s) * g.d + td_panels(g.dv) * g.s;
    const int64_t scores = TD_ATTENTION_ROWS * (g.s + TD_PANEL);
    const int64_t cost = g.chunk * g.s * (g.d + g.dv);
    *work = (td_work){g.t && g.dv ? g.heads * g.chunks : 0, td_grain(cost),
                      (panels * TD_PANEL + scores + td_panels(g.s) * TD_PANEL) * 4 +
                          TD_ATTENTION_ROWS * (int64_t)(2 * sizeof(float *)) + 128};
    return TD_OK;
}

/* Offset of head `index` in an operand whose leading axes of length 1 are repeated. */
TD_INLINE int64_t td_head_offset(const td_tensor *t, const td_tensor *y, int64_t index) {
    int64_t offset = 0;
    for (int i = y->rank - 3; i >= 0; i--) {
        if (t->shape[i] > 1) offset += index % y->shape[i] * t->stride[i];
        index /= y->shape[i];
    }
    return offset;
}

TD_INLINE void td_pack_all(float *to, const float *b, int64_t k, int64_t n, int64_t k_stride,
                           int64_t n_stride) {
    for (int64_t col = 0; col < n; col += TD_PANEL, to += k * TD_PANEL)
        td_pack_panel(to, b + col * n_stride, k, TD_MIN(n - col, TD_PANEL), k_stride, n_stride);
}

/* Has rows [first, last), which are wanted soon, brought into the second cache: by the tiles of `s` if they
 * stand in one piece. */
TD_INLINE void td_want(td_sum *s, const float *rows, int64_t first, int64_t last, int64_t step,
                       int64_t length) {
    s->wanted = rows + first * step;
    s->wanted_length = step == length ? (last - first) * length : 0;
    if (step == length) return;
    for (int64_t i = first; i < last; i++)
        for (int64_t j = 0; j < length; j += TD_PANEL) __builtin_prefetch(rows + i * step + j, 0, 2);
}

/* Rows of scores, TD_LANES or 1, become shares of their sums; `factors` makes them shares of 1. */
TD_INLINE void td_attend(float *scores, int64_t step, int64_t n, float *factors, const int rows) {
    float most[TD_LANES];
    td_exp_rows(scores, step, scores, step, n, most, factors, rows);
    for (int r = 0; r < rows; r++) factors[r] = 1.0f / factors[r];
}

static int attention_run(const td_call *call) {
    td_attention g = {0};
    td_attention_of(&g, call);
    const td_tensor *q = call->in[0], *k = call->in[1], *v = call->in[2], *mask = call->in[3];
    const td_tensor *y = call->out[0];
    const int rows_axis = y->rank - 2;
    const int64_t width = (g.s + TD_PANEL - 1) / TD_PANEL * TD_PANEL;
    const int64_t keys_half = td_panels(g.s) / 2, values_half = td_panels(g.dv) / 2;
    const int64_t q_step = q->stride[rows_axis], y_step = y->stride[rows_axis];
    const int64_t k_step = k->stride[rows_axis], v_step = v->stride[rows_axis];
    float *keys = call->scratch, *values = keys + td_panels(g.s) * g.d * TD_PANEL;
    float *scores = values + td_panels(g.dv) * g.s * TD_PANEL;
    float *scale = scores + TD_ATTENTION_ROWS * width;
    const float **q_table = (const float **)(scale + width);
    const float **p_table = q_table + TD_ATTENTION_ROWS;
    for (int64_t j = 0; j < width; j++) scale[j] = call->floats[0];
    td_sum first = {.taps = 1, .len = g.d, .k = g.d, .n = g.s, .panels = keys, .scale = scale,
                    .out = scores, .out_stride = width, .act = td_act_of(TD_ACT_linear, NULL)};
    float factors[TD_ATTENTION_ROWS];
    td_sum second = {.taps = 1, .len = g.s, .k = g.s, .n = g.dv, .panels = values, .factors = factors,
                     .out_stride = y_step, .act = td_act_of(TD_ACT_linear, NULL)};
    first.residual_stride = mask->data && mask->shape[rows_axis] > 1 ? mask->stride[rows_axis] : 0;
    for (int i = 0; i < TD_ATTENTION_ROWS; i++) p_table[i] = scores + i * width;
    int64_t ready = call->before ? (call->before - 1) / g.chunks : -1; /* head that is packed */
    for (int64_t u = call->begin; u < call->end; u++) {
        const int64_t head = u / g.chunks, begin = u % g.chunks * g.chunk;
        const int64_t end = TD_MIN(begin + g.chunk, g.t);
        if (ready != head) {
            ready = head;
            td_pack_all(keys, (const float *)k->data + td_head_offset(k, y, head), g.d, g.s, 1,
                        k_step);
            td_pack_all(values, (const float *)v->data + td_head_offset(v, y, head), g.s, g.dv,
                        v_step, 1);
        }
        const float *queries = (const float *)q->data + td_head_offset(q, y, head);
        float *out = (float *)y->data + td_head_offset(y, y, head);
        const float *of_mask = mask->data
            ? (const float *)mask->data + td_head_offset(mask, y, head) : NULL;
        /* The next head is fetched bit by bit while this one is computed, the rows after these too. */
        const int64_t next = TD_MIN(head + 1, (call->end - 1) / g.chunks);
        const int64_t share = next == head ? 0 : (g.s + g.t - 1) / g.t;
        const float *next_keys = (const float *)k->data + td_head_offset(k, y, next);
        const float *next_values = (const float *)v->data + td_head_offset(v, y, next);
        for (int64_t row = begin, rows; row < end; row += rows) {
            rows = TD_MIN(td_even(end - begin, TD_ATTENTION_ROWS), end - row);
            const int64_t from = TD_MIN(row * share, g.s);
            const int64_t to = TD_MIN(from + rows * share, g.s);
            for (int64_t i = 0; i < rows; i++) q_table[i] = queries + (row + i) * q_step;
            first.residual = of_mask ? of_mask + row * first.residual_stride : NULL;
            td_want(&first, next_keys, from, to, k_step, g.d);
            td_sum_rows(&first, q_table, 0, rows, 0, keys_half);
            td_want(&first, queries, row + rows, row + 2 * rows, q_step, g.d);
            td_sum_rows(&first, q_table, 0, rows, keys_half, td_panels(g.s));
            int64_t done = 0;
            for (; g.s <= TD_TOGETHER_MOST && done + TD_LANES <= rows; done += TD_LANES)
                td_attend(scores + done * width, width, g.s, factors + done, TD_LANES);
            for (; done < rows; done++)
                td_attend(scores + done * width, width, g.s, factors + done, 1);
            second.out = out + row * y_step;
            td_want(&second, next_values, from, to, v_step, g.dv);
            td_sum_rows(&second, p_table, 0, rows, 0, values_half);
            td_want(&second, out, row + rows, row + 2 * rows, y_step, g.dv);
            td_sum_rows(&second, p_table, 0, rows, values_half, td_panels(g.dv));
        }
    }
    return TD_OK;
}

#endif
