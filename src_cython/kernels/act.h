/* Activations: what an epilogue and `map` apply to an element. */
#ifndef TD_ACT_H
#define TD_ACT_H

#include "td.h"
#include "vmath.h"

typedef struct td_act {
    int kind;        /* TD_ACT_linear ... */
    float low, high; /* of those that clamp; -inf and inf for the others, so that clamping is harmless */
    float slope;     /* of TD_ACT_leaky */
} td_act;

/* Whether a kind begins with low and high. */
TD_INLINE int td_clamps(int kind) {
    return kind == TD_ACT_clamp || kind == TD_ACT_half || kind == TD_ACT_bfloat;
}

TD_INLINE td_act td_act_of(int64_t kind, const float *floats) {
    td_act act = {(int)kind, -__builtin_inff(), __builtin_inff(), 0.0f};
    if (td_clamps(act.kind)) {
        act.low = floats[0];
        act.high = floats[1];
    }
    if (kind == TD_ACT_leaky) act.slope = floats[0];
    return act;
}

TD_INLINE vf td_relu6_of(vf x) { return td_clamp(x + 3.0f, td_set(0.0f), td_set(6.0f)); }

TD_INLINE vf td_gelu(vf x) {
    vf half = 0.5f * x;
    return td_fma(half, td_erf(x * 0.707106781f), half);
}

/* x (1 + tanh(u)) / 2 = x sigmoid(2 u), which does not cancel on the left. */
TD_INLINE vf td_gelu_tanh(vf x) {
    vf u = td_fma(x * x * x, td_set(0.044715f), x) * 1.59576912f;
    return td_times_sigmoid(x, u);
}

TD_INLINE vf td_selu(vf x) {
    return td_sel_less(x, td_set(0.0f), td_expm1(x) * 1.75809932f, x * 1.05070099f);
}

/* One kind over rows of a tile: the loop that every activation shares. */
#define TD_ACT_LOOP(expression)                                                                   \
    for (int64_t i = 0; i < rows; i++)                                                            \
        for (int64_t j = 0; j < n; j += TD_LANES) {                                               \
            float *at = p + i * stride + j;                                                       \
            vf x = n - j < TD_LANES ? td_loadn(at, n - j) : td_load(at);                          \
            x = expression;                                                                       \
            if (n - j < TD_LANES) td_storen(at, n - j, x);                                        \
            else td_store(at, x);                                                                 \
        }                                                                                         \
    break;

/* In place over rows x n elements; kinds up to TD_ACT_clamp are done with low and high. */
TD_FUNC void td_act_tile(const td_act *act, float *p, int64_t stride, int64_t rows, int64_t n) {
    const vf slope = td_set(act->slope), low = td_set(act->low), high = td_set(act->high);
    switch (act->kind) {
    case TD_ACT_linear: break;
    case TD_ACT_clamp: TD_ACT_LOOP(td_clamp(x, low, high))
    case TD_ACT_sigmoid: TD_ACT_LOOP(td_sigmoid(x))
    case TD_ACT_tanh: TD_ACT_LOOP(td_tanh(x))
    case TD_ACT_silu: TD_ACT_LOOP(td_times_sigmoid(x, x))
    case TD_ACT_gelu: TD_ACT_LOOP(td_gelu(x))
    case TD_ACT_gelu_tanh: TD_ACT_LOOP(td_gelu_tanh(x))
    case TD_ACT_hard_swish: TD_ACT_LOOP(x * (td_relu6_of(x) * 0.166666672f))
    case TD_ACT_hard_sigmoid: TD_ACT_LOOP(td_relu6_of(x) * 0.166666672f)
    case TD_ACT_elu: TD_ACT_LOOP(td_sel_less(x, td_set(0.0f), td_expm1(x), x))
    case TD_ACT_selu: TD_ACT_LOOP(td_selu(x))
    case TD_ACT_leaky: TD_ACT_LOOP(td_sel_less(x, td_set(0.0f), x * slope, x))
    case TD_ACT_softplus: TD_ACT_LOOP(td_softplus(x))
    case TD_ACT_softsign: TD_ACT_LOOP(x / (td_abs(x) + 1.0f))
    case TD_ACT_exp: TD_ACT_LOOP(td_exp(x))
    case TD_ACT_half: TD_ACT_LOOP(td_round_bits(x, td_set(TD_HALF_FAR)))
    case TD_ACT_bfloat: TD_ACT_LOOP(td_round_bits(x, td_set(TD_BFLOAT_FAR)))
    }
}

#endif
