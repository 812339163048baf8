/* What a kernel is told and what it answers: the only interface between the engine and the kernels.
 *
 * A kernel `name` is two functions of one td_call:
 *     static int name_plan(const td_call *call, td_work *work);   shapes are read, data is not
 *     static int name_run(const td_call *call);                   does the units [begin, end)
 * Both return TD_OK or an error code.  A plan refuses (TD_REFUSED) what the kernel cannot do: element
 * types, ranks, strides; the caller then copies operands to dense ones or falls back to the reference.
 * A run neither allocates nor checks: it is given `work.scratch` bytes of its own, 64-byte aligned, and any
 * range of units whose ends are multiples of `work.grain` or the end of the whole.  How the units are cut
 * never changes a bit of the result.
 *
 * Operands, integers and floats stand in the order that the comment above each kernel lists.  An operand
 * in [brackets] may be absent: its data is NULL.  Elements of `in` never overlap those of `out`, except
 * where a kernel says that it works in place. */
#ifndef TD_H
#define TD_H

#include <stddef.h>
#include <stdint.h>

enum { TD_MAX_RANK = 8 };

/* Element types, by TensorFlow's numbers. */
enum { TD_F32 = 1, TD_F64 = 2, TD_I32 = 3, TD_U8 = 4, TD_I64 = 9, TD_BOOL = 10 };

enum {
    TD_OK = 0,
    TD_REFUSED = 1,   /* by a plan: not for this kernel */
    TD_BAD_INDEX = 2, /* by a run: an index lies outside its axis */
    TD_ZERO_DIVISOR = 3 /* by a run: an integer division by zero */
};

typedef struct td_tensor {
    void *data;
    int64_t shape[TD_MAX_RANK];
    int64_t stride[TD_MAX_RANK]; /* in elements; dense where a length is 0 */
    int32_t rank;
    int32_t dtype;
} td_tensor;

typedef struct td_call {
    const td_tensor *const *in;
    const td_tensor *const *out;
    const int64_t *ints;
    const float *floats;
    void *scratch;
    int64_t begin, end;
    int64_t before; /* where the last run of this call in this scratch ended, which still holds what that
                       run left there; 0 for the first run */
    int32_t n_in, n_out;
    int32_t n_ints, n_floats;
} td_call;

typedef struct td_work {
    int64_t units;   /* of the whole call */
    int64_t grain;   /* fewest units that pay for a thread; cuts fall on its multiples; at least 1 */
    int64_t scratch; /* bytes for each run */
} td_work;

typedef struct td_kernel {
    int (*plan)(const td_call *call, td_work *work);
    int (*run)(const td_call *call);
} td_kernel;

/* Activations that an epilogue applies, each with its meaning; Python lists them by name. */
#define TD_ACTS(K) \
    K(linear)       /* x */ \
    K(clamp)        /* min(max(x, floats[0]), floats[1]), NaN kept: Relu, Relu6 */ \
    K(sigmoid) \
    K(tanh) \
    K(silu)         /* x * sigmoid(x) */ \
    K(gelu)         /* x * (1 + erf(x / sqrt 2)) / 2 */ \
    K(gelu_tanh)    /* its approximation by tanh */ \
    K(hard_swish)   /* x * relu6(x + 3) / 6 */ \
    K(hard_sigmoid) /* relu6(x + 3) / 6 */ \
    K(elu)          /* x, or exp(x) - 1 where x < 0 */ \
    K(selu) \
    K(leaky)        /* x, or floats[0] * x where x < 0 */ \
    K(softplus) \
    K(softsign) \
    K(exp) \
    K(half)         /* as clamp, then rounded to the 11 bits of a float16 */ \
    K(bfloat)       /* as clamp, then rounded to the 8 bits of a bfloat16 */

/* Operations of the kernel `reduce`; Python lists them by name. */
#define TD_REDUCTIONS(K) K(sum) K(mean) K(max) K(min) K(prod) K(sumsq)

#define TD_ACT_ENUM(name) TD_ACT_##name,
enum { TD_ACTS(TD_ACT_ENUM) TD_ACT_COUNT };
#undef TD_ACT_ENUM

#endif
