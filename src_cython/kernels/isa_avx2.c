/* AVX2 and FMA: x86-64 since Haswell (2013) and Excavator (2015). */
#define TD_ISA avx2
#include <immintrin.h>
#define TD_CRC_U64(crc, word) _mm_crc32_u64(crc, word)
#include "isa.h"
