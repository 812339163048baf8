/* Advanced SIMD, which every 64-bit ARM has. */
#define TD_ISA neon
#ifdef __ARM_FEATURE_CRC32
#include <arm_acle.h>
#define TD_CRC_U64(crc, word) __crc32cd(crc, word)
#endif
#include "isa.h"
