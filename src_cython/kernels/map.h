/* `map`: a chain of elementwise operations with broadcasting, interpreted over tiles that stay in L1. */
#ifndef TD_MAP_H
#define TD_MAP_H

#include "act.h"
#include "dmath.h"
#include "mapops.h"

enum { TD_TILE_LEN = 512, TD_MAP_REGISTERS = 12, TD_MAP_OPERANDS = 16, TD_MAP_CONSTANTS = 16 };
/* With slack for a vector that begins in the tile. */
enum { TD_TILE_BYTES = 4 * (TD_TILE_LEN + TD_PANEL) };

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

/* Loops of one operation over n elements, which are whole vectors. */
#define TD_MAP_LOOP(load1, load2, load3, value)                                                   \
    for (int64_t at = 0; at < n; at += TD_LANES) {                                                \
        load1 load2 load3                                                                         \
        td_store((float *)to + at, (vf)(value));                                                  \
    }
#define TD_A vf a = td_load((const float *)x + at);
#define TD_B vf b = td_load((const float *)y + at);
#define TD_C vf c = td_load((const float *)z + at);
#define TD_I vi i = (vi)td_load((const float *)x + at);
#define TD_J vi j = (vi)td_load((const float *)y + at);
#define TD_K vi k = (vi)td_load((const float *)z + at);

#define TD_MAP_FN(name) \
    static void td_map_##name(void *to, const void *x, const void *y, const void *z, int64_t n)
#define TD_MAP_UNUSED (void)x; (void)y; (void)z;
#define TD_F1(name, ...) TD_MAP_FN(name) { TD_MAP_UNUSED TD_MAP_LOOP(TD_A, , , (__VA_ARGS__)) }
#define TD_F2(name, ...) TD_MAP_FN(name) { TD_MAP_UNUSED TD_MAP_LOOP(TD_A, TD_B, , (__VA_ARGS__)) }
#define TD_F3(name, ...) TD_MAP_FN(name) { TD_MAP_UNUSED TD_MAP_LOOP(TD_A, TD_B, TD_C, (__VA_ARGS__)) }
#define TD_I1(name, ...) TD_MAP_FN(name) { TD_MAP_UNUSED TD_MAP_LOOP(TD_I, , , (__VA_ARGS__)) }
#define TD_I2(name, ...) TD_MAP_FN(name) { TD_MAP_UNUSED TD_MAP_LOOP(TD_I, TD_J, , (__VA_ARGS__)) }
#define TD_I3(name, ...) TD_MAP_FN(name) { TD_MAP_UNUSED TD_MAP_LOOP(TD_I, TD_J, TD_K, (__VA_ARGS__)) }

TD_MAP_FLOAT1(TD_F1) TD_MAP_FLOAT2(TD_F2) TD_MAP_FLOAT3(TD_F3) TD_MAP_TEST1(TD_F1)
TD_MAP_TEST2(TD_F2) TD_MAP_INT1(TD_I1) TD_MAP_INT2(TD_I2) TD_MAP_INT3(TD_I3)
TD_MAP_TO_INT(TD_F1) TD_MAP_TO_FLOAT(TD_I1)

typedef void td_map_fn(void *, const void *, const void *, const void *, int64_t);
#define TD_MAP_ENTRY(name, ...) [TD_MAP_##name] = td_map_##name,
static td_map_fn *const td_map_table[] = {TD_MAP_OPS(TD_MAP_ENTRY)};

/* Chains of doubles: operations that have none are NULL. */
#define TD_DOUBLE_LOOP(type, load1, load2, load3, value)                                          \
    for (int64_t at = 0; at < n; at += TD_DOUBLES) {                                              \
        const type load1 = (type)td_loadd((const double *)x + at);                                \
        const type load2 = (type)td_loadd((const double *)y + at);                                \
        const type load3 = (type)td_loadd((const double *)z + at);                                \
        (void)load2; (void)load3;                                                                 \
        td_stored((double *)to + at, (vd)(value));                                                \
    }
#define TD_DOUBLE_FN(name) \
    static void td_double_##name(void *to, const void *x, const void *y, const void *z, int64_t n)
#define TD_D1(name, ...) TD_DOUBLE_FN(name) { TD_DOUBLE_LOOP(vd, a, b_, c_, (__VA_ARGS__)) }
#define TD_D2(name, ...) TD_DOUBLE_FN(name) { TD_DOUBLE_LOOP(vd, a, b, c_, (__VA_ARGS__)) }
#define TD_DT(name, ...) TD_DOUBLE_FN(name) { TD_DOUBLE_LOOP(vl, i, j, k, (__VA_ARGS__)) }
TD_MAP_DOUBLE1(TD_D1) TD_MAP_DOUBLE2(TD_D2) TD_MAP_DOUBLE_TRUTH(TD_DT)

#define TD_DOUBLE_ENTRY(name, ...) [TD_MAP_##name] = td_double_##name,
static td_map_fn *const td_double_table[TD_MAP_COUNT] = {
    TD_MAP_DOUBLE1(TD_DOUBLE_ENTRY) TD_MAP_DOUBLE2(TD_DOUBLE_ENTRY) TD_MAP_DOUBLE_TRUTH(TD_DOUBLE_ENTRY)
};

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

/* n doubles in a row with step `stride`, or truth as wide as they. */
TD_INLINE void td_double_fetch_run(void *to, const char *from, int64_t n, int64_t stride, int dtype) {
    if (dtype == TD_BOOL)
        for (int64_t e = 0; e < n; e++) ((int64_t *)to)[e] = -(int64_t)(from[e * stride] != 0);
    else
        for (int64_t e = 0; e < n; e++) ((double *)to)[e] = ((const double *)from)[e * stride];
}
TD_INLINE void td_double_put_run(char *to, const void *from, int64_t n, int64_t stride, int dtype) {
    if (dtype == TD_BOOL)
        for (int64_t e = 0; e < n; e++) to[e * stride] = ((const int64_t *)from)[e] & 1;
    else
        for (int64_t e = 0; e < n; e++) ((double *)to)[e * stride] = ((const double *)from)[e];
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

/* What of an operand is in a tile: axes, those that it steps through evenly joined. `block` elements of the
 * tile are one place along an axis; of the first axis a cut tile has fewer places. */
typedef struct td_pattern {
    int rank;
    int64_t shape[TD_MAX_RANK], stride[TD_MAX_RANK], block[TD_MAX_RANK];
} td_pattern;

/* Tiles are cut along one axis of the output, `rows` places each; the axes after it are whole in them. */
typedef struct td_map_tiles {
    int axis;
    int64_t rows, inner, cuts, units; /* inner: elements of a place; cuts: tiles along the axis */
} td_map_tiles;

static void td_map_tiles_of(td_map_tiles *t, const td_walk *w, int64_t tile) {
    t->axis = w->rank - 1;
    t->inner = 1;
    while (t->axis > 0 && t->inner * w->shape[t->axis] <= tile) t->inner *= w->shape[t->axis--];
    const int64_t length = w->shape[t->axis], most = tile / TD_MAX(t->inner, 1);
    t->cuts = TD_MAX((length + most - 1) / most, 1);
    t->rows = TD_MAX((length + t->cuts - 1) / t->cuts, 1);
    if (t->inner == 1) t->rows = (t->rows + TD_PANEL - 1) / TD_PANEL * TD_PANEL;
    t->units = w->total ? t->cuts : 0;
    for (int i = 0; i < t->axis; i++) t->units *= w->shape[i];
}

static void td_pattern_of(td_pattern *p, const td_walk *w, int j, const td_map_tiles *t) {
    p->rank = 0;
    for (int i = t->axis; i < w->rank; i++) {
        const int64_t length = i == t->axis ? t->rows : w->shape[i], stride = w->stride[j][i];
        const int last = p->rank - 1;
        if (last >= 0 && p->stride[last] == stride * length) {
            p->shape[last] *= length;
            p->stride[last] = stride;
            continue;
        }
        p->shape[p->rank] = length;
        p->stride[p->rank++] = stride;
    }
    int64_t block = 1;
    for (int i = p->rank - 1; i >= 0; block *= p->shape[i--]) p->block[i] = block;
}

/* Rows of `length` elements, one after the other in the tile; vectors reach beyond a row's end, where the
 * next row or the tile's slack is. */
TD_INLINE void td_rows_fetch(float *to, const float *from, int64_t rows, int64_t length,
                             int64_t step, int64_t stride) {
    const int64_t whole = length / TD_LANES * TD_LANES, part = length - whole;
    for (int64_t r = 0; r < rows; r++, to += length, from += step) {
        if (stride == 0) {
            const vf x = td_set(*from);
            for (int64_t i = 0; i < length; i += TD_LANES) td_store(to + i, x);
        } else if (stride == 1) {
            for (int64_t i = 0; i < whole; i += TD_LANES) td_store(to + i, td_load(from + i));
            if (part) td_store(to + whole, td_loadn(from + whole, part));
        } else {
            for (int64_t i = 0; i < length; i++) to[i] = from[i * stride];
        }
    }
}

/* n places of the axis `at` of an operand into a tile, whose elements have `wide` bytes. */
static void td_map_fetch(const td_pattern *p, int at, int64_t n, const char *from, int dtype, int wide,
                         char *to) {
    const int64_t bytes = p->block[at] * wide, stride = p->stride[at], size = td_element_size(dtype);
    if (at == p->rank - 1) {
        if (wide == 8) td_double_fetch_run(to, from, n, stride, dtype);
        else td_map_fetch_run(to, from, n, stride, dtype);
    } else if (stride == 0) { /* what is fetched once is repeated */
        td_map_fetch(p, at + 1, p->shape[at + 1], from, dtype, wide, to);
        for (int64_t i = 1; i < n; i++)
            for (int64_t e = 0; e < bytes; e += 4 * TD_LANES)
                td_store((float *)(to + i * bytes + e), td_load((float *)(to + e)));
    } else if (at == p->rank - 2 && size == 4) {
        const float *rows = (const float *)from;
        const int64_t length = p->shape[at + 1], step = p->stride[at + 1];
        if (step == 1) td_rows_fetch((float *)to, rows, n, length, stride, 1);
        else if (step == 0) td_rows_fetch((float *)to, rows, n, length, stride, 0);
        else td_rows_fetch((float *)to, rows, n, length, stride, step);
    } else {
        for (int64_t i = 0; i < n; i++)
            td_map_fetch(p, at + 1, p->shape[at + 1], from + i * stride * size, dtype, wide,
                         to + i * bytes);
    }
}

/* n places of the axis `at` of a result from a tile. */
static void td_map_put(const td_pattern *p, int at, int64_t n, char *to, int dtype, int wide,
                       const char *from) {
    const int64_t bytes = p->block[at] * wide, stride = p->stride[at];
    if (at < p->rank - 1) {
        for (int64_t i = 0; i < n; i++)
            td_map_put(p, at + 1, p->shape[at + 1], to + i * stride * td_element_size(dtype), dtype,
                       wide, from + i * bytes);
    } else if (wide == 8) {
        td_double_put_run(to, from, n, stride, dtype);
    } else {
        td_map_put_run(to, from, n, stride, dtype);
    }
}

typedef struct td_map_plan {
    td_walk walk;
    td_map_tiles tiles;
    int64_t count;
    int constants, wide; /* wide: bytes of an element in a tile */
} td_map_plan;

static int td_map_of(td_map_plan *p, const td_call *call) {
    const td_tensor *all[2 * TD_MAP_OPERANDS];
    if (call->n_in > TD_MAP_OPERANDS || call->n_out > TD_MAP_OPERANDS || call->n_out < 1)
        return TD_REFUSED;
    for (int i = 0; i < call->n_in; i++) all[i] = call->in[i];
    for (int i = 0; i < call->n_out; i++) all[call->n_in + i] = call->out[i];
    p->wide = 4;
    for (int i = 0; i < call->n_in + call->n_out; i++)
        if (all[i]->dtype == TD_F64) p->wide = 8;
    for (int i = 0; i < call->n_in + call->n_out; i++) {
        const int size = (int)td_element_size(all[i]->dtype);
        if (size == 1 ? p->wide == 8 && all[i]->dtype != TD_BOOL
                      : size != p->wide || all[i]->dtype == TD_I64)
            return TD_REFUSED;
    }
    if (td_walk_of(&p->walk, all, call->n_in + call->n_out, call->out[0])) return TD_REFUSED;
    td_map_tiles_of(&p->tiles, &p->walk, TD_TILE_LEN * 4 / p->wide);
    p->count = call->ints[0];
    p->constants = call->n_floats;
    return p->constants > TD_MAP_CONSTANTS ? TD_REFUSED : TD_OK;
}

/* map: up to 16 inputs that broadcast to the outputs' one shape -> up to 16 outputs
 *      ints: number of instructions, then for each (op of mapops.h, result, operand, operand, operand)
 *      floats: the constants
 *      f32, int32, uint8 (as int32) and bool, or f64 and bool.  Works in place where an input that lies as
 *      the output is read by no instruction after the one that writes that output. */
static int map_plan(const td_call *call, td_work *work) {
    td_map_plan p = {0};
    if (td_map_of(&p, call)) return TD_REFUSED;
    const int64_t *code = call->ints + 1;
    if (call->n_ints != 1 + p.count * TD_MAP_FIELDS) return TD_REFUSED;
    for (int64_t i = 0; i < p.count; i++, code += TD_MAP_FIELDS) {
        if (code[0] < 0 || code[0] >= TD_MAP_COUNT) return TD_REFUSED;
        if (p.wide == 8 && !td_double_table[code[0]]) return TD_REFUSED;
        for (int f = 1; f < TD_MAP_FIELDS; f++) {
            const int64_t v = code[f], kind = v / 32, index = v % 32;
            if (v < 0 || v >= 128 || (kind == 3) > (f == 1) || (f == 1 && kind != 0 && kind != 3))
                return TD_REFUSED;
            const int64_t limit[] = {TD_MAP_REGISTERS, call->n_in, call->n_floats, call->n_out};
            if (index >= limit[kind]) return TD_REFUSED;
        }
    }
    const int64_t tiles = TD_MAP_REGISTERS + call->n_in + call->n_floats + call->n_out;
    const int64_t cost = p.tiles.rows * p.tiles.inner * (p.count + 1);
    *work = (td_work){p.tiles.units, 1 + (32 << 10) / (cost + 1), tiles * TD_TILE_BYTES};
    return TD_OK;
}

/* How an operand comes to the instructions: where it lies, from a tile that is filled for each unit, or
 * from one that is filled once. */
enum { TD_DIRECT, TD_FETCHED, TD_ONCE };

TD_INLINE int td_map_way(const td_map_plan *p, const td_pattern *pattern, int j, int dtype, int input) {
    const td_walk *w = &p->walk;
    int same = p->tiles.cuts == 1 || w->stride[j][p->tiles.axis] == 0;
    for (int i = 0; i < p->tiles.axis; i++) same &= w->stride[j][i] == 0;
    if (pattern->rank == 1 && pattern->stride[0] == 1 && td_element_size(dtype) == p->wide)
        return TD_DIRECT;
    return same && input ? TD_ONCE : TD_FETCHED;
}

/* n elements, whole vectors, of all tiles from element `first` on. */
static void td_map_steps(const td_map_plan *p, const int64_t *code, char *const *slot, int64_t first,
                         int64_t n) {
    td_map_fn *const *table = p->wide == 8 ? td_double_table : td_map_table;
    const int64_t shift = first * p->wide;
    for (int64_t i = 0; i < p->count && n; i++, code += TD_MAP_FIELDS)
        table[code[0]](slot[code[1]] + shift, slot[code[2]] + shift, slot[code[3]] + shift,
                       slot[code[4]] + shift, n);
}

/* The operands of one run. */
typedef struct td_map_operand {
    const td_tensor *x;
    td_pattern pattern;
    int way, slot;
    char *tile, *here; /* here: what the unit has of the operand, in memory */
} td_map_operand;

/* What of an operand's pattern `rows` rows of a tile are. */
TD_INLINE int64_t td_map_places(const td_map_operand *o, const td_map_tiles *t, int64_t rows) {
    return o->pattern.shape[0] / t->rows * rows;
}

/* The last elements of a tile, which fill no vector, have one of their own. */
static void td_map_rest(const td_map_plan *p, const td_call *call, td_map_operand *o, char **slot,
                        int64_t first, int64_t n) {
    const int operands = call->n_in + call->n_out;
    const int64_t shift = first * p->wide;
    for (int j = 0; j < operands; j++) {
        if (o[j].way != TD_DIRECT) continue;
        slot[o[j].slot] = o[j].tile - shift;
        if (j < call->n_in)
            td_store((float *)o[j].tile, td_loadn((float *)(o[j].here + shift), n * p->wide / 4));
    }
    td_map_steps(p, call->ints + 1, slot, first, 4 * TD_LANES / p->wide);
    for (int j = call->n_in; j < operands; j++)
        for (int64_t i = 0; i < n * p->wide / 4 && o[j].way == TD_DIRECT; i++)
            ((float *)(o[j].here + shift))[i] = ((float *)o[j].tile)[i];
}

static int map_run(const td_call *call) {
    td_map_plan p = {0};
    td_map_of(&p, call);
    const td_walk *w = &p.walk;
    const td_map_tiles *t = &p.tiles;
    const int n_in = call->n_in, operands = n_in + call->n_out;
    char *tiles = call->scratch, *slot[128];
    td_map_operand o[2 * TD_MAP_OPERANDS];
    const int64_t most = TD_MIN(t->rows, w->shape[t->axis]);

    for (int i = 0; i < TD_MAP_REGISTERS; i++, tiles += TD_TILE_BYTES) slot[i] = tiles;
    for (int i = 0; i < p.constants; i++, tiles += TD_TILE_BYTES) {
        slot[TD_MAP_CONST + i] = tiles;
        const vf x = p.wide == 8 ? (vf)td_setd(call->floats[i]) : td_set(call->floats[i]);
        for (int64_t e = 0; e < most * t->inner * p.wide; e += 4 * TD_LANES)
            td_store((float *)(tiles + e), x);
    }
    for (int j = 0; j < operands; j++, tiles += TD_TILE_BYTES) {
        o[j].x = j < n_in ? call->in[j] : call->out[j - n_in];
        o[j].slot = j < n_in ? TD_MAP_IN + j : TD_MAP_OUT + j - n_in;
        o[j].tile = slot[o[j].slot] = tiles;
        td_pattern_of(&o[j].pattern, w, j, t);
        o[j].way = td_map_way(&p, &o[j].pattern, j, o[j].x->dtype, j < n_in);
        if (o[j].way == TD_ONCE)
            td_map_fetch(&o[j].pattern, 0, td_map_places(&o[j], t, most), o[j].x->data,
                         o[j].x->dtype, p.wide, tiles);
    }
    for (int64_t u = call->begin; u < call->end; u++) {
        int64_t at[TD_MAX_RANK], rest = u / t->cuts;
        at[t->axis] = u % t->cuts * t->rows;
        for (int i = t->axis - 1; i >= 0; i--) {
            at[i] = rest % w->shape[i];
            rest /= w->shape[i];
        }
        const int64_t rows = TD_MIN(t->rows, w->shape[t->axis] - at[t->axis]), n = rows * t->inner;
        for (int j = 0; j < operands; j++) {
            if (o[j].way == TD_ONCE) continue;
            int64_t offset = 0;
            for (int i = 0; i <= t->axis; i++) offset += at[i] * w->stride[j][i];
            o[j].here = (char *)o[j].x->data + offset * td_element_size(o[j].x->dtype);
            if (o[j].way == TD_DIRECT) slot[o[j].slot] = o[j].here;
            else if (j < n_in)
                td_map_fetch(&o[j].pattern, 0, td_map_places(&o[j], t, rows), o[j].here,
                             o[j].x->dtype, p.wide, o[j].tile);
        }
        const int64_t lanes = 4 * TD_LANES / p.wide, whole = n / lanes * lanes;
        td_map_steps(&p, call->ints + 1, slot, 0, whole);
        if (n > whole) td_map_rest(&p, call, o, slot, whole, n - whole);
        for (int j = n_in; j < operands; j++)
            if (o[j].way == TD_FETCHED)
                td_map_put(&o[j].pattern, 0, td_map_places(&o[j], t, rows), o[j].here,
                           o[j].x->dtype, p.wide, o[j].tile);
    }
    return TD_OK;
}

#endif
