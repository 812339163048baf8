/* A plan: the calls that a graph, or a part of one, comes to, for every size of its inputs.
 *
 * Extents are small integer expressions, evaluated in order; the first ones a plan needs are the shapes of
 * what is fed.  Binding a plan to the shapes of a call evaluates them, asks every kernel for its work
 * and lays out the arena; a binding holds until the plan dies.  Running works in a frame, which belongs
 * to one run at a time.  Nothing here knows Python. */
#ifndef TD_PLAN_H
#define TD_PLAN_H

#include "kernels/dispatch.h"

/* How an extent comes about; a and b are numbers of earlier extents, of FEED a feed and an axis, where the
 * axis after a scalar's none is the scalar itself.  EQUAL refuses where they differ. */
enum { TD_X_NUMBER, TD_X_FEED, TD_X_ADD, TD_X_MUL, TD_X_DIV, TD_X_BROADCAST, TD_X_MAX,
       TD_X_EQUAL, TD_X_MIN };

typedef struct td_extent {
    int32_t op, a, b;
    int64_t number;
} td_extent;

/* Where a value lies: given by the caller, in the model, in the arena, in memory of the caller's, or
 * inside an earlier value. */
enum { TD_V_FEED, TD_V_CONST, TD_V_ARENA, TD_V_RESULT, TD_V_VIEW };

typedef struct td_value {
    int32_t kind;
    int32_t index; /* number of the feed or result; of a view the value that it looks into */
    int32_t dtype, rank;
    int32_t shape[TD_MAX_RANK];  /* extents */
    int32_t stride[TD_MAX_RANK]; /* extents, in elements; -1 for a dense one */
    int32_t offset;              /* extent, in elements: where a view begins; -1 for 0 */
    int32_t move;                /* extent, in elements: how far a view goes on with each round of its
                                    loop; -1 for one that stays */
    int32_t loop;                /* number of that loop */
    int32_t first, last;         /* steps between which the arena holds it, views of it included */
    void *data;                  /* of a constant */
} td_value;

typedef struct td_step {
    int32_t kernel, n_in, n_out, n_ints, n_floats;
    const int32_t *in, *out; /* values; -1 for an absent operand */
    const int32_t *ints;     /* extents */
    const float *floats;
} td_step;

/* Steps [first, last) are done `count` (an extent) times; what moves is among values [low, high).  Loops
 * stand in order and apart. */
typedef struct td_loop {
    int32_t first, last, count, low, high;
} td_loop;

typedef struct td_plan {
    int32_t n_extents, n_values, n_steps, n_feeds, n_results, n_loops;
    td_extent *extents;
    td_value *values;
    td_step *steps;
    td_loop *loops;
    int32_t *pool; /* what the steps point into */
    float *floats;
} td_plan;

typedef struct td_binding {
    int64_t *extents;
    td_tensor *tensors; /* one more than values: the absent operand */
    td_work *work;
    int64_t *ints;      /* of all steps, in a row */
    int64_t *place;     /* of each value in the arena, in bytes */
    int64_t arena, scratch;
    int32_t users;      /* runs that work with it; the caller's to count */
    int32_t dropped;    /* whether the last of them frees it */
} td_binding;

typedef struct td_frame {
    const td_binding *binding;
    td_tensor *tensors;
    const td_tensor **operands;
    td_call *calls;
    char *memory, *arena, *scratch;
    int64_t size;
} td_frame;

/* What went wrong, and at which step; step -1 is none. */
typedef struct td_fault {
    int32_t code, step;
} td_fault;

enum { TD_NO_MEMORY = 100, TD_BAD_SHAPE = 101 };

/* Names of the operations of `map`, of activations and reductions, in the order of their numbers; NULL ends. */
extern const char *const td_map_names[], *const td_act_names[], *const td_reduction_names[];

/* A hash of n numbers. */
uint64_t td_hash(const int64_t *numbers, int32_t n);

void td_plan_free(td_plan *plan);

/* NULL where `shapes` (of the feeds, each as long as its rank, then the value of a scalar that extents depend
 * on) cannot be, or a kernel refuses them. */
td_binding *td_bind(const td_plan *plan, const int64_t *const *shapes, td_fault *fault);
void td_binding_free(td_binding *binding);

/* A frame that fits `binding`, made of `frame` where that is not NULL. */
td_frame *td_frame_for(const td_plan *plan, const td_binding *binding, td_frame *frame, int threads);
void td_frame_free(td_frame *frame);

/* Says that `binding`, for which `frame` may be laid out, is about to go. */
void td_frame_forget(td_frame *frame, const td_binding *binding);

/* Runs all steps.  Results lie dense at `results`, feeds dense at `feeds`.  Where `seconds` is not NULL,
 * each step adds its time to its own number there. */
td_fault td_run(const td_plan *plan, td_frame *frame, void *const *feeds, void *const *results,
                int threads, double *seconds);

#endif
