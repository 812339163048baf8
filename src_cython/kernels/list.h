/* The one list of kernels: enum, table and Python's listing derive from it.
 *
 * A line K(name) promises that one of the headers in isa.h defines
 *     static int name(const td_call *call);
 * which returns 0, or an error code of td.h.  An index is stable within one build only: plans ask
 * `_engine.kernels()` for it and never store it. */
#ifndef TD_LIST_H
#define TD_LIST_H

#define TD_KERNELS(K)

#endif
