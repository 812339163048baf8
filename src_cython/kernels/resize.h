/* Resizing of images, nearest and bilinear, with TensorFlow's three conventions for coordinates. */
#ifndef TD_RESIZE_H
#define TD_RESIZE_H

#include "conv.h"

enum { TD_RESIZE_NEAREST, TD_RESIZE_BILINEAR };

typedef struct td_resize {
    int64_t n, in[2], out[2], c;
    int method, align, half;
    float scale[2];
} td_resize;

static int td_resize_of(td_resize *r, const td_call *call) {
    const td_tensor *x = call->in[0], *y = call->out[0];
    if (!td_is_f32(x) || !td_is_f32(y) || x->rank != 4 || y->rank != 4) return TD_REFUSED;
    if (!td_dense_last(x) || !td_dense_last(y)) return TD_REFUSED;
    if (x->shape[0] != y->shape[0] || x->shape[3] != y->shape[3]) return TD_REFUSED;
    r->n = x->shape[0];
    r->c = x->shape[3];
    r->method = (int)call->ints[0];
    r->align = call->ints[1] != 0;
    r->half = call->ints[2] != 0;
    for (int i = 0; i < 2; i++) {
        r->in[i] = x->shape[1 + i];
        r->out[i] = y->shape[1 + i];
        if (r->in[i] < 1) return TD_REFUSED;
        r->scale[i] = r->align && r->out[i] > 1 ? (float)(r->in[i] - 1) / (float)(r->out[i] - 1)
                                                : (float)r->in[i] / (float)r->out[i];
    }
    return TD_OK;
}

TD_INLINE float td_floor1(float x) {
    const float t = (float)(int64_t)x;
    return t > x ? t - 1.0f : t;
}

/* Output position `at` of an axis lies between two inputs, `part` of the way. */
typedef struct td_between {
    int64_t low, high;
    float part;
} td_between;

TD_INLINE td_between td_resize_at(const td_resize *r, int axis, int64_t at) {
    const int64_t last = r->in[axis] - 1;
    const float scale = r->scale[axis];
    if (r->method == TD_RESIZE_NEAREST) {
        const float from = r->half ? ((float)at + 0.5f) * scale : (float)at * scale;
        const int64_t near = (int64_t)td_floor1(r->align ? from + 0.5f : from);
        const int64_t in = TD_MAX(TD_MIN(near, last), 0);
        return (td_between){in, in, 0.0f};
    }
    const float from = r->half ? ((float)at + 0.5f) * scale - 0.5f : (float)at * scale;
    const float low = td_floor1(from);
    const int64_t high = (int64_t)low + (from > low); /* a neighbour without weight may be NaN */
    return (td_between){TD_MAX((int64_t)low, 0), TD_MIN(high, last), from - low};
}

/* resize: x [n, h, w, c] -> y [n, h', w', c]
 *         ints: 0 nearest or 1 bilinear, align_corners, half_pixel_centers */
static int resize_plan(const td_call *call, td_work *work) {
    td_resize r = {0};
    if (td_resize_of(&r, call)) return TD_REFUSED;
    const int64_t cost = r.out[1] * r.c * 4;
    *work = (td_work){cost ? r.n * r.out[0] : 0, 1 + (64 << 10) / (cost + 1),
                      r.out[1] * (int64_t)sizeof(td_between)};
    return TD_OK;
}

static int resize_run(const td_call *call) {
    td_resize r = {0};
    td_resize_of(&r, call);
    const td_tensor *x = call->in[0], *y = call->out[0];
    td_between *columns = call->scratch;
    for (int64_t i = 0; i < r.out[1]; i++) columns[i] = td_resize_at(&r, 1, i);
    for (int64_t u = call->begin; u < call->end; u++) {
        const int64_t image = u / r.out[0], line = u % r.out[0];
        const td_between rows = td_resize_at(&r, 0, line);
        const float *from = (const float *)x->data + image * x->stride[0];
        const float *top = from + rows.low * x->stride[1], *bottom = from + rows.high * x->stride[1];
        float *to = (float *)y->data + image * y->stride[0] + line * y->stride[1];
        for (int64_t i = 0; i < r.out[1]; i++, to += y->stride[2]) {
            const int64_t left = columns[i].low * x->stride[2], right = columns[i].high * x->stride[2];
            if (r.method == TD_RESIZE_NEAREST) {
                memcpy(to, top + left, sizeof(float) * (size_t)r.c);
                continue;
            }
            const vf across = td_set(columns[i].part), down = td_set(rows.part);
            for (int64_t c = 0; c < r.c; c += TD_LANES) {
                const int64_t n = TD_MIN(r.c - c, TD_LANES);
                const vf a = td_load_to(top + left + c, n), b = td_load_to(top + right + c, n);
                const vf d = td_load_to(bottom + left + c, n), e = td_load_to(bottom + right + c, n);
                const vf above = td_fma(b - a, across, a), below = td_fma(e - d, across, d);
                td_store_to(to + c, n, td_fma(below - above, down, above));
            }
        }
    }
    return TD_OK;
}

/* Where point `at` of `out` lies on an axis of n, between fractions of it; `low` is -1 outside. */
TD_INLINE td_between td_crop_at(float first, float final, int64_t n, int64_t out, int64_t at,
                                int method) {
    const float end = (float)(n - 1);
    const float step = (final - first) * end / (float)(out - 1);
    const float from = out == 1 ? 0.5f * (first + final) * end : first * end + (float)at * step;
    if (!(from >= 0.0f && from <= end)) return (td_between){-1, -1, 0.0f};
    const int64_t low = (int64_t)from;
    const float part = from - (float)low;
    if (method == TD_RESIZE_NEAREST) {
        const int64_t near = low + (part >= 0.5f);
        return (td_between){near, near, 0.0f};
    }
    return (td_between){low, low + (part > 0.0f), part};
}

/* crop_and_resize: x [b, h, w, c], boxes [n, 4] (y, x, y, x in fractions), of which image [n] -> y [n, h', w', c]
 *                  ints: 0 nearest or 1 bilinear
 *                  floats: what lies outside of an image
 *                  TD_BAD_INDEX where a box names no image */
static int crop_and_resize_plan(const td_call *call, td_work *work) {
    const td_tensor *x = call->in[0], *boxes = call->in[1], *of = call->in[2], *y = call->out[0];
    if (!td_is_f32(x) || !td_is_f32(y) || !td_is_f32(boxes) || !td_is_index(of)) return TD_REFUSED;
    if (x->rank != 4 || y->rank != 4 || boxes->rank != 2 || boxes->shape[1] != 4) return TD_REFUSED;
    if (!td_dense_last(x) || !td_dense_last(y) || x->shape[3] != y->shape[3]) return TD_REFUSED;
    if (boxes->shape[0] != y->shape[0] || of->shape[0] != y->shape[0]) return TD_REFUSED;
    if (x->shape[1] < 1 || x->shape[2] < 1) return TD_REFUSED;
    const int64_t cost = y->shape[2] * y->shape[3] * 4;
    *work = (td_work){cost ? y->shape[0] * y->shape[1] : 0, 1 + (64 << 10) / (cost + 1),
                      y->shape[2] * (int64_t)sizeof(td_between)};
    return TD_OK;
}

static int crop_and_resize_run(const td_call *call) {
    const td_tensor *x = call->in[0], *boxes = call->in[1], *of = call->in[2], *y = call->out[0];
    const int64_t height = y->shape[1], width = y->shape[2], channels = y->shape[3];
    const int method = (int)call->ints[0];
    td_between *columns = call->scratch;
    int64_t known = -1;
    for (int64_t u = call->begin; u < call->end; u++) {
        const int64_t at = u / height, image = td_index_at(of, at);
        const float *box = (const float *)boxes->data + at * boxes->stride[0];
        const int64_t step = boxes->stride[1];
        if (image < 0 || image >= x->shape[0]) return TD_BAD_INDEX;
        for (int64_t i = 0; at != known && i < width; i++)
            columns[i] = td_crop_at(box[step], box[3 * step], x->shape[2], width, i, method);
        known = at;
        const td_between rows = td_crop_at(box[0], box[2 * step], x->shape[1], height, u % height, method);
        const float *from = (const float *)x->data + image * x->stride[0];
        const float *top = from + TD_MAX(rows.low, 0) * x->stride[1];
        const float *bottom = from + TD_MAX(rows.high, 0) * x->stride[1];
        float *to = (float *)y->data + at * y->stride[0] + u % height * y->stride[1];
        const vf down = td_set(rows.part), outside = td_set(call->floats[0]);
        for (int64_t i = 0; i < width; i++, to += y->stride[2]) {
            const int in = rows.low >= 0 && columns[i].low >= 0;
            const int64_t left = TD_MAX(columns[i].low, 0) * x->stride[2];
            const int64_t right = TD_MAX(columns[i].high, 0) * x->stride[2];
            const vf across = td_set(columns[i].part);
            for (int64_t c = 0; c < channels; c += TD_LANES) {
                const int64_t n = channels - c;
                const vf a = td_load_to(top + left + c, n), b = td_load_to(top + right + c, n);
                const vf d = td_load_to(bottom + left + c, n), e = td_load_to(bottom + right + c, n);
                const vf above = a + (b - a) * across, below = d + (e - d) * across;
                vf found = method == TD_RESIZE_NEAREST ? a : above + (below - above) * down;
                td_store_to(to + c, n, in ? found : outside);
            }
        }
    }
    return TD_OK;
}

#endif
