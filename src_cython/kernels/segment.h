/* Rows that are combined by number: sums, products and extremes of segments, scattered rows. */
#ifndef TD_SEGMENT_H
#define TD_SEGMENT_H

#include "move.h"

enum { TD_SEGMENT_sum, TD_SEGMENT_prod, TD_SEGMENT_max, TD_SEGMENT_min, TD_SEGMENT_set };
enum { TD_SEGMENT_COLUMNS = 256 };

/* One row joins what is there; the first of an extreme takes its place. */
#define TD_SEGMENT_LOOP(type, expression)                                                         \
    for (int64_t i = 0; i < n; i++) {                                                             \
        const type a = ((type *)to)[i], b = ((const type *)from)[i];                              \
        (void)a;                                                                                  \
        ((type *)to)[i] = (type)(expression);                                                     \
    }                                                                                             \
    break;
#define TD_SEGMENT_ROW(type, whole)                                                               \
    switch (op) {                                                                                 \
    case TD_SEGMENT_sum: TD_SEGMENT_LOOP(type, (whole)a + (whole)b)                               \
    case TD_SEGMENT_prod: TD_SEGMENT_LOOP(type, (whole)a * (whole)b)                              \
    case TD_SEGMENT_max: TD_SEGMENT_LOOP(type, a > b ? a : b)                                     \
    case TD_SEGMENT_min: TD_SEGMENT_LOOP(type, a < b ? a : b)                                     \
    default: TD_SEGMENT_LOOP(type, b)                                                             \
    }                                                                                             \
    break;

TD_INLINE void td_segment_row(int op, int dtype, char *to, const char *from, int64_t n) {
    switch (dtype) {
    case TD_F32: TD_SEGMENT_ROW(float, float)
    case TD_F64: TD_SEGMENT_ROW(double, double)
    case TD_I32: TD_SEGMENT_ROW(int32_t, uint32_t)
    default: TD_SEGMENT_ROW(int64_t, uint64_t)
    }
}

/* The row of y that row i of the indices means; -1 for none. */
TD_INLINE int64_t td_segment_at(const td_call *call, const td_tensor *at, int64_t i) {
    if (at->rank == 1) return td_index_at(at, i);
    int64_t row = 0;
    for (int64_t j = 0; j < at->shape[1]; j++) {
        const int64_t index = td_integer(at, i * at->stride[0] + j * at->stride[1]);
        const int64_t extent = call->ints[2 + j];
        if (index < 0 || index >= extent) return -1;
        row = row * extent + index;
    }
    return row;
}

/* segment: x [n, inner], indices [n] or [n, depth] int32 or int64, [start [1]] -> y [count, inner], inner
 *          axes dense
 *          ints: operation of TD_SEGMENT_*, whether a negative index drops its row, then for indices of
 *          several numbers the extents of the axes that they count along, which make up count
 *          y begins as `start` or, where that is absent, as what it holds.  TD_BAD_INDEX for an index that
 *          is no row of y. */
static int segment_plan(const td_call *call, td_work *work) {
    const td_tensor *x = call->in[0], *at = call->in[1], *start = call->in[2], *y = call->out[0];
    if (x->rank != 2 || y->rank != 2 || x->dtype != y->dtype) return TD_REFUSED;
    if (!td_is_integer(at)) return TD_REFUSED;
    if (at->rank == 2) {
        int64_t count = 1;
        if (call->n_ints != 2 + at->shape[1] || call->ints[1]) return TD_REFUSED;
        for (int i = 2; i < call->n_ints; i++) count *= call->ints[i];
        if (count != y->shape[0]) return TD_REFUSED;
    } else if (at->rank != 1) return TD_REFUSED;
    if (x->dtype != TD_F32 && x->dtype != TD_F64 && x->dtype != TD_I32 && x->dtype != TD_I64)
        return TD_REFUSED;
    if (x->shape[1] != y->shape[1] || at->shape[0] != x->shape[0]) return TD_REFUSED;
    if (y->shape[1] > 1 && (x->stride[1] != 1 || y->stride[1] != 1)) return TD_REFUSED;
    if (start->data && start->dtype != y->dtype) return TD_REFUSED;
    if (call->ints[0] < TD_SEGMENT_sum || call->ints[0] > TD_SEGMENT_set) return TD_REFUSED;
    const int64_t pieces = (y->shape[1] + TD_SEGMENT_COLUMNS - 1) / TD_SEGMENT_COLUMNS;
    const int64_t cost = x->shape[0] * TD_MIN(y->shape[1], TD_SEGMENT_COLUMNS);
    *work = (td_work){pieces, 1 + (64 << 10) / (cost + 16), y->shape[0]};
    return TD_OK;
}

static int segment_run(const td_call *call) {
    const td_tensor *x = call->in[0], *at = call->in[1], *start = call->in[2], *y = call->out[0];
    const int op = (int)call->ints[0], extreme = op == TD_SEGMENT_max || op == TD_SEGMENT_min;
    const int64_t size = td_element_size(y->dtype), count = y->shape[0];
    char *seen = call->scratch;
    for (int64_t u = call->begin; u < call->end; u++) {
        const int64_t first = u * TD_SEGMENT_COLUMNS;
        const int64_t n = TD_MIN(y->shape[1] - first, TD_SEGMENT_COLUMNS);
        char *to = (char *)y->data + first * size;
        const char *from = (const char *)x->data + first * size;
        if (start->data)
            td_copy_block(to, start->data, count, n, y->stride[0], 1, 0, 0, size);
        if (extreme) memset(seen, start->data == NULL, (size_t)count);
        for (int64_t i = 0; i < x->shape[0]; i++) {
            const int64_t index = td_segment_at(call, at, i);
            if (index < 0 && call->ints[1]) continue;
            if (index < 0 || index >= count) return TD_BAD_INDEX;
            const int plain = extreme && !seen[index];
            if (extreme) seen[index] = 1;
            td_segment_row(plain ? TD_SEGMENT_set : op, y->dtype, to + index * y->stride[0] * size,
                           from + i * x->stride[0] * size, n);
        }
    }
    return TD_OK;
}

#endif
