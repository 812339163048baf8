/* Vectors of the instruction set's own width, the only place that knows which one it is.
 *
 * vf holds TD_LANES floats, vi as many int32, vd half as many doubles; + - * / & | ^ ~ and comparisons are
 * the compiler's (a comparison gives a vi of 0 and -1).  Everything here gives the same bits on every
 * instruction set but generic, whose td_fma rounds twice where the CPU lacks the instruction.
 *
 * Panels are 16 floats wide everywhere: TD_NV vectors. */
#ifndef TD_SIMD_H
#define TD_SIMD_H

#include <stdint.h>
#include <string.h>

/* Left to itself GCC 12 spills the weights of some tiles although registers are free. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("ira-region=all")
#endif

#define TD_INLINE static inline __attribute__((always_inline, unused))
#define TD_FUNC static __attribute__((noinline, unused))
#define TD_MIN(a, b) ((a) < (b) ? (a) : (b))
#define TD_MAX(a, b) ((a) > (b) ? (a) : (b))

enum { TD_PANEL = 16 };

#if defined(__AVX512F__)
#include <immintrin.h>
enum { TD_LANES = 16 };
#elif defined(__AVX2__)
#include <immintrin.h>
enum { TD_LANES = 8 };
#elif defined(__aarch64__)
#include <arm_neon.h>
enum { TD_LANES = 4 };
#else
#if defined(__SSE2__)
#include <emmintrin.h>
#endif
enum { TD_LANES = 4 };
#endif
enum { TD_NV = TD_PANEL / TD_LANES };

typedef float vf __attribute__((vector_size(TD_LANES * 4)));
typedef int32_t vi __attribute__((vector_size(TD_LANES * 4)));
typedef uint32_t vu __attribute__((vector_size(TD_LANES * 4)));
typedef double vd __attribute__((vector_size(TD_LANES * 4)));
typedef int64_t vl __attribute__((vector_size(TD_LANES * 4)));
typedef uint64_t vul __attribute__((vector_size(TD_LANES * 4)));
typedef float vf_any __attribute__((vector_size(TD_LANES * 4), aligned(4), may_alias));
typedef int32_t vi_any __attribute__((vector_size(TD_LANES * 4), aligned(4), may_alias));

TD_INLINE vf td_load(const float *p) { return *(const vf_any *)p; }
TD_INLINE void td_store(float *p, vf v) { *(vf_any *)p = v; }
/* x in a register: what is loaded once is not loaded again by each operation that uses it. */
TD_INLINE vf td_keep(vf x) {
#if defined(__AVX512F__)
    __asm__("" : "+v"(x));
#elif defined(__SSE2__)
    __asm__("" : "+x"(x));
#elif defined(__aarch64__)
    __asm__("" : "+w"(x));
#endif
    return x;
}
TD_INLINE vi td_loadi(const int32_t *p) { return *(const vi_any *)p; }
TD_INLINE void td_storei(int32_t *p, vi v) { *(vi_any *)p = v; }
/* Every lane holds the bits of x. */
#if defined(__AVX512F__)
TD_INLINE vf td_set(float x) { return (vf)_mm512_set1_ps(x); }
#elif defined(__AVX2__)
TD_INLINE vf td_set(float x) { return (vf)_mm256_set1_ps(x); }
#else
TD_INLINE vf td_set(float x) { return (vf){x, x, x, x}; }
#endif
TD_INLINE vi td_seti(int32_t x) { return (vi){0} + x; }
/* Taking 0 away keeps -0; adding it would not. */
TD_INLINE vd td_setd(double x) { return x - (vd){0}; }

TD_INLINE vf td_bits(uint32_t x) { return (vf)((vu){0} + x); }

#if defined(__AVX512F__)

TD_INLINE vf td_fma(vf a, vf b, vf c) { return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
TD_INLINE vd td_fmad(vd a, vd b, vd c) {
    return (vd)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}
/* a where the mask is -1, b where it is 0. */
TD_INLINE vf td_sel(vi mask, vf a, vf b) {
    return (vf)_mm512_mask_mov_ps((__m512)b, _mm512_movepi32_mask((__m512i)mask), (__m512)a);
}
/* a > b ? a : b and a < b ? a : b: the second operand where one is NaN. */
TD_INLINE vf td_max2(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
TD_INLINE vf td_min2(vf a, vf b) { return (vf)_mm512_min_ps((__m512)a, (__m512)b); }
TD_INLINE vf td_sqrt(vf a) { return (vf)_mm512_sqrt_ps((__m512)a); }
TD_INLINE vd td_sqrtd(vd a) { return (vd)_mm512_sqrt_pd((__m512d)a); }
#define TD_ROUND(mode) _MM_FROUND_NO_EXC | mode
TD_INLINE vf td_rint(vf a) { return (vf)_mm512_roundscale_ps((__m512)a, TD_ROUND(0)); }
TD_INLINE vf td_floor(vf a) { return (vf)_mm512_roundscale_ps((__m512)a, TD_ROUND(1)); }
TD_INLINE vf td_ceil(vf a) { return (vf)_mm512_roundscale_ps((__m512)a, TD_ROUND(2)); }
TD_INLINE vf td_trunc(vf a) { return (vf)_mm512_roundscale_ps((__m512)a, TD_ROUND(3)); }
TD_INLINE vi td_toi(vf a) { return (vi)_mm512_cvttps_epi32((__m512)a); }
TD_INLINE vf td_tof(vi a) { return (vf)_mm512_cvtepi32_ps((__m512i)a); }
TD_INLINE vd td_lod(vf a) { return (vd)_mm512_cvtps_pd(_mm512_castps512_ps256((__m512)a)); }
TD_INLINE vd td_hid(vf a) { return (vd)_mm512_cvtps_pd(_mm512_extractf32x8_ps((__m512)a, 1)); }
TD_INLINE vf td_narrow(vd lo, vd hi) {
    __m512 low = _mm512_castps256_ps512(_mm512_cvtpd_ps((__m512d)lo));
    return (vf)_mm512_insertf32x8(low, _mm512_cvtpd_ps((__m512d)hi), 1);
}
TD_INLINE vd td_rintd(vd a) { return (vd)_mm512_roundscale_pd((__m512d)a, TD_ROUND(0)); }
/* The first n lanes, zeros in the rest; n may be at most TD_LANES. */
TD_INLINE vf td_loadn(const float *p, int64_t n) {
    return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}
TD_INLINE void td_storen(float *p, int64_t n, vf v) {
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
}

#elif defined(__AVX2__)

TD_INLINE vf td_fma(vf a, vf b, vf c) { return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
TD_INLINE vd td_fmad(vd a, vd b, vd c) {
    return (vd)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
}
TD_INLINE vf td_sel(vi mask, vf a, vf b) {
    return (vf)_mm256_blendv_ps((__m256)b, (__m256)a, (__m256)mask);
}
TD_INLINE vf td_max2(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }
TD_INLINE vf td_min2(vf a, vf b) { return (vf)_mm256_min_ps((__m256)a, (__m256)b); }
TD_INLINE vf td_sqrt(vf a) { return (vf)_mm256_sqrt_ps((__m256)a); }
TD_INLINE vd td_sqrtd(vd a) { return (vd)_mm256_sqrt_pd((__m256d)a); }
#define TD_ROUND(mode) _MM_FROUND_NO_EXC | mode
TD_INLINE vf td_rint(vf a) { return (vf)_mm256_round_ps((__m256)a, TD_ROUND(0)); }
TD_INLINE vf td_floor(vf a) { return (vf)_mm256_round_ps((__m256)a, TD_ROUND(1)); }
TD_INLINE vf td_ceil(vf a) { return (vf)_mm256_round_ps((__m256)a, TD_ROUND(2)); }
TD_INLINE vf td_trunc(vf a) { return (vf)_mm256_round_ps((__m256)a, TD_ROUND(3)); }
TD_INLINE vi td_toi(vf a) { return (vi)_mm256_cvttps_epi32((__m256)a); }
TD_INLINE vf td_tof(vi a) { return (vf)_mm256_cvtepi32_ps((__m256i)a); }
TD_INLINE vd td_lod(vf a) { return (vd)_mm256_cvtps_pd(_mm256_castps256_ps128((__m256)a)); }
TD_INLINE vd td_hid(vf a) { return (vd)_mm256_cvtps_pd(_mm256_extractf128_ps((__m256)a, 1)); }
TD_INLINE vf td_narrow(vd lo, vd hi) {
    return (vf)_mm256_set_m128(_mm256_cvtpd_ps((__m256d)hi), _mm256_cvtpd_ps((__m256d)lo));
}
TD_INLINE vd td_rintd(vd a) { return (vd)_mm256_round_pd((__m256d)a, TD_ROUND(0)); }
TD_INLINE __m256i td_first(int64_t n) {
    return (__m256i)((vi){0, 1, 2, 3, 4, 5, 6, 7} < (int32_t)n);
}
TD_INLINE vf td_loadn(const float *p, int64_t n) { return (vf)_mm256_maskload_ps(p, td_first(n)); }
TD_INLINE void td_storen(float *p, int64_t n, vf v) {
    _mm256_maskstore_ps(p, td_first(n), (__m256)v);
}

#else

TD_INLINE vf td_sel(vi mask, vf a, vf b) { return (vf)((mask & (vi)a) | (~mask & (vi)b)); }
TD_INLINE vf td_loadn(const float *p, int64_t n) {
    vf v = {0};
    memcpy(&v, p, (size_t)n * 4);
    return v;
}
TD_INLINE void td_storen(float *p, int64_t n, vf v) { memcpy(p, &v, (size_t)n * 4); }

#if defined(__aarch64__)

TD_INLINE vf td_fma(vf a, vf b, vf c) {
    return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
TD_INLINE vd td_fmad(vd a, vd b, vd c) {
    return (vd)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}
TD_INLINE vf td_max2(vf a, vf b) { return td_sel(a > b, a, b); }
TD_INLINE vf td_min2(vf a, vf b) { return td_sel(a < b, a, b); }
TD_INLINE vf td_sqrt(vf a) { return (vf)vsqrtq_f32((float32x4_t)a); }
TD_INLINE vd td_sqrtd(vd a) { return (vd)vsqrtq_f64((float64x2_t)a); }
TD_INLINE vf td_rint(vf a) { return (vf)vrndnq_f32((float32x4_t)a); }
TD_INLINE vf td_floor(vf a) { return (vf)vrndmq_f32((float32x4_t)a); }
TD_INLINE vf td_ceil(vf a) { return (vf)vrndpq_f32((float32x4_t)a); }
TD_INLINE vf td_trunc(vf a) { return (vf)vrndq_f32((float32x4_t)a); }
/* x86 answers the smallest integer where the value does not fit. */
TD_INLINE vi td_toi(vf a) {
    vi fits = (a >= -2147483648.0f) & (a < 2147483648.0f);
    return (fits & (vi)vcvtq_s32_f32((float32x4_t)a)) | (~fits & INT32_MIN);
}
TD_INLINE vf td_tof(vi a) { return (vf)vcvtq_f32_s32((int32x4_t)a); }
TD_INLINE vd td_lod(vf a) { return (vd)vcvt_f64_f32(vget_low_f32((float32x4_t)a)); }
TD_INLINE vd td_hid(vf a) { return (vd)vcvt_high_f64_f32((float32x4_t)a); }
TD_INLINE vf td_narrow(vd lo, vd hi) {
    return (vf)vcvt_high_f32_f64(vcvt_f32_f64((float64x2_t)lo), (float64x2_t)hi);
}
TD_INLINE vd td_rintd(vd a) { return (vd)vrndnq_f64((float64x2_t)a); }

#else

TD_INLINE vf td_fma(vf a, vf b, vf c) { return a * b + c; }
TD_INLINE vd td_fmad(vd a, vd b, vd c) { return a * b + c; }
TD_INLINE vf td_max2(vf a, vf b) { return td_sel(a > b, a, b); }
TD_INLINE vf td_min2(vf a, vf b) { return td_sel(a < b, a, b); }
TD_INLINE vi td_toi(vf a) {
    vi fits = (a >= -2147483648.0f) & (a < 2147483648.0f), r;
    for (int i = 0; i < TD_LANES; i++) r[i] = fits[i] ? (int32_t)a[i] : INT32_MIN;
    return r;
}
TD_INLINE vf td_tof(vi a) { return __builtin_convertvector(a, vf); }
TD_INLINE vf td_sqrt(vf a) {
#if defined(__SSE2__)
    return (vf)_mm_sqrt_ps((__m128)a);
#else
    for (int i = 0; i < TD_LANES; i++) a[i] = __builtin_sqrtf(a[i]);
    return a;
#endif
}
TD_INLINE vd td_sqrtd(vd a) {
#if defined(__SSE2__)
    return (vd)_mm_sqrt_pd((__m128d)a);
#else
    for (int i = 0; i < TD_LANES / 2; i++) a[i] = __builtin_sqrt(a[i]);
    return a;
#endif
}
/* Adding and taking away 2^23 leaves an integer; the sign is kept so that -0.3 gives -0. */
TD_INLINE vf td_rint(vf a) {
    vi sign = (vi)a & INT32_MIN;
    vf size = (vf)((vi)a & INT32_MAX);
    vf whole = size + 8388608.0f - 8388608.0f;
    return td_sel(size < 8388608.0f, (vf)((vi)whole | sign), a);
}
TD_INLINE vf td_trunc(vf a) {
    vi sign = (vi)a & INT32_MIN;
    vf size = (vf)((vi)a & INT32_MAX), whole = td_rint(size);
    whole = td_sel(whole > size, whole - 1.0f, whole);
    return td_sel(size < 8388608.0f, (vf)((vi)whole | sign), a);
}
TD_INLINE vf td_floor(vf a) {
    vf whole = td_rint(a), less = (vf)((vi)(whole - 1.0f) | ((vi)a & INT32_MIN));
    return td_sel(whole > a, less, whole);
}
TD_INLINE vf td_ceil(vf a) {
    vf whole = td_rint(a), more = (vf)((vi)(whole + 1.0f) | ((vi)a & INT32_MIN));
    return td_sel(whole < a, more, whole);
}
TD_INLINE vd td_lod(vf a) { return (vd){a[0], a[1]}; }
TD_INLINE vd td_hid(vf a) { return (vd){a[2], a[3]}; }
TD_INLINE vf td_narrow(vd lo, vd hi) {
    return (vf){(float)lo[0], (float)lo[1], (float)hi[0], (float)hi[1]};
}
TD_INLINE vd td_rintd(vd a) {
    vl sign = (vl)a & INT64_MIN;
    vd size = (vd)((vl)a & INT64_MAX), whole = size + 4503599627370496.0 - 4503599627370496.0;
    vl small = size < 4503599627370496.0;
    return (vd)((small & ((vl)whole | sign)) | (~small & (vl)a));
}

#endif
#endif

/* td_fma with one rounding on every instruction set, for where two would not do. */
TD_INLINE vf td_fma_once(vf a, vf b, vf c) {
#if defined(__FMA__) || defined(__aarch64__)
    return td_fma(a, b, c);
#else
    return td_narrow(td_lod(a) * td_lod(b) + td_lod(c), td_hid(a) * td_hid(b) + td_hid(c));
#endif
}

TD_INLINE vi td_iota(void) {
#if defined(__AVX512F__)
    return (vi){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#elif defined(__AVX2__)
    return (vi){0, 1, 2, 3, 4, 5, 6, 7};
#else
    return (vi){0, 1, 2, 3};
#endif
}

TD_INLINE vi td_seli(vi mask, vi a, vi b) { return (mask & a) | (~mask & b); }

/* What a comparison gives where it only serves to choose: AVX-512 keeps it in a mask of its own. */
#if defined(__AVX512F__)
typedef __mmask16 td_mask;
TD_INLINE td_mask td_less(vf a, vf b) {
    return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LT_OQ);
}
TD_INLINE td_mask td_same(vf a, vf b) {
    return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_EQ_OQ);
}
TD_INLINE td_mask td_odd(vi a) { return _mm512_test_epi32_mask((__m512i)a, (__m512i)td_seti(1)); }
/* a where the mask is set, else b. */
TD_INLINE vf td_pick(td_mask mask, vf a, vf b) {
    return (vf)_mm512_mask_mov_ps((__m512)b, mask, (__m512)a);
}
TD_INLINE int td_any(td_mask mask) { return mask != 0; }
#else
typedef vi td_mask;
TD_INLINE td_mask td_less(vf a, vf b) { return a < b; }
TD_INLINE td_mask td_same(vf a, vf b) { return a == b; }
TD_INLINE td_mask td_odd(vi a) { return (a & 1) != 0; }
TD_INLINE vf td_pick(td_mask mask, vf a, vf b) { return td_sel(mask, a, b); }
TD_INLINE int td_any(td_mask mask) {
#if defined(__AVX2__)
    return _mm256_movemask_ps((__m256)mask) != 0;
#else
    vl pairs = (vl)mask;
    return (pairs[0] | pairs[1]) != 0;
#endif
}
#endif
/* x < y ? a : b */
TD_INLINE vf td_sel_less(vf x, vf y, vf a, vf b) { return td_pick(td_less(x, y), a, b); }
TD_INLINE vf td_abs(vf a) { return (vf)((vi)a & INT32_MAX); }
TD_INLINE vf td_neg(vf a) { return (vf)((vi)a ^ INT32_MIN); }
TD_INLINE vf td_copysign(vf size, vf sign) {
    return (vf)(((vi)size & INT32_MAX) | ((vi)sign & INT32_MIN));
}
/* The larger and the smaller, NaN where either is NaN, a where they are equal. */
TD_INLINE vf td_max_nan(vf a, vf b) { return td_sel((a >= b) | (a != a), a, b); }
TD_INLINE vf td_min_nan(vf a, vf b) { return td_sel((a <= b) | (a != a), a, b); }
/* min(max(x, low), high) with NaN kept. */
TD_INLINE vf td_clamp(vf x, vf low, vf high) { return td_min2(high, td_max2(low, x)); }

/* Lane i + apart comes to lane i, around the end. */
TD_INLINE vf td_turn_lanes(vf x, const int apart) {
#if defined(__clang__)
    vf r;
    for (int i = 0; i < TD_LANES; i++) r[i] = x[(i + apart) % TD_LANES];
    return r;
#else
    return __builtin_shuffle(x, (td_iota() + apart) & (TD_LANES - 1));
#endif
}

/* Lane i of every `width` lanes in all of them. */
TD_INLINE vf td_spread(vf x, const int i, const int width) {
#if defined(__clang__)
    vf r;
    for (int j = 0; j < TD_LANES; j++) r[j] = x[j / width * width + i];
    return r;
#else
    return __builtin_shuffle(x, (td_iota() & -width) + i);
#endif
}

/* Of every 2 * apart lanes the first `apart`, or the second where `second` is 1: a's, and b's beside them. */
TD_INLINE vf td_beside(vf a, vf b, const int apart, const int second) {
#if defined(__clang__)
    vf r;
    for (int i = 0; i < TD_LANES; i++) {
        const int from = (i & ~apart) + second * apart;
        r[i] = i & apart ? b[from] : a[from];
    }
    return r;
#else
    const vi lane = td_iota(), from = (lane & ~apart) + second * apart;
    return __builtin_shuffle(a, b, from + ((lane & apart) != 0) * -TD_LANES);
#endif
}

/* The first n of 16 virtual lanes; `part` is the vector of the panel. */
TD_INLINE int64_t td_part(int64_t n, int part) {
    int64_t left = n - part * TD_LANES;
    return left < 0 ? 0 : left > TD_LANES ? TD_LANES : left;
}

/* The same where n may be larger: whole vectors are stored several times as fast as parts of one. */
TD_INLINE vf td_load_to(const float *p, int64_t n) {
    return n >= TD_LANES ? td_load(p) : td_loadn(p, n);
}
TD_INLINE void td_store_to(float *p, int64_t n, vf v) {
    if (n >= TD_LANES) td_store(p, v);
    else td_storen(p, n, v);
}

/* `full` is known when the code is made. */
TD_INLINE vf td_load_some(const float *p, int64_t n, const int full) {
    return full ? td_load(p) : td_loadn(p, n);
}
TD_INLINE void td_store_some(float *p, int64_t n, vf v, const int full) {
    if (full) td_store(p, v);
    else td_storen(p, n, v);
}

#endif
