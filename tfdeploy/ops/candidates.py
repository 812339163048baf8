"""Candidates drawn for losses over many classes (tf.random.*_candidate_sampler), as TensorFlow
draws them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import FLOAT32, INT32, INT64
from ..graph.types import ValueType
from .generators import Philox, State
from .registry import RANDOM, op
from .rules import Inference
from .windows import check_size

Array = NDArray[Any]

_WORDS = 2048  # set aside for each candidate
_MOST_TRIES = 1 << 22
_F32 = np.float32
_Sample = Callable[[Iterator[int]], int]
_Probability = Callable[[Array], Array]


def _words(stream: Philox) -> Iterator[int]:
    """The words of a stream, one after another."""
    at = 0
    while True:
        yield from stream.blocks(np.arange(at, at + 64)).ravel().tolist()
        at += 64


def _double(words: Iterator[int]) -> float:
    high, low = next(words), next(words)
    return ((high & 0xFFFFF) << 32 | low) / 2.0**52


def _below(n: int, words: Iterator[int], bits: int) -> int:
    """A number below `n`, each as likely as the others, of numbers of 32 or 64 bits."""
    while True:
        low = next(words)
        drawn = low if bits == 32 else low | next(words) << 32
        if not n & (n - 1):
            return drawn & (n - 1)
        if drawn >= ((1 << bits) - 1) % n + 1:
            return drawn % n


def _uniform(range_max: int) -> tuple[_Sample, _Probability]:
    return (
        lambda words: _below(range_max, words, 64),
        lambda classes: np.full(classes.shape, 1 / range_max),
    )


def _log_uniform(range_max: int) -> tuple[_Sample, _Probability]:
    """Classes whose probability falls as that of words by their rank does (Zipf)."""
    log_range = math.log1p(range_max)
    return (
        lambda words: (int(math.exp(_double(words) * log_range)) - 1) % range_max,
        lambda classes: np.log((classes + 2.0) / (classes + 1.0)) / log_range,
    )


def _weighted(weights: Array) -> tuple[_Sample, _Probability]:
    """Classes with probabilities in proportion to whole numbers."""
    ends = np.cumsum(weights)
    total = int(ends[-1])
    return (
        lambda words: int(np.searchsorted(ends, _below(total, words, 32), side="right")),
        lambda classes: weights[classes].astype(_F32) / _F32(total),
    )


def _aliases(weights: Array) -> tuple[_Sample, _Probability]:
    """Classes with probabilities in proportion to numbers, by aliases (Walker 1977)."""
    total = float(weights.sum(dtype=np.float64))
    shares = (weights.astype(np.float64) * len(weights) / total).tolist()
    other = list(range(len(shares)))
    low: list[int] = []
    high: list[int] = []
    for i, share in enumerate(shares):
        (low if share < 1 else high).append(i)
    while low and high:
        small, large = low.pop(), high.pop()
        other[small] = large
        shares[large] -= 1 - shares[small]
        (low if shares[large] < 1 else high).append(large)
    for i in (*low, *high):
        shares[i] = 1.0
    parts = np.array(shares, _F32)

    def sample(words: Iterator[int]) -> int:
        part = _F32((next(words) & 0x7FFFFF) / 2.0**23)
        at = _below(len(shares), words, 32)
        return at if part < parts[at] else other[at]

    return sample, lambda classes: weights[classes] / total


def _expected(p: Array, count: int, tries: int) -> Array:
    """How often classes of probability `p` are expected among `count`, drawn in so many tries."""
    p = p.astype(_F32)
    if tries == count:
        return p * _F32(count)
    return -np.expm1(_F32(tries) * np.log1p(-p))


def _check_classes(true_classes: Array, num_true: int, range_max: int) -> None:
    if true_classes.ndim != 2 or true_classes.shape[1] != num_true:
        raise ValueError(f"true_classes {true_classes.shape} should be [n, {num_true}]")
    if np.any((true_classes < 0) | (true_classes >= range_max)):
        raise ValueError(f"true_classes should lie in [0, {range_max})")


def _draw(
    true_classes: Array,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    sampler: tuple[_Sample, _Probability],
    stream: Philox,
) -> tuple[Array, Array, Array]:
    """Candidates, and how often true classes and candidates are expected among them."""
    sample, probability = sampler
    _check_classes(true_classes, num_true, range_max)
    if unique and num_sampled > range_max:
        raise ValueError(f"there are no {num_sampled} different classes of {range_max}")
    check_size([num_sampled])
    words = _words(stream)
    drawn: list[int] = []
    tries = num_sampled
    if unique:
        seen: dict[int, None] = {}
        tries = 0
        while len(seen) < num_sampled:
            tries += 1
            if tries > _MOST_TRIES:
                raise ValueError(f"no {num_sampled} different classes in {tries} tries")
            seen.setdefault(sample(words))
        drawn = list(seen)
    else:
        drawn = [sample(words) for _ in range(num_sampled)]
    candidates = np.array(drawn, np.int64)
    expected = (_expected(probability(c), num_sampled, tries) for c in (true_classes, candidates))
    return (candidates, *expected)  # type: ignore[return-value]


def _types(c: Inference) -> list[ValueType]:
    shape = c.inputs[0].shape
    rows = c.fresh() if shape is None else shape[0]
    count = c.attrs["num_sampled"]
    return [
        ValueType(INT64, (count,)),
        ValueType(FLOAT32, (rows, c.attrs["num_true"])),
        ValueType(FLOAT32, (count,)),
    ]


_OUTPUTS = ("sampled_candidates", "true_expected_count", "sampled_expected_count")


def _stream(state: State, seed: int, seed2: int, num_sampled: int) -> Philox:
    return state.reserve(seed, seed2, _WORDS // 4 * num_sampled)


def _check_range(range_max: int, most: int = 1 << 62) -> None:
    if not 0 < range_max < most:
        raise ValueError(f"range_max {range_max} should lie between 1 and {most - 1}")


def _register(name: str, make: Callable[[int], tuple[_Sample, _Probability]], doc: str) -> None:
    """Registers a sampler whose probabilities follow from the number of classes."""

    def reference(
        true_classes: Array,
        *,
        num_true: int,
        num_sampled: int,
        unique: bool,
        range_max: int,
        seed: int = 0,
        seed2: int = 0,
        state: State | None = None,
    ) -> tuple[Array, Array, Array]:
        _check_range(range_max)
        stream = _stream(state or State(), seed, seed2, num_sampled)
        given = num_true, num_sampled, unique, range_max
        return _draw(true_classes, *given, make(range_max), stream)

    reference.__doc__ = doc
    op(name, type=_types, effect=RANDOM, outputs=_OUTPUTS, ranks="2")(reference)


_register(
    "UniformCandidateSampler",
    _uniform,
    "Classes that are equally likely (tf.random.uniform_candidate_sampler).",
)
_register(
    "LogUniformCandidateSampler",
    _log_uniform,
    "Classes that are less likely the higher they are (tf.random.log_uniform_candidate_sampler).",
)


@op(
    "LearnedUnigramCandidateSampler",
    "ThreadUnsafeUnigramCandidateSampler",
    type=_types,
    effect=RANDOM,
    outputs=_OUTPUTS,
    ranks="2",
)
def learned_unigram_candidate_sampler(
    true_classes: Array,
    *,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    seed: int = 0,
    seed2: int = 0,
    state: State | None = None,
) -> tuple[Array, Array, Array]:
    """Classes as likely as often they were true in the calls before, and once more each
    (tf.random.learned_unigram_candidate_sampler)."""
    _check_range(range_max, (1 << 31) - 1)
    check_size([range_max])
    state = state or State()
    stream = _stream(state, seed, seed2, num_sampled)
    weights = np.ones(range_max, np.int64) if state.learned is None else state.learned
    given = num_true, num_sampled, unique, range_max
    result = _draw(true_classes, *given, _weighted(weights), stream)
    state.learned = weights + np.bincount(true_classes.ravel(), minlength=range_max)
    return result


@op("FixedUnigramCandidateSampler", type=_types, effect=RANDOM, outputs=_OUTPUTS, ranks="2")
def fixed_unigram_candidate_sampler(
    true_classes: Array,
    *,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    vocab_file: str = "",
    distortion: float = 1.0,
    num_reserved_ids: int = 0,
    num_shards: int = 1,
    shard: int = 0,
    unigrams: Sequence[float] = (),
    seed: int = 0,
    seed2: int = 0,
    state: State | None = None,
) -> tuple[Array, Array, Array]:
    """Classes with given probabilities, to the power `distortion`
    (tf.random.fixed_unigram_candidate_sampler); raises ValueError for a file of them."""
    if vocab_file or not len(unigrams):
        raise ValueError("the weights are read from a file, which no model may: give unigrams")
    if num_shards < 1 or num_reserved_ids < 0 or num_reserved_ids > range_max:
        raise ValueError(f"{num_shards} shards and {num_reserved_ids} reserved classes")
    check_size([num_reserved_ids])
    powers = np.array(unigrams, _F32) ** _F32(distortion)
    weights = np.concatenate([np.zeros(num_reserved_ids, _F32), powers])[
        shard % num_shards :: num_shards
    ]
    if len(weights) != range_max:
        raise ValueError(f"{len(weights)} weights for {range_max} classes")
    stream = _stream(state or State(), seed, seed2, num_sampled)
    given = num_true, num_sampled, unique, range_max
    return _draw(true_classes, *given, _aliases(weights), stream)


@op("AllCandidateSampler", type=_types, exact=True, outputs=_OUTPUTS, ranks="2")
def all_candidate_sampler(
    true_classes: Array,
    *,
    num_true: int,
    num_sampled: int,
    unique: bool,
    seed: int = 0,
    seed2: int = 0,
) -> tuple[Array, Array, Array]:
    """All classes, each of them once (tf.random.all_candidate_sampler)."""
    _check_classes(true_classes, num_true, num_sampled)
    check_size([num_sampled])
    once = np.ones(num_sampled, _F32)
    return np.arange(num_sampled), np.ones(true_classes.shape, _F32), once


def _hit_types(c: Inference) -> list[ValueType]:
    found = c.fresh()
    return [ValueType(t, (found,)) for t in (INT32, INT64, FLOAT32)]


@op(
    "ComputeAccidentalHits",
    type=_hit_types,
    exact=True,
    outputs=("indices", "ids", "weights"),
    ranks="21",
)
def compute_accidental_hits(
    true_classes: Array, sampled_candidates: Array, *, num_true: int, seed: int = 0, seed2: int = 0
) -> tuple[Array, Array, Array]:
    """Which candidates are true classes of which row, and the lowest number for each of them
    (tf.nn.compute_accidental_hits)."""
    if true_classes.ndim != 2 or true_classes.shape[1] != num_true:
        raise ValueError(f"true_classes {true_classes.shape} should be [n, {num_true}]")
    places = {candidate: i for i, candidate in enumerate(sampled_candidates.tolist())}
    hits = [
        (row, places[one])
        for row, classes in enumerate(true_classes.tolist())
        for one in classes
        if one in places
    ]
    rows, ids = np.array(hits, np.int64).reshape(-1, 2).T
    return rows.astype(np.int32), ids, np.full(len(hits), np.finfo(_F32).min, _F32)
