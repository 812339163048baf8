/* Elementary functions of float vectors: the one place of each polynomial.
 *
 * Every function is a fixed sequence of correctly rounded operations, so all instruction sets agree to
 * the bit.  Errors are a few units in the last place over the whole range, denormals, infinities, NaN and
 * signed zeros included.  Coefficients are minimax fits to the float64 function, weighted by its size. */
#ifndef TD_VMATH_H
#define TD_VMATH_H

#include "simd.h"

#define TD_POLY(name, ...)                                                                        \
    TD_INLINE vf name(vf x) {                                                                     \
        static const float c[] = {__VA_ARGS__};                                                   \
        const int last = sizeof c / sizeof *c - 1;                                                \
        vf y = td_set(c[last]);                                                                   \
        _Pragma("GCC unroll 16") for (int i = last - 1; i >= 0; i--) y = td_fma(y, x, td_set(c[i])); \
        return y;                                                                                 \
    }

/* (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2 */
TD_POLY(td_poly_exp, 0.5f, 0.166665196f, 0.0416664034f, 0.00836883113f, 0.00139405322f)
/* The same of -r. */
TD_POLY(td_poly_exp_turned, 0.5f, -0.166665196f, 0.0416664034f, -0.00836883113f, 0.00139405322f)
/* (2^r - 1) / r for |r| <= 1/2 */
TD_POLY(td_poly_exp2, 0.693147004f, 0.240222424f, 0.0555073358f, 0.00967151299f, 0.00132647273f)
/* (log(1 + f) - f + f^2 / 2) / f^3 for sqrt(1/2) - 1 <= f <= sqrt(2) - 1 */
TD_POLY(td_poly_log, 0.333333164f, -0.250008106f, 0.20002301f, -0.166245565f, 0.141809657f,
        -0.131285578f, 0.128827393f, -0.07861159f)
/* (erf(x) - x) / x in x^2 for |x| <= 0.9 */
TD_POLY(td_poly_erf, 0.128379151f, -0.376125067f, 0.112819761f, -0.0267732851f, 0.00500416011f,
        -0.000605246169f)
/* erf(x) / x = above / below in x^2 for |x| <= 3.92 */
TD_POLY(td_poly_erf_above, 1.12837911f, 0.190406486f, 0.0527487174f, 0.00376561773f, 0.000284882728f,
        2.05008769e-06f)
TD_POLY(td_poly_erf_below, 1.0f, 0.502076149f, 0.114109099f, 0.014969212f, 0.00116253609f,
        3.80917118e-05f)
/* exp(a^2) erfc(a) in 1 / (1 + a / 2) - 1 / 2 for 0 <= a <= 10.2 */
TD_POLY(td_poly_erfcx, 0.255395681f, 0.854371727f, 0.966632128f, 0.631822944f, 0.0597412735f,
        -0.223718762f, -0.0542751588f, 0.122841716f, 0.0109641943f, -0.0697248429f, 0.0221418738f)
/* tanh(x) / x = above / below in x^2 for |x| <= 9.02 */
TD_POLY(td_poly_tanh_above, 1.0f, 0.137853667f, 0.00400851341f, 3.15891557e-05f, 5.07625515e-08f)
TD_POLY(td_poly_tanh_below, 1.0f, 0.471186996f, 0.0277375281f, 0.000420741533f, 1.61749233e-06f,
        7.37450268e-10f)
/* (atanh(s) - s) / s^3 in s^2 for |s| <= 1/3 */
TD_POLY(td_poly_atanh, 0.333333373f, 0.199994445f, 0.143082976f, 0.107153706f, 0.121447787f)
/* (sin(x) - x) / x^3 and (cos(x) - 1 + x^2 / 2) / x^4 in x^2 for |x| <= pi / 4 */
TD_POLY(td_poly_sin, -0.166666672f, 0.0083333794f, -0.00019852983f, 2.83080158e-06f)
TD_POLY(td_poly_cos, 0.0416666679f, -0.001388898f, 2.48219112e-05f, -2.88593128e-07f)
/* (atan(x) - x) / x^3 in x^2 for |x| <= 1 */
TD_POLY(td_poly_atan, -0.333333015f, 0.199986279f, -0.14265126f, 0.109569333f, -0.0841754302f,
        0.0582012571f, -0.0314221419f, 0.011046255f, -0.00182311598f)

/* 2^n for -126 <= n <= 127, anything for the n that comes of NaN. */
TD_INLINE vf td_pow2(vi n) { return (vf)(((vu)n + 127) << 23); }

/* y 2^n for whole n from -150 to 129 and 0.5 < y < 2: denormals and inf come out of one rounding. */
TD_INLINE vf td_scale(vf y, vf n) {
#if defined(__AVX512F__)
    return (vf)_mm512_scalef_ps((__m512)y, (__m512)n);
#else
    if (__builtin_expect(td_any(td_less(td_set(125.5f), td_abs(n))), 0)) {
        vi half = td_toi(n) >> 1, rest = (vi)((vu)td_toi(n) - (vu)half);
        return y * td_pow2(half) * td_pow2(rest);
    }
    return (vf)((vu)y + ((vu)td_toi(n) << 23));
#endif
}

/* n * ln 2 + r = x with |r| <= ln(2) / 2; x is small enough for n to be exact. */
TD_INLINE vf td_exp_reduce(vf x, vf *r) {
    vf n = td_rint(x * 1.44269504f);
    *r = td_fma_once(n, td_set(-0.693147182f), x);
    *r = td_fma(n, td_set(1.90465421e-09f), *r);
    return n;
}

/* exp(x) for -104 <= x <= 89 */
TD_INLINE vf td_exp_within(vf x) {
    vf r, n = td_exp_reduce(x, &r);
    return td_scale(td_fma(td_fma(td_poly_exp(r), r, td_set(1.0f)), r, td_set(1.0f)), n);
}
/* exp(x) for x <= 89 */
TD_INLINE vf td_exp_below(vf x) { return td_exp_within(td_max2(td_set(-104.0f), x)); }
TD_INLINE vf td_exp(vf x) { return td_exp_below(td_min2(td_set(89.0f), x)); }

/* exp(x) for x <= 0: as exact as 1 is, so that what is small beside it has larger errors of its own, and
 * from -88 down it is 0.  The float 1.5 * 2^23 + 127 + n ends in the exponent of 2^n, that of 0 where n is
 * the least, -127. */
TD_INLINE vf td_exp_beside_one(vf x) {
    const vf by = td_set(1.44269504f), whole = td_set(12583039.0f);
    vf low = td_max2(td_set(-88.0f), x), n = td_fma(low, by, whole), r = td_fma(low, by, whole - n);
    return td_fma(td_poly_exp2(r), r, td_set(1.0f)) * (vf)((vu)n << 23);
}

/* exp(x) - 1, exact where x is small.  Half of it is computed, since 2^128 is no float. */
TD_INLINE vf td_expm1(vf x) {
    vf r, n = td_exp_reduce(td_clamp(x, td_set(-20.0f), td_set(89.0f)), &r);
    vf y = td_fma(td_poly_exp(r) * r, r, r), half = td_pow2((vi)((vu)td_toi(n) - 1));
    y = 2.0f * td_fma(y, half, half - 0.5f);
    return td_pick(td_same(x, td_set(0.0f)), x, y);
}

TD_INLINE vf td_inf(void) { return (vf)((vi){0} + 0x7f800000); }
TD_INLINE vf td_nan(void) { return (vf)((vi){0} + 0x7fc00000); }

/* m * 2^e = x with sqrt(1/2) <= m < sqrt(2), for finite x > 0. */
TD_INLINE vf td_split(vf x, vf *e) {
    td_mask tiny = td_less(x, td_set(1.17549435e-38f));
    vi bits = (vi)td_pick(tiny, x * 8388608.0f, x);
    vi shifted = (vi)((vu)bits - 0x3f3504f3); /* sqrt(1/2) */
    vi n = shifted >> 23;
    *e = td_tof(n) - td_pick(tiny, td_set(23.0f), td_set(0.0f));
    return (vf)((vu)bits - ((vu)n << 23));
}

TD_INLINE vf td_log_finish(vf x, vf y) {
    y = td_pick(td_less(x, td_inf()), y, x); /* inf and NaN are their own */
    y = td_pick(td_same(x, td_set(0.0f)), td_neg(td_inf()), y);
    return td_pick(td_less(x, td_set(0.0f)), td_nan(), y);
}

TD_INLINE vf td_log(vf x) {
    vf e, f = td_split(x, &e) - 1.0f;
    vf f2 = f * f;
    vf tail = td_fma(e, td_set(-2.12194440e-4f), f2 * f * td_poly_log(f));
    tail = td_fma(f2, td_set(-0.5f), tail);
    return td_log_finish(x, td_fma(e, td_set(0.693359375f), f + tail));
}

/* log(1 + x): the rounding of 1 + x is put back to first order. */
TD_INLINE vf td_log1p(vf x) {
    vf u = 1.0f + x, lost = x - (u - 1.0f);
    vf more = td_pick(td_same(lost, td_set(0.0f)), lost, lost / u);
    vf y = td_log(u);
    /* log(0) and log(inf) stay what they are. */
    y = td_pick(td_less(td_abs(y), td_inf()), y + more, y);
    return td_pick(td_same(x, td_set(0.0f)), x, y);
}

TD_INLINE vf td_sigmoid(vf x) {
    vf e = td_exp_below(td_neg(td_abs(x)));
    return td_sel_less(x, td_set(0.0f), e, td_set(1.0f)) / (1.0f + e);
}

/* x sigmoid(u) = x / (1 + exp(-u)), where the rest of u beside whole powers of two has its sign turned.  A power
 * that is no normal number counts as 0 or inf, so that a sigmoid beyond that is 0: CPUs are slow with what
 * lies between. */
TD_INLINE vf td_times_sigmoid(vf x, vf u) {
    const vf bias = td_set(12582912.0f + 127.0f); /* 1.5 * 2^23, beside which only whole numbers fit */
    vf low = td_clamp(u, td_set(-89.0f), td_set(88.0f));
    vf power = td_fma(low, td_set(-1.44269504f), bias), n = power - bias;
    vf r = td_fma_once(n, td_set(0.693147182f), low);
    r = td_fma(n, td_set(-1.90465421e-09f), r);
    vf e = td_fma(td_fma(td_poly_exp_turned(r), r, td_set(-1.0f)), r, td_set(1.0f));
    return x / td_fma(e, (vf)((vu)power << 23), td_set(1.0f));
}

/* x rounded to 24 - n bits, `far` being 2^n + 1; what overflows on the way is left as it is. */
TD_INLINE vf td_round_bits(vf x, vf far) {
    vf above = x * far, y = above - (above - x);
    return td_pick(td_less(td_abs(y), td_inf()), y, x);
}
enum { TD_HALF_FAR = (1 << 13) + 1, TD_BFLOAT_FAR = (1 << 16) + 1 };

/* A quotient of polynomials in x^2; beyond 9.02 it is 1. */
TD_INLINE vf td_tanh(vf x) {
    vf a = td_min2(td_set(9.02f), td_abs(x)), z = a * a;
    vf y = a * td_poly_tanh_above(z) / td_poly_tanh_below(z);
    return td_copysign(td_min2(td_set(1.0f), y), x);
}

/* exp(-a^2) erfcx(a), a >= 0; what a^2 loses by rounding is put back to first order. */
TD_INLINE vf td_erfc_tail(vf a) {
    a = td_min2(td_set(10.2f), a);
    vf square = a * a, lost = td_fma_once(a, a, td_neg(square));
    vf e = td_exp_below(td_neg(square));
    e = td_fma(e, td_neg(lost), e);
    return e * td_poly_erfcx(1.0f / td_fma(a, td_set(0.5f), td_set(1.0f)) - 0.5f);
}

/* A quotient of polynomials in x^2; beyond 3.92 it is 1. */
TD_INLINE vf td_erf(vf x) {
    vf a = td_min2(td_set(3.92f), td_abs(x)), z = a * a;
    vf y = a * td_poly_erf_above(z) / td_poly_erf_below(z);
    return td_copysign(td_min2(td_set(1.0f), y), x);
}

TD_INLINE vf td_erfc(vf x) {
    vf tail = td_erfc_tail(td_abs(x));
    vf y = td_sel_less(x, td_set(0.0f), 2.0f - tail, tail);
    vf near = 1.0f - td_fma(x, td_poly_erf(x * x), x);
    y = td_sel_less(td_abs(x), td_set(0.5f), near, y);
    return td_pick(td_same(x, x), y, x);
}

/* log(1 + e) for 0 <= e <= 1, or NaN: 2 atanh(e / (2 + e)) */
TD_INLINE vf td_log1p_unit(vf e) {
    vf s = e / (e + 2.0f), z = s * s;
    return 2.0f * td_fma(s * z, td_poly_atanh(z), s);
}

TD_INLINE vf td_softplus(vf x) {
    return td_max2(td_set(0.0f), x) + td_log1p_unit(td_exp_below(td_neg(td_abs(x))));
}

TD_INLINE vf td_rsqrt(vf x) { return 1.0f / td_sqrt(x); }

/* x mod pi/2 for any size, by 2/pi in 192 bits: quadrant, and the rest in [-pi/4, pi/4]. */
TD_FUNC int td_reduce_large(float x, float *rest) {
    static const uint64_t two_over_pi[4] = {0xa2f9836e4e441529u, 0xfc2757d1f534ddc0u,
                                            0xdb6295993c439041u, 0xfe5163abdebbc561u};
    uint32_t bits;
    memcpy(&bits, &x, 4);
    const int exponent = (int)(bits >> 23 & 255) - 150; /* x = m 2^exponent */
    const uint64_t m = (bits & 0x7fffff) | 0x800000;
    /* Bits of 2/pi above 2^(-exponent - 30) only give multiples of 4 quadrants. */
    int skip = exponent - 2 > 0 ? exponent - 2 : 0;
    const int word = skip >> 6, shift = skip & 63;
    uint64_t high = two_over_pi[word] << shift, low = two_over_pi[word + 1] << shift;
    if (shift) {
        high |= two_over_pi[word + 1] >> (64 - shift);
        low |= two_over_pi[word + 2] >> (64 - shift);
    }
    /* product = m * (high, low): 152 bits, of which the top 24 are dropped or quadrants. */
    const unsigned __int128 below = (unsigned __int128)m * low;
    const unsigned __int128 product = (unsigned __int128)m * high + (uint64_t)(below >> 64);
    /* x * 2/pi = product * 2^(exponent - 64 - skip): the binary point stands at `point`. */
    const int point = 64 + skip - exponent;
    uint64_t whole = (uint64_t)(product >> point);
    unsigned __int128 fraction = product << (128 - point);
    int quadrant = (int)(whole & 3);
    int64_t top = (int64_t)(fraction >> 64); /* signed: rounds the quadrant to nearest */
    if (top < 0) quadrant++;
    *rest = (float)((double)top * (1.5707963267948966 / 18446744073709551616.0));
    if (bits >> 31) {
        *rest = -*rest;
        quadrant = -quadrant;
    }
    return quadrant & 3;
}

/* The lanes beyond 4096, one by one. */
TD_FUNC void td_reduce_far(vf x, vi *quadrant, vf *rest) {
    for (int i = 0; i < TD_LANES; i++) {
        if (!(x[i] > 4096.0f || x[i] < -4096.0f)) continue;
        float part = x[i] - x[i];
        (*quadrant)[i] = part == 0.0f ? td_reduce_large(x[i], &part) : 0;
        (*rest)[i] = part;
    }
}

/* x = quadrant * pi/2 + rest */
TD_INLINE vi td_reduce_pi(vf x, vf *rest) {
    vf n = td_rint(x * 0.636619772f);
    vf r = td_fma_once(n, td_set(-1.57079637f), x);
    r = td_fma_once(n, td_set(4.37113883e-8f), r);
    r = td_fma(n, td_set(1.71512451e-15f), r);
    vi quadrant = td_toi(n) & 3;
    if (td_any(td_less(td_set(4096.0f), td_abs(x)))) td_reduce_far(x, &quadrant, &r);
    *rest = td_pick(td_same(x, td_set(0.0f)), x, r);
    return quadrant;
}

TD_INLINE vf td_sin_poly(vf r) { return td_fma(r * (r * r), td_poly_sin(r * r), r); }
TD_INLINE vf td_cos_poly(vf r) {
    vf z = r * r;
    return td_fma(z * z, td_poly_cos(z), td_fma(z, td_set(-0.5f), td_set(1.0f)));
}

TD_FUNC vf td_sin(vf x) {
    vf r;
    vi q = td_reduce_pi(x, &r);
    vf y = td_pick(td_odd(q), td_cos_poly(r), td_sin_poly(r));
    return (vf)((vi)y ^ ((q & 2) << 30));
}

TD_FUNC vf td_cos(vf x) {
    vf r;
    vi q = td_reduce_pi(x, &r);
    vf y = td_pick(td_odd(q), td_sin_poly(r), td_cos_poly(r));
    return (vf)((vi)y ^ (((q + 1) & 2) << 30));
}

TD_FUNC vf td_tan(vf x) {
    vf r;
    td_mask odd = td_odd(td_reduce_pi(x, &r));
    vf s = td_sin_poly(r), c = td_cos_poly(r);
    return td_pick(odd, td_neg(c), s) / td_pick(odd, s, c);
}

TD_FUNC vf td_atan(vf x) {
    vf a = td_abs(x);
    td_mask big = td_less(td_set(1.0f), a);
    vf t = td_pick(big, 1.0f / a, a);
    vf y = td_fma(t * (t * t), td_poly_atan(t * t), t);
    y = td_pick(big, (1.57079637f - y) + -4.37113883e-8f, y);
    return td_copysign(y, x);
}

/* The angle of the point (x, y): the smaller by the larger, then its octant. */
TD_FUNC vf td_atan2(vf y, vf x) {
    vf ax = td_abs(x), ay = td_abs(y);
    td_mask steep = td_less(ax, ay);
    vf over = td_pick(steep, ax, ay), under = td_pick(steep, ay, ax), q = over / under;
    q = td_pick(td_same(under, td_set(0.0f)), under, q);
    q = td_pick(td_same(over, td_inf()), td_set(1.0f), q);
    vf r = td_atan(q);
    r = td_pick(steep, (1.57079637f - r) + -4.37113883e-8f, r);
    r = td_sel((vi)x < 0, (3.14159274f - r) + -8.74227766e-8f, r);
    r = td_copysign(r, y);
    return td_sel((x != x) | (y != y), td_nan(), r);
}

TD_FUNC vf td_asin(vf x) { return td_atan(x / td_sqrt((1.0f - x) * (1.0f + x))); }
TD_FUNC vf td_acos(vf x) { return 2.0f * td_atan(td_sqrt((1.0f - x) / (1.0f + x))); }

/* exp(a / 2), the square of which does not leave the range before half of it does. */
TD_INLINE vf td_half_exp(vf a) { return td_exp(0.5f * a); }
TD_FUNC vf td_sinh(vf x) {
    vf a = td_abs(x), t = td_expm1(td_min2(td_set(1.0f), a)), h = td_half_exp(a);
    vf near = 0.5f * (t + t / (t + 1.0f)), far = 0.5f * h * h - 0.5f / h / h;
    vf y = td_copysign(td_sel_less(a, td_set(1.0f), near, far), x);
    return td_pick(td_same(x, x), y, x);
}
TD_FUNC vf td_cosh(vf x) {
    vf h = td_half_exp(td_abs(x));
    return 0.5f * h * h + 0.5f / h / h;
}

/* log(2 a), where a^2 would leave the range; any base value below. */
TD_INLINE vf td_log_twice(vf a, vf below) {
    return td_sel(a > 1e9f, td_log(a) + 0.693147182f, below);
}
TD_FUNC vf td_asinh(vf x) {
    vf a = td_abs(x), square = a * a;
    vf y = td_log1p(a + square / (1.0f + td_sqrt(1.0f + square)));
    return td_copysign(td_log_twice(a, y), x);
}
TD_FUNC vf td_acosh(vf x) {
    vf t = x - 1.0f, y = td_log_twice(x, td_log1p(t + td_sqrt(t * (t + 2.0f))));
    return td_sel(x < 1.0f, td_nan(), y);
}
TD_FUNC vf td_atanh(vf x) {
    vf a = td_abs(x);
    return td_copysign(0.5f * td_log1p(2.0f * a / (1.0f - a)), x);
}

/* What fmod gives for any two floats; 24 bits of the quotient at a time are exact. */
TD_FUNC float td_fmod_far(float a, float b) {
    double x = a < 0 ? -(double)a : a, y = b < 0 ? -(double)b : b;
    if (!(x <= 3.4028234663852886e38) || !(y > 0)) return a * 0.0f / 0.0f;
    while (x >= y) {
        double t = y;
        while (t * 16777216.0 <= x) t *= 16777216.0;
        x -= t * (double)(int64_t)(x / t);
        if (x < 0) x += t;
    }
    return a < 0 ? -(float)x : (float)x;
}

/* The remainder with the sign of x (C's fmod), exact. */
TD_FUNC vf td_fmod(vf x, vf y) {
    vf a = td_abs(x), b = td_abs(y), q = td_trunc(a / b);
    vf r = td_fma_once(td_neg(q), b, a);
    r = td_sel(r < 0.0f, r + b, r);
    r = td_copysign(r, x);
    vf far = td_sel((q == q) & (b < td_inf()), q, td_inf());
    if (td_any(td_less(td_set(4194304.0f), far)))
        for (int i = 0; i < TD_LANES; i++)
            if (far[i] > 4194304.0f) r[i] = td_fmod_far(x[i], y[i]);
    return r;
}

/* The remainder with the sign of y, rounded once. */
TD_FUNC vf td_floor_mod(vf x, vf y) {
    vf r = td_fmod(x, y);
    return td_sel((r != 0.0f) & ((y < 0.0f) != (r < 0.0f)), r + y, r);
}

TD_INLINE vd td_seld(vl mask, vd a, vd b) { return (vd)((mask & (vl)a) | (~mask & (vl)b)); }

/* log2(x) for normal x > 0, to some 2^-45: atanh series of the mantissa. */
TD_INLINE vd td_log2d(vd x) {
    vl bits = (vl)x;
    vl n = (vl)((vul)bits - 0x3fe6a09e667f3bcd) >> 52; /* mantissa in [sqrt(1/2), sqrt(2)) */
    vd m = (vd)((vul)bits - ((vul)n << 52));
    vd s = (m - 1.0) / (m + 1.0), z = s * s;
    static const double c[] = {2.0 / 3, 2.0 / 5, 2.0 / 7, 2.0 / 9, 2.0 / 11, 2.0 / 13, 2.0 / 15};
    vd y = td_setd(2.0 / 17);
    for (int i = 6; i >= 0; i--) y = td_fmad(y, z, td_setd(c[i]));
    vd log_m = td_fmad(y * z, s, s + s);
    /* n is small, so it rides on the bits of 1.5 * 2^52 into a double. */
    vd e = (vd)((vul)n + 0x4338000000000000) - 6755399441055744.0;
    return td_fmad(log_m, td_setd(1.4426950408889634), e);
}

/* 2^x, clamped to what a float can still tell from 0 and inf. */
TD_INLINE vd td_exp2d(vd x) {
    x = td_seld(x < -200.0, td_setd(-200.0), x);
    x = td_seld(x > 200.0, td_setd(200.0), x);
    vd n = td_rintd(x), r = (x - n) * 0.6931471805599453;
    static const double c[] = {1.0,        1.0,         1.0 / 2,      1.0 / 6,      1.0 / 24,
                               1.0 / 120,  1.0 / 720,   1.0 / 5040,   1.0 / 40320,  1.0 / 362880};
    vd y = td_setd(1.0 / 3628800);
    for (int i = 9; i >= 0; i--) y = td_fmad(y, r, td_setd(c[i]));
    vul power = (vul)(n + 6755399441055744.0) - 0x4338000000000000;
    return y * (vd)((power + 1023) << 52);
}

TD_FUNC vf td_pow(vf x, vf y) {
    vf a = td_abs(x);
    /* Zero and infinity go through the core as other numbers and are put right below. */
    vf safe = td_sel((a > 0.0f) & (a < td_inf()), a, td_set(1.0f));
    vf lift = td_sel(y == y, td_clamp(y, td_set(-3e38f), td_set(3e38f)), td_set(0.0f));
    vd lo = td_exp2d(td_log2d(td_lod(safe)) * td_lod(lift));
    vd hi = td_exp2d(td_log2d(td_hid(safe)) * td_hid(lift));
    vf r = td_narrow(lo, hi);
    vi whole = td_trunc(y) == y;
    vi odd = whole & (td_abs(y) < 16777216.0f) & ((td_toi(y) & 1) != 0);
    vi huge = td_abs(y) == td_inf();
    vf up = td_inf(), zero = td_set(0.0f);
    r = td_sel(a == 0.0f, td_sel(y < 0.0f, up, zero), r);
    r = td_sel(a == td_inf(), td_sel(y < 0.0f, zero, up), r);
    r = td_sel(huge, td_sel((a > 1.0f) == (y > 0.0f), up, zero), r);
    r = td_sel(huge & (a == 1.0f), td_set(1.0f), r);
    r = td_sel((vi)x < 0, td_sel(odd, td_neg(r), r), r);
    r = td_sel((x < 0.0f) & ~whole & (a < td_inf()), td_nan(), r);
    r = td_sel((x != x) | (y != y), td_nan(), r);
    return td_sel((y == 0.0f) | (x == 1.0f), td_set(1.0f), r);
}

#endif
