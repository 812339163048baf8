/* What models need beside kernels: hashes of strings, and the suppression of boxes.  Nothing here knows
 * Python, and everything gives what tfdeploy/ops gives, to the bit. */
#ifndef TD_NATIVES_H
#define TD_NATIVES_H

#include <stdint.h>

/* FarmHash's Fingerprint64, as ops/hashing.py says. */
uint64_t td_fingerprint64(const unsigned char *data, int64_t size);

/* SipHash-2-4 (Aumasson and Bernstein, 2012). */
uint64_t td_siphash(const unsigned char *data, int64_t size, uint64_t k0, uint64_t k1);

/* Greedy choice by score of at most `most` of n boxes (y1, x1, y2, x2), as ops/boxes.py says: numbers to
 * `chosen`, scores to `kept`, both of `most` places; the count.  -1 where an overlap is not a number or
 * there is no memory.  sigma > 0 lowers scores instead of dropping boxes. */
int64_t td_suppress(const float *boxes, const float *scores, int64_t n, int64_t most, float overlap,
                    float least, float sigma, int32_t *chosen, float *kept);

#endif
