/* AVX-512 F, BW, VL and DQ: x86-64 since Skylake-X (2017) and Zen 4 (2022). */
#define TD_ISA avx512
#include <immintrin.h>
#define TD_CRC_U64(crc, word) _mm_crc32_u64(crc, word)
#include "isa.h"
