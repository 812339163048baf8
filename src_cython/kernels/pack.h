/* Weights into panels of 16 columns: see tile.h. */
#ifndef TD_PACK_H
#define TD_PACK_H

#include "simd.h"
#include "td.h"

typedef float v4 __attribute__((vector_size(16)));
typedef float v4_any __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t v4i __attribute__((vector_size(16)));

TD_INLINE v4 td_v4(const float *p) { return *(const v4_any *)p; }
#if defined(__clang__)
#define TD_MIX(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
#define TD_MIX(a, b, i, j, k, l) __builtin_shuffle(a, b, (v4i){i, j, k, l})
#endif

/* Four rows of four, `from` apart, become columns `to` apart. */
TD_INLINE void td_turn4(const float *in, int64_t from, float *out, int64_t to) {
    v4 a = td_v4(in), b = td_v4(in + from), c = td_v4(in + 2 * from), d = td_v4(in + 3 * from);
    v4 ab_low = TD_MIX(a, b, 0, 4, 1, 5), ab_high = TD_MIX(a, b, 2, 6, 3, 7);
    v4 cd_low = TD_MIX(c, d, 0, 4, 1, 5), cd_high = TD_MIX(c, d, 2, 6, 3, 7);
    *(v4_any *)out = TD_MIX(ab_low, cd_low, 0, 1, 4, 5);
    *(v4_any *)(out + to) = TD_MIX(ab_low, cd_low, 2, 3, 6, 7);
    *(v4_any *)(out + 2 * to) = TD_MIX(ab_high, cd_high, 0, 1, 4, 5);
    *(v4_any *)(out + 3 * to) = TD_MIX(ab_high, cd_high, 2, 3, 6, 7);
}

#if defined(__AVX2__)
#if defined(__AVX512F__)
#define TD_MM(op) _mm512_##op
typedef __m512 td_mm;
typedef __m512d td_mmd;
#else
#define TD_MM(op) _mm256_##op
typedef __m256 td_mm;
typedef __m256d td_mmd;
#endif
enum { TD_QUADS = TD_LANES / 4 };

/* In each quarter of four vectors, four rows of four: rows become columns. */
TD_INLINE void td_turn4x4(vf *x) {
    td_mm a = TD_MM(unpacklo_ps)((td_mm)x[0], (td_mm)x[1]);
    td_mm b = TD_MM(unpackhi_ps)((td_mm)x[0], (td_mm)x[1]);
    td_mm c = TD_MM(unpacklo_ps)((td_mm)x[2], (td_mm)x[3]);
    td_mm d = TD_MM(unpackhi_ps)((td_mm)x[2], (td_mm)x[3]);
    x[0] = (vf)TD_MM(unpacklo_pd)((td_mmd)a, (td_mmd)c);
    x[1] = (vf)TD_MM(unpackhi_pd)((td_mmd)a, (td_mmd)c);
    x[2] = (vf)TD_MM(unpacklo_pd)((td_mmd)b, (td_mmd)d);
    x[3] = (vf)TD_MM(unpackhi_pd)((td_mmd)b, (td_mmd)d);
}

/* The first n of four floats. */
TD_INLINE __m128i td_first4(int64_t n) {
    return _mm_cmplt_epi32(_mm_setr_epi32(0, 1, 2, 3), _mm_set1_epi32((int)TD_MIN(n, 4)));
}

/* Four vectors whose quarters are what `in` of sixteen rows holds at c, rows of a quarter apart; then columns:
 * lane r of x[v][j] becomes in[v * TD_LANES + r][c + j]. */
TD_INLINE void td_lanes_of_rows(const float *const *in, int64_t c, int64_t n, vf (*x)[4]) {
    const __m128i some = td_first4(n);
#pragma GCC unroll 2
    for (int v = 0; v < TD_NV; v++) {
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            __m128 q[TD_QUADS];
#pragma GCC unroll 4
            for (int j = 0; j < TD_QUADS; j++) {
                const float *row = in[v * TD_LANES + 4 * j + i] + c;
                q[j] = n >= 4 ? _mm_loadu_ps(row) : _mm_maskload_ps(row, some);
            }
#if defined(__AVX512F__)
            __m512 whole = _mm512_insertf32x4(_mm512_castps128_ps512(q[0]), q[1], 1);
            x[v][i] = (vf)_mm512_insertf32x4(_mm512_insertf32x4(whole, q[2], 2), q[3], 3);
#else
            x[v][i] = (vf)_mm256_insertf128_ps(_mm256_castps128_ps256(q[0]), q[1], 1);
#endif
        }
        td_turn4x4(x[v]);
    }
}
#endif

/* rows x cols elements: out[j * to + i] = in[i * from + j]. */
TD_FUNC void td_turn(const float *in, int64_t from, float *out, int64_t to, int64_t rows,
                     int64_t cols) {
    int64_t i = 0;
    for (; i + 4 <= rows; i += 4) {
        int64_t j = 0;
        for (; j + 4 <= cols; j += 4) td_turn4(in + i * from + j, from, out + j * to + i, to);
        for (; j < cols; j++)
            for (int64_t r = i; r < i + 4; r++) out[j * to + r] = in[r * from + j];
    }
    for (; i < rows; i++)
        for (int64_t j = 0; j < cols; j++) out[j * to + i] = in[i * from + j];
}

/* k rows of n <= 16 columns to one panel. */
TD_FUNC void td_pack_panel(float *panel, const float *b, int64_t k, int64_t n, int64_t k_stride,
                           int64_t n_stride) {
    if (n < TD_PANEL) memset(panel, 0, sizeof(float) * (size_t)(k * TD_PANEL));
    if (n_stride == 1 && n == TD_PANEL) {
        for (int64_t i = 0; i < k; i++)
            for (int v = 0; v < TD_PANEL; v += TD_LANES)
                td_store(panel + i * TD_PANEL + v, td_load(b + i * k_stride + v));
    } else if (n_stride == 1) {
        for (int64_t i = 0; i < k; i++)
            memcpy(panel + i * TD_PANEL, b + i * k_stride, sizeof(float) * (size_t)n);
#if defined(__AVX2__)
    } else if (k_stride == 1 && n == TD_PANEL) {
        const float *in[TD_PANEL];
        for (int j = 0; j < TD_PANEL; j++) in[j] = b + j * n_stride;
        for (int64_t i = 0; i < k; i += 4) {
            vf x[TD_NV][4];
            const int64_t some = TD_MIN(k - i, 4);
            if (some == 4) td_lanes_of_rows(in, i, 4, x);
            else td_lanes_of_rows(in, i, some, x);
#pragma GCC unroll 4
            for (int c = 0; c < 4; c++)
                for (int v = 0; v < TD_NV && c < some; v++)
                    td_store(panel + (i + c) * TD_PANEL + v * TD_LANES, x[v][c]);
        }
#endif
    } else if (k_stride == 1) {
        td_turn(b, n_stride, panel, TD_PANEL, n, k);
    } else {
        for (int64_t i = 0; i < k; i++)
            for (int64_t j = 0; j < n; j++)
                panel[i * TD_PANEL + j] = b[i * k_stride + j * n_stride];
    }
}

TD_INLINE int64_t td_panels(int64_t n) { return (n + TD_PANEL - 1) / TD_PANEL; }

/* pack: b [groups, taps, len, n] of any strides
 *       -> panels, groups * ceil(n / 16) * taps * len * 16 floats in a row */
static int pack_plan(const td_call *call, td_work *work) {
    const td_tensor *b = call->in[0], *out = call->out[0];
    if (b->dtype != TD_F32 || b->rank != 4 || out->dtype != TD_F32 || out->rank != 1)
        return TD_REFUSED;
    const int64_t panels = b->shape[0] * td_panels(b->shape[3]), k = b->shape[1] * b->shape[2];
    if (out->shape[0] != panels * k * TD_PANEL) return TD_REFUSED;
    *work = (td_work){panels, 1 + 100000 / (k * TD_PANEL + 1), 0};
    return TD_OK;
}

static int pack_run(const td_call *call) {
    const td_tensor *b = call->in[0];
    const int64_t taps = b->shape[1], len = b->shape[2], n = b->shape[3], panels = td_panels(n);
    float *to = (float *)call->out[0]->data + call->begin * taps * len * TD_PANEL;
    for (int64_t u = call->begin; u < call->end; u++) {
        const int64_t group = u / panels, col = u % panels * TD_PANEL;
        const float *from = (const float *)b->data + group * b->stride[0] + col * b->stride[3];
        for (int64_t t = 0; t < taps; t++, to += len * TD_PANEL)
            td_pack_panel(to, from + t * b->stride[1], len, TD_MIN(n - col, TD_PANEL), b->stride[2],
                          b->stride[3]);
    }
    return TD_OK;
}

#endif
