/* What the machine can do at most: the yardstick of benchmarks. */
#ifndef TD_PROBE_H
#define TD_PROBE_H

#include "simd.h"
#include "td.h"

enum { TD_PROBE_SUMS = 12 }; /* enough to hide the latency, few enough for 16 registers */

/* fma_peak: -> y [1], a number of no meaning
 *           ints: multiply-adds to do, all in registers */
static int fma_peak_plan(const td_call *call, td_work *work) {
    *work = (td_work){1, 1, 0};
    return call->out[0]->dtype == TD_F32 && call->n_ints == 1 ? TD_OK : TD_REFUSED;
}

static int fma_peak_run(const td_call *call) {
    vf sums[TD_PROBE_SUMS];
    for (int i = 0; i < TD_PROBE_SUMS; i++) sums[i] = td_set((float)i);
    const vf by = td_set(0.9999f), more = td_set(1e-3f);
    for (int64_t done = 0; done < call->ints[0]; done += TD_PROBE_SUMS * TD_LANES)
#pragma GCC unroll 12
        for (int i = 0; i < TD_PROBE_SUMS; i++) sums[i] = td_fma(sums[i], by, more);
    for (int i = 1; i < TD_PROBE_SUMS; i++) sums[0] += sums[i];
    *(float *)call->out[0]->data = sums[0][0];
    return TD_OK;
}

#endif
