#include "threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

enum {
    STACK = 1 << 20,      /* musl's default is 128 KiB */
    SPINS = 4000,         /* of an idle thread before it sleeps */
    CHUNKS_PER_THREAD = 4 /* so that a thread that started late leaves some to the others */
};
#define CLOSED 0x40000000

/* The units that a thread begins with: neighbours, since the next job finds in its thread's cache what
 * this one leaves there.  Who has done his own takes of the others'. */
typedef struct share {
    _Atomic int64_t next; /* first unit that nobody has taken */
    int64_t end;
    char apart[48]; /* one cache line each */
} share;

typedef struct job {
    const td_kernel *kernel;
    const td_call *call;
    char *scratch;
    int64_t step, chunk;
    int threads;
    atomic_int code; /* of the first run that failed */
    share shares[TD_MOST_THREADS];
} job;

static pthread_mutex_t owner = PTHREAD_MUTEX_INITIALIZER; /* held by the call that has the pool */
static pthread_mutex_t sleep_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static atomic_int posted;         /* counts jobs; idle threads watch it */
static atomic_int gate = CLOSED;  /* threads inside the current job, CLOSED where none may enter */
static atomic_int sleepers;
static atomic_int cpus = TD_MOST_THREADS; /* that the process may use */
static atomic_int workers;        /* changed by the owner alone */
static job current __attribute__((aligned(64)));

static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void work_on(job *j, int seat) {
    td_call call = *j->call;
    call.scratch = j->scratch + seat * j->step;
    call.before = 0;
    for (int i = 0; i < j->threads; i++) {
        share *s = &j->shares[(seat + i) % j->threads];
        while (!atomic_load_explicit(&j->code, memory_order_relaxed)) {
            call.begin = atomic_fetch_add_explicit(&s->next, j->chunk, memory_order_relaxed);
            if (call.begin >= s->end) break;
            call.end = call.begin + j->chunk < s->end ? call.begin + j->chunk : s->end;
            const int code = j->kernel->run(&call);
            call.before = call.end;
            int none = TD_OK;
            if (code) atomic_compare_exchange_strong(&j->code, &none, code);
        }
    }
}

static int enter(void) {
    int inside = atomic_load(&gate);
    do {
        if (inside & CLOSED) return 0;
    } while (!atomic_compare_exchange_weak(&gate, &inside, inside + 1));
    return 1;
}

/* Spins of a thread that waits: none where threads outnumber CPUs, since it would keep another from its
 * work. */
static int patience(void) { return atomic_load(&workers) < atomic_load(&cpus) ? SPINS : 0; }

/* Waits until a job after number `seen` is posted; returns its number. */
static int next_job(int seen) {
    int now;
    for (int i = patience(); i > 0; i--) {
        if ((now = atomic_load(&posted)) != seen) return now;
        pause_briefly();
    }
    pthread_mutex_lock(&sleep_lock);
    atomic_fetch_add(&sleepers, 1);
    while ((now = atomic_load(&posted)) == seen) pthread_cond_wait(&wake, &sleep_lock);
    atomic_fetch_sub(&sleepers, 1);
    pthread_mutex_unlock(&sleep_lock);
    return now;
}

static void *worker(void *start) {
    const int seat = (int)(intptr_t)start;
    int seen = 0;
    td_fp_enter();
    for (;;) {
        seen = next_job(seen);
        if (!enter()) continue;
        if (seat < current.threads) work_on(&current, seat);
        atomic_fetch_sub(&gate, 1);
    }
    return NULL;
}

/* A job in progress ends before the process is copied: the child finds the pool free. */
static void before_fork(void) {
    pthread_mutex_lock(&owner);
    pthread_mutex_lock(&sleep_lock);
}

static void after_fork_parent(void) {
    pthread_mutex_unlock(&sleep_lock);
    pthread_mutex_unlock(&owner);
}

static void after_fork_child(void) {
    pthread_mutex_init(&owner, NULL);
    pthread_mutex_init(&sleep_lock, NULL);
    pthread_cond_init(&wake, NULL);
    atomic_store(&sleepers, 0);
    atomic_store(&gate, CLOSED);
    atomic_store(&workers, 0);
}

static void register_fork(void) {
    pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

/* As many threads as can be had, up to `wanted`; the caller holds `owner`. */
static void hire(int wanted) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_fork);
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes)) return;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK);
    for (intptr_t seat; (seat = atomic_load(&workers) + 1) <= wanted;) {
        pthread_t thread;
        if (pthread_create(&thread, &attributes, worker, (void *)seat)) break;
        atomic_store(&workers, (int)seat);
    }
    pthread_attr_destroy(&attributes);
}

void td_threads_cpus(int count) { atomic_store(&cpus, count); }

int td_threads_for(const td_work *work, int threads) {
    const int64_t grain = work->grain > 0 ? work->grain : 1, shares = work->units / grain;
    const int64_t limit = threads < TD_MOST_THREADS ? threads : TD_MOST_THREADS;
    return shares < 2 || limit < 2 ? 1 : (int)(shares < limit ? shares : limit);
}

static int run_alone(const td_kernel *kernel, const td_call *call, const td_work *work,
                     void *scratch) {
    td_call whole = *call;
    whole.scratch = scratch;
    whole.begin = 0;
    whole.end = work->units;
    return kernel->run(&whole);
}

/* Cuts the units into shares, at multiples of the grain. */
static void post(const td_work *work, int n) {
    const int64_t grains = work->units / work->grain;
    const int64_t chunk = grains / ((int64_t)n * CHUNKS_PER_THREAD);
    current.threads = n;
    current.chunk = (chunk > 1 ? chunk : 1) * work->grain;
    for (int i = 0; i < n; i++) {
        atomic_store(&current.shares[i].next, grains * i / n * work->grain);
        current.shares[i].end = i + 1 < n ? grains * (i + 1) / n * work->grain : work->units;
    }
    atomic_store(&current.code, TD_OK);
    atomic_store(&gate, 0);
    atomic_fetch_add(&posted, 1);
    if (atomic_load(&sleepers)) {
        pthread_mutex_lock(&sleep_lock);
        pthread_cond_broadcast(&wake);
        pthread_mutex_unlock(&sleep_lock);
    }
}

int td_parallel(const td_kernel *kernel, const td_call *call, const td_work *work, int threads,
                void *scratch, int64_t step) {
    if (work->units <= 0) return TD_OK;
    const int n = td_threads_for(work, threads);
    if (n == 1 || atomic_load(&cpus) == 1 || pthread_mutex_trylock(&owner))
        return run_alone(kernel, call, work, scratch);
    if (atomic_load(&workers) < n - 1) hire(n - 1);
    current.kernel = kernel;
    current.call = call;
    current.scratch = scratch;
    current.step = step;
    post(work, n);
    work_on(&current, 0);
    atomic_fetch_or(&gate, CLOSED);
    for (int spins = patience(); atomic_load(&gate) != CLOSED; spins--) {
        if (spins > 0) pause_briefly();
        else sched_yield();
    }
    const int code = atomic_load(&current.code);
    pthread_mutex_unlock(&owner);
    return code;
}
