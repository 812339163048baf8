/* Which instruction sets this build holds, and the one in use.
 *
 * Each isa_<name>.c compiles the same kernel headers with the flags of one instruction set and exports
 * nothing but its table, td_isa_<name>.  dispatch.c lists the tables best first and picks at import. */
#ifndef TD_DISPATCH_H
#define TD_DISPATCH_H

#include <stddef.h>
#include <stdint.h>

#include "list.h"
#include "td.h"

#define TD_ENUM(name) TD_KERNEL_##name,
enum { TD_KERNELS(TD_ENUM) TD_KERNEL_COUNT };
#undef TD_ENUM

typedef struct {
    const char *name;
    uint32_t (*crc32c)(uint32_t crc, const unsigned char *data, size_t size);
    /* Indexed by TD_KERNEL_<name>; one slot more, since C has no empty arrays. */
    td_kernel kernel[TD_KERNEL_COUNT + 1];
} td_isa;

/* The table in use.  Changed by td_isa_set alone, which must not run beside a kernel. */
extern const td_isa *td_active;

/* Names of the kernels in the order of their indices, NULL at the end. */
extern const char *const td_kernel_names[];

/* Fills the shared tables and picks the best instruction set.  Called once, by the module's import. */
void td_init(void);

/* Tables of this build that this CPU and its system can run, best first; NULL past the end. */
const td_isa *td_isa_available(int index);

/* 1, or 0 where `name` is not among the available ones. */
int td_isa_set(const char *name);

/* CRC-32C by tables, which every instruction set may fall back on: crc32c.h says what they hold. */
#define TD_CRC_BLOCK 1024
extern uint32_t td_crc_bytes[8][256];
extern uint32_t td_crc_skip[4][256];

#endif
