/* Running sums and products, and the diagonals of matrices that are kept. */
#ifndef TD_SCAN_H
#define TD_SCAN_H

#include "gemm.h"
#include "move.h"

enum { TD_SCAN_COLUMNS = 256 }; /* of one unit */

typedef struct td_scan {
    int64_t n, inner, width; /* of which columns a unit does so many */
    int prod, exclusive, reverse;
} td_scan;

/* Sums begin with 0 + x, as TensorFlow's do: -0 becomes 0.  `whole` is a type that may overflow. */
#define TD_SCAN_FN(name, type, whole)                                                             \
    static void td_scan_##name(type *y, const type *x, const td_scan *s) {                        \
        type before[TD_SCAN_COLUMNS];                                                             \
        const int64_t width = s->width;                                                           \
        for (int64_t c = 0; c < width; c++) before[c] = (type)s->prod;                            \
        for (int64_t k = 0; k < s->n; k++) {                                                      \
            const int64_t row = (s->reverse ? s->n - 1 - k : k) * s->inner;                       \
            for (int64_t c = 0; c < width; c++) {                                                 \
                const whole a = (whole)before[c], b = (whole)x[row + c];                          \
                const type next = (type)(s->prod ? a * b : a + b);                                \
                y[row + c] = s->exclusive ? before[c] : next;                                     \
                before[c] = next;                                                                 \
            }                                                                                     \
        }                                                                                         \
    }
TD_SCAN_FN(f32, float, float)
TD_SCAN_FN(f64, double, double)
TD_SCAN_FN(i32, int32_t, uint32_t)
TD_SCAN_FN(i64, int64_t, uint64_t)

/* scan: x [outer, n, inner] -> y of the same shape and type, both dense: float, double, int32, int64
 *       ints: products or sums, whether an element itself is left out, whether from the end */
static int scan_plan(const td_call *call, td_work *work) {
    const td_tensor *x = call->in[0], *y = call->out[0];
    const int known = x->dtype == TD_F32 || x->dtype == TD_F64 || x->dtype == TD_I32 || x->dtype == TD_I64;
    if (!known || y->dtype != x->dtype || x->rank != 3 || y->rank != 3 || call->n_ints != 3)
        return TD_REFUSED;
    if (!td_is_dense(x) || !td_is_dense(y)) return TD_REFUSED;
    const int64_t cuts = (x->shape[2] + TD_SCAN_COLUMNS - 1) / TD_SCAN_COLUMNS;
    const int64_t cost = x->shape[1] * TD_MIN(x->shape[2], TD_SCAN_COLUMNS);
    *work = (td_work){x->shape[1] ? x->shape[0] * cuts : 0, 1 + (32 << 10) / (cost + 8), 0};
    return TD_OK;
}

static int scan_run(const td_call *call) {
    const td_tensor *x = call->in[0], *y = call->out[0];
    const int64_t n = x->shape[1], inner = x->shape[2];
    const int64_t cuts = (inner + TD_SCAN_COLUMNS - 1) / TD_SCAN_COLUMNS;
    const int64_t *ints = call->ints;
    for (int64_t u = call->begin; u < call->end; u++) {
        const int64_t first = u % cuts * TD_SCAN_COLUMNS, at = u / cuts * n * inner + first;
        const int64_t width = TD_MIN(inner - first, TD_SCAN_COLUMNS);
        const td_scan s = {n, inner, width, ints[0] != 0, ints[1] != 0, ints[2] != 0};
        switch (x->dtype) {
        case TD_F32: td_scan_f32((float *)y->data + at, (const float *)x->data + at, &s); break;
        case TD_F64: td_scan_f64((double *)y->data + at, (const double *)x->data + at, &s); break;
        case TD_I32: td_scan_i32((int32_t *)y->data + at, (const int32_t *)x->data + at, &s); break;
        default: td_scan_i64((int64_t *)y->data + at, (const int64_t *)x->data + at, &s);
        }
    }
    return TD_OK;
}

/* band: x [matrices, rows, columns] -> y of the same shape and type, both dense: 0 outside of the band
 *       ints: diagonals kept below the main one and above it, all of them where negative */
static int band_plan(const td_call *call, td_work *work) {
    const td_tensor *x = call->in[0], *y = call->out[0];
    if (x->rank != 3 || y->rank != 3 || x->dtype != y->dtype || call->n_ints != 2) return TD_REFUSED;
    if (!td_is_dense(x) || !td_is_dense(y)) return TD_REFUSED;
    *work = (td_work){x->shape[2] ? x->shape[0] * x->shape[1] : 0, 1 + (64 << 10) / (x->shape[2] + 8), 0};
    return TD_OK;
}

static int band_run(const td_call *call) {
    const td_tensor *x = call->in[0], *y = call->out[0];
    const int64_t rows = x->shape[1], columns = x->shape[2], size = td_element_size(x->dtype);
    const int64_t lower = call->ints[0], upper = call->ints[1];
    for (int64_t u = call->begin; u < call->end; u++) {
        const int64_t row = u % rows;
        int64_t first = lower < 0 || row < lower ? 0 : row - lower;
        int64_t last = upper < 0 || upper >= columns - row ? columns : row + upper + 1;
        if (first > columns) first = columns;
        if (last < first) last = first;
        char *to = (char *)y->data + u * columns * size;
        const char *from = (const char *)x->data + u * columns * size;
        memset(to, 0, (size_t)(first * size));
        memcpy(to + first * size, from + first * size, (size_t)((last - first) * size));
        memset(to + last * size, 0, (size_t)((columns - last) * size));
    }
    return TD_OK;
}

#endif
