/* The AVX-512 intrinsics that simd.h and tile.h use, in C, so that a machine without the instructions can run
 * what is written with them: included before isa_avx512.c, which is then compiled for AVX2. */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define __AVX512F__ 1
#define __asm__(...) /* only tells the compiler what to keep where */

#define EACH(n) for (int i = 0; i < (n); i++)
#define INTO(type, n, value) { type r; EACH(n) r[i] = (value); return r; }
#define FN static inline __attribute__((always_inline, unused))

typedef float f16 __attribute__((vector_size(64), may_alias));
typedef double d8 __attribute__((vector_size(64), may_alias));
typedef int32_t i16 __attribute__((vector_size(64), may_alias));
typedef float f8 __attribute__((vector_size(32), may_alias));
typedef float f4 __attribute__((vector_size(16), may_alias));

FN f16 c_set1(float x) INTO(f16, 16, x)
FN f16 c_fma(f16 a, f16 b, f16 c) INTO(f16, 16, __builtin_fmaf(a[i], b[i], c[i]))
FN d8 c_fmad(d8 a, d8 b, d8 c) INTO(d8, 8, __builtin_fma(a[i], b[i], c[i]))
FN f16 c_max(f16 a, f16 b) INTO(f16, 16, a[i] > b[i] ? a[i] : b[i])
FN f16 c_min(f16 a, f16 b) INTO(f16, 16, a[i] < b[i] ? a[i] : b[i])
FN f16 c_sqrt(f16 a) INTO(f16, 16, __builtin_sqrtf(a[i]))
FN d8 c_sqrtd(d8 a) INTO(d8, 8, __builtin_sqrt(a[i]))
FN float c_round1(float x, int mode) {
    return mode == 0 ? __builtin_nearbyintf(x) : mode == 1 ? __builtin_floorf(x)
         : mode == 2 ? __builtin_ceilf(x) : __builtin_truncf(x);
}
FN f16 c_round(f16 a, int mode) INTO(f16, 16, c_round1(a[i], mode & 3))
FN d8 c_roundd(d8 a) INTO(d8, 8, __builtin_nearbyint(a[i]))
FN i16 c_to_int(f16 a)
    INTO(i16, 16, a[i] >= -2147483648.0f && a[i] < 2147483648.0f ? (int32_t)a[i] : INT32_MIN)
FN f16 c_to_float(i16 a) INTO(f16, 16, (float)a[i])
FN d8 c_widen(f8 a) INTO(d8, 8, a[i])
FN f8 c_narrow(d8 a) INTO(f8, 8, (float)a[i])
FN f16 c_scale(f16 a, f16 n)
    INTO(f16, 16, n[i] != n[i] ? n[i] : (float)__builtin_ldexp(a[i], (int)__builtin_floorf(n[i])))
FN f16 c_blend(f16 b, unsigned mask, f16 a) INTO(f16, 16, mask >> i & 1 ? a[i] : b[i])
FN f16 c_load(unsigned mask, const void *p) INTO(f16, 16, mask >> i & 1 ? ((const float *)p)[i] : 0)
FN void c_store(void *p, unsigned mask, f16 v) { EACH(16) if (mask >> i & 1) ((float *)p)[i] = v[i]; }
#define TESTED(condition) { unsigned r = 0; EACH(16) r |= (unsigned)(condition) << i; return (uint16_t)r; }
FN uint16_t c_signs(i16 a) TESTED(a[i] < 0)
FN uint16_t c_bits(i16 a, i16 b) TESTED((a[i] & b[i]) != 0)
FN uint16_t c_compare(f16 a, f16 b, int op) TESTED(op == _CMP_LT_OQ ? a[i] < b[i] : a[i] == b[i])
/* Bytes of a part go to the place `at` of the whole, or come from it; what is undefined is not 0. */
FN f16 c_put(f16 whole, const void *part, int at, int bytes) {
    memcpy((char *)&whole + at * bytes, part, (size_t)bytes);
    return whole;
}
FN f16 c_put8(f16 whole, f8 part, int at) { return c_put(whole, &part, at, 32); }
FN f16 c_put4(f16 whole, f4 part, int at) { return c_put(whole, &part, at, 16); }
FN f8 c_take8(f16 whole, int at) INTO(f8, 8, whole[8 * at + i])
FN f16 c_low(f16 a, f16 b) INTO(f16, 16, (i & 1 ? b : a)[i / 4 * 4 + i % 4 / 2])
FN f16 c_high(f16 a, f16 b) INTO(f16, 16, (i & 1 ? b : a)[i / 4 * 4 + i % 4 / 2 + 2])
FN d8 c_lowd(d8 a, d8 b) INTO(d8, 8, (i & 1 ? b : a)[i / 2 * 2])
FN d8 c_highd(d8 a, d8 b) INTO(d8, 8, (i & 1 ? b : a)[i / 2 * 2 + 1])

#define F(a) ((f16)(a))
#define D(a) ((d8)(a))
#define I(a) ((i16)(a))
#define _mm512_set1_ps(x) c_set1(x)
#define _mm512_fmadd_ps(a, b, c) c_fma(F(a), F(b), F(c))
#define _mm512_fmadd_pd(a, b, c) c_fmad(D(a), D(b), D(c))
#define _mm512_max_ps(a, b) c_max(F(a), F(b))
#define _mm512_min_ps(a, b) c_min(F(a), F(b))
#define _mm512_sqrt_ps(a) c_sqrt(F(a))
#define _mm512_sqrt_pd(a) c_sqrtd(D(a))
#define _mm512_roundscale_ps(a, mode) c_round(F(a), mode)
#define _mm512_roundscale_pd(a, mode) c_roundd(D(a))
#define _mm512_cvttps_epi32(a) c_to_int(F(a))
#define _mm512_cvtepi32_ps(a) c_to_float(I(a))
#define _mm512_cvtps_pd(a) c_widen((f8)(a))
#define _mm512_cvtpd_ps(a) ((__m256)c_narrow(D(a)))
#define _mm512_scalef_ps(a, n) c_scale(F(a), F(n))
#define _mm512_mask_mov_ps(b, mask, a) c_blend(F(b), mask, F(a))
#define _mm512_maskz_loadu_ps(mask, p) c_load(mask, p)
#define _mm512_mask_storeu_ps(p, mask, v) c_store(p, mask, F(v))
#define _mm512_movepi32_mask(a) c_signs(I(a))
#define _mm512_test_epi32_mask(a, b) c_bits(I(a), I(b))
#define _mm512_cmp_ps_mask(a, b, op) c_compare(F(a), F(b), op)
#define _mm512_castps512_ps256(a) c_take8(F(a), 0)
#define _mm512_extractf32x8_ps(a, at) c_take8(F(a), at)
#define _mm512_castps256_ps512(a) c_put8(c_set1(__builtin_nanf("")), (f8)(a), 0)
#define _mm512_castps128_ps512(a) c_put4(c_set1(__builtin_nanf("")), (f4)(a), 0)
#define _mm512_insertf32x8(whole, part, at) c_put8(F(whole), (f8)(part), at)
#define _mm512_insertf32x4(whole, part, at) c_put4(F(whole), (f4)(part), at)
#define _mm512_unpacklo_ps(a, b) c_low(F(a), F(b))
#define _mm512_unpackhi_ps(a, b) c_high(F(a), F(b))
#define _mm512_unpacklo_pd(a, b) c_lowd(D(a), D(b))
#define _mm512_unpackhi_pd(a, b) c_highd(D(a), D(b))
