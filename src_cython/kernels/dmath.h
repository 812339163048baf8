/* Functions of vectors of doubles, to some units in the last place; the same bits on every instruction set
 * but generic. */
#ifndef TD_DMATH_H
#define TD_DMATH_H

#include "vmath.h"

enum { TD_DOUBLES = TD_LANES / 2 };
typedef double vd_any __attribute__((vector_size(TD_LANES * 4), aligned(8), may_alias));

TD_INLINE vd td_loadd(const double *p) { return *(const vd_any *)p; }
TD_INLINE void td_stored(double *p, vd v) { *(vd_any *)p = v; }

TD_INLINE int td_any_wide(vl a) {
    int64_t any = 0;
    for (int i = 0; i < TD_DOUBLES; i++) any |= a[i];
    return any != 0;
}
TD_INLINE vd td_absd(vd a) { return (vd)((vl)a & INT64_MAX); }
TD_INLINE vd td_copysignd(vd size, vd sign) {
    return (vd)(((vl)size & INT64_MAX) | ((vl)sign & INT64_MIN));
}
TD_INLINE vd td_maxd(vd a, vd b) { return td_seld((a >= b) | (a != a), a, b); }
TD_INLINE vd td_mind(vd a, vd b) { return td_seld((a <= b) | (a != a), a, b); }
TD_INLINE vd td_floord(vd a) {
    const vd whole = td_rintd(a);
    return td_seld(whole > a, whole - 1.0, whole);
}
TD_INLINE vd td_ceild(vd a) {
    const vd whole = td_rintd(a);
    return td_copysignd(td_seld(whole < a, whole + 1.0, whole), a);
}
TD_INLINE vd td_signd(vd a) {
    const vd one = td_seld(a == 0.0, td_setd(0.0), td_copysignd(td_setd(1.0), a));
    return td_seld(a != a, a, one);
}
TD_INLINE vd td_infd(void) { return td_setd(__builtin_inf()); }

/* x - q y, rounded once. */
TD_INLINE vd td_less_timesd(vd x, vd q, vd y) {
#if defined(__FMA__) || defined(__aarch64__)
    return td_fmad(-q, y, x);
#else
    const vd by = td_seld(y > 1e280, td_setd(5.421010862427522e-20), td_setd(1.0)), z = y * by;
    const vd a = q * 134217729.0, b = z * 134217729.0, product = q * z;
    const vd q1 = a - (a - q), q2 = q - q1, y1 = b - (b - z), y2 = z - y1;
    const vd error = ((q1 * y1 - product) + q1 * y2 + q2 * y1) + q2 * y2;
    return ((x * by - product) - error) / by;
#endif
}

/* Whole numbers as bits, and back: beside 1.5 * 2^52 they are the low bits. */
TD_INLINE vl td_wholed(vd n) { return (vl)((vul)(n + 6755399441055744.0) - 0x4338000000000000); }
TD_INLINE vd td_of_wholed(vl n) { return (vd)((vul)n + 0x4338000000000000) - 6755399441055744.0; }
/* 2^n for whole n of normal numbers. */
TD_INLINE vd td_twod(vd n) { return (vd)(((vul)td_wholed(n) + 1023) << 52); }

/* x = n ln 2 + r, and exp(r) - 1, for x that is neither NaN nor far from 0. */
TD_INLINE vd td_expm1_part(vd x, vd *n) {
    static const double c[] = {1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880,
                               1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5};
    *n = td_rintd(x * 1.4426950408889634);
    vd r = td_fmad(*n, td_setd(-6.93147180369123816490e-01), x);
    r = td_fmad(*n, td_setd(-1.90821492927058770002e-10), r);
    vd y = td_setd(1.0 / 6227020800);
    for (int i = 0; i < 11; i++) y = td_fmad(y, r, td_setd(c[i]));
    return td_fmad(r * r, y, r);
}
TD_FUNC vd td_expd(vd x) {
    vd n, near = td_seld(x > 710.0, td_setd(710.0), td_seld(x < -746.0, td_setd(-746.0), x));
    near = td_seld(x != x, td_setd(0.0), near);
    const vd part = td_expm1_part(near, &n) + 1.0;
    const vd half = td_rintd(n * 0.5);
    return td_seld(x != x, x, part * td_twod(half) * td_twod(n - half));
}
TD_FUNC vd td_expm1d(vd x) {
    vd n, near = td_seld(x > 40.0, td_setd(40.0), td_seld(x < -40.0, td_setd(-40.0), x));
    near = td_seld(x != x, td_setd(0.0), near);
    const vd part = td_expm1_part(near, &n), by = td_twod(n);
    const vd y = td_fmad(by, part, by - 1.0);
    return td_seld((x != x) | (x == 0.0), x, td_seld(x > 40.0, td_expd(x), y));
}

TD_FUNC vd td_logd(vd x) {
    static const double c[] = {1.531383769920937332e-01, 1.818357216161805012e-01,
                               2.222219843214978396e-01, 2.857142874366239149e-01,
                               3.999999999940941908e-01, 6.666666666666735130e-01};
    const vl small = x < 2.2250738585072014e-308;
    const vl bits = (vl)td_seld(small, x * 18014398509481984.0, x);
    const vl n = (vl)((vul)bits - 0x3fe6a09e667f3bcd + (1023ULL << 52));
    const vl exponent = (vl)((vul)n >> 52) - 1023;
    const vd f = (vd)((vul)bits - ((vul)exponent << 52)) - 1.0, s = f / (f + 2.0), z = s * s;
    const vd k = td_of_wholed(exponent) - (vd)(small & (vl)td_setd(54.0));
    vd r = td_setd(1.479819860511658591e-01);
    for (int i = 0; i < 6; i++) r = td_fmad(r, z, td_setd(c[i]));
    const vd square = f * f * 0.5;
    const vd low = td_fmad(s, td_fmad(r, z, square), k * 1.90821492927058770002e-10);
    vd y = td_fmad(k, td_setd(6.93147180369123816490e-01), f - (square - low));
    y = td_seld((x == td_infd()) | (x != x), x, y);
    return td_seld(x == 0.0, -td_infd(), td_seld(x < 0.0, td_setd(__builtin_nan("")), y));
}
TD_FUNC vd td_log1pd(vd x) {
    const vd u = x + 1.0, y = td_logd(u) - ((u - 1.0) - x) / u;
    return td_seld((x == td_infd()) | (x == 0.0), x, td_seld(u == 0.0, -td_infd(), y));
}

TD_INLINE vd td_tanhd(vd x) {
    const vd t = td_expm1d(td_absd(x) * -2.0);
    return td_copysignd(-t / (t + 2.0), x);
}
TD_INLINE vd td_sigmoidd(vd x) {
    const vd e = td_expd(-td_absd(x));
    return td_seld(x < 0.0, e, td_setd(1.0)) / (e + 1.0);
}
TD_INLINE vd td_softplusd(vd x) { return td_maxd(x, td_setd(0.0)) + td_log1pd(td_expd(-td_absd(x))); }
TD_INLINE vd td_sinhd(vd x) {
    const vd size = td_absd(x), t = td_expm1d(size), half = td_expd(size * 0.5);
    const vd y = td_seld(size > 40.0, half * 0.5 * half, (t + t / (t + 1.0)) * 0.5);
    return td_copysignd(y, x);
}
TD_INLINE vd td_coshd(vd x) {
    const vd size = td_absd(x), half = td_expd(size * 0.5), e = td_expd(size);
    return td_seld(size > 40.0, half * 0.5 * half, e * 0.5 + 0.5 / e);
}
TD_INLINE vd td_asinhd(vd x) {
    const vd size = td_absd(x), z = size * size;
    const vd near = td_log1pd(size + z / (td_sqrtd(z + 1.0) + 1.0));
    const vd far = td_logd(size) + 6.93147180559945309417e-01;
    return td_copysignd(td_seld(size > 268435456.0, far, near), x);
}
TD_INLINE vd td_acoshd(vd x) {
    const vd t = x - 1.0, far = td_logd(x) + 6.93147180559945309417e-01;
    const vd near = td_log1pd(t + td_sqrtd(t * 2.0 + t * t));
    return td_seld(x < 1.0, td_setd(__builtin_nan("")), td_seld(x > 268435456.0, far, near));
}
TD_INLINE vd td_atanhd(vd x) {
    const vd size = td_absd(x);
    return td_copysignd(td_log1pd(size * 2.0 / (1.0 - size)) * 0.5, x);
}

/* atan(x) for x >= 0, from that of what is nearer to 0. */
TD_FUNC vd td_atan_part(vd x) {
    static const double even[] = {4.97687799461593236017e-02, 6.66107313738753120669e-02,
                                  9.09088713343650656196e-02, 1.42857142725034663711e-01,
                                  3.33333333333329318027e-01};
    static const double odd[] = {-5.83357013379057348645e-02, -7.69187620504482999495e-02,
                                 -1.11111104054623557880e-01, -1.99999999998764832476e-01};
    const vl is1 = x >= 0.4375, is2 = x >= 0.6875, is3 = x >= 1.1875, is4 = x >= 2.4375;
    vd up = x, down = td_setd(1.0), high = td_setd(0.0), low = high;
#define TD_ATAN_FROM(where, u, d, h, l)                                                           \
    up = td_seld(where, u, up), down = td_seld(where, d, down);                                   \
    high = td_seld(where, td_setd(h), high), low = td_seld(where, td_setd(l), low);
    TD_ATAN_FROM(is1, x * 2.0 - 1.0, x + 2.0, 4.63647609000806093515e-01, 2.26987774529616870924e-17)
    TD_ATAN_FROM(is2, x - 1.0, x + 1.0, 7.85398163397448278999e-01, 3.06161699786838301793e-17)
    TD_ATAN_FROM(is3, x - 1.5, x * 1.5 + 1.0, 9.82793723247329054082e-01, 1.39033110312309984516e-17)
    TD_ATAN_FROM(is4, td_setd(-1.0), x, 1.57079632679489655800e+00, 6.12323399573676603587e-17)
#undef TD_ATAN_FROM
    const vd t = up / down, z = t * t, w = z * z;
    vd a = td_setd(1.62858201153657823623e-02), b = td_setd(-3.65315727442169155270e-02);
    for (int i = 0; i < 5; i++) a = td_fmad(a, w, td_setd(even[i]));
    for (int i = 0; i < 4; i++) b = td_fmad(b, w, td_setd(odd[i]));
    const vd s = td_fmad(a, z, b * w);
    return high - ((t * s - low) - t);
}
TD_INLINE vd td_atand(vd x) { return td_copysignd(td_atan_part(td_absd(x)), x); }
TD_FUNC vd td_atan2d(vd y, vd x) {
    const vd a = td_absd(y), b = td_absd(x);
    vd ratio = td_seld((a == b) & (a == td_infd()), td_setd(1.0), a / b);
    ratio = td_seld((a == 0.0) & (b == 0.0), td_setd(0.0), ratio);
    const vd near = td_atan_part(ratio);
    const vd far = 3.1415926535897931160e+00 - (near - 1.2246467991473531772e-16);
    const vd found = td_copysignd(td_seld((vl)x < 0, far, near), y);
    return td_seld((x != x) | (y != y), x + y, found);
}

/* The rest of x beside the nearest multiple of pi / 2, and which one it is, for x of any size: of 2 / pi as
 * many bits are multiplied as count. */
static double td_reduce_vast(double x, int64_t *quadrant) {
    static const uint64_t two_by_pi[] = {
        0x0000000000000000, 0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041,
        0xfe5163abdebbc561, 0xb7246e3a424dd2e0, 0x06492eea09d1921c, 0xfe1deb1cb129a73e,
        0xe88235f52ebb4484, 0xe99c7026b45f7e41, 0x3991d639835339f4, 0x9c845f8bbdf9283b,
        0x1ff897ffde05980f, 0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7, 0x4f463f669e5fea2d,
        0x7527bac7ebe5f17b, 0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab};
    int64_t bits;
    memcpy(&bits, &x, 8);
    const int exponent = (int)(bits >> 52 & 0x7ff), at = exponent - 1023 - 52 + 62;
    *quadrant = 0;
    if (exponent == 0x7ff) return __builtin_nan("");
    const uint64_t mantissa = ((uint64_t)bits & 0xfffffffffffff) | 0x10000000000000;
    uint64_t part[4];
    for (int i = 0; i < 4; i++) part[i] = at / 64 + i < 20 ? two_by_pi[at / 64 + i] : 0;
    for (int i = 0; i < 3 && at % 64; i++)
        part[i] = part[i] << at % 64 | part[i + 1] >> (64 - at % 64);
    unsigned __int128 sum = (unsigned __int128)mantissa * part[2];
    sum = (unsigned __int128)mantissa * part[1] + (uint64_t)(sum >> 64);
    const uint64_t low = (uint64_t)sum, high = mantissa * part[0] + (uint64_t)(sum >> 64);
    unsigned __int128 rest = ((unsigned __int128)high << 64 | low) << 2;
    const int up = (int)(rest >> 127);
    *quadrant = (int64_t)(high >> 62) + up;
    if (up) rest = -rest;
    double size = (double)(uint64_t)(rest >> 64) + (double)(uint64_t)rest * 5.421010862427522e-20;
    size *= 5.421010862427522e-20 * 1.5707963267948966;
    if (up) size = -size;
    if (bits < 0) *quadrant = -*quadrant;
    return bits < 0 ? -size : size;
}

/* Up to here the products below are exact, which they are only where they are rounded once. */
#if defined(__FMA__) || defined(__aarch64__)
#define TD_FAR_FROM_0 2147483648.0
#else
#define TD_FAR_FROM_0 0.5
#endif

TD_FUNC vl td_reduce_pid(vd x, vd *rest) {
    const vd n = td_rintd(x * 0.63661977236758134308);
    vd r = td_fmad(n, td_setd(-1.5707963267948966), x);
    r = td_fmad(n, td_setd(-6.123233995736766e-17), r);
    r = td_fmad(n, td_setd(1.4973849048591698e-33), r);
    vl quadrant = td_wholed(n);
    for (int i = 0; i < TD_DOUBLES; i++)
        if (!(x[i] < TD_FAR_FROM_0 && x[i] > -TD_FAR_FROM_0)) {
            int64_t q;
            r[i] = td_reduce_vast(x[i], &q);
            quadrant[i] = q;
        }
    *rest = r;
    return quadrant;
}
TD_INLINE vd td_sin_part(vd x) {
    static const double c[] = {-2.50507602534068634195e-08, 2.75573137070700676789e-06,
                               -1.98412698298579493134e-04, 8.33333333332248946124e-03,
                               -1.66666666666666324348e-01};
    const vd z = x * x;
    vd y = td_setd(1.58969099521155010221e-10);
    for (int i = 0; i < 5; i++) y = td_fmad(y, z, td_setd(c[i]));
    return td_fmad(z * x, y, x);
}
TD_INLINE vd td_cos_part(vd x) {
    static const double c[] = {2.08757232129817482790e-09, -2.75573143513906633035e-07,
                               2.48015872894767294178e-05, -1.38888888888741095749e-03,
                               4.16666666666666019037e-02};
    const vd z = x * x, half = z * 0.5, w = 1.0 - half;
    vd y = td_setd(-1.13596475577881948265e-11);
    for (int i = 0; i < 5; i++) y = td_fmad(y, z, td_setd(c[i]));
    return w + (((1.0 - w) - half) + z * z * y);
}
TD_FUNC vd td_circle(vl quadrant, vd x) {
    const vd y = td_seld(-(quadrant & 1), td_cos_part(x), td_sin_part(x));
    return (vd)((vul)y ^ (((vul)quadrant & 2) << 62));
}
TD_INLINE vd td_sind(vd x) {
    vd r;
    const vl q = td_reduce_pid(x, &r);
    return td_seld(x == 0.0, x, td_circle(q, r));
}
TD_INLINE vd td_cosd(vd x) {
    vd r;
    const vl q = td_reduce_pid(x, &r);
    return td_circle(q + 1, r);
}
TD_INLINE vd td_tand(vd x) {
    vd r;
    const vl q = td_reduce_pid(x, &r);
    return td_seld(x == 0.0, x, td_circle(q, r) / td_circle(q + 1, r));
}

/* What is left of |x| after as many |y| as go into it, exactly; of many, some are taken away at a time. */
TD_FUNC vd td_fmodd(vd x, vd y) {
    const vd tiny = td_setd(2.2250738585072014e-308), wide = td_setd(18014398509481984.0);
    const vd a = td_absd(x), b = td_absd(y);
    const vl none = (a == td_infd()) | (b == 0.0) | (a != a) | (b != b), all = b == td_infd();
    const vl small = b < tiny;
    const vd size = td_seld(small, b * wide, b);
    const vl low = (vl)(((vul)size >> 52) - ((vul)small & 54));
    vd left = td_seld(none | all, td_setd(0.0), a);
    const vd whole = td_seld(none | all, td_setd(1.0), b);
    for (vl far = whole == whole; td_any_wide(far);) {
        far = left / whole >= 2251799813685248.0;
        const vd k = td_of_wholed((vl)((vul)(vl)left >> 52) - low - 50), part = td_rintd(k * 0.25);
        const vd more = td_twod(part), most = td_twod(k - part * 3.0);
        const vd by = td_seld(far, whole * more * more * more * most, whole);
        vd rest = td_less_timesd(left, td_floord(left / by), by);
        rest = td_seld(rest < 0.0, rest + by, rest);
        left = td_seld(left < by, left, td_seld(rest >= by, rest - by, rest));
    }
    const vd found = td_copysignd(td_seld(all, a, left), x);
    return td_seld(none, td_setd(__builtin_nan("")), found);
}
TD_INLINE vd td_floor_modd(vd x, vd y) {
    const vd r = td_fmodd(x, y);
    return td_seld((r != 0.0) & ((y < 0.0) != (r < 0.0)), r + y, r);
}

#endif
