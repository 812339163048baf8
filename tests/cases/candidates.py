"""Rows of tfdeploy/ops/candidates.py: equal seeds, equal candidates."""

import numpy as np

from tests.cases import case, ints

I64 = np.int64
CLASSES = ints(3, 2, low=0, high=9, dtype=I64)
SEEDS = {"seed": 87654321, "seed2": 5}
WEIGHTS = [1.0, 2.0, 3.0, 4.5, 0.5, 9.0, 1.0, 1.0, 2.0, 7.0]


def sampler(name, count=5, unique=True, classes=CLASSES, num_true=2, **attrs):
    if name not in ("Fixed", "All"):
        attrs.setdefault("range_max", 20)
    given = {"num_true": num_true, "num_sampled": count, "unique": unique, **SEEDS, **attrs}
    op = {"Learned": "LearnedUnigram", "Unsafe": "ThreadUnsafeUnigram", "Fixed": "FixedUnigram"}
    return case(f"{op.get(name, name)}CandidateSampler", classes, ulp=32, **given)


CASES = [
    row
    for name in ("Uniform", "LogUniform", "Learned", "Unsafe")
    for row in (
        sampler(name),
        sampler(name, unique=False),
        sampler(name, count=20),
        sampler(name, count=100, unique=False, range_max=16),
        sampler(name, classes=CLASSES[:0]),
        sampler(name, count=1, seed=-7, seed2=-(2**40)),
        sampler(name, range_max=100_000, count=40),
        sampler(name, count=21, raises=True),
        sampler(name, range_max=5, raises=True),
        sampler(name, num_true=3, raises=True),
    )
]
for more in ({"range_max": 10, "unigrams": WEIGHTS}, {"range_max": 12, "unigrams": WEIGHTS}):
    reserved = more["range_max"] - 10
    CASES += [
        sampler("Fixed", **more, num_reserved_ids=reserved),
        sampler("Fixed", count=50, unique=False, **more, num_reserved_ids=reserved),
        sampler("Fixed", distortion=0.5, **more, num_reserved_ids=reserved),
        sampler("Fixed", classes=CLASSES[:0], **more, num_reserved_ids=reserved),
    ]
CASES += [
    sampler(
        "Fixed", range_max=5, unigrams=WEIGHTS, num_shards=2, shard=1, classes=CLASSES // 2, count=3
    ),
    sampler(
        "Fixed",
        range_max=6,
        unigrams=WEIGHTS,
        num_reserved_ids=1,
        num_shards=2,
        classes=CLASSES // 2,
    ),
    sampler("Fixed", range_max=9, unigrams=WEIGHTS, raises=True),
    sampler("Fixed", range_max=10, raises=True),
    sampler("All", count=9),
    sampler("All", count=9, unique=False),
    sampler("All", count=9, classes=CLASSES[:0]),
    sampler("All", count=5, raises=True),
    *(
        case("ComputeAccidentalHits", classes, np.array(drawn, I64), num_true=2, **more)
        for classes, drawn, more in (
            (CLASSES, [7, 1, 0, 3, 1, 12], {}),
            (CLASSES, [7, 8, 5], SEEDS),
            (CLASSES, [], {}),
            (CLASSES[:0], [1], {}),
            (CLASSES[:, :1], [1], {"raises": True}),
        )
    ),
]
