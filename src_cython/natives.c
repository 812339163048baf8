#include "natives.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Hashes */

static const uint64_t K0 = 0xC3A5C85C97CB3127u, K1 = 0xB492B66FBE98F273u, K2 = 0x9AE16A3B2F90404Fu;

static uint64_t word(const unsigned char *at) {
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--) value = value << 8 | at[i];
    return value;
}

static uint64_t half(const unsigned char *at) {
    return at[0] | (uint64_t)at[1] << 8 | (uint64_t)at[2] << 16 | (uint64_t)at[3] << 24;
}

static uint64_t turn(uint64_t value, int by) { return value >> by | value << (64 - by); }

static uint64_t mix(uint64_t value) { return value ^ value >> 47; }

static uint64_t join(uint64_t u, uint64_t v, uint64_t factor) {
    return mix((v ^ mix((u ^ v) * factor)) * factor) * factor;
}

static uint64_t brief(const unsigned char *data, uint64_t n) {
    const uint64_t factor = K2 + 2 * n;
    if (n >= 8) {
        const uint64_t a = word(data) + K2, b = word(data + n - 8);
        return join(turn(b, 37) * factor + a, (turn(a, 25) + b) * factor, factor);
    }
    if (n >= 4) return join(n + (half(data) << 3), half(data + n - 4), factor);
    if (!n) return K2;
    const uint64_t y = data[0] + ((uint64_t)data[n >> 1] << 8), z = n + ((uint64_t)data[n - 1] << 2);
    return mix(y * K2 ^ z * K0) * K2;
}

static uint64_t middle(const unsigned char *data, uint64_t n) {
    const uint64_t factor = K2 + 2 * n;
    const uint64_t a = word(data) * (n <= 32 ? K1 : K2), b = word(data + 8);
    const uint64_t c = word(data + n - 8) * factor, d = word(data + n - 16) * K2;
    const uint64_t y = turn(a + b, 43) + turn(c, 30) + d;
    const uint64_t z = join(y, a + turn(b + K2, 18) + c, factor);
    if (n <= 32) return z;
    const uint64_t e = word(data + 16) * factor, f = word(data + 24);
    const uint64_t g = (y + word(data + n - 32)) * factor, h = (z + word(data + n - 24)) * factor;
    return join(turn(e + f, 43) + turn(g, 30) + h, e + turn(f + a, 18) + g, factor);
}

typedef struct pair {
    uint64_t a, b;
} pair;

static pair four(const unsigned char *at, uint64_t a, uint64_t b) {
    const uint64_t z = word(at + 24);
    a += word(at);
    b = turn(b + a + z, 21);
    const uint64_t total = a + word(at + 8) + word(at + 16);
    return (pair){total + z, b + turn(total, 44) + a};
}

typedef struct state {
    uint64_t x, y, z;
    pair v, w;
} state;

static void step(state *s, const unsigned char *at, uint64_t factor, uint64_t weight) {
    uint64_t x = turn(s->x + s->y + s->v.a + word(at + 8), 37) * factor;
    uint64_t y = turn(s->y + s->v.b + word(at + 48), 42) * factor;
    x ^= s->w.b * weight;
    y += s->v.a * weight + word(at + 40);
    const uint64_t z = turn(s->z + s->w.a, 33) * factor;
    s->v = four(at, s->v.b * factor, x + s->w.a);
    s->w = four(at + 32, z + s->w.b, y + word(at + 16));
    s->x = z;
    s->y = y;
    s->z = x;
}

uint64_t td_fingerprint64(const unsigned char *data, int64_t size) {
    const uint64_t n = (uint64_t)size;
    if (n <= 16) return brief(data, n);
    if (n <= 64) return middle(data, n);
    state s = {.x = 81 * K2 + word(data), .y = 81 * K1 + 113};
    s.z = mix(s.y * K2 + 113) * K2;
    const uint64_t whole = (n - 1) / 64 * 64;
    for (uint64_t at = 0; at < whole; at += 64) step(&s, data + at, K1, 1);
    const uint64_t factor = K1 + 2 * (s.z & 0xFF);
    s.w.a += (n - 1) & 63;
    s.v.a += s.w.a;
    s.w.a += s.v.a;
    step(&s, data + n - 64, factor, 9);
    return join(join(s.v.a, s.w.a, factor) + mix(s.y) * K0 + s.z,
                join(s.v.b, s.w.b, factor) + s.x, factor);
}

static void rounds(uint64_t *s, int count) {
    for (int i = 0; i < count; i++) {
        s[0] += s[1];
        s[1] = turn(s[1], 64 - 13) ^ s[0];
        s[0] = turn(s[0], 32);
        s[2] += s[3];
        s[3] = turn(s[3], 64 - 16) ^ s[2];
        s[0] += s[3];
        s[3] = turn(s[3], 64 - 21) ^ s[0];
        s[2] += s[1];
        s[1] = turn(s[1], 64 - 17) ^ s[2];
        s[2] = turn(s[2], 32);
    }
}

uint64_t td_siphash(const unsigned char *data, int64_t size, uint64_t k0, uint64_t k1) {
    uint64_t s[4] = {k0 ^ 0x736F6D6570736575u, k1 ^ 0x646F72616E646F6Du, k0 ^ 0x6C7967656E657261u,
                     k1 ^ 0x7465646279746573u};
    const int64_t end = size / 8 * 8;
    uint64_t last = (uint64_t)size << 56;
    for (int64_t i = end; i < size; i++) last |= (uint64_t)data[i] << 8 * (i - end);
    for (int64_t at = 0; at <= end; at += 8) {
        const uint64_t next = at < end ? word(data + at) : last;
        s[3] ^= next;
        rounds(s, 2);
        s[0] ^= next;
    }
    s[2] ^= 0xFF;
    rounds(s, 4);
    return s[0] ^ s[1] ^ s[2] ^ s[3];
}

/* Boxes */

/* The chosen boxes, property by property. */
typedef struct taken {
    float *top, *left, *bottom, *right, *area;
} taken;

typedef struct box {
    float top, left, bottom, right, area;
} box;

/* Nothing here is NaN. */
static inline float low(float a, float b) { return a < b ? a : b; }
static inline float high(float a, float b) { return a > b ? a : b; }

static box box_of(const float *at) {
    box b = {low(at[0], at[2]), low(at[1], at[3]), high(at[0], at[2]), high(at[1], at[3]), 0};
    b.area = (b.bottom - b.top) * (b.right - b.left);
    return b;
}

/* Intersection over union of box a and the chosen box i; 0 where one is empty. */
static inline float alike(const box *a, const taken *t, int64_t i) {
    const float rows = low(a->bottom, t->bottom[i]) - high(a->top, t->top[i]);
    const float columns = low(a->right, t->right[i]) - high(a->left, t->left[i]);
    const float shared = high(rows, 0) * high(columns, 0);
    const float ratio = shared / (t->area[i] + a->area - shared);
    return t->area[i] <= 0 || a->area <= 0 ? 0 : ratio;
}

/* A candidate, and how many of the chosen ones it was compared with. */
typedef struct item {
    float score;
    int32_t number;
    int64_t seen;
} item;

static int before(const item *a, const item *b) {
    return a->score > b->score || (a->score == b->score && a->number < b->number);
}

static void sink(item *heap, int64_t n, int64_t at) {
    const item moved = heap[at];
    for (int64_t next; (next = 2 * at + 1) < n; at = next) {
        if (next + 1 < n && before(&heap[next + 1], &heap[next])) next++;
        if (!before(&heap[next], &moved)) break;
        heap[at] = heap[next];
    }
    heap[at] = moved;
}

/* What becomes of a candidate beside chosen boxes: */
enum { DROPPED, STAYS, STRANGE };

/* STRANGE where an overlap is not a number and none drops it. */
static int hard(const box *own, const taken *t, int64_t count, float overlap) {
    int strange = 0;
    for (int64_t start = 0; start < count; start += 16) {
        const int64_t end = start + 16 < count ? start + 16 : count;
        int over = 0;
        for (int64_t i = start; i < end; i++) {
            const float near = alike(own, t, i);
            over |= near > overlap;
            strange |= near != near;
        }
        if (over) return DROPPED;
    }
    return strange ? STRANGE : STAYS;
}

/* Lowers the score, by the newest box first. */
static int soft(item *it, const box *own, const taken *t, int64_t count, float least, float sigma) {
    const float scale = -0.5f / sigma;
    for (int64_t i = count - 1; i >= it->seen; i--) {
        const float near = alike(own, t, i);
        if (near != near) return STRANGE;
        it->score *= expf(scale * near * near);
        if (it->score <= least) return DROPPED;
    }
    it->seen = count;
    return STAYS;
}

static void take(taken *t, int64_t at, const box *b) {
    t->top[at] = b->top;
    t->left[at] = b->left;
    t->bottom[at] = b->bottom;
    t->right[at] = b->right;
    t->area[at] = b->area;
}

int64_t td_suppress(const float *boxes, const float *scores, int64_t n, int64_t most, float overlap,
                    float least, float sigma, int32_t *chosen, float *kept) {
    item *heap = malloc((size_t)(n + 1) * sizeof(item));
    float *memory = malloc((size_t)(5 * most + 1) * sizeof(float));
    taken t = {memory, memory + most, memory + 2 * most, memory + 3 * most, memory + 4 * most};
    int64_t size = 0, count = heap && memory ? 0 : -1;
    for (int64_t i = 0; i < n && count == 0; i++)
        if (scores[i] > least) heap[size++] = (item){scores[i], (int32_t)i, 0};
    for (int64_t i = size / 2 - 1; i >= 0; i--) sink(heap, size, i);
    while (count >= 0 && count < most && size) {
        item it = heap[0];
        const float score = it.score;
        const box own = box_of(boxes + 4 * (int64_t)it.number);
        const int fate = sigma > 0 ? soft(&it, &own, &t, count, least, sigma)
                                   : hard(&own, &t, count, overlap);
        if (fate == STRANGE) {
            count = -1;
        } else if (fate == STAYS && it.score != score) {
            heap[0] = it;
            sink(heap, size, 0);
            continue;
        } else if (fate == STAYS) {
            chosen[count] = it.number;
            kept[count] = score;
            take(&t, count++, &own);
        }
        heap[0] = heap[--size];
        if (size) sink(heap, size, 0);
    }
    free(heap);
    free(memory);
    return count;
}
