/* The pool of threads that shares the units of one kernel call.
 *
 * One call at a time has the pool; a call that finds it taken, or that is too small to share, runs alone on
 * its own thread.  Threads are made when first needed and sleep between calls, after a short spin.  A child
 * of fork starts without any and makes its own. */
#ifndef TD_THREADS_H
#define TD_THREADS_H

#include "td.h"

enum { TD_MOST_THREADS = 64 };

/* Threads that a call of this work would use, `threads` being allowed: each needs its own scratch. */
int td_threads_for(const td_work *work, int threads);

/* Runs all units of `call`, whose begin, end and scratch are set here.  Thread i works in scratch + i * step,
 * step being a multiple of 64 and at least work->scratch.  Returns TD_OK or a code that a run returned. */
int td_parallel(const td_kernel *kernel, const td_call *call, const td_work *work, int threads,
                void *scratch, int64_t step);

/* Tells how many CPUs the process may use: with one all calls run alone, and threads that outnumber them
 * sleep as soon as they have nothing to do. */
void td_threads_cpus(int count);

/* The rounding mode and the handling of denormals that kernels count on; returns the state to restore. */
#if defined(__x86_64__) || defined(__i386__)
#include <xmmintrin.h>
static inline uint64_t td_fp_enter(void) {
    const unsigned before = _mm_getcsr(), wanted = 0x1f80;
    if ((before & ~0x3fu) != wanted) _mm_setcsr(wanted);
    return before;
}
static inline void td_fp_leave(uint64_t before) {
    if ((before & ~0x3fu) != 0x1f80) _mm_setcsr((unsigned)before);
}
#elif defined(__aarch64__)
static inline uint64_t td_fp_enter(void) {
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    if (before) __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
    return before;
}
static inline void td_fp_leave(uint64_t before) {
    if (before) __asm__ volatile("msr fpcr, %0" : : "r"(before));
}
#else
static inline uint64_t td_fp_enter(void) { return 0; }
static inline void td_fp_leave(uint64_t before) { (void)before; }
#endif

#endif
