/* The elementwise operations of `map`, by name, operands and meaning.
 *
 * Registers hold floats (a, b, c), int32 (i, j) or truth (p, q: -1 or 0); the first letters of a name say
 * what it takes where that is not floats.  Operations on truth and bits work on either. */
#ifndef TD_MAPOPS_H
#define TD_MAPOPS_H

#define TD_MAP_FLOAT1(K) /* float -> float */ \
    K(copy, a) \
    K(neg, td_neg(a)) \
    K(abs, td_abs(a)) \
    K(square, a * a) \
    K(sqrt, td_sqrt(a)) \
    K(rsqrt, td_rsqrt(a)) \
    K(reciprocal, 1.0f / a) \
    K(exp, td_exp(a)) \
    K(expm1, td_expm1(a)) \
    K(log, td_log(a)) \
    K(log1p, td_log1p(a)) \
    K(sin, td_sin(a)) \
    K(cos, td_cos(a)) \
    K(tan, td_tan(a)) \
    K(atan, td_atan(a)) \
    K(asin, td_asin(a)) \
    K(acos, td_acos(a)) \
    K(sinh, td_sinh(a)) \
    K(cosh, td_cosh(a)) \
    K(asinh, td_asinh(a)) \
    K(acosh, td_acosh(a)) \
    K(atanh, td_atanh(a)) \
    K(tanh, td_tanh(a)) \
    K(sigmoid, td_sigmoid(a)) \
    K(erf, td_erf(a)) \
    K(erfc, td_erfc(a)) \
    K(floor, td_floor(a)) \
    K(ceil, td_ceil(a)) \
    K(rint, td_rint(a)) \
    K(trunc, td_trunc(a)) \
    K(sign, td_sign(a)) \
    K(relu, td_max2(td_set(0.0f), a)) \
    K(relu6, td_clamp(a, td_set(0.0f), td_set(6.0f))) \
    K(elu, td_sel_less(a, td_set(0.0f), td_expm1(a), a)) \
    K(selu, td_selu(a)) \
    K(softplus, td_softplus(a)) \
    K(softsign, a / (td_abs(a) + 1.0f)) \
    K(silu, td_times_sigmoid(a, a)) \
    K(gelu, td_gelu(a)) \
    K(gelu_tanh, td_gelu_tanh(a)) \
    K(hard_swish, a * (td_relu6_of(a) * 0.166666672f)) \
    K(hard_sigmoid, td_relu6_of(a) * 0.166666672f) \
    K(half, td_round_bits(a, td_set(TD_HALF_FAR))) \
    K(bfloat, td_round_bits(a, td_set(TD_BFLOAT_FAR)))

#define TD_MAP_FLOAT2(K) /* float, float -> float */ \
    K(add, a + b) \
    K(sub, a - b) \
    K(mul, a * b) \
    K(div, a / b) \
    K(div_no_nan, td_sel(b == 0.0f, td_set(0.0f), a / b)) \
    K(mul_no_nan, td_sel(b == 0.0f, td_set(0.0f), a * b)) \
    K(maximum, td_max_nan(a, b)) \
    K(minimum, td_min_nan(a, b)) \
    K(squared_difference, (a - b) * (a - b)) \
    K(pow, td_pow(a, b)) \
    K(floor_div, td_floor(a / b)) \
    K(floor_mod, td_floor_mod(a, b)) \
    K(fmod, td_fmod(a, b)) \
    K(atan2, td_atan2(a, b)) \
    K(xlogy, td_sel(a == 0.0f, td_set(0.0f), a * td_log(b))) \
    K(xlog1py, td_sel(a == 0.0f, td_set(0.0f), a * td_log1p(b))) \
    K(xdivy, td_sel(a == 0.0f, td_set(0.0f), a / b)) \
    K(leaky, td_sel_less(a, td_set(0.0f), a * b, a))

#define TD_MAP_FLOAT3(K) /* float, float, float -> float */ \
    K(fma, td_fma(a, b, c)) \
    K(clamp, td_clamp(a, b, c))

#define TD_MAP_TEST1(K) /* float -> truth */ \
    K(is_nan, a != a) \
    K(is_inf, td_abs(a) == td_inf()) \
    K(is_finite, td_abs(a) < td_inf()) \
    K(truth, a != 0.0f)

#define TD_MAP_TEST2(K) /* float, float -> truth */ \
    K(equal, a == b) \
    K(not_equal, a != b) \
    K(less, a < b) \
    K(less_equal, a <= b) \
    K(greater, a > b) \
    K(greater_equal, a >= b)

#define TD_MAP_INT1(K) /* int32 or truth -> the same, or the other */ \
    K(not, ~i) \
    K(i_copy, i) \
    K(i_neg, (vi)(0u - (vu)i)) \
    K(i_abs, td_seli(i < 0, (vi)(0u - (vu)i), i)) \
    K(i_square, (vi)((vu)i * (vu)i)) \
    K(i_truth, i != 0) \
    K(i_sign, ((i > 0) & 1) | (i >> 31)) \
    K(truth_to_int, i & 1)

#define TD_MAP_INT2(K) \
    K(and, i & j) \
    K(or, i | j) \
    K(xor, i ^ j) \
    K(i_add, (vi)((vu)i + (vu)j)) \
    K(i_sub, (vi)((vu)i - (vu)j)) \
    K(i_mul, (vi)((vu)i * (vu)j)) \
    K(i_maximum, td_seli(i > j, i, j)) \
    K(i_minimum, td_seli(i < j, i, j)) \
    K(i_floor_div, td_floor_divi(i, j)) \
    K(i_floor_mod, td_floor_modi(i, j)) \
    K(i_equal, i == j) \
    K(i_not_equal, i != j) \
    K(i_less, i < j) \
    K(i_less_equal, i <= j) \
    K(i_greater, i > j) \
    K(i_greater_equal, i >= j)

#define TD_MAP_INT3(K) /* select works on the bits of any register */ \
    K(select, td_seli(i, j, k))

#define TD_MAP_TO_INT(K) /* float -> int32 */ \
    K(to_int, td_toi(a))

#define TD_MAP_TO_FLOAT(K) /* int32 or truth -> float */ \
    K(to_float, td_tof(i)) \
    K(truth_to_float, td_tof(i & 1))

#define TD_MAP_OPS(K) \
    TD_MAP_FLOAT1(K) TD_MAP_FLOAT2(K) TD_MAP_FLOAT3(K) TD_MAP_TEST1(K) TD_MAP_TEST2(K) \
    TD_MAP_INT1(K) TD_MAP_INT2(K) TD_MAP_INT3(K) TD_MAP_TO_INT(K) TD_MAP_TO_FLOAT(K)

/* Those of chains of doubles (a, b), whose truth values (i, j, k) are as wide. */
#define TD_MAP_DOUBLE1(K) \
    K(copy, a) \
    K(neg, (vd)((vl)a ^ INT64_MIN)) \
    K(abs, td_absd(a)) \
    K(square, a * a) \
    K(sqrt, td_sqrtd(a)) \
    K(rsqrt, 1.0 / td_sqrtd(a)) \
    K(reciprocal, 1.0 / a) \
    K(exp, td_expd(a)) \
    K(expm1, td_expm1d(a)) \
    K(log, td_logd(a)) \
    K(log1p, td_log1pd(a)) \
    K(sin, td_sind(a)) \
    K(cos, td_cosd(a)) \
    K(tan, td_tand(a)) \
    K(atan, td_atand(a)) \
    K(asin, td_atan2d(a, td_sqrtd((1.0 - a) * (a + 1.0)))) \
    K(acos, td_atan2d(td_sqrtd((1.0 - a) * (a + 1.0)), a)) \
    K(sinh, td_sinhd(a)) \
    K(cosh, td_coshd(a)) \
    K(asinh, td_asinhd(a)) \
    K(acosh, td_acoshd(a)) \
    K(atanh, td_atanhd(a)) \
    K(tanh, td_tanhd(a)) \
    K(sigmoid, td_sigmoidd(a)) \
    K(softplus, td_softplusd(a)) \
    K(floor, td_floord(a)) \
    K(ceil, td_ceild(a)) \
    K(rint, td_rintd(a)) \
    K(sign, td_signd(a)) \
    K(relu, td_seld(a < 0.0, td_setd(0.0), a)) \
    K(relu6, td_seld(a > 6.0, td_setd(6.0), td_seld(a < 0.0, td_setd(0.0), a))) \
    K(elu, td_seld(a < 0.0, td_expm1d(a), a)) \
    K(softsign, a / (td_absd(a) + 1.0)) \
    K(is_nan, a != a) \
    K(is_inf, td_absd(a) == td_infd()) \
    K(is_finite, td_absd(a) < td_infd()) \
    K(truth, a != 0.0)

#define TD_MAP_DOUBLE2(K) \
    K(add, a + b) \
    K(sub, a - b) \
    K(mul, a * b) \
    K(div, a / b) \
    K(div_no_nan, td_seld(b == 0.0, td_setd(0.0), a / b)) \
    K(mul_no_nan, td_seld(b == 0.0, td_setd(0.0), a * b)) \
    K(maximum, td_maxd(a, b)) \
    K(minimum, td_mind(a, b)) \
    K(squared_difference, (a - b) * (a - b)) \
    K(atan2, td_atan2d(a, b)) \
    K(fmod, td_fmodd(a, b)) \
    K(floor_mod, td_floor_modd(a, b)) \
    K(xdivy, td_seld(a == 0.0, td_setd(0.0), a / b)) \
    K(equal, a == b) \
    K(not_equal, a != b) \
    K(less, a < b) \
    K(less_equal, a <= b) \
    K(greater, a > b) \
    K(greater_equal, a >= b)

#define TD_MAP_DOUBLE_TRUTH(K) \
    K(not, ~i) \
    K(and, i & j) \
    K(or, i | j) \
    K(xor, i ^ j) \
    K(i_equal, i == j) \
    K(truth_to_float, i & (vl)td_setd(1.0)) \
    K(select, (i & j) | (~i & k))

/* TD_MAP_<name>; (name, meaning) pairs with the meaning dropped. */
#define TD_MAP_ENUM(name, ...) TD_MAP_##name,
enum { TD_MAP_OPS(TD_MAP_ENUM) TD_MAP_COUNT };
#undef TD_MAP_ENUM

#endif
