/* Kernels that move elements and compute nothing: copies between any strides, gather, one-hot, casts. */
#ifndef TD_MOVE_H
#define TD_MOVE_H

#include "map.h"
#include "pack.h"

/* The two axes that a copy's inner loops walk: q, dense in the output if one is, and p, dense in the input
 * where q is not; the others count units together with pieces of p. */
typedef struct td_copy {
    td_walk walk;
    int p, q, cut; /* cut: the one of p and q that pieces are taken of */
    int64_t piece, pieces, outer, size;
} td_copy;

enum { TD_COPY_PIECE = 8192 };

static int td_copy_of(td_copy *c, const td_call *call) {
    const td_tensor *both[] = {call->in[0], call->out[0]};
    if (both[0]->dtype != both[1]->dtype) return TD_REFUSED;
    c->size = td_element_size(both[0]->dtype);
    if (td_walk_of(&c->walk, both, 2, both[1])) return TD_REFUSED;
    td_walk *w = &c->walk;
    if (w->rank == 1) { /* room for p */
        w->rank = 2;
        w->shape[1] = w->shape[0];
        const int64_t length = w->shape[1], cut = TD_COPY_PIECE;
        /* One long run becomes a block of runs, as far as it divides. */
        const int64_t rows = length > cut && length % 64 == 0 ? length / 64 : 1;
        int64_t by = 1;
        for (int64_t i = 64; i > 1; i--)
            if (rows > 1 && length % i == 0 && length / i >= 1024) {
                by = i;
                break;
            }
        w->shape[0] = by;
        w->shape[1] = length / by;
        for (int j = 0; j < 2; j++) {
            w->stride[j][1] = w->stride[j][0];
            w->stride[j][0] = w->stride[j][1] * w->shape[1];
        }
    }
    c->q = w->rank - 1;
    for (int i = 0; i < w->rank; i++)
        if (w->stride[1][i] == 1) c->q = i;
    c->p = c->q == w->rank - 1 ? w->rank - 2 : w->rank - 1;
    for (int i = 0; i < w->rank; i++)
        if (i != c->q && w->stride[0][i] == 1 && w->stride[0][c->q] != 1) c->p = i;
    c->cut = w->stride[0][c->p] == 1 && w->stride[0][c->q] != 1 ? c->q : c->p;
    c->piece = TD_MAX(TD_COPY_PIECE / TD_MAX(w->shape[c->p + c->q - c->cut], 1), 1);
    if (c->cut == c->q) c->piece = TD_MAX(c->piece, 64);
    if (c->piece > 4) c->piece = c->piece / 4 * 4;
    c->pieces = (w->shape[c->cut] + c->piece - 1) / c->piece;
    c->outer = 1;
    for (int i = 0; i < w->rank; i++)
        if (i != c->p && i != c->q) c->outer *= w->shape[i];
    return TD_OK;
}

/* Whether both sides are one dense run. */
TD_INLINE int td_copy_is_run(const td_copy *c) {
    const td_walk *w = &c->walk;
    int dense = w->rank == 2 && c->cut == c->p && c->p == 0;
    for (int j = 0; j < 2; j++)
        dense &= w->stride[j][1] == 1 && (w->stride[j][0] == w->shape[1] || w->shape[0] == 1);
    return dense;
}

#define TD_COPY_LOOP(type)                                                                        \
    for (int64_t i = 0; i < np; i++)                                                              \
        for (int64_t j = 0; j < nq; j++)                                                          \
            ((type *)to)[i * to_p + j * to_q] = ((const type *)from)[i * from_p + j * from_q];

/* np x nq elements; steps in elements. */
TD_INLINE void td_copy_block(char *to, const char *from, int64_t np, int64_t nq, int64_t to_p,
                             int64_t to_q, int64_t from_p, int64_t from_q, int64_t size) {
    if (to_q == 1 && from_q == 1 && nq * size >= 32) {
        for (int64_t i = 0; i < np; i++)
            memcpy(to + i * to_p * size, from + i * from_p * size, (size_t)(nq * size));
    } else if (size == 4 && to_q == 1 && from_p == 1 && np >= 4) {
        /* Squares, so that the lines of both sides stay in L1. */
        for (int64_t j = 0; j < nq; j += 16)
            td_turn((const float *)from + j * from_q, from_q, (float *)to + j, to_p,
                    TD_MIN(nq - j, 16), np);
    } else if (size == 4 && to_q == 1 && from_q == 0) {
        for (int64_t i = 0; i < np; i++)
            td_map_fetch_run(to + i * to_p * 4, from + i * from_p * 4, nq, 0, TD_F32);
    } else if (size == 4) {
        TD_COPY_LOOP(uint32_t)
    } else if (size == 8) {
        TD_COPY_LOOP(uint64_t)
    } else {
        TD_COPY_LOOP(uint8_t)
    }
}

/* copy: x that broadcasts to y, any strides, the same element type -> y
 *       transpose, concat, split, slice, pad, tile and broadcast are copies to or from views; filling is a
 *       copy of one element */
static int copy_plan(const td_call *call, td_work *work) {
    td_copy c;
    if (td_copy_of(&c, call)) return TD_REFUSED;
    const int64_t block = c.piece * c.walk.shape[c.p + c.q - c.cut] * c.size;
    *work = (td_work){c.walk.total ? c.outer * c.pieces : 0, 1 + (64 << 10) / (block + 1), 0};
    return TD_OK;
}

static int copy_run(const td_call *call) {
    td_copy c;
    td_copy_of(&c, call);
    const td_walk *w = &c.walk;
    if (td_copy_is_run(&c)) { /* in one piece, which the C library copies past the caches if it is large */
        const int64_t step = c.piece * w->shape[c.q] * c.size, from = call->begin * step;
        const int64_t to = TD_MIN(call->end * step, w->total * c.size);
        memcpy((char *)call->out[0]->data + from, (const char *)call->in[0]->data + from,
               (size_t)(to - from));
        return TD_OK;
    }
    for (int64_t u = call->begin; u < call->end; u++) {
        int64_t rest = u / c.pieces, from = 0, to = 0;
        const int64_t first = u % c.pieces * c.piece;
        for (int i = w->rank - 1; i >= 0; i--) {
            if (i == c.p || i == c.q) continue;
            from += rest % w->shape[i] * w->stride[0][i];
            to += rest % w->shape[i] * w->stride[1][i];
            rest /= w->shape[i];
        }
        from += first * w->stride[0][c.cut];
        to += first * w->stride[1][c.cut];
        const int64_t n = TD_MIN(c.piece, w->shape[c.cut] - first);
        td_copy_block((char *)call->out[0]->data + to * c.size,
                      (const char *)call->in[0]->data + from * c.size,
                      c.cut == c.p ? n : w->shape[c.p], c.cut == c.q ? n : w->shape[c.q],
                      w->stride[1][c.p], w->stride[1][c.q], w->stride[0][c.p], w->stride[0][c.q],
                      c.size);
    }
    return TD_OK;
}

TD_INLINE int64_t td_integer(const td_tensor *t, int64_t at) {
    return t->dtype == TD_I64 ? ((const int64_t *)t->data)[at] : ((const int32_t *)t->data)[at];
}
TD_INLINE int64_t td_index_at(const td_tensor *t, int64_t i) {
    return td_integer(t, i * t->stride[0]);
}
TD_INLINE int td_is_integer(const td_tensor *t) { return t->dtype == TD_I32 || t->dtype == TD_I64; }
TD_INLINE int td_is_index(const td_tensor *t) { return t->rank == 1 && td_is_integer(t); }

/* gather: x [batch, outer, length, inner], indices [batch, n] int32 or int64 -> y [batch, outer, n, inner],
 *         indices dense, inner axes dense
 *         ints: whether negative indices count from the end
 *         TD_BAD_INDEX where an index is not in [0, length), or not in [-length, length) */
static int gather_plan(const td_call *call, td_work *work) {
    const td_tensor *x = call->in[0], *at = call->in[1], *y = call->out[0];
    if (x->rank != 4 || y->rank != 4 || x->dtype != y->dtype || call->n_ints != 1) return TD_REFUSED;
    if (at->rank != 2 || (at->dtype != TD_I32 && at->dtype != TD_I64)) return TD_REFUSED;
    if (at->shape[1] > 1 && at->stride[1] != 1) return TD_REFUSED;
    if (at->shape[0] > 1 && at->stride[0] != at->shape[1]) return TD_REFUSED;
    for (int i = 0; i < 4; i++)
        if (i != 2 && x->shape[i] != y->shape[i]) return TD_REFUSED;
    if (at->shape[0] != y->shape[0] || at->shape[1] != y->shape[2]) return TD_REFUSED;
    if (x->shape[3] > 1 && (x->stride[3] != 1 || y->stride[3] != 1)) return TD_REFUSED;
    const int64_t units = y->shape[0] * y->shape[1] * y->shape[2];
    *work = (td_work){units, 1 + (64 << 10) / (x->shape[3] + 8), 0};
    return TD_OK;
}

static int gather_run(const td_call *call) {
    const td_tensor *x = call->in[0], *at = call->in[1], *y = call->out[0];
    const int64_t size = td_element_size(x->dtype), bytes = size * x->shape[3];
    const int64_t n = y->shape[2], length = x->shape[2], wrap = call->ints[0] ? length : 0;
    const int64_t from_step = x->stride[2] * size, to_step = y->stride[2] * size;
    for (int64_t u = call->begin; u < call->end;) {
        const int64_t first = u % n, outer = u / n % y->shape[1], batch = u / n / y->shape[1];
        const int64_t last = TD_MIN(n, first + call->end - u);
        const char *from = (const char *)x->data + (batch * x->stride[0] + outer * x->stride[1]) * size;
        char *to = (char *)y->data + (batch * y->stride[0] + outer * y->stride[1]) * size;
        for (int64_t i = first; i < last; i++) {
            int64_t index = td_integer(at, batch * n + i);
            if (index < 0) index += wrap;
            if (index < 0 || index >= length) return TD_BAD_INDEX;
            if (bytes == 4) memcpy(to + i * to_step, from + index * from_step, 4);
            else memcpy(to + i * to_step, from + index * from_step, (size_t)bytes);
        }
        u += last - first;
    }
    return TD_OK;
}

/* gather_nd: x [d0, ..., dk, inner], indices [n, k + 1] int32 or int64 -> y [n, inner]
 *            inner axes dense; TD_BAD_INDEX where an index lies outside its axis */
static int gather_nd_plan(const td_call *call, td_work *work) {
    const td_tensor *x = call->in[0], *at = call->in[1], *y = call->out[0];
    const int last = x->rank - 1;
    if (last < 0 || y->rank != 2 || at->rank != 2 || !td_is_integer(at) || x->dtype != y->dtype)
        return TD_REFUSED;
    if (at->shape[1] != last || at->shape[0] != y->shape[0] || x->shape[last] != y->shape[1])
        return TD_REFUSED;
    if (y->shape[1] > 1 && (x->stride[last] != 1 || y->stride[1] != 1)) return TD_REFUSED;
    *work = (td_work){y->shape[0], 1 + (64 << 10) / (y->shape[1] + 8), 0};
    return TD_OK;
}

static int gather_nd_run(const td_call *call) {
    const td_tensor *x = call->in[0], *at = call->in[1], *y = call->out[0];
    const int64_t size = td_element_size(x->dtype);
    for (int64_t u = call->begin; u < call->end; u++) {
        int64_t from = 0;
        for (int64_t k = 0; k < at->shape[1]; k++) {
            const int64_t index = td_integer(at, u * at->stride[0] + k * at->stride[1]);
            if (index < 0 || index >= x->shape[k]) return TD_BAD_INDEX;
            from += index * x->stride[k];
        }
        memcpy((char *)y->data + u * y->stride[0] * size, (const char *)x->data + from * size,
               (size_t)(y->shape[1] * size));
    }
    return TD_OK;
}

/* one_hot: indices [n] int32 or int64, on [1], off [1] -> y [n, depth] of the type of on and off
 *          an index outside [0, depth) gives a row of off */
static int one_hot_plan(const td_call *call, td_work *work) {
    const td_tensor *at = call->in[0], *on = call->in[1], *off = call->in[2], *y = call->out[0];
    if (!td_is_index(at) || y->rank != 2 || y->shape[0] != at->shape[0]) return TD_REFUSED;
    if (on->dtype != y->dtype || off->dtype != y->dtype) return TD_REFUSED;
    *work = (td_work){y->shape[1] ? y->shape[0] : 0, 1 + (16 << 10) / (y->shape[1] + 8), 0};
    return TD_OK;
}

static int one_hot_run(const td_call *call) {
    const td_tensor *at = call->in[0], *on = call->in[1], *off = call->in[2], *y = call->out[0];
    const int64_t size = td_element_size(y->dtype), depth = y->shape[1];
    for (int64_t u = call->begin; u < call->end; u++) {
        const int64_t index = td_index_at(at, u);
        char *row = (char *)y->data + u * y->stride[0] * size;
        td_copy_block(row, off->data, 1, depth, 0, y->stride[1], 0, 0, size);
        if (index >= 0 && index < depth)
            memcpy(row + index * y->stride[1] * size, on->data, (size_t)size);
    }
    return TD_OK;
}

TD_INLINE void td_put_number(const td_tensor *y, int64_t i, int64_t number) {
    if (y->dtype == TD_I64) ((int64_t *)y->data)[i] = number;
    else ((int32_t *)y->data)[i] = (int32_t)number;
}
TD_INLINE int td_is_dense_ints(const td_tensor *y) {
    const int integers = y->dtype == TD_I32 || y->dtype == TD_I64;
    return integers && (!y->rank || (y->rank == 1 && (y->shape[0] < 2 || y->stride[0] == 1)));
}

/* numbers: -> y [n] or [] of int32 or int64, dense; ints: its elements */
static int numbers_plan(const td_call *call, td_work *work) {
    const td_tensor *y = call->out[0];
    if (!td_is_dense_ints(y) || call->n_ints != (y->rank ? y->shape[0] : 1)) return TD_REFUSED;
    *work = (td_work){call->n_ints, 1 << 16, 0};
    return TD_OK;
}

static int numbers_run(const td_call *call) {
    for (int64_t i = call->begin; i < call->end; i++) td_put_number(call->out[0], i, call->ints[i]);
    return TD_OK;
}

/* range: start [], delta [] -> y [n], all of int32 or all of int64, dense: start + i * delta */
static int range_plan(const td_call *call, td_work *work) {
    const td_tensor *start = call->in[0], *delta = call->in[1], *y = call->out[0];
    if (!td_is_dense_ints(y) || y->rank != 1 || start->rank || delta->rank) return TD_REFUSED;
    if (start->dtype != y->dtype || delta->dtype != y->dtype) return TD_REFUSED;
    *work = (td_work){y->shape[0], 1 << 16, 0};
    return TD_OK;
}

static int range_run(const td_call *call) {
    const td_tensor *y = call->out[0];
    const int wide = y->dtype == TD_I64;
    const void *first = call->in[0]->data, *step = call->in[1]->data;
    const int64_t start = wide ? *(const int64_t *)first : *(const int32_t *)first;
    const int64_t delta = wide ? *(const int64_t *)step : *(const int32_t *)step;
    for (int64_t i = call->begin; i < call->end; i++)
        td_put_number(y, i, (int64_t)((uint64_t)start + (uint64_t)i * (uint64_t)delta));
    return TD_OK;
}

/* What x86 answers where a float does not fit an integer: the smallest one. */
TD_INLINE int64_t td_whole64(double x) {
    return x >= -9223372036854775808.0 && x < 9223372036854775808.0 ? (int64_t)x : INT64_MIN;
}
TD_INLINE int64_t td_whole32(double x) {
    return x >= -2147483648.0 && x < 2147483648.0 ? (int64_t)x : INT32_MIN;
}

#define TD_CAST_FROM(K, to, expression)                                                           \
    K(TD_F32, float, to, expression) K(TD_F64, double, to, expression)                            \
    K(TD_I32, int32_t, to, expression) K(TD_I64, int64_t, to, expression)                         \
    K(TD_U8, uint8_t, to, expression) K(TD_BOOL, uint8_t, to, expression)
#define TD_CAST_CASE(code, type, to_type, expression)                                             \
    case code:                                                                                    \
        for (int64_t i = 0; i < n; i++) {                                                         \
            const type v = ((const type *)from)[i * step];                                        \
            ((to_type *)to)[i] = (to_type)(expression);                                           \
        }                                                                                         \
        break;

/* cast: x -> y of the same shape, y dense; float to integer truncates */
static int cast_plan(const td_call *call, td_work *work) {
    td_walk w;
    const td_tensor *both[] = {call->in[0], call->out[0]};
    if (td_walk_of(&w, both, 2, both[1])) return TD_REFUSED;
    int64_t step = 1;
    for (int i = both[1]->rank - 1; i >= 0; i--) {
        if (both[1]->shape[i] > 1 && both[1]->stride[i] != step) return TD_REFUSED;
        step *= both[1]->shape[i];
    }
    const int64_t n = w.shape[w.rank - 1];
    *work = (td_work){w.total ? w.total / n : 0, 1 + (32 << 10) / (n + 8), 0};
    return TD_OK;
}

static int cast_run(const td_call *call) {
    td_walk w;
    const td_tensor *both[] = {call->in[0], call->out[0]};
    td_walk_of(&w, both, 2, both[1]);
    const int64_t n = w.shape[w.rank - 1], step = w.stride[0][w.rank - 1];
    const int source = both[0]->dtype;
    for (int64_t u = call->begin; u < call->end; u++) {
        const char *from = (const char *)both[0]->data +
                           td_walk_offset(&w, 0, u * n) * td_element_size(source);
        char *to = (char *)both[1]->data + u * n * td_element_size(both[1]->dtype);
        switch (both[1]->dtype) {
        case TD_F32: switch (source) { TD_CAST_FROM(TD_CAST_CASE, float, v) } break;
        case TD_F64: switch (source) { TD_CAST_FROM(TD_CAST_CASE, double, v) } break;
        case TD_BOOL: switch (source) { TD_CAST_FROM(TD_CAST_CASE, uint8_t, v != 0) } break;
        case TD_I64:
            switch (source) {
            case TD_F32: case TD_F64:
                for (int64_t i = 0; i < n; i++)
                    ((int64_t *)to)[i] = td_whole64(source == TD_F32
                                                        ? (double)((const float *)from)[i * step]
                                                        : ((const double *)from)[i * step]);
                break;
            default: switch (source) { TD_CAST_FROM(TD_CAST_CASE, int64_t, v) }
            }
            break;
        default:
            switch (source) {
            case TD_F32: case TD_F64:
                for (int64_t i = 0; i < n; i++) {
                    const int64_t v = td_whole32(source == TD_F32
                                                     ? (double)((const float *)from)[i * step]
                                                     : ((const double *)from)[i * step]);
                    if (both[1]->dtype == TD_I32) ((int32_t *)to)[i] = (int32_t)v;
                    else ((uint8_t *)to)[i] = (uint8_t)v;
                }
                break;
            default:
                if (both[1]->dtype == TD_I32)
                    switch (source) { TD_CAST_FROM(TD_CAST_CASE, int32_t, v) }
                else
                    switch (source) { TD_CAST_FROM(TD_CAST_CASE, uint8_t, v) }
            }
        }
    }
    return TD_OK;
}

#endif
