/* CRC-32C (Castagnoli), the checksum of TensorFlow's variable files (RFC 3720, appendix B.4).
 *
 * The state is the reflected remainder before the final inversion.  td_crc_bytes[k][b] is the remainder
 * that byte b leaves when k more bytes follow it; td_crc_skip does the same for the four bytes of a state
 * that is moved over TD_CRC_BLOCK zero bytes, which joins streams that were summed side by side.
 *
 * An isa_*.c whose CPU has an instruction for eight bytes defines TD_CRC_U64(crc, word). */

static inline uint64_t crc_load(const unsigned char *p) {
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

static inline uint32_t crc_byte(uint32_t crc, unsigned char byte) {
    return td_crc_bytes[0][(crc ^ byte) & 255] ^ crc >> 8;
}

#ifdef TD_CRC_U64

static inline uint32_t crc_skip_block(uint32_t crc) {
    return td_crc_skip[0][crc & 255] ^ td_crc_skip[1][crc >> 8 & 255] ^
           td_crc_skip[2][crc >> 16 & 255] ^ td_crc_skip[3][crc >> 24];
}

static inline uint32_t crc_word(uint32_t crc, uint64_t word) {
    return (uint32_t)TD_CRC_U64(crc, word);
}

/* The instruction takes three cycles and starts every cycle: three streams keep it busy. */
static inline uint32_t crc_three_blocks(uint32_t a, const unsigned char *p) {
    uint32_t b = 0, c = 0;
    for (size_t i = 0; i < TD_CRC_BLOCK; i += 8) {
        a = crc_word(a, crc_load(p + i));
        b = crc_word(b, crc_load(p + TD_CRC_BLOCK + i));
        c = crc_word(c, crc_load(p + 2 * TD_CRC_BLOCK + i));
    }
    return crc_skip_block(crc_skip_block(a) ^ b) ^ c;
}

#else

/* Slicing by eight: the lookups of one word do not depend on each other. */
static inline uint32_t crc_word(uint32_t crc, uint64_t word) {
    uint32_t sum = 0;
    word ^= crc;
    for (int i = 0; i < 8; i++) sum ^= td_crc_bytes[7 - i][word >> 8 * i & 255];
    return sum;
}

#endif

static uint32_t crc32c(uint32_t crc, const unsigned char *p, size_t size) {
    crc = ~crc;
#ifdef TD_CRC_U64
    for (; size >= 3 * TD_CRC_BLOCK; p += 3 * TD_CRC_BLOCK, size -= 3 * TD_CRC_BLOCK)
        crc = crc_three_blocks(crc, p);
#endif
    for (; size >= 8; p += 8, size -= 8) crc = crc_word(crc, crc_load(p));
    for (; size; p++, size--) crc = crc_byte(crc, *p);
    return ~crc;
}
