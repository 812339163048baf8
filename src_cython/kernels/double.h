/* Products and softmax of doubles, in the orders of their like. */
#ifndef TD_DOUBLE_H
#define TD_DOUBLE_H

#include "gemm.h"
#include "reduce.h"

enum { TD_DOUBLE_PANEL = 8, TD_DOUBLE_ROWS = 4, TD_DOUBLE_NV = TD_DOUBLE_PANEL / TD_DOUBLES };

/* matmul_f64: a [..., m, k], b [..., k, n], each of any strides and repeated along axes of length 1
 *             -> out [..., m, n], all float64 */
static int matmul_f64_plan(const td_call *call, td_work *work) {
    const td_tensor *a = call->in[0], *b = call->in[1], *y = call->out[0];
    const int rank = y->rank;
    if (a->dtype != TD_F64 || b->dtype != TD_F64 || y->dtype != TD_F64 || rank < 2)
        return TD_REFUSED;
    if (a->rank != rank || b->rank != rank) return TD_REFUSED;
    const int64_t m = y->shape[rank - 2], n = y->shape[rank - 1], k = a->shape[rank - 1];
    if (a->shape[rank - 2] != m || b->shape[rank - 1] != n || b->shape[rank - 2] != k)
        return TD_REFUSED;
    int64_t count = m && n ? 1 : 0;
    for (int i = 0; i < rank - 2; i++) {
        if (a->shape[i] != y->shape[i] && a->shape[i] != 1) return TD_REFUSED;
        if (b->shape[i] != y->shape[i] && b->shape[i] != 1) return TD_REFUSED;
        count *= y->shape[i];
    }
    const int64_t panels = (n + TD_DOUBLE_PANEL - 1) / TD_DOUBLE_PANEL;
    *work = (td_work){count * panels, 1 + (32 << 10) / (m * k * TD_DOUBLE_PANEL + 64),
                      k * TD_DOUBLE_PANEL * 8};
    return TD_OK;
}

/* `rows` rows by a panel of b, whose rows lie b_row apart and whose columns beyond n are of no account;
 * sums are cut as everywhere. */
TD_INLINE void td_double_rows(const double *a, int64_t a_row, int64_t a_step, const double *panel,
                              int64_t b_row, double *y, int64_t y_row, int64_t y_step, int64_t k, int64_t n,
                              const int rows) {
    vd total[TD_DOUBLE_ROWS][TD_DOUBLE_NV];
    for (int64_t first = 0; first == 0 || first < k; first += TD_REDUCE_BLOCK) {
        vd acc[TD_DOUBLE_ROWS][TD_DOUBLE_NV];
        for (int i = 0; i < rows; i++)
            for (int v = 0; v < TD_DOUBLE_NV; v++) acc[i][v] = (vd){0};
        for (int64_t c = first; c < TD_MIN(k, first + TD_REDUCE_BLOCK); c++)
            for (int i = 0; i < rows; i++)
                for (int v = 0; v < TD_DOUBLE_NV; v++)
                    acc[i][v] = td_fmad(td_setd(a[i * a_row + c * a_step]),
                                        td_loadd(panel + c * b_row + v * TD_DOUBLES),
                                        acc[i][v]);
        for (int i = 0; i < rows; i++)
            for (int v = 0; v < TD_DOUBLE_NV; v++)
                total[i][v] = first ? total[i][v] + acc[i][v] : acc[i][v] + 0.0;
    }
    for (int i = 0; i < rows; i++) {
        double row[TD_DOUBLE_PANEL];
        for (int v = 0; v < TD_DOUBLE_NV; v++) td_stored(row + v * TD_DOUBLES, total[i][v]);
        for (int64_t j = 0; j < n; j++) y[i * y_row + j * y_step] = row[j];
    }
}

static int matmul_f64_run(const td_call *call) {
    const td_tensor *a = call->in[0], *b = call->in[1], *y = call->out[0];
    const int last = y->rank - 1;
    const int64_t m = y->shape[last - 1], n = y->shape[last], k = a->shape[last];
    const int64_t panels = (n + TD_DOUBLE_PANEL - 1) / TD_DOUBLE_PANEL;
    const int64_t a_row = a->stride[last - 1], a_step = a->stride[last];
    const int64_t y_row = y->stride[last - 1], y_step = y->stride[last];
    double *panel = call->scratch;
    for (int64_t u = call->begin; u < call->end; u++) {
        const int64_t product = u / panels, column = u % panels * TD_DOUBLE_PANEL;
        const int64_t width = TD_MIN(n - column, TD_DOUBLE_PANEL);
        const double *x = (const double *)a->data + td_batch_offset(a, y, product);
        const double *w = (const double *)b->data + td_batch_offset(b, y, product) +
                          column * b->stride[last];
        double *to = (double *)y->data + td_batch_offset(y, y, product) + column * y_step;
        /* Few rows do not pay for a copy of what lies right as it is. */
        const int there = m <= TD_DOUBLE_ROWS && width == TD_DOUBLE_PANEL && b->stride[last] == 1;
        const int64_t b_row = there ? b->stride[last - 1] : TD_DOUBLE_PANEL;
        const double *from = there ? w : panel;
        for (int64_t c = 0; c < k && !there; c++)
            for (int64_t j = 0; j < TD_DOUBLE_PANEL; j++)
                panel[c * TD_DOUBLE_PANEL + j] =
                    j < width ? w[c * b->stride[last - 1] + j * b->stride[last]] : 0.0;
        int64_t i = 0;
        for (; i + TD_DOUBLE_ROWS <= m; i += TD_DOUBLE_ROWS)
            td_double_rows(x + i * a_row, a_row, a_step, from, b_row, to + i * y_row, y_row, y_step,
                           k, width, TD_DOUBLE_ROWS);
        for (; i < m; i++)
            td_double_rows(x + i * a_row, a_row, a_step, from, b_row, to + i * y_row, y_row, y_step,
                           k, width, 1);
    }
    return TD_OK;
}

/* softmax_f64: x [..., n] -> y [..., n], both dense and float64; ints: 1 for its logarithm */
static int softmax_f64_plan(const td_call *call, td_work *work) {
    const td_tensor *x = call->in[0], *y = call->out[0];
    if (x->dtype != TD_F64 || y->dtype != TD_F64 || x->rank != y->rank || !x->rank) return TD_REFUSED;
    if (!td_is_dense(x) || !td_is_dense(y)) return TD_REFUSED;
    const int64_t n = x->shape[x->rank - 1];
    int64_t rows = n ? 1 : 0;
    for (int i = 0; i < x->rank; i++) {
        if (x->shape[i] != y->shape[i]) return TD_REFUSED;
        if (i < x->rank - 1) rows *= x->shape[i];
    }
    *work = (td_work){rows, 1 + (4 << 10) / (n + 8), 0};
    return TD_OK;
}

static int softmax_f64_run(const td_call *call) {
    const int64_t n = call->in[0]->shape[call->in[0]->rank - 1];
    const td_axes row = {.rank = 1, .shape = {n}, .stride = {1}, .count = n};
    for (int64_t u = call->begin; u < call->end; u++) {
        const double *x = (const double *)call->in[0]->data + u * n;
        double *y = (double *)call->out[0]->data + u * n, part[TD_DOUBLES];
        const int64_t whole = n / TD_DOUBLES * TD_DOUBLES;
        vd best = -td_infd();
        for (int64_t i = 0; i < whole; i += TD_DOUBLES) {
            const vd v = td_loadd(x + i);
            best = td_seld(v > best, v, best);
        }
        double most = best[0];
        for (int64_t i = 1; i < TD_DOUBLES; i++) most = best[i] > most ? best[i] : most;
        for (int64_t i = whole; i < n; i++) most = x[i] > most ? x[i] : most;
        for (int64_t i = 0; i < whole; i += TD_DOUBLES)
            td_stored(y + i, td_expd(td_loadd(x + i) - most));
        for (int64_t e = 0; e < TD_DOUBLES && whole < n; e++)
            part[e] = x[TD_MIN(whole + e, n - 1)] - most;
        if (whole < n) td_stored(part, td_expd(td_loadd(part)));
        for (int64_t i = whole; i < n; i++) y[i] = part[i - whole];
        const double sum = td_reduce_double(TD_REDUCE_sum, &row, y);
        const vd shift = td_logd(td_setd(sum));
        for (int64_t i = 0; i < n; i++) y[i] = call->ints[0] ? x[i] - most - shift[0] : y[i] / sum;
    }
    return TD_OK;
}

#endif
