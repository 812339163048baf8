/* The body of every isa_*.c: all kernel headers, compiled for the instruction set at hand, and its table.
 *
 * The file that includes this defines TD_ISA, the name of the instruction set (generic, avx2, ...).
 * Everything in a kernel header is static; TD_ISA_NAME(x) is x_<isa>, for what cannot be. */
#define TD_PASTE2(a, b) a##_##b
#define TD_PASTE(a, b) TD_PASTE2(a, b)
#define TD_ISA_NAME(name) TD_PASTE(name, TD_ISA)
#define TD_STRING2(x) #x
#define TD_STRING(x) TD_STRING2(x)

#include "dispatch.h"

/* One line per kernel header. */
#include "crc32c.h"
#include "pack.h"
#include "gemm.h"
#include "batch.h"
#include "conv.h"
#include "unconv.h"
#include "depthwise.h"
#include "separable.h"
#include "pool.h"
#include "map.h"
#include "reduce.h"
#include "rows.h"
#include "winograd.h"
#include "attention.h"
#include "move.h"
#include "scan.h"
#include "resize.h"
#include "fft.h"
#include "choose.h"
#include "segment.h"
#include "double.h"
#include "probe.h"

#define TD_SLOT(name) [TD_KERNEL_##name] = {name##_plan, name##_run},
const td_isa TD_ISA_NAME(td_isa) = {
    .name = TD_STRING(TD_ISA),
    .crc32c = crc32c,
    .kernel = {TD_KERNELS(TD_SLOT)[TD_KERNEL_COUNT] = {NULL, NULL}},
};
