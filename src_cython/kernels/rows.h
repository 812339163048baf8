/* Kernels over rows of the last axis: softmax, log-softmax, layer normalisation. */
#ifndef TD_ROWS_H
#define TD_ROWS_H

#include "reduce.h"

/* Rows of x and y: the last axis dense, the others one run of equal steps. */
typedef struct td_rowwise {
    int64_t rows, n, x_step, y_step;
} td_rowwise;

static int td_rowwise_of(td_rowwise *r, const td_call *call) {
    const td_tensor *x = call->in[0], *y = call->out[0];
    int64_t rows;
    if (!td_is_f32(x) || !td_is_f32(y) || x->rank != y->rank || x->rank < 1) return TD_REFUSED;
    for (int i = 0; i < x->rank; i++)
        if (x->shape[i] != y->shape[i]) return TD_REFUSED;
    if (!td_dense_last(x) || !td_dense_last(y)) return TD_REFUSED;
    if (!td_rows_of(x, 1, &r->rows, &r->x_step) || !td_rows_of(y, 1, &rows, &r->y_step))
        return TD_REFUSED;
    r->n = x->shape[x->rank - 1];
    return TD_OK;
}

TD_INLINE int td_rowwise_work(const td_rowwise *r, td_work *work) {
    *work = (td_work){r->n ? r->rows : 0, 1 + (16 << 10) / (r->n + 8), 0};
    return TD_OK;
}

/* Rows that are done together hide each other's latencies; `rows` is known when the code is made. */
enum { TD_TOGETHER = 4, TD_TOGETHER_MOST = 512 /* elements of a row that is read again and again */ };

/* The largest of each row lane by lane, NaN passed over: it comes back from the element itself. */
TD_INLINE void td_row_most(const float *x, int64_t step, int64_t n, vf *v, const int rows) {
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) v[r] = td_neg(td_inf());
    int64_t i = 0;
    for (; i + TD_LANES <= n; i += TD_LANES)
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) v[r] = td_max2(td_load(x + r * step + i), v[r]);
    if (i < n)
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            const vf edge = td_loadn(x + r * step + i, n - i);
            v[r] = td_max2(td_sel(td_iota() < (int32_t)(n - i), edge, v[r]), v[r]);
        }
}

/* exp(x - most) into y, in place or not, and the sums of a block: one row, so that the registers suffice. */
TD_INLINE void td_exp_block(const float *x, float *y, int64_t n, float most, vf *acc) {
    const vf less = td_set(most);
    int64_t i = 0;
    for (int v = 0; v < TD_NV; v++) acc[v] = td_set(0.0f);
    for (; i + TD_PANEL <= n; i += TD_PANEL)
#pragma GCC unroll 4
        for (int v = 0; v < TD_NV; v++) {
            const vf e = td_exp_beside_one(td_load(x + i + v * TD_LANES) - less);
            td_store(y + i + v * TD_LANES, e);
            acc[v] += e;
        }
    for (int v = 0; v < TD_NV && i < n; v++) {
        const int64_t m = td_part(n - i, v);
        const vf e = td_exp_beside_one(td_loadn(x + i + v * TD_LANES, m) - less);
        td_store_to(y + i + v * TD_LANES, m, e);
        acc[v] += td_sel(td_iota() < (int32_t)m, e, td_set(0.0f));
    }
}

/* The same for a whole row; the sum is in the order of reduce.h and yet to be joined. */
TD_INLINE vf td_exp_row(const float *x, float *y, int64_t n, float most) {
    td_lanes s;
    vf acc[TD_NV];
    td_lanes_start(&s, TD_REDUCE_sum);
    for (int64_t i = 0; i < n; i += TD_REDUCE_BLOCK) {
        td_exp_block(x + i, y + i, TD_MIN(n - i, TD_REDUCE_BLOCK), most, acc);
        td_lanes_join(&s, TD_REDUCE_sum, acc);
    }
    return td_lanes_last(&s, TD_REDUCE_sum);
}

/* The lanes of TD_LANES rows or of 1 become one of each row. */
TD_INLINE void td_join_rows(const int op, vf *x, float *joined, const int rows) {
    if (rows == 1) joined[0] = td_reduce_tree(op, x[0]);
    else td_store(joined, td_reduce_trees(op, x));
}

/* exp(x - most) into y, in place or not, for TD_LANES rows or 1, and their sums; `most` are the largest. */
TD_INLINE void td_exp_rows(const float *x, int64_t x_step, float *y, int64_t y_step, int64_t n, float *most,
                           float *sums, const int rows) {
    vf v[TD_LANES];
    for (int r = 0; r < rows; r += TD_TOGETHER)
        td_row_most(x + r * x_step, x_step, n, v + r, TD_MIN(rows, TD_TOGETHER));
    td_join_rows(TD_REDUCE_most, v, most, rows);
    for (int r = 0; r < rows; r++) v[r] = td_exp_row(x + r * x_step, y + r * y_step, n, most[r]);
    td_join_rows(TD_REDUCE_sum, v, sums, rows);
}

TD_INLINE void td_softmax_rows(const float *x, int64_t x_step, float *y, int64_t y_step, int64_t n,
                               const int rows) {
    float most[TD_LANES], sums[TD_LANES];
    td_exp_rows(x, x_step, y, y_step, n, most, sums, rows);
    for (int r = 0; r < rows; r++, y += y_step) {
        const vf scale = td_set(1.0f / sums[r]);
        int64_t i = 0;
        for (; i + TD_LANES <= n; i += TD_LANES) td_store(y + i, td_load(y + i) * scale);
        if (i < n) td_storen(y + i, n - i, td_loadn(y + i, n - i) * scale);
    }
}

/* TD_LANES rows of n < TD_PANEL elements, which stand in the lanes: the same sums. */
TD_FUNC void td_softmax_short(const float *x, int64_t x_step, float *y, int64_t y_step, int64_t n) {
    float turned[TD_PANEL][TD_LANES] __attribute__((aligned(64)));
    vf most = td_neg(td_inf()), lane[TD_PANEL];
    for (int r = 0; r < TD_LANES; r++)
        for (int64_t j = 0; j < n; j++) turned[j][r] = x[r * x_step + j];
    for (int64_t j = 0; j < n; j++) most = td_max2(td_load(turned[j]), most);
    for (int64_t j = 0; j < n; j++)
        lane[j] = td_exp_beside_one(td_load(turned[j]) - most);
    for (int64_t j = 0; j < n; j++) td_store(turned[j], lane[j]);
    for (int64_t j = n; j < TD_PANEL; j++) lane[j] = td_set(0.0f);
#pragma GCC unroll 4
    for (int apart = TD_PANEL / 2; apart; apart /= 2)
#pragma GCC unroll 8
        for (int i = 0; i < apart; i++) lane[i] += lane[i + apart];
    const vf scale = 1.0f / lane[0];
    for (int64_t j = 0; j < n; j++) td_store(turned[j], td_load(turned[j]) * scale);
    for (int r = 0; r < TD_LANES; r++)
        for (int64_t j = 0; j < n; j++) y[r * y_step + j] = turned[j][r];
}

/* softmax: x [..., n] -> y [..., n]; in place too */
static int softmax_plan(const td_call *call, td_work *work) {
    td_rowwise r = {0};
    return td_rowwise_of(&r, call) ? TD_REFUSED : td_rowwise_work(&r, work);
}

static int softmax_run(const td_call *call) {
    td_rowwise r = {0};
    td_rowwise_of(&r, call);
    const float *x = call->in[0]->data;
    float *y = call->out[0]->data;
    int64_t i = call->begin;
    for (; r.n < TD_PANEL && i + TD_LANES <= call->end; i += TD_LANES)
        td_softmax_short(x + i * r.x_step, r.x_step, y + i * r.y_step, r.y_step, r.n);
    for (; r.n <= TD_TOGETHER_MOST && i + TD_LANES <= call->end; i += TD_LANES)
        td_softmax_rows(x + i * r.x_step, r.x_step, y + i * r.y_step, r.y_step, r.n, TD_LANES);
    for (; i < call->end; i++)
        td_softmax_rows(x + i * r.x_step, r.x_step, y + i * r.y_step, r.y_step, r.n, 1);
    return TD_OK;
}

/* log_softmax: x [..., n] -> y [..., n] */
static int log_softmax_plan(const td_call *call, td_work *work) { return softmax_plan(call, work); }

static int log_softmax_run(const td_call *call) {
    td_rowwise r = {0};
    td_rowwise_of(&r, call);
    for (int64_t i = call->begin; i < call->end; i++) {
        const float *x = (const float *)call->in[0]->data + i * r.x_step;
        float *y = (float *)call->out[0]->data + i * r.y_step;
        float most, sum;
        td_exp_rows(x, 0, y, 0, r.n, &most, &sum, 1);
        const vf shift = td_log(td_set(sum));
        for (int64_t j = 0; j < r.n; j += TD_LANES)
            td_store_to(y + j, r.n - j, (td_load_to(x + j, r.n - j) - td_set(most)) - shift);
    }
    return TD_OK;
}

/* layer_norm: x [..., n], [scale n], [shift n] -> (x - mean) / sqrt(variance + floats[0]) * scale + shift */
static int layer_norm_plan(const td_call *call, td_work *work) {
    td_rowwise r = {0};
    if (td_rowwise_of(&r, call)) return TD_REFUSED;
    if (!td_is_channels(call->in[1], r.n) || !td_is_channels(call->in[2], r.n)) return TD_REFUSED;
    return td_rowwise_work(&r, work);
}

TD_INLINE void td_layer_norm_rows(const td_rowwise *r, const float *x, float *y, const float *scale,
                                  const float *shift, float least, const int rows) {
    float mean[TD_TOGETHER], factor[TD_TOGETHER];
    for (int i = 0; i < rows; i++)
        mean[i] = td_reduce_row(TD_REDUCE_sum, x + i * r->x_step, r->n) / (float)r->n;
    for (int i = 0; i < rows; i++)
        for (int64_t j = 0; j < r->n; j += TD_LANES)
            td_store_to(y + i * r->y_step + j, r->n - j,
                        td_load_to(x + i * r->x_step + j, r->n - j) - td_set(mean[i]));
    for (int i = 0; i < rows; i++) {
        const float variance = td_reduce_row(TD_REDUCE_sumsq, y + i * r->y_step, r->n) / (float)r->n;
        factor[i] = td_rsqrt(td_set(variance + least))[0];
    }
    for (int i = 0; i < rows; i++, y += r->y_step)
        for (int64_t j = 0; j < r->n; j += TD_LANES) {
            const int64_t n = r->n - j;
            vf v = td_load_to(y + j, n) * td_set(factor[i]);
            if (scale) v *= td_load_to(scale + j, n);
            if (shift) v += td_load_to(shift + j, n);
            td_store_to(y + j, n, v);
        }
}

static int layer_norm_run(const td_call *call) {
    td_rowwise r = {0};
    td_rowwise_of(&r, call);
    const float *scale = call->in[1]->data, *shift = call->in[2]->data;
    const float least = call->floats[0];
    const float *x = call->in[0]->data;
    float *y = call->out[0]->data;
    int64_t i = call->begin;
    for (; i + TD_TOGETHER <= call->end && r.n <= TD_TOGETHER_MOST; i += TD_TOGETHER)
        td_layer_norm_rows(&r, x + i * r.x_step, y + i * r.y_step, scale, shift, least, TD_TOGETHER);
    for (; i < call->end; i++)
        td_layer_norm_rows(&r, x + i * r.x_step, y + i * r.y_step, scale, shift, least, 1);
    return TD_OK;
}

#endif
