/* The instruction sets of this build, best first, with what each needs of the CPU. */
#include "dispatch.h"

#include <string.h>

extern const td_isa td_isa_generic;

static int always(void) { return 1; }

#if defined(__x86_64__)
#include <cpuid.h>

extern const td_isa td_isa_avx2, td_isa_avx512;

enum { BIT_SSE42 = 1 << 20, BIT_FMA = 1 << 12, BIT_OSXSAVE = 1 << 27, BIT_AVX2 = 1 << 5 };
enum { BIT_AVX512 = 1 << 16 /* F */ | 1 << 17 /* DQ */ | 1 << 30 /* BW */ };
#define BIT_AVX512VL (1u << 31)
/* Registers that the system saves on a switch: xmm, ymm; and opmask, both halves of zmm. */
enum { SAVES_YMM = 0x06, SAVES_ZMM = 0xe6 };

static unsigned saved_registers(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

/* Whether leaf 1 ECX has `ecx1`, leaf 7 EBX has `ebx7`, and the system saves `registers`. */
static int cpu_has(unsigned ecx1, unsigned ebx7, unsigned registers) {
    unsigned a, b, c, d;
    ecx1 |= BIT_OSXSAVE;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & ecx1) != ecx1) return 0;
    if ((saved_registers() & registers) != registers) return 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & ebx7) == ebx7;
}

static int has_avx2(void) { return cpu_has(BIT_SSE42 | BIT_FMA, BIT_AVX2, SAVES_YMM); }

static int has_avx512(void) {
    return has_avx2() && cpu_has(0, BIT_AVX512 | BIT_AVX512VL, SAVES_ZMM);
}
#elif defined(__aarch64__)
extern const td_isa td_isa_neon;
#endif

static const struct {
    const td_isa *isa;
    int (*runs_here)(void);
} built[] = {
#if defined(__x86_64__)
    {&td_isa_avx512, has_avx512},
    {&td_isa_avx2, has_avx2},
#elif defined(__aarch64__)
    {&td_isa_neon, always},
#endif
    {&td_isa_generic, always},
};

enum { BUILT = sizeof built / sizeof *built };

static int runs[BUILT]; /* asked once: a virtual machine takes long to answer what the CPU can do */

const td_isa *td_active = &td_isa_generic;
uint32_t td_crc_bytes[8][256];
uint32_t td_crc_skip[4][256];

#define TD_NAME(name) #name,
const char *const td_kernel_names[] = {TD_KERNELS(TD_NAME) NULL};

const td_isa *td_isa_available(int index) {
    for (int i = 0; i < BUILT; i++)
        if (runs[i] && index-- == 0) return built[i].isa;
    return NULL;
}

int td_isa_set(const char *name) {
    const td_isa *isa;
    for (int i = 0; (isa = td_isa_available(i)); i++)
        if (strcmp(isa->name, name) == 0) {
            td_active = isa;
            return 1;
        }
    return 0;
}

static uint32_t over_zero_byte(uint32_t crc) { return td_crc_bytes[0][crc & 255] ^ crc >> 8; }

static void fill_crc_tables(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
        td_crc_bytes[0][i] = crc;
    }
    for (int k = 1; k < 8; k++)
        for (int i = 0; i < 256; i++) td_crc_bytes[k][i] = over_zero_byte(td_crc_bytes[k - 1][i]);
    /* Moving over zeros is linear: the single bits are moved, the rest are their sums. */
    for (int k = 0; k < 4; k++)
        for (uint32_t bit = 1; bit < 256; bit <<= 1) {
            uint32_t crc = bit << 8 * k;
            for (int i = 0; i < TD_CRC_BLOCK; i++) crc = over_zero_byte(crc);
            for (uint32_t i = 0; i < bit; i++) td_crc_skip[k][bit | i] = crc ^ td_crc_skip[k][i];
        }
}

void td_init(void) {
    fill_crc_tables();
    for (int i = 0; i < BUILT; i++) runs[i] = built[i].runs_here();
    td_active = td_isa_available(0);
}
