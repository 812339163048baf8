#include "plan.h"
#include "kernels/threads.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "kernels/mapops.h"

#define TD_MAX(a, b) ((a) > (b) ? (a) : (b))
#define TD_MIN(a, b) ((a) < (b) ? (a) : (b))

#define NAME(name, ...) #name,
const char *const td_map_names[] = {TD_MAP_OPS(NAME) NULL};
const char *const td_act_names[] = {TD_ACTS(NAME) NULL};
const char *const td_reduction_names[] = {TD_REDUCTIONS(NAME) NULL};
#undef NAME

enum { ALIGN = 64, LARGE_PAGE = 1 << 21 };

static int64_t aligned(int64_t bytes) { return (bytes + ALIGN - 1) / ALIGN * ALIGN; }

static int64_t element_size(int32_t dtype) {
    switch (dtype) {
    case TD_BOOL: case TD_U8: return 1;
    case TD_F64: case TD_I64: return 8;
    default: return 4;
    }
}

void td_plan_free(td_plan *plan) {
    if (!plan) return;
    free(plan->extents);
    free(plan->values);
    free(plan->steps);
    free(plan->loops);
    free(plan->pool);
    free(plan->floats);
    free(plan);
}

uint64_t td_hash(const int64_t *numbers, int32_t n) {
    uint64_t hash = 14695981039346656037u;
    for (int32_t i = 0; i < n; i++) hash = (hash ^ (uint64_t)numbers[i]) * 1099511628211u;
    return hash ^ hash >> 32;
}

static int64_t floor_div(int64_t a, int64_t b) {
    if (!b) return 0;
    int64_t q = a / b;
    return q - (a % b != 0 && (a < 0) != (b < 0));
}

/* Computes the extents; 0 where some that should be equal are not. */
static int evaluate(const td_plan *plan, const int64_t *const *shapes, int64_t *to) {
    for (int32_t i = 0; i < plan->n_extents; i++) {
        const td_extent *e = &plan->extents[i];
        switch (e->op) {
        case TD_X_NUMBER: to[i] = e->number; break;
        case TD_X_FEED: to[i] = shapes[e->a][e->b]; break;
        case TD_X_ADD: to[i] = to[e->a] + to[e->b]; break;
        case TD_X_MUL: to[i] = to[e->a] * to[e->b]; break;
        case TD_X_DIV: to[i] = floor_div(to[e->a], to[e->b]); break;
        case TD_X_MIN: to[i] = TD_MIN(to[e->a], to[e->b]); break;
        case TD_X_MAX: to[i] = TD_MAX(to[e->a], to[e->b]); break;
        case TD_X_BROADCAST: to[i] = to[e->a] == 1 ? to[e->b] : to[e->a]; break;
        case TD_X_EQUAL:
            if (to[e->a] != to[e->b]) return 0;
            to[i] = to[e->a];
            break;
        }
    }
    return 1;
}

static int64_t elements(const td_tensor *t) {
    int64_t total = 1;
    for (int i = 0; i < t->rank; i++) total *= t->shape[i];
    return total;
}

/* Shape and strides of a value; 0 where an extent is negative or differs from what is fed. */
static int shape_of(const td_value *v, const int64_t *extents, const int64_t *const *shapes,
                    td_tensor *t) {
    int64_t dense = 1;
    t->rank = v->rank;
    t->dtype = v->dtype;
    for (int i = v->rank - 1; i >= 0; i--) {
        t->shape[i] = extents[v->shape[i]];
        t->stride[i] = v->kind == TD_V_VIEW && v->stride[i] >= 0 ? extents[v->stride[i]] : dense;
        if (t->shape[i] < 0) return 0;
        if (v->kind == TD_V_FEED && t->shape[i] != shapes[v->index][i]) return 0;
        dense *= t->shape[i];
    }
    return 1;
}

/* Whether a view that goes on by `move` in each of `rounds` rounds looks at nothing outside its base,
 * which nobody has promised. */
static int inside(const td_tensor *base, const td_tensor *view, int64_t offset, int64_t move,
                  int64_t rounds) {
    int64_t low = offset, high = offset;
    if (rounds <= 0) return 1;
    if (move < 0) low += move * (rounds - 1);
    else high += move * (rounds - 1);
    for (int i = 0; i < view->rank; i++) {
        if (!view->shape[i]) return 1;
        const int64_t reach = (view->shape[i] - 1) * view->stride[i];
        if (reach < 0) low += reach;
        else high += reach;
    }
    for (int i = 0, size = base->rank; i < size; i++)
        if (!base->shape[i]) return 0;
    int64_t last = 0;
    for (int i = 0; i < base->rank; i++) last += (base->shape[i] - 1) * base->stride[i];
    return low >= 0 && high <= last;
}

typedef struct block {
    int64_t size, place;
    int32_t value;
} block;

static int larger_first(const void *a, const void *b) {
    const block *x = a, *y = b;
    if (x->size != y->size) return x->size < y->size ? 1 : -1;
    return x->value - y->value;
}

static int lower_first(const void *a, const void *b) {
    const block *const *x = a, *const *y = b;
    return ((*x)->place > (*y)->place) - ((*x)->place < (*y)->place);
}

/* Places the values of the arena, the largest first, each into the smallest gap that is free while it
 * lives; the arena's size, or -1 without memory. */
static int64_t lay_out(const td_plan *plan, const td_tensor *tensors, int64_t *place) {
    const size_t n = (size_t)plan->n_values;
    block *blocks = malloc((n + 1) * sizeof(block));
    block **taken = malloc((n + 1) * sizeof(block *));
    int64_t top = -1;
    if (blocks && taken) {
        int32_t count = 0;
        top = 0;
        for (int32_t i = 0; i < plan->n_values; i++)
            if (plan->values[i].kind == TD_V_ARENA)
                blocks[count++] = (block){
                    aligned(elements(&tensors[i]) * element_size(tensors[i].dtype)), 0, i};
        qsort(blocks, (size_t)count, sizeof(block), larger_first);
        for (int32_t i = 0; i < count; i++) {
            const td_value *v = &plan->values[blocks[i].value];
            int32_t busy = 0;
            for (int32_t j = 0; j < i; j++) {
                const td_value *w = &plan->values[blocks[j].value];
                if (w->first <= v->last && v->first <= w->last) taken[busy++] = &blocks[j];
            }
            qsort(taken, (size_t)busy, sizeof(block *), lower_first);
            int64_t end = 0, best = -1, smallest = INT64_MAX;
            for (int32_t j = 0; j < busy; j++) {
                const int64_t gap = taken[j]->place - end;
                if (gap >= blocks[i].size && gap < smallest) {
                    smallest = gap;
                    best = end;
                }
                if (taken[j]->place + taken[j]->size > end) end = taken[j]->place + taken[j]->size;
            }
            blocks[i].place = best < 0 ? end : best;
            place[blocks[i].value] = blocks[i].place;
            if (blocks[i].place + blocks[i].size > top) top = blocks[i].place + blocks[i].size;
        }
    }
    free(blocks);
    free(taken);
    return top;
}

/* Any address that is not NULL, which would mean an absent operand. */
static char somewhere[ALIGN] __attribute__((aligned(ALIGN)));

static td_call call_of(const td_step *step, const td_tensor **operands, const int64_t *ints) {
    return (td_call){.in = operands, .out = operands + step->n_in, .ints = ints,
                     .floats = step->floats, .n_in = step->n_in, .n_out = step->n_out,
                     .n_ints = step->n_ints, .n_floats = step->n_floats};
}

static void operands_of(const td_plan *plan, const td_step *step, const td_tensor *tensors,
                        const td_tensor **to) {
    for (int32_t j = 0; j < step->n_in; j++)
        to[j] = &tensors[step->in[j] < 0 ? plan->n_values : step->in[j]];
    for (int32_t j = 0; j < step->n_out; j++) to[step->n_in + j] = &tensors[step->out[j]];
}

/* Asks every kernel for its work; the number of the step that refuses, or -1. */
static int32_t ask(const td_plan *plan, td_binding *b) {
    const td_tensor *operands[256];
    int64_t *ints = b->ints;
    b->scratch = 0;
    for (int32_t i = 0; i < plan->n_steps; i++) {
        const td_step *step = &plan->steps[i];
        if (step->n_in + step->n_out > 256) return i;
        operands_of(plan, step, b->tensors, operands);
        for (int32_t j = 0; j < step->n_ints; j++) ints[j] = b->extents[step->ints[j]];
        const td_call call = call_of(step, operands, ints);
        if (td_active->kernel[step->kernel].plan(&call, &b->work[i])) return i;
        if (aligned(b->work[i].scratch) > b->scratch) b->scratch = aligned(b->work[i].scratch);
        ints += step->n_ints;
    }
    return -1;
}

static int64_t total_ints(const td_plan *plan) {
    int64_t total = 0;
    for (int32_t i = 0; i < plan->n_steps; i++) total += plan->steps[i].n_ints;
    return total;
}

td_binding *td_bind(const td_plan *plan, const int64_t *const *shapes, td_fault *fault) {
    const size_t n = (size_t)plan->n_values + 1;
    td_binding *b = calloc(1, sizeof *b);
    *fault = (td_fault){TD_NO_MEMORY, -1};
    if (!b) return NULL;
    b->extents = malloc(((size_t)plan->n_extents + 1) * sizeof(int64_t));
    b->tensors = calloc(n, sizeof(td_tensor));
    b->work = calloc((size_t)plan->n_steps + 1, sizeof(td_work));
    b->ints = malloc(((size_t)total_ints(plan) + 1) * sizeof(int64_t));
    b->place = calloc(n, sizeof(int64_t));
    if (!b->extents || !b->tensors || !b->work || !b->ints || !b->place) goto failed;
    *fault = (td_fault){TD_BAD_SHAPE, -1};
    if (!evaluate(plan, shapes, b->extents)) goto failed;
    for (int32_t i = 0; i < plan->n_values; i++) {
        const td_value *v = &plan->values[i];
        if (!shape_of(v, b->extents, shapes, &b->tensors[i])) goto failed;
        b->tensors[i].data = v->kind == TD_V_CONST ? v->data : somewhere;
        if (v->kind == TD_V_VIEW) {
            const int64_t offset = v->offset < 0 ? 0 : b->extents[v->offset];
            const int64_t move = v->move < 0 ? 0 : b->extents[v->move];
            const int64_t rounds = v->move < 0 ? 1 : b->extents[plan->loops[v->loop].count];
            if (!inside(&b->tensors[v->index], &b->tensors[i], offset, move, rounds)) goto failed;
            b->place[i] = offset * element_size(v->dtype);
            if (plan->values[v->index].kind == TD_V_CONST)
                b->tensors[i].data = (char *)b->tensors[v->index].data + b->place[i];
        }
    }
    const int32_t refused = ask(plan, b);
    *fault = (td_fault){TD_REFUSED, refused};
    if (refused >= 0) goto failed;
    b->arena = lay_out(plan, b->tensors, b->place);
    *fault = (td_fault){TD_NO_MEMORY, -1};
    if (b->arena < 0) goto failed;
    *fault = (td_fault){TD_OK, -1};
    return b;
failed:
    td_binding_free(b);
    return NULL;
}

void td_binding_free(td_binding *b) {
    if (!b) return;
    free(b->extents);
    free(b->tensors);
    free(b->work);
    free(b->ints);
    free(b->place);
    free(b);
}

void td_frame_free(td_frame *frame) {
    if (!frame) return;
    free(frame->memory);
    free(frame);
}

void td_frame_forget(td_frame *frame, const td_binding *binding) {
    if (frame->binding == binding) frame->binding = NULL;
}

static size_t operand_count(const td_plan *plan) {
    size_t total = 0;
    for (int32_t i = 0; i < plan->n_steps; i++)
        total += (size_t)(plan->steps[i].n_in + plan->steps[i].n_out);
    return total;
}

/* Memory that begins at a multiple of ALIGN; much of it in large pages, which cost less to touch: half of
 * one in small pages takes many times as long. */
static void *reserve(int64_t size) {
    void *memory;
    const int large = size >= LARGE_PAGE / 2;
    if (large) size = (size + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
    if (posix_memalign(&memory, large ? LARGE_PAGE : ALIGN, (size_t)size)) return NULL;
#if defined(MADV_HUGEPAGE)
    if (large) madvise(memory, (size_t)size, MADV_HUGEPAGE);
#endif
    return memory;
}

td_frame *td_frame_for(const td_plan *plan, const td_binding *b, td_frame *frame, int threads) {
    const int64_t tensors = aligned(((int64_t)plan->n_values + 1) * (int64_t)sizeof(td_tensor));
    const int64_t operands = aligned((int64_t)operand_count(plan) * (int64_t)sizeof(td_tensor *));
    const int64_t calls = aligned((int64_t)plan->n_steps * (int64_t)sizeof(td_call));
    const int64_t size = tensors + operands + calls + b->arena + b->scratch * threads + ALIGN;
    if (frame && frame->size < size) {
        td_frame_free(frame);
        frame = NULL;
    }
    if (!frame) {
        frame = calloc(1, sizeof *frame);
        if (!frame) return NULL;
        frame->size = size;
        frame->memory = reserve(size);
        if (!frame->memory) {
            free(frame);
            return NULL;
        }
    }
    if (frame->binding == b) return frame;
    char *at = frame->memory;
    frame->tensors = (td_tensor *)at;
    frame->operands = (const td_tensor **)(at += tensors);
    frame->calls = (td_call *)(at += operands);
    frame->arena = at += calls;
    frame->scratch = at + b->arena;
    frame->binding = b;
    memcpy(frame->tensors, b->tensors, ((size_t)plan->n_values + 1) * sizeof(td_tensor));
    for (int32_t i = 0; i < plan->n_values; i++)
        if (plan->values[i].kind == TD_V_ARENA) frame->tensors[i].data = frame->arena + b->place[i];
    const td_tensor **to = frame->operands;
    const int64_t *ints = b->ints;
    for (int32_t i = 0; i < plan->n_steps; i++) {
        const td_step *step = &plan->steps[i];
        operands_of(plan, step, frame->tensors, to);
        frame->calls[i] = call_of(step, to, ints);
        frame->calls[i].scratch = frame->scratch;
        frame->calls[i].end = b->work[i].units;
        to += step->n_in + step->n_out;
        ints += step->n_ints;
    }
    return frame;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Runs steps [first, last). */
static td_fault run_steps(const td_plan *plan, const td_frame *frame, int32_t first, int32_t last,
                          int threads, double *seconds) {
    const td_binding *b = frame->binding;
    td_fault fault = {TD_OK, -1};
    for (int32_t i = first; i < last && !fault.code; i++) {
        const td_work *work = &b->work[i];
        if (!work->units) continue;
        const td_kernel *kernel = &td_active->kernel[plan->steps[i].kernel];
        const double start = seconds ? now() : 0;
        fault.code = threads > 1 ? td_parallel(kernel, &frame->calls[i], work, threads,
                                               frame->scratch, b->scratch)
                                 : kernel->run(&frame->calls[i]);
        fault.step = i;
        if (seconds) seconds[i] += now() - start;
    }
    return fault;
}

/* Takes the views of a loop to its next round. */
static void move_on(const td_plan *plan, td_frame *frame, int32_t loop) {
    for (int32_t i = plan->loops[loop].low; i < plan->loops[loop].high; i++) {
        const td_value *v = &plan->values[i];
        if (v->move < 0 || v->loop != loop) continue;
        char *at = frame->tensors[i].data;
        frame->tensors[i].data = at + frame->binding->extents[v->move] * element_size(v->dtype);
    }
}

td_fault td_run(const td_plan *plan, td_frame *frame, void *const *feeds, void *const *results,
                int threads, double *seconds) {
    const td_binding *b = frame->binding;
    const uint64_t floats = td_fp_enter();
    td_fault fault = {TD_OK, -1};
    for (int32_t i = 0; i < plan->n_values; i++) {
        const td_value *v = &plan->values[i];
        td_tensor *t = &frame->tensors[i];
        if (v->kind == TD_V_FEED) t->data = feeds[v->index];
        else if (v->kind == TD_V_RESULT) t->data = results[v->index];
        else if (v->kind == TD_V_VIEW)
            t->data = (char *)frame->tensors[v->index].data + b->place[i];
    }
    int32_t done = 0;
    for (int32_t i = 0; i < plan->n_loops && !fault.code; i++) {
        const td_loop *loop = &plan->loops[i];
        fault = run_steps(plan, frame, done, loop->first, threads, seconds);
        for (int64_t round = 0; round < b->extents[loop->count] && !fault.code; round++) {
            if (round) move_on(plan, frame, i);
            fault = run_steps(plan, frame, loop->first, loop->last, threads, seconds);
        }
        done = loop->last;
    }
    if (!fault.code) fault = run_steps(plan, frame, done, plan->n_steps, threads, seconds);
    td_fp_leave(floats);
    return fault;
}
