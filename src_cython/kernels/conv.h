/* Convolutions of 1 to 3 spatial axes, NHWC, as sums over taps of row pointers. */
#ifndef TD_CONV_H
#define TD_CONV_H

#include "gemm.h"

/* Geometry shared by convolution, pooling and depthwise, widened to three spatial axes. */
typedef struct td_window {
    int64_t batch, channels;
    int64_t in[3], out[3], kernel[3], stride[3], dilation[3], pad[3];
    int64_t in_step[3], out_step[3]; /* elements between neighbours along each axis */
    int64_t in_batch, out_batch;     /* and between images */
} td_window;

/* kernel, stride, dilation and padding before stand in `ints`, one run of spatial axes each. */
enum { TD_WINDOW_INTS = 12 };

/* Whether what a window counts is nothing that the arithmetic of its places may meet. */
TD_INLINE int td_far(const int64_t n) { return n < 1 || n > 1 << 20; }

/* Reads x [n, spatial..., c] and y [n, spatial..., c'] with `axes` = rank - 2 from 1 to 3. */
static int td_window_of(td_window *w, const td_tensor *x, const td_tensor *y, const int64_t *ints) {
    const int axes = x->rank - 2, lead = 3 - axes;
    if (axes < 1 || axes > 3 || y->rank != x->rank) return TD_REFUSED;
    if (!td_dense_last(x) || !td_dense_last(y) || x->shape[0] != y->shape[0]) return TD_REFUSED;
    w->batch = x->shape[0];
    w->channels = x->shape[axes + 1];
    w->in_batch = x->stride[0];
    w->out_batch = y->stride[0];
    for (int i = 0; i < 3; i++) {
        const int axis = i - lead, real = axis >= 0;
        w->in[i] = real ? x->shape[1 + axis] : 1;
        w->out[i] = real ? y->shape[1 + axis] : 1;
        w->in_step[i] = real ? x->stride[1 + axis] : 0;
        w->out_step[i] = real ? y->stride[1 + axis] : 0;
        w->kernel[i] = real ? ints[axis] : 1;
        w->stride[i] = real ? ints[axes + axis] : 1;
        w->dilation[i] = real ? ints[2 * axes + axis] : 1;
        w->pad[i] = real ? ints[3 * axes + axis] : 0;
        if (td_far(w->kernel[i]) || td_far(w->stride[i]) || td_far(w->dilation[i])) return TD_REFUSED;
        if (w->pad[i] && td_far(w->pad[i] < 0 ? -w->pad[i] : w->pad[i])) return TD_REFUSED;
    }
    return TD_OK;
}

typedef struct td_conv {
    td_window w;
    int64_t groups, rows, panels; /* rows: output pixels; panels: of one group */
    int64_t taps, len;            /* len floats per tap: channels of a group, or a whole kernel row */
    int wide;                     /* taps are kernel rows: kernel[2] * channels floats in one run */
    int dense;                    /* no tap may be skipped */
    td_cut cut;
    int64_t most;                 /* rows whose table is held at a time */
    int64_t band;                 /* lines of output that these touch, when wide */
} td_conv;

enum { TD_WIDE_ROWS = 64 };

/* Few channels in dense pixels: a kernel row of kw * c floats is one run, read from a padded copy. */
TD_INLINE int td_conv_is_wide(const td_conv *c) {
    const td_window *w = &c->w;
    return c->groups == 1 && w->channels <= 8 && w->kernel[2] > 1 && w->dilation[2] == 1 &&
           w->kernel[0] * w->kernel[1] <= TD_WIDE_ROWS;
}

/* Floats of a row of the padded copy. */
TD_INLINE int64_t td_conv_padded(const td_window *w) {
    return ((w->out[2] - 1) * w->stride[2] + w->kernel[2]) * w->channels;
}

/* Up to `rows` rows at a time.  A padded copy is made of whole lines. */
TD_INLINE void td_conv_hold(td_conv *c, int64_t rows) {
    const int64_t width = TD_MAX(c->w.out[2], 1);
    c->most = rows;
    c->band = c->wide ? TD_MIN(rows / width + 2, c->rows / width) : 0;
}

static int td_conv_of(td_conv *c, const td_call *call) {
    const td_tensor *x = call->in[0], *y = call->out[0];
    const int axes = x->rank - 2;
    const int64_t *ints = call->ints;
    int64_t stride;
    if (!td_is_f32(x) || !td_is_f32(y) || !td_is_f32(call->in[1])) return TD_REFUSED;
    if (td_window_of(&c->w, x, y, ints + 3) || !td_rows_of(y, 1, &c->rows, &stride))
        return TD_REFUSED;
    const td_window *w = &c->w;
    c->groups = ints[1];
    c->dense = ints[2] != 0;
    const int64_t columns = y->shape[axes + 1];
    if (c->groups < 1 || w->channels % c->groups || columns % c->groups) return TD_REFUSED;
    c->panels = td_panels(columns / c->groups);
    c->wide = td_conv_is_wide(c);
    c->taps = w->kernel[0] * w->kernel[1] * (c->wide ? 1 : w->kernel[2]);
    c->len = c->wide ? w->kernel[2] * w->channels : w->channels / c->groups;
    if (call->in[1]->shape[0] != c->groups * c->panels * c->taps * c->len * TD_PANEL)
        return TD_REFUSED;
    const int64_t shared = w->stride[0] * w->stride[1] * w->stride[2];
    const int64_t floats = TD_MIN(shared, c->taps) * c->len + 2 * c->taps;
    /* Chunks of padded copies are long, since they share rows. */
    const int64_t weights = c->wide ? TD_CACHE_FLOATS : c->taps * c->len;
    c->cut = td_cut_sum(c->rows, c->panels, weights, floats);
    if (c->groups > 1) {
        c->cut.panel_chunk = c->panels;
        c->cut.panel_chunks = 1;
    }
    td_conv_hold(c, c->cut.row_chunk);
    return TD_OK;
}

/* The table, and the steps of a pixel's taps. */
TD_INLINE int64_t td_conv_table_bytes(const td_conv *c) {
    return ((c->most + 1) * c->taps * (int64_t)sizeof(float *) + 63) / 64 * 64;
}

TD_INLINE int64_t td_conv_zero_floats(const td_conv *c) {
    return (TD_MAX(c->len, c->wide ? td_conv_padded(&c->w) : 0) + 15) / 16 * 16;
}

TD_INLINE int64_t td_conv_scratch(const td_conv *c) {
    const int64_t copies = c->wide ? c->band * c->taps * td_conv_padded(&c->w) : 0;
    return td_conv_table_bytes(c) + (td_conv_zero_floats(c) + (copies + 15) / 16 * 16) * 4;
}

/* conv: x [n, spatial..., c], panels of w [groups, taps * c / groups, c' / groups], [scale c'],
 *       [shift c'], [residual like y] -> y [n, spatial..., c']
 *       ints: activation, groups, whether weights hold inf or NaN; then for each spatial axis kernel,
 *             for each stride, for each dilation, for each padding before (that after follows from y)
 *       floats: the activation's two parameters */
static int conv_plan(const td_call *call, td_work *work) {
    td_conv c = {0};
    if (td_conv_of(&c, call)) return TD_REFUSED;
    const td_tensor *y = call->out[0];
    /* To begin and end a tile takes as long as some more taps. */
    const int64_t cost = c.cut.row_chunk * c.cut.panel_chunk * TD_PANEL * (c.taps * c.len + 8);
    *work = (td_work){c.rows ? c.groups * c.cut.row_chunks * c.cut.panel_chunks : 0, td_grain(cost),
                      td_conv_scratch(&c)};
    return td_epilogue_plan(call, 2, y);
}

/* Position of output pixel `row`: image, and the input position of its first tap along each axis. */
typedef struct td_pixel {
    int64_t image, out[3], at[3];
} td_pixel;

TD_INLINE td_pixel td_pixel_at(const td_window *w, int64_t row) {
    td_pixel p;
    p.out[2] = row % w->out[2];
    row /= w->out[2];
    p.out[1] = row % w->out[1];
    row /= w->out[1];
    p.out[0] = row % w->out[0];
    p.image = row / w->out[0];
    for (int i = 0; i < 3; i++) p.at[i] = p.out[i] * w->stride[i] - w->pad[i];
    return p;
}

/* From the last pixel of a line to the first of the next one. */
TD_INLINE void td_pixel_turn(const td_window *w, td_pixel *p) {
    p->out[2] = 0;
    p->at[2] = -w->pad[2];
    p->at[1] += w->stride[1];
    if (++p->out[1] < w->out[1]) return;
    p->out[1] = 0;
    p->at[1] = -w->pad[1];
    p->at[0] += w->stride[0];
    if (++p->out[0] < w->out[0]) return;
    p->out[0] = 0;
    p->at[0] = -w->pad[0];
    p->image++;
}

TD_INLINE void td_pixel_next(const td_window *w, td_pixel *p) {
    p->at[2] += w->stride[2];
    if (++p->out[2] == w->out[2]) td_pixel_turn(w, p);
}

/* Distance of each tap from a pixel's first one. */
static void td_conv_steps(const td_window *w, int64_t *steps) {
    for (int64_t kd = 0; kd < w->kernel[0]; kd++)
        for (int64_t kh = 0; kh < w->kernel[1]; kh++)
            for (int64_t kw = 0; kw < w->kernel[2]; kw++)
                *steps++ = kd * w->dilation[0] * w->in_step[0] +
                           kh * w->dilation[1] * w->in_step[1] + kw * w->dilation[2] * w->in_step[2];
}

/* Output positions [first, last) of the last axis whose whole window lies inside. */
TD_INLINE void td_interior(const td_window *w, int64_t *first, int64_t *last) {
    const int64_t s = w->stride[2], reach = (w->kernel[2] - 1) * w->dilation[2];
    const int64_t room = w->in[2] - 1 - reach + w->pad[2];
    *first = TD_MIN((w->pad[2] + s - 1) / s, w->out[2]);
    *last = TD_MAX(room < 0 ? 0 : TD_MIN(room / s + 1, w->out[2]), *first);
}

/* Whether all taps of a pixel's line lie inside along the other axes. */
TD_INLINE int td_line_inside(const td_window *w, const td_pixel *p) {
    int inside = 1;
    for (int i = 0; i < 2; i++)
        inside &= p->at[i] >= 0 && p->at[i] + (w->kernel[i] - 1) * w->dilation[i] < w->in[i];
    return inside;
}

/* Pointers of a pixel some of whose taps may lie outside. */
TD_INLINE void td_conv_edge(const td_window *w, const float *base, const float *zeros,
                            const int64_t *step, const float **table, const td_pixel *p) {
    for (int64_t kd = 0; kd < w->kernel[0]; kd++)
        for (int64_t kh = 0; kh < w->kernel[1]; kh++)
            for (int64_t kw = 0; kw < w->kernel[2]; kw++, step++) {
                const int in = (uint64_t)(p->at[0] + kd * w->dilation[0]) < (uint64_t)w->in[0] &&
                               (uint64_t)(p->at[1] + kh * w->dilation[1]) < (uint64_t)w->in[1] &&
                               (uint64_t)(p->at[2] + kw * w->dilation[2]) < (uint64_t)w->in[2];
                *table++ = in ? base + *step : zeros;
            }
}

/* Pointers of `rows` pixels from `p` on: table[i * taps + t]. */
static void td_conv_table(const td_conv *c, const float *x, const float *zeros,
                          const int64_t *steps, const float **table, td_pixel p, int64_t rows) {
    const td_window *w = &c->w;
    const int64_t pixel = w->stride[2] * w->in_step[2];
    int64_t inner, outer;
    td_interior(w, &inner, &outer);
    for (; rows; td_pixel_turn(w, &p)) {
        const int64_t end = TD_MIN(w->out[2], p.out[2] + rows);
        const float *base = x + p.image * w->in_batch + p.at[0] * w->in_step[0] +
                            p.at[1] * w->in_step[1] + p.at[2] * w->in_step[2];
        const int inside = td_line_inside(w, &p);
        rows -= end - p.out[2];
        for (; p.out[2] < end; p.out[2]++, p.at[2] += w->stride[2], base += pixel, table += c->taps) {
            if (!inside || p.out[2] < inner || p.out[2] >= outer)
                td_conv_edge(w, base, zeros, steps, table, &p);
            else
                for (int64_t t = 0; t < c->taps; t++) table[t] = base + steps[t];
        }
    }
}

/* A padded copy of one input row as one run: floats [from, from + size) of the row, zeros outside. */
TD_INLINE void td_conv_pad_row(const td_window *w, const float *row, float *copy) {
    const int64_t c = w->channels, width = td_conv_padded(w) / c;
    const int64_t before = TD_MIN(w->pad[2], width);
    const int64_t inner = TD_MAX(TD_MIN(w->in[2], width - before), 0);
    memset(copy, 0, sizeof(float) * (size_t)(before * c));
    if (w->in_step[2] == c)
        memcpy(copy + before * c, row, sizeof(float) * (size_t)(inner * c));
    else
        for (int64_t i = 0; i < inner; i++)
            for (int64_t j = 0; j < c; j++) copy[(before + i) * c + j] = row[i * w->in_step[2] + j];
    memset(copy + (before + inner) * c, 0, sizeof(float) * (size_t)((width - before - inner) * c));
}

/* What taps that are kernel rows lead to: the input rows of a line of output, and their padded copies. */
typedef struct td_wide_line {
    const float *source[TD_WIDE_ROWS]; /* NULL outside */
    const float *copy[TD_WIDE_ROWS];   /* zeros outside */
} td_wide_line;

/* The line at p; a row that `last`, the line before it or NULL, has read is not copied again.  Returns where
 * the next copy goes. */
TD_INLINE float *td_conv_wide_line(const td_conv *c, const float *x, const float *zeros, float *copies,
                                   const td_pixel *p, const td_wide_line *last, td_wide_line *line) {
    const td_window *w = &c->w;
    for (int64_t k = 0; k < c->taps; k++) {
        const int64_t d = p->at[0] + k / w->kernel[1] * w->dilation[0];
        const int64_t h = p->at[1] + k % w->kernel[1] * w->dilation[1];
        const int in = (uint64_t)d < (uint64_t)w->in[0] && (uint64_t)h < (uint64_t)w->in[1];
        line->source[k] = NULL;
        line->copy[k] = zeros;
        if (!in) continue;
        line->source[k] = x + p->image * w->in_batch + d * w->in_step[0] + h * w->in_step[1];
        int64_t known = 0;
        while (last && known < c->taps && last->source[known] != line->source[k]) known++;
        if (last && known < c->taps) {
            line->copy[k] = last->copy[known];
            continue;
        }
        td_conv_pad_row(w, line->source[k], copies);
        line->copy[k] = copies;
        copies += td_conv_padded(w);
    }
    return copies;
}

/* The same for taps that are kernel rows: copies of the input rows that the chunk's output rows read,
 * one per output row and kernel row where they do not overlap, and pointers into them. */
static void td_conv_table_wide(const td_conv *c, const float *x, const float *zeros, float *copies,
                               const float **table, int64_t row, int64_t rows) {
    const td_window *w = &c->w;
    const int64_t step = w->stride[2] * w->channels;
    td_wide_line lines[2], *last = NULL;
    td_pixel p = td_pixel_at(w, row);
    for (int64_t i = 0, count; rows; i++, rows -= count, td_pixel_turn(w, &p)) {
        td_wide_line *line = &lines[i % 2];
        copies = td_conv_wide_line(c, x, zeros, copies, &p, last, line);
        last = line;
        count = TD_MIN(w->out[2] - p.out[2], rows);
        for (int64_t k = 0; k < c->taps; k++) {
            const float *from = line->copy[k] + p.out[2] * step;
            for (int64_t j = 0; j < count; j++, from += step) table[j * c->taps + k] = from;
        }
        table += count * c->taps;
    }
}

/* What a run works with. */
typedef struct td_conv_space {
    const float **table;
    int64_t *steps;
    float *zeros, *copies;
} td_conv_space;

static td_conv_space td_conv_start(const td_conv *c, void *scratch) {
    td_conv_space at;
    at.table = scratch;
    at.steps = (int64_t *)(at.table + c->most * c->taps);
    at.zeros = (float *)((char *)scratch + td_conv_table_bytes(c));
    at.copies = at.zeros + td_conv_zero_floats(c);
    if (!c->wide) td_conv_steps(&c->w, at.steps);
    memset(at.zeros, 0, sizeof(float) * (size_t)td_conv_zero_floats(c));
    return at;
}

/* The table of `rows` rows from `row` on. */
TD_INLINE void td_conv_fill(const td_conv *c, const td_conv_space *at, const float *x, int64_t row,
                            int64_t rows) {
    if (c->wide) td_conv_table_wide(c, x, at->zeros, at->copies, at->table, row, rows);
    else td_conv_table(c, x, at->zeros, at->steps, at->table, td_pixel_at(&c->w, row), rows);
}

static int conv_run(const td_call *call) {
    td_conv c = {0};
    td_conv_of(&c, call);
    const td_tensor *y = call->out[0];
    const float *x = call->in[0]->data;
    const td_conv_space at = td_conv_start(&c, call->scratch);
    const int64_t k = c.taps * c.len, columns = y->shape[y->rank - 1] / c.groups;
    td_sum s = {.taps = c.taps, .len = c.len, .k = k, .zeros = c.dense ? NULL : at.zeros};
    td_epilogue(&s, call, 2, y);
    s.n = columns;
    const td_sum whole = s;

    const int64_t chunks = c.cut.row_chunks * c.cut.panel_chunks;
    /* Group and row chunk whose table stands. */
    int64_t ready = call->before ? (call->before - 1) / c.cut.panel_chunks : -1;
    for (int64_t u = call->begin; u < call->end; u++) {
        const int64_t group = u / chunks, chunk = u % chunks / c.cut.panel_chunks;
        const int64_t panel = u % c.cut.panel_chunks * c.cut.panel_chunk;
        const int64_t row = td_cut_row(&c.cut, c.rows, chunk);
        const int64_t rows = td_cut_row(&c.cut, c.rows, chunk + 1) - row;
        if (ready != u / c.cut.panel_chunks) td_conv_fill(&c, &at, x + group * c.len, row, rows);
        ready = u / c.cut.panel_chunks;
        s.panels = (const float *)call->in[1]->data + group * c.panels * k * TD_PANEL;
        s.out = whole.out + group * columns;
        s.scale = whole.scale ? whole.scale + group * columns : NULL;
        s.shift = whole.shift ? whole.shift + group * columns : NULL;
        s.residual = whole.residual ? whole.residual + group * columns : NULL;
        td_sum_rows(&s, at.table, row, rows, panel, TD_MIN(panel + c.cut.panel_chunk, c.panels));
    }
    return TD_OK;
}

#endif
