/* Runs kernels on fixed pseudorandom operands and prints a digest of the bits of each result, for the best
 * instruction set at hand or the one named: programs built for different CPUs must print the same. */
#include "../src_cython/kernels/dispatch.h"
#include "../src_cython/kernels/mapops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 1;

static float draw(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(state >> 32) / 1073741824.0f;
}

static td_tensor tensor(int rank, const int64_t *shape) {
    td_tensor t = {.rank = rank, .dtype = TD_F32};
    int64_t size = 1;
    for (int i = rank - 1; i >= 0; i--) {
        t.shape[i] = shape[i];
        t.stride[i] = size;
        size *= shape[i];
    }
    float *data = t.data = malloc((size_t)(size + 1) * sizeof(float));
    for (int64_t i = 0; i < size; i++) data[i] = draw();
    return t;
}
#define TENSOR(...)                                                                               \
    tensor(sizeof(int64_t[]){__VA_ARGS__} / sizeof(int64_t), (int64_t[]){__VA_ARGS__})

static uint64_t digest(const td_tensor *t) {
    uint64_t hash = 14695981039346656037u;
    int64_t size = 1;
    for (int i = 0; i < t->rank; i++) size *= t->shape[i];
    double *wide = t->data;
    for (int64_t i = 0; i < size && t->dtype == TD_F64; i++)
        if (wide[i] != wide[i]) wide[i] = 0;
    if (t->dtype == TD_F64) size *= 2;
    for (int64_t i = 0; i < size; i++) {
        uint32_t bits;
        memcpy(&bits, (float *)t->data + i, 4);
        if ((bits & 0x7fffffff) > 0x7f800000 && t->dtype != TD_F64) bits = 0x7fc00000;
        hash = (hash ^ bits) * 1099511628211u;
    }
    return hash;
}

static td_tensor absent = {.dtype = TD_F32};

/* Inputs and the output, which is the last operand, in the order of the kernel's comment. */
static void show(const char *what, int kernel, int n_in, const td_tensor **operands, int n_ints,
                 const int64_t *ints, const float *floats, int n_floats) {
    td_call call = {.in = operands, .out = operands + n_in, .ints = ints, .floats = floats,
                    .n_in = n_in, .n_out = 1, .n_ints = n_ints, .n_floats = n_floats};
    td_work work;
    const td_kernel *k = &td_active->kernel[kernel];
    if (k->plan(&call, &work)) {
        printf("%s refused\n", what);
        return;
    }
    call.scratch = aligned_alloc(64, (size_t)(work.scratch + 127) / 64 * 64);
    call.end = work.units;
    const int code = k->run(&call);
    printf("%s %d %016llx\n", what, code, (unsigned long long)digest(operands[n_in]));
    free(call.scratch);
}

#define COUNT(type, ...) (sizeof(type[]){__VA_ARGS__} / sizeof(type))
#define SHOW(what, kernel, operands, ints, ...)                                                   \
    show(what, TD_KERNEL_##kernel, (int)(sizeof operands / sizeof *operands) - 1, operands,       \
         (int)(sizeof ints / sizeof *ints), ints, (float[]){__VA_ARGS__},                         \
         (int)COUNT(float, __VA_ARGS__))

static td_tensor packed(td_tensor w) {
    const int64_t panels = (w.shape[3] + 15) / 16;
    td_tensor out = TENSOR(w.shape[0] * panels * w.shape[1] * w.shape[2] * 16);
    const td_tensor *operands[] = {&w, &out};
    const int64_t none[] = {0};
    SHOW("pack", pack, operands, none, 0);
    return out;
}

static void products(void) {
    const int64_t sizes[][3] = {{1, 300, 100}, {7, 600, 33}, {29, 64, 130}, {3, 1, 1},
                                {29, 303, 100}, {40, 518, 24}};
    for (int i = 0; i < 6; i++) {
        const int64_t m = sizes[i][0], k = sizes[i][1], n = sizes[i][2];
        td_tensor a = TENSOR(m, k), w = packed(TENSOR(1, 1, k, n)), shift = TENSOR(n), y = TENSOR(m, n);
        const td_tensor *operands[] = {&a, &w, &absent, &shift, &absent, &y};
        for (int64_t act = 0; act < TD_ACT_COUNT; act++) {
            const int64_t ints[] = {act};
            SHOW("matmul", matmul, operands, ints, -0.5f, 0.5f);
        }
    }
    td_tensor a = TENSOR(3, 20, 70), b = TENSOR(3, 70, 40), y = TENSOR(3, 20, 40);
    const td_tensor *operands[] = {&a, &b, &absent, &absent, &absent, &y};
    const int64_t ints[] = {0};
    SHOW("batch_matmul", batch_matmul, operands, ints, 0, 0);
    td_tensor q = TENSOR(2, 30, 20), k = TENSOR(2, 50, 20), v = TENSOR(2, 50, 9), o = TENSOR(2, 30, 9);
    const td_tensor *heads[] = {&q, &k, &v, &absent, &o};
    SHOW("attention", attention, heads, ints, 0.2f);
}

static void windows(void) {
    td_tensor x = TENSOR(2, 11, 13, 37), w = packed(TENSOR(1, 9, 37, 50)), y = TENSOR(2, 6, 7, 50);
    const td_tensor *conv[] = {&x, &w, &absent, &absent, &absent, &y};
    const int64_t ints[] = {1, 1, 0, 3, 3, 2, 2, 1, 1, 1, 1};
    SHOW("conv", conv, conv, ints, 0, 6);
    td_tensor each = TENSOR(9, 37), z = TENSOR(2, 6, 7, 37);
    const td_tensor *depthwise[] = {&x, &each, &absent, &absent, &absent, &z};
    const int64_t less[] = {1, 0, 3, 3, 2, 2, 1, 1, 1, 1};
    SHOW("depthwise", depthwise, depthwise, less, -1, 1);
    td_tensor grow = packed(TENSOR(1, 1, 37, 50)), thin = packed(TENSOR(1, 1, 50, 20));
    td_tensor wide = TENSOR(9, 50), shift = TENSOR(50), less_y = TENSOR(2, 6, 7, 20);
    const td_tensor *separable[] = {&x,    &grow,   &absent, &shift,  &wide,   &absent,
                                    &shift, &thin, &absent, &absent, &absent, &less_y};
    const int64_t parts[] = {1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 0, 1, 0, 3, 3, 2, 2, 1, 1, 1, 1, 0, 11, 13};
    SHOW("separable", separable, separable, parts, 0, 6, 0, 6, 0, 0);
    const td_tensor *pool[] = {&x, &z};
    SHOW("max_pool", max_pool, pool, ((const int64_t[]){3, 3, 2, 2, 1, 1, 1, 1}), 0);
    SHOW("avg_pool", avg_pool, pool, ((const int64_t[]){3, 3, 2, 2, 1, 1, 1, 1}), 0);
    td_tensor g = TENSOR(3, 3, 37, 50), u = TENSOR(36 * 4 * 37 * 16), t = TENSOR(2, 11, 13, 50);
    const td_tensor *pack[] = {&g, &u}, *winograd[] = {&x, &u, &absent, &absent, &absent, &t};
    SHOW("pack_winograd", pack_winograd, pack, ((const int64_t[]){0}), 0);
    SHOW("winograd", winograd, winograd, ((const int64_t[]){0, 1, 1}), 0, 0);
    td_tensor fewer = TENSOR(25 * 4 * 37 * 16);
    pack[1] = winograd[1] = &fewer;
    SHOW("pack_winograd 25", pack_winograd, pack, ((const int64_t[]){0}), 0);
    SHOW("winograd 25", winograd, winograd, ((const int64_t[]){0, 1, 1}), 0, 0);
    td_tensor fewest = TENSOR(16 * 4 * 37 * 16);
    pack[1] = winograd[1] = &fewest;
    SHOW("pack_winograd 16", pack_winograd, pack, ((const int64_t[]){0}), 0);
    SHOW("winograd 16", winograd, winograd, ((const int64_t[]){0, 1, 1}), 0, 0);
    td_tensor big = TENSOR(2, 20, 30, 37);
    const td_tensor *resize[] = {&x, &big};
    SHOW("resize", resize, resize, ((const int64_t[]){1, 0, 1}), 0);
}

static void rows(void) {
    td_tensor x = TENSOR(7, 700), y = TENSOR(7, 700), n = TENSOR(700);
    float *data = x.data;
    for (int i = 0; i < 700; i++) data[i] *= 40.0f;
    const uint32_t odd[] = {0x7fc00000, 0x7f800000, 0xff800000, 1, 0x80000000, 0x00800000};
    memcpy(data + 4 * 700, odd, sizeof odd);
    const td_tensor *one[] = {&x, &y}, *norm[] = {&x, &n, &n, &y}, *two[] = {&x, &n, &y};
    const int64_t none[] = {0};
    SHOW("softmax", softmax, one, none, 0);
    SHOW("log_softmax", log_softmax, one, none, 0);
    SHOW("layer_norm", layer_norm, norm, none, 1e-3f);
    td_tensor by_row = TENSOR(7, 1), by_column = TENSOR(1, 700), cube = TENSOR(20, 35, 7);
    td_tensor by_short = TENSOR(20, 35, 1), by_few = TENSOR(20, 1, 7);
    cube.data = x.data;
    for (int64_t op = 0; op < 6; op++) {
        const td_tensor *to_row[] = {&x, &by_row}, *to_column[] = {&x, &by_column};
        SHOW("reduce", reduce, to_row, ((const int64_t[]){op, 2}), 0);
        SHOW("reduce", reduce, to_column, ((const int64_t[]){op, 1}), 0);
        const td_tensor *to_short[] = {&cube, &by_short}, *to_few[] = {&cube, &by_few};
        SHOW("reduce", reduce, to_short, ((const int64_t[]){op, 4}), 0);
        SHOW("reduce", reduce, to_few, ((const int64_t[]){op, 2}), 0);
    }
    for (int64_t op = 0; op < TD_MAP_COUNT; op++) {
        const int64_t code[] = {1, op, 96, 32, 33, 32};
        SHOW("map", map, two, code, 0);
    }
}

/* A tensor of doubles made of one of floats. */
static td_tensor doubles(td_tensor t) {
    int64_t size = 1;
    for (int i = 0; i < t.rank; i++) size *= t.shape[i];
    double *data = malloc((size_t)size * 8);
    for (int64_t i = 0; i < size; i++) data[i] = 9.0 * ((float *)t.data)[i];
    t.data = data;
    t.dtype = TD_F64;
    return t;
}

static void wide(void) {
    td_tensor x = doubles(TENSOR(7, 70)), n = doubles(TENSOR(70)), y = doubles(TENSOR(7, 70));
    td_tensor by_row = doubles(TENSOR(7, 1)), w = doubles(TENSOR(70, 11));
    td_tensor product = doubles(TENSOR(7, 11));
    const double odd[] = {__builtin_inf(), -__builtin_inf(), 5e-324, -0.0, 1e300, 1e17, 3e9, 800};
    memcpy((double *)x.data + 71, odd, sizeof odd);
    static const int64_t ops[] = {
#define NUMBER(name, ...) TD_MAP_##name,
        TD_MAP_DOUBLE1(NUMBER) TD_MAP_DOUBLE2(NUMBER)};
    const td_tensor *two[] = {&x, &n, &y}, *sum[] = {&x, &by_row}, *one[] = {&x, &y};
    const td_tensor *times[] = {&x, &w, &product};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        const int64_t code[] = {1, ops[i], 96, 32, 33, 32};
        SHOW("map of doubles", map, two, code, 0);
    }
    for (int64_t op = 0; op < 5; op++)
        SHOW("reduce of doubles", reduce, sum, ((const int64_t[]){op, 2}), 0);
    for (int64_t log = 0; log < 2; log++)
        SHOW("softmax_f64", softmax_f64, one, ((const int64_t[]){log}), 0);
    SHOW("matmul_f64", matmul_f64, times, ((const int64_t[]){0}), 0);
}

int main(int argc, char **argv) {
    td_init();
    if (argc > 1 && !td_isa_set(argv[1])) return 2;
    products();
    windows();
    rows();
    wide();
    return 0;
}
