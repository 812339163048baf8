"""Rows of tfdeploy/ops/hashing.py."""

import numpy as np

from tests.cases import as_types, case, f32, ints, rng, with_nan

SIZES = (*range(70), 127, 128, 129, 191, 192, 193, 1000)
LENGTHS = np.array([rng(n).bytes(n) for n in SIZES], object)
NAMES = ("StringToHashBucketFast", "StringToHashBucket")
MANY = 2**63 - 1
METHOD = np.array(b"farmhash64", object)
CASES = [
    *[case(name, LENGTHS, num_buckets=n) for name in NAMES for n in (MANY, 10, 1)],
    *[case(name, LENGTHS[:0], num_buckets=3) for name in NAMES],
    *[case(name, LENGTHS[:6].reshape(2, 3), num_buckets=3) for name in NAMES],
    case("StringToHashBucketStrong", LENGTHS, num_buckets=MANY, key=[1, 2]),
    case("StringToHashBucketStrong", LENGTHS, num_buckets=7, key=[-5, 2**62]),
    case("StringToHashBucketStrong", LENGTHS[:0], num_buckets=7, key=[0, 0]),
    case("Fingerprint", LENGTHS, METHOD),
    case("Fingerprint", LENGTHS[:6].reshape(2, 3), METHOD),
    case("Fingerprint", f32(3, 2), METHOD),
    case("Fingerprint", ints(3), METHOD),
    case("Fingerprint", np.array([True, False]), METHOD),
    case("Fingerprint", f32(0, 2), METHOD),
    case("Fingerprint", f32(2), np.array(b"md5", object), raises=True),
]
CASES += [case("Fingerprint", x, METHOD) for x in as_types(with_nan(f32(3, 2)))]
