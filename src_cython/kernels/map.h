/* `map`: a chain of elementwise operations with broadcasting, interpreted over tiles that stay in L1. */
#ifndef TD_MAP_H
#define TD_MAP_H

#include "act.h"
#include "mapops.h"

enum { TD_TILE_LEN = 512, TD_MAP_REGISTERS = 12, TD_MAP_OPERANDS = 16, TD_MAP_CONSTANTS = 16 };

/* Operands of an instruction: a register, input 32 + n, constant 64 + n; a result may be output 96 + n. */
enum { TD_MAP_IN = 32, TD_MAP_CONST = 64, TD_MAP_OUT = 96, TD_MAP_FIELDS = 5 };

TD_INLINE vf td_sign(vf a) {
    vf one = td_copysign(td_set(1.0f), a);
    one = td_sel(a == 0.0f, td_set(0.0f), one);
    return td_sel(a != a, a, one);
}

/* Quotients rounded down and their rests; what is divided by 0 is of no account, as in lanes beyond the end. */
TD_INLINE vi td_floor_divi(vi i, vi j) {
    vi q;
    for (int at = 0; at < TD_LANES; at++) {
        const int64_t a = i[at], b = j[at] ? j[at] : 1;
        q[at] = (int32_t)(a / b - (a % b != 0 && (a < 0) != (b < 0)));
    }
    return q;
}
TD_INLINE vi td_floor_modi(vi i, vi j) {
    return (vi)((vu)i - (vu)td_floor_divi(i, j) * (vu)j);
}

/* Loops of one operation over n elements; the last vector is cut. */
#define TD_MAP_LOOP(load1, load2, load3, value)                                                   \
    int64_t at = 0;                                                                               \
    for (; at + TD_LANES <= n; at += TD_LANES) {                                                  \
        load1(td_load, ) load2(td_load, ) load3(td_load, )                                        \
        td_store((float *)to + at, (vf)(value));                                                  \
    }                                                                                             \
    if (at < n) {                                                                                 \
        const int64_t m = n - at;                                                                 \
        load1(td_loadn, TD_COMMA m) load2(td_loadn, TD_COMMA m) load3(td_loadn, TD_COMMA m)       \
        td_storen((float *)to + at, m, (vf)(value));                                              \
    }
#define TD_COMMA ,
#define TD_A(load, m) vf a = load((const float *)x + at m);
#define TD_B(load, m) vf b = load((const float *)y + at m);
#define TD_C(load, m) vf c = load((const float *)z + at m);
#define TD_I(load, m) vi i = (vi)load((const float *)x + at m);
#define TD_J(load, m) vi j = (vi)load((const float *)y + at m);
#define TD_K(load, m) vi k = (vi)load((const float *)z + at m);
#define TD_0(load, m)

#define TD_MAP_FN(name) \
    static void td_map_##name(void *to, const void *x, const void *y, const void *z, int64_t n)
#define TD_MAP_UNUSED (void)x; (void)y; (void)z;
#define TD_F1(name, ...) TD_MAP_FN(name) { TD_MAP_UNUSED TD_MAP_LOOP(TD_A, TD_0, TD_0, (__VA_ARGS__)) }
#define TD_F2(name, ...) TD_MAP_FN(name) { TD_MAP_UNUSED TD_MAP_LOOP(TD_A, TD_B, TD_0, (__VA_ARGS__)) }
#define TD_F3(name, ...) TD_MAP_FN(name) { TD_MAP_UNUSED TD_MAP_LOOP(TD_A, TD_B, TD_C, (__VA_ARGS__)) }
#define TD_I1(name, ...) TD_MAP_FN(name) { TD_MAP_UNUSED TD_MAP_LOOP(TD_I, TD_0, TD_0, (__VA_ARGS__)) }
#define TD_I2(name, ...) TD_MAP_FN(name) { TD_MAP_UNUSED TD_MAP_LOOP(TD_I, TD_J, TD_0, (__VA_ARGS__)) }
#define TD_I3(name, ...) TD_MAP_FN(name) { TD_MAP_UNUSED TD_MAP_LOOP(TD_I, TD_J, TD_K, (__VA_ARGS__)) }

TD_MAP_FLOAT1(TD_F1) TD_MAP_FLOAT2(TD_F2) TD_MAP_FLOAT3(TD_F3) TD_MAP_TEST1(TD_F1)
TD_MAP_TEST2(TD_F2) TD_MAP_INT1(TD_I1) TD_MAP_INT2(TD_I2) TD_MAP_INT3(TD_I3)
TD_MAP_TO_INT(TD_F1) TD_MAP_TO_FLOAT(TD_I1)

typedef void td_map_fn(void *, const void *, const void *, const void *, int64_t);
#define TD_MAP_ENTRY(name, ...) [TD_MAP_##name] = td_map_##name,
static td_map_fn *const td_map_table[] = {TD_MAP_OPS(TD_MAP_ENTRY)};

/* The output's axes after neighbours that every operand steps through evenly have been joined. */
typedef struct td_walk {
    int rank, operands;
    int64_t shape[TD_MAX_RANK];
    int64_t stride[2 * TD_MAP_OPERANDS][TD_MAX_RANK];
    int64_t total;
} td_walk;

static int td_walk_of(td_walk *w, const td_tensor *const *t, int operands, const td_tensor *shape) {
    w->operands = operands;
    w->rank = 0;
    w->total = 1;
    for (int i = 0; i < shape->rank; i++) w->total *= shape->shape[i];
    for (int i = 0; i < shape->rank; i++) {
        if (shape->shape[i] == 1) continue;
        int joins = w->rank > 0;
        int64_t step[2 * TD_MAP_OPERANDS];
        for (int j = 0; j < operands; j++) {
            const int axis = i - (shape->rank - t[j]->rank);
            const int64_t length = axis < 0 ? 1 : t[j]->shape[axis];
            if (length != 1 && length != shape->shape[i]) return TD_REFUSED;
            step[j] = length == 1 ? 0 : t[j]->stride[axis];
            joins &= w->rank > 0 && w->stride[j][w->rank - 1] == step[j] * shape->shape[i];
        }
        const int at = joins ? w->rank - 1 : w->rank++;
        w->shape[at] = joins ? w->shape[at] * shape->shape[i] : shape->shape[i];
        for (int j = 0; j < operands; j++) w->stride[j][at] = step[j];
    }
    if (!w->rank) {
        w->rank = 1;
        w->shape[0] = 1;
        for (int j = 0; j < operands; j++) w->stride[j][0] = 0;
    }
    return TD_OK;
}

/* Offset of the element that operand j gives to index `first` of the output. */
TD_INLINE int64_t td_walk_offset(const td_walk *w, int j, int64_t first) {
    int64_t offset = 0;
    for (int i = w->rank - 1; i >= 0; i--) {
        offset += first % w->shape[i] * w->stride[j][i];
        first /= w->shape[i];
    }
    return offset;
}

TD_INLINE int64_t td_element_size(int dtype) {
    return dtype == TD_BOOL || dtype == TD_U8 ? 1 : dtype == TD_F64 || dtype == TD_I64 ? 8 : 4;
}

/* n elements in a row with step `stride` become floats, int32 or truth. */
TD_INLINE void td_map_fetch_run(void *to, const char *from, int64_t n, int64_t stride, int dtype) {
    float *f = to;
    int32_t *i = to;
    const uint8_t *small = (const uint8_t *)from;
    /* A step that is known lets the compiler take many at once. */
    if (dtype == TD_BOOL && stride == 1) {
        for (int64_t e = 0; e < n; e++) i[e] = -(small[e] != 0);
    } else if (dtype == TD_U8 && stride == 1) {
        for (int64_t e = 0; e < n; e++) i[e] = small[e];
    } else if (dtype == TD_BOOL || dtype == TD_U8) {
        for (int64_t e = 0; e < n; e++)
            i[e] = dtype == TD_BOOL ? -(small[e * stride] != 0) : small[e * stride];
    } else if (stride == 1) {
        memcpy(to, from, sizeof(float) * (size_t)n);
    } else if (stride == 0) {
        const vf x = td_set(*(const float *)from);
        int64_t e = 0;
        for (; e + TD_LANES <= n; e += TD_LANES) td_store(f + e, x);
        for (; e < n; e++) f[e] = *(const float *)from;
    } else {
        for (int64_t e = 0; e < n; e++) f[e] = ((const float *)from)[e * stride];
    }
}

TD_INLINE void td_map_put_run(char *to, const void *from, int64_t n, int64_t stride, int dtype) {
    const int32_t *i = from;
    if (dtype == TD_BOOL && stride == 1)
        for (int64_t e = 0; e < n; e++) ((uint8_t *)to)[e] = (uint8_t)(i[e] & 1);
    else if (dtype == TD_BOOL || dtype == TD_U8)
        for (int64_t e = 0; e < n; e++)
            ((uint8_t *)to)[e * stride] = (uint8_t)(dtype == TD_BOOL ? i[e] & 1 : i[e]);
    else if (stride == 1)
        memcpy(to, from, sizeof(float) * (size_t)n);
    else
        for (int64_t e = 0; e < n; e++) ((float *)to)[e * stride] = ((const float *)from)[e];
}

/* Elements [first, first + n) of operand j, in the order of the output's index, to or from a tile. */
static void td_map_move(const td_walk *w, int j, char *data, int dtype, int64_t first, int64_t n,
                        char *tile, int put) {
    const int last = w->rank - 1;
    const int64_t *stride = w->stride[j], size = td_element_size(dtype);
    int64_t at[TD_MAX_RANK], rest = first, offset = 0;
    for (int i = last; i >= 0; i--) {
        at[i] = rest % w->shape[i];
        rest /= w->shape[i];
        offset += at[i] * stride[i];
    }
    while (n > 0) {
        const int64_t run = TD_MIN(n, w->shape[last] - at[last]);
        char *here = data + offset * size;
        if (put) td_map_put_run(here, tile, run, stride[last], dtype);
        else td_map_fetch_run(tile, here, run, stride[last], dtype);
        tile += 4 * run;
        n -= run;
        offset += run * stride[last];
        at[last] += run;
        for (int i = last; i > 0 && at[i] == w->shape[i]; i--) {
            offset += stride[i - 1] - at[i] * stride[i];
            at[i] = 0;
            at[i - 1]++;
        }
    }
}

/* Tiles hold whole rows, or cut rows evenly, so that an operand that repeats with the row is fetched once. */
TD_INLINE int64_t td_map_tile(const td_walk *w) {
    const int64_t row = w->shape[w->rank - 1];
    if (w->rank == 1 || !row) return TD_TILE_LEN;
    if (row <= TD_TILE_LEN) return TD_TILE_LEN / row * row;
    for (int64_t cut = (row + TD_TILE_LEN - 1) / TD_TILE_LEN; cut < 2 * row / TD_TILE_LEN + 2; cut++)
        if (row % cut == 0) return row / cut;
    return TD_TILE_LEN;
}

typedef struct td_map_plan {
    td_walk walk;
    int64_t tile, count;
    int constants;
} td_map_plan;

static int td_map_of(td_map_plan *p, const td_call *call) {
    const td_tensor *all[2 * TD_MAP_OPERANDS];
    if (call->n_in > TD_MAP_OPERANDS || call->n_out > TD_MAP_OPERANDS || call->n_out < 1)
        return TD_REFUSED;
    for (int i = 0; i < call->n_in; i++) all[i] = call->in[i];
    for (int i = 0; i < call->n_out; i++) all[call->n_in + i] = call->out[i];
    for (int i = 0; i < call->n_in + call->n_out; i++)
        if (all[i]->dtype == TD_F64 || all[i]->dtype == TD_I64) return TD_REFUSED;
    if (td_walk_of(&p->walk, all, call->n_in + call->n_out, call->out[0])) return TD_REFUSED;
    p->tile = td_map_tile(&p->walk);
    p->count = call->ints[0];
    p->constants = call->n_floats;
    return p->constants > TD_MAP_CONSTANTS ? TD_REFUSED : TD_OK;
}

/* map: up to 16 inputs that broadcast to the outputs' one shape -> up to 16 outputs
 *      ints: number of instructions, then for each (op of mapops.h, result, operand, operand, operand)
 *      floats: the constants
 *      f32, int32, uint8 (as int32) and bool.  Works in place where an input that lies as the output is
 *      read by no instruction after the one that writes that output. */
static int map_plan(const td_call *call, td_work *work) {
    td_map_plan p = {0};
    if (td_map_of(&p, call)) return TD_REFUSED;
    const int64_t *code = call->ints + 1;
    if (call->n_ints != 1 + p.count * TD_MAP_FIELDS) return TD_REFUSED;
    for (int64_t i = 0; i < p.count; i++, code += TD_MAP_FIELDS) {
        if (code[0] < 0 || code[0] >= TD_MAP_COUNT) return TD_REFUSED;
        for (int f = 1; f < TD_MAP_FIELDS; f++) {
            const int64_t v = code[f], kind = v / 32, index = v % 32;
            if (v < 0 || v >= 128 || (kind == 3) > (f == 1) || (f == 1 && kind != 0 && kind != 3))
                return TD_REFUSED;
            const int64_t limit[] = {TD_MAP_REGISTERS, call->n_in, call->n_floats, call->n_out};
            if (index >= limit[kind]) return TD_REFUSED;
        }
    }
    const int64_t tiles = TD_MAP_REGISTERS + call->n_in + call->n_floats + call->n_out;
    *work = (td_work){p.walk.total ? (p.walk.total + p.tile - 1) / p.tile : 0,
                      1 + (32 << 10) / (p.tile * (p.count + 1)), tiles * TD_TILE_LEN * 4};
    return TD_OK;
}

static int map_run(const td_call *call) {
    td_map_plan p = {0};
    td_map_of(&p, call);
    const td_walk *w = &p.walk;
    const int n_in = call->n_in, n_out = call->n_out, last = w->rank - 1;
    char *tiles = call->scratch;
    void *slot[128] = {0};
    enum { DIRECT, PIECE, FETCH, ONCE } how[2 * TD_MAP_OPERANDS];
    const int64_t longest = TD_MIN(p.tile, w->total);

    for (int i = 0; i < TD_MAP_REGISTERS; i++, tiles += TD_TILE_LEN * 4) slot[i] = tiles;
    for (int i = 0; i < p.constants; i++, tiles += TD_TILE_LEN * 4) {
        slot[TD_MAP_CONST + i] = tiles;
        td_map_fetch_run(tiles, (const char *)&call->floats[i], longest, 0, TD_F32);
    }
    for (int j = 0; j < n_in + n_out; j++, tiles += TD_TILE_LEN * 4) {
        const td_tensor *t = j < n_in ? call->in[j] : call->out[j - n_in];
        const int wide = td_element_size(t->dtype) == 4;
        int outer = 0;
        for (int i = 0; i < last; i++) outer |= w->stride[j][i] != 0;
        const int linear = w->stride[j][last] == 1 && w->rank == 1;
        /* Rows of the last axis alone, in tiles of whole rows: the same in every tile. */
        const int row = w->rank > 1 && !outer && p.tile % w->shape[last] == 0;
        int dense = w->stride[j][last] == 1;
        for (int i = last; i > 0; i--)
            dense &= w->stride[j][i - 1] == w->stride[j][i] * w->shape[i];
        const int piece = w->stride[j][last] == 1 && w->shape[last] % p.tile == 0;
        how[j] = !wide ? FETCH : linear || dense ? DIRECT : piece ? PIECE : FETCH;
        if (j < n_in && (row || (!outer && w->stride[j][last] == 0))) how[j] = ONCE;
        slot[j < n_in ? TD_MAP_IN + j : TD_MAP_OUT + j - n_in] = tiles;
        if (how[j] == ONCE) td_map_move(w, j, t->data, t->dtype, 0, longest, tiles, 0);
    }
    for (int64_t u = call->begin; u < call->end; u++) {
        const int64_t first = u * p.tile, n = TD_MIN(p.tile, w->total - first);
        for (int j = 0; j < n_in; j++) {
            if (how[j] == DIRECT) slot[TD_MAP_IN + j] = (float *)call->in[j]->data + first;
            if (how[j] == PIECE)
                slot[TD_MAP_IN + j] = (float *)call->in[j]->data + td_walk_offset(w, j, first);
            if (how[j] == FETCH)
                td_map_move(w, j, call->in[j]->data, call->in[j]->dtype, first, n,
                            slot[TD_MAP_IN + j], 0);
        }
        for (int j = 0; j < n_out; j++) {
            float *data = call->out[j]->data;
            if (how[n_in + j] == DIRECT) slot[TD_MAP_OUT + j] = data + first;
            if (how[n_in + j] == PIECE)
                slot[TD_MAP_OUT + j] = data + td_walk_offset(w, n_in + j, first);
        }
        const int64_t *code = call->ints + 1;
        for (int64_t i = 0; i < p.count; i++, code += TD_MAP_FIELDS)
            td_map_table[code[0]](slot[code[1]], slot[code[2]], slot[code[3]], slot[code[4]], n);
        for (int j = 0; j < n_out; j++)
            if (how[n_in + j] == FETCH)
                td_map_move(w, n_in + j, call->out[j]->data, call->out[j]->dtype, first, n,
                            slot[TD_MAP_OUT + j], 1);
    }
    return TD_OK;
}

#endif
