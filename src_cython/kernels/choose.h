/* Kernels that find positions: of the greatest along an axis, of the k greatest of a row. */
#ifndef TD_CHOOSE_H
#define TD_CHOOSE_H

#include "gemm.h"

TD_INLINE void td_put_index(const td_tensor *y, int64_t at, int64_t index) {
    if (y->dtype == TD_I64) ((int64_t *)y->data)[at] = index;
    else ((int32_t *)y->data)[at] = (int32_t)index;
}

/* n elements `stride` apart of up to TD_LANES neighbouring columns: the first place of the greatest of each,
 * of the smallest where `sign` turns all signs.  NaN is passed over. */
TD_INLINE vi td_first_greatest(const float *x, int64_t n, int64_t stride, int64_t width, vi sign,
                               vf *most) {
    vf best = td_neg(td_inf());
    vi place = td_seti(0);
    for (int64_t i = 0; i < n; i++) {
        const vf v = (vf)((vi)td_load_some(x + i * stride, width, 0) ^ sign);
        const td_mask more = td_less(best, v);
        best = td_pick(more, v, best);
        place = (vi)td_pick(more, (vf)td_seti((int32_t)i), (vf)place);
    }
    *most = best;
    return place;
}

/* The same of one dense row: lanes first, then the first of the best lanes. */
TD_INLINE int64_t td_first_of_row(const float *x, int64_t n, vi sign) {
    const int64_t whole = n / TD_LANES;
    vf best;
    int64_t place = 0;
    float most = -__builtin_inff();
    if (whole) {
        const vi at = td_first_greatest(x, whole, TD_LANES, TD_LANES, sign, &best);
        place = n;
        for (int i = 0; i < TD_LANES; i++) {
            const int64_t here = (int64_t)at[i] * TD_LANES + i;
            if (best[i] > most || (best[i] == most && here < place)) {
                most = best[i];
                place = here;
            }
        }
        if (most == -__builtin_inff()) place = 0; /* nothing beat the start */
    }
    for (int64_t i = whole * TD_LANES; i < n; i++) {
        const float v = sign[0] ? -x[i] : x[i];
        if (v > most) {
            most = v;
            place = i;
        }
    }
    return place;
}

/* arg_reduce: x [outer, n, inner] -> y [outer, inner], int32 or int64: where the first of the greatest is
 *             ints: 1 for the smallest instead.  NaN counts as the worst. */
static int arg_reduce_plan(const td_call *call, td_work *work) {
    const td_tensor *x = call->in[0], *y = call->out[0];
    if (!td_is_f32(x) || (y->dtype != TD_I32 && y->dtype != TD_I64)) return TD_REFUSED;
    if (x->rank != 3 || y->rank != 2 || x->shape[0] != y->shape[0] || x->shape[2] != y->shape[1])
        return TD_REFUSED;
    if (!x->shape[1] || x->shape[1] > INT32_MAX) return TD_REFUSED;
    if (x->shape[2] > 1 ? x->stride[2] != 1 : x->stride[1] != 1 && x->shape[1] > 1) return TD_REFUSED;
    const int64_t pieces = (x->shape[2] + TD_LANES - 1) / TD_LANES;
    const int64_t cost = x->shape[1] * (x->shape[2] > 1 ? TD_LANES : 1);
    *work = (td_work){x->shape[0] * pieces, 1 + (64 << 10) / (cost + 16), 0};
    return TD_OK;
}

static int arg_reduce_run(const td_call *call) {
    const td_tensor *x = call->in[0], *y = call->out[0];
    const int64_t n = x->shape[1], inner = x->shape[2];
    const int64_t pieces = (inner + TD_LANES - 1) / TD_LANES;
    const vi sign = td_seti(call->ints[0] ? INT32_MIN : 0);
    for (int64_t u = call->begin; u < call->end; u++) {
        const int64_t outer = u / pieces, col = u % pieces * TD_LANES;
        const float *from = (const float *)x->data + outer * x->stride[0] + col;
        const int64_t to = outer * y->stride[0] + col * y->stride[1];
        if (inner == 1) {
            td_put_index(y, to, td_first_of_row(from, n, sign));
            continue;
        }
        vf best;
        const int64_t width = TD_MIN(inner - col, TD_LANES);
        const vi place = td_first_greatest(from, n, x->stride[1], width, sign, &best);
        for (int64_t i = 0; i < width; i++) td_put_index(y, to + i * y->stride[1], place[i]);
    }
    return TD_OK;
}

enum { TD_MOST_CHOSEN = 512 };

/* NaN counts as the least there is. */
TD_INLINE float td_rank_of(float x) { return x == x ? x : -__builtin_inff(); }

/* Where each of n <= TD_RANKED elements without NaN stands in falling order, equal ones as they come: lanes
 * are elements, and every other one is compared with all of them.  Lanes beyond n are of no account. */
enum { TD_RANKED = 256 };

/* The ranks of a group of vectors that begins at element `first`; `vectors` is known when the code is made. */
TD_INLINE void td_ranks_of(const float *x, int64_t n, int64_t first, int32_t *ranks, const int vectors) {
    const int64_t after = TD_MIN(first + vectors * TD_LANES, n);
    vf mine[4];
    vi before[4];
    for (int v = 0; v < vectors; v++) {
        mine[v] = td_load(x + first + v * TD_LANES);
        before[v] = td_seti(0);
    }
    for (int64_t i = 0; i < first; i++)
        for (int v = 0; v < vectors; v++) before[v] -= td_set(x[i]) >= mine[v];
    for (int block = 0; block < vectors; block++)
        for (int64_t j = 0; j < TD_LANES && first + block * TD_LANES + j < n; j++) {
            const vf other = td_set(x[first + block * TD_LANES + j]);
            for (int v = 0; v < vectors; v++)
                before[v] -= v > block   ? other >= mine[v]
                             : v < block ? other > mine[v]
                                         : (other > mine[v]) |
                                               ((other == mine[v]) & (td_iota() > (int32_t)j));
        }
    for (int64_t i = after; i < n; i++)
        for (int v = 0; v < vectors; v++) before[v] -= td_set(x[i]) > mine[v];
    for (int v = 0; v < vectors; v++) td_storei(ranks + first + v * TD_LANES, before[v]);
}

static void td_ranks(const float *x, int64_t n, int32_t *ranks) {
    int64_t i = 0;
    for (; i + 3 * TD_LANES < n; i += 4 * TD_LANES) td_ranks_of(x, n, i, ranks, 4);
    for (; i + TD_LANES < n; i += 2 * TD_LANES) td_ranks_of(x, n, i, ranks, 2);
    for (; i < n; i += TD_LANES) td_ranks_of(x, n, i, ranks, 1);
}

/* No less than the k greatest of a row are as great as this: the k-th of the greatest of 2 k parts or more.
 * NaN is passed over. */
static float td_at_least(const float *x, int64_t n, int64_t k) {
    float most[TD_RANKED + TD_LANES];
    int32_t ranks[TD_RANKED + TD_LANES];
    const int64_t count = (2 * k + TD_LANES - 1) / TD_LANES * TD_LANES;
    for (int64_t i = 0; i < count; i += TD_LANES) td_store(most + i, td_neg(td_inf()));
    for (int64_t i = 0, to = 0; i + TD_LANES <= n; i += TD_LANES) {
        td_store(most + to, td_max2(td_load(x + i), td_load(most + to)));
        to = to + TD_LANES < count ? to + TD_LANES : 0;
    }
    td_ranks(most, count, ranks);
    for (int64_t i = 0; i < count; i++)
        if (ranks[i] == k - 1) return most[i];
    return -__builtin_inff();
}

/* The elements among which the k greatest are, and their places, in order; 0 where they are too many. */
static int64_t td_candidates(const float *x, int64_t n, int64_t k, float *found, int32_t *at) {
    int64_t count = 0;
    if (n <= 64 || (n <= TD_RANKED && 4 * k > n)) {
        for (int64_t i = 0; i < n; i += TD_LANES) {
            const vf v = td_load_to(x + i, n - i);
            td_store(found + i, td_sel(v == v, v, td_neg(td_inf())));
        }
        for (int64_t i = 0; i < n; i++) at[i] = (int32_t)i;
        return n;
    }
    if (4 * k > n || 2 * k > TD_RANKED) return 0;
    const float least = td_at_least(x, n, k);
    if (least == -__builtin_inff()) return 0;
    for (int64_t i = 0; i < n; i += TD_LANES) {
        const int64_t end = TD_MIN(i + TD_LANES, n);
        const vf v = td_load_to(x + i, end - i);
        if (!td_any(td_less(td_set(least), v)) && !td_any(td_same(td_set(least), v))) continue;
        if (count + TD_LANES > TD_RANKED) return 0;
        for (int64_t j = i; j < end; j++) {
            found[count] = x[j];
            at[count] = (int32_t)j;
            count += x[j] >= least;
        }
    }
    return count;
}

/* Places of the k greatest of a row, in order; equal ones keep their order.  Where they are hard to tell,
 * one after the other is put in its place among `ranks`. */
static void td_insert(const float *x, int64_t n, int64_t k, float *ranks, int32_t *places) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) {
        if (count == k && i % TD_LANES == 0)
            while (i + TD_LANES <= n && !td_any(td_less(td_set(ranks[k - 1]), td_load(x + i))))
                i += TD_LANES;
        if (i == n) break;
        const float rank = td_rank_of(x[i]);
        if (count == k && !(rank > ranks[k - 1])) continue;
        int64_t at = count < k ? count++ : k - 1;
        for (; at > 0 && rank > ranks[at - 1]; at--) {
            ranks[at] = ranks[at - 1];
            places[at] = places[at - 1];
        }
        ranks[at] = rank;
        places[at] = (int32_t)i;
    }
}

static void td_choose(const float *x, int64_t n, int64_t k, int32_t *places) {
    float found[TD_MOST_CHOSEN + TD_LANES];
    int32_t at[TD_RANKED + TD_LANES], ranks[TD_RANKED + TD_LANES];
    if (k == 1) {
        places[0] = (int32_t)td_first_of_row(x, n, td_seti(0));
        return;
    }
    const int64_t count = td_candidates(x, n, k, found, at);
    if (!count) {
        td_insert(x, n, k, found, places);
        return;
    }
    td_ranks(found, count, ranks);
    for (int64_t i = 0; i < count; i++) places[ranks[i]] = at[i]; /* some beyond the k */
}

/* top_k: x [rows, n] -> values [rows, k] in falling order, places [rows, k] int32 or int64; k <= 512
 *        NaN counts as -inf; of equal ones the first come first */
static int top_k_plan(const td_call *call, td_work *work) {
    const td_tensor *x = call->in[0], *y = call->out[0], *at = call->out[1];
    if (!td_is_f32(x) || !td_is_f32(y) || (at->dtype != TD_I32 && at->dtype != TD_I64))
        return TD_REFUSED;
    if (x->rank != 2 || y->rank != 2 || at->rank != 2 || !td_dense_last(x) || !td_dense_last(y))
        return TD_REFUSED;
    const int64_t k = y->shape[1], n = x->shape[1];
    if (k > n || k > TD_MOST_CHOSEN || n > INT32_MAX || !td_dense_last(at)) return TD_REFUSED;
    if (x->shape[0] != y->shape[0] || x->shape[0] != at->shape[0] || at->shape[1] != k)
        return TD_REFUSED;
    *work = (td_work){k ? x->shape[0] : 0, 1 + (32 << 10) / (n + 8 * k + 16), 0};
    return TD_OK;
}

static int top_k_run(const td_call *call) {
    const td_tensor *x = call->in[0], *y = call->out[0], *at = call->out[1];
    const int64_t k = y->shape[1];
    int32_t places[TD_MOST_CHOSEN];
    for (int64_t u = call->begin; u < call->end; u++) {
        const float *row = (const float *)x->data + u * x->stride[0];
        td_choose(row, x->shape[1], k, places);
        for (int64_t i = 0; i < k; i++) {
            ((float *)y->data)[u * y->stride[0] + i] = row[places[i]];
            td_put_index(at, u * at->stride[0] + i, places[i]);
        }
    }
    return TD_OK;
}

#endif
