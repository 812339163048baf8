"""Random numbers, equal to TensorFlow's for equal seeds.

Ops with attributes seed and seed2 draw further numbers with every call.  They take one more
keyword, `state`: the `generators.State` of the node, kept by whoever runs the graph; without one, a
call gives the numbers that TensorFlow gives first in a session.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import FLOAT32, INT32, INT64, DType
from ..graph.types import ValueType
from . import generators
from .generators import PER_OUTPUT, Philox, State
from .registry import RANDOM, op
from .rules import Inference, broadcast_shapes, same, shape_vector
from .windows import check_size

Array = NDArray[Any]

_UINT64 = DType("uint64")


def _reserve(state: State | None, seed: int, seed2: int, blocks: int) -> Philox:
    return (state or State()).reserve(seed, seed2, blocks)


def spelled(shape: Array) -> tuple[int, ...]:
    """The shape that a vector spells; raises ValueError where it cannot be one."""
    found = tuple(int(n) for n in np.ravel(shape))
    if shape.ndim > 1 or any(n < 0 for n in found):
        raise ValueError(f"shape {shape.tolist()} should be a vector of extents")
    check_size(found)
    return found


def _shaped(dtype: str) -> Callable[[Inference], ValueType]:
    """Shape spelled by input 0, dtype of the attribute `dtype`."""

    def rule(c: Inference) -> ValueType:
        return ValueType(c.attrs[dtype], shape_vector(c, 0))

    return rule


def _shaped_like(i: int) -> Callable[[Inference], ValueType]:
    """Shape spelled by input 0, dtype of input `i`."""

    def rule(c: Inference) -> ValueType:
        return ValueType(c.inputs[i].dtype, shape_vector(c, 0))

    return rule


# Stateful


@op("RandomUniform", type=_shaped("dtype"), effect=RANDOM, exact=True, ranks="1")
def random_uniform(
    shape: Array, *, dtype: DType, seed: int = 0, seed2: int = 0, state: State | None = None
) -> Array:
    """Uniform numbers in [0, 1) (tf.random.uniform)."""
    size = spelled(shape)
    stream = _reserve(state, seed, seed2, prod(size) * PER_OUTPUT)
    return generators.uniform(stream, prod(size), dtype.numpy).reshape(size)


@op("RandomStandardNormal", type=_shaped("dtype"), effect=RANDOM, ranks="1")
def random_normal(
    shape: Array, *, dtype: DType, seed: int = 0, seed2: int = 0, state: State | None = None
) -> Array:
    """Normal numbers (tf.random.normal)."""
    size = spelled(shape)
    stream = _reserve(state, seed, seed2, prod(size) * PER_OUTPUT)
    return generators.normal(stream, prod(size), dtype.numpy).reshape(size)


@op("TruncatedNormal", type=_shaped("dtype"), effect=RANDOM, ranks="1")
def truncated_normal(
    shape: Array, *, dtype: DType, seed: int = 0, seed2: int = 0, state: State | None = None
) -> Array:
    """Normal numbers of absolute value below 2 (tf.random.truncated_normal)."""
    size = spelled(shape)
    stream = _reserve(state, seed, seed2, prod(size) * PER_OUTPUT)
    return generators.truncated_normal(stream, prod(size), dtype.numpy).reshape(size)


_BATCH = 100  # numbers of equal parameters that TensorFlow draws one after another
_MOST_TRIES = 1000


@op("ParameterizedTruncatedNormal", type=_shaped_like(1), effect=RANDOM, ranks="1")
def parameterized_truncated_normal(
    shape: Array,
    means: Array,
    stdevs: Array,
    minvals: Array,
    maxvals: Array,
    *,
    seed: int = 0,
    seed2: int = 0,
    state: State | None = None,
) -> Array:
    """Normal numbers between bounds; a parameter is a scalar, or has one number a row.

    TensorFlow's numbers on one thread: of many numbers it draws others on more threads.
    """
    size = spelled(shape)
    given = means, stdevs, minvals, maxvals
    if not size or any(p.ndim > 1 or p.shape not in ((), (1,), size[:1]) for p in given):
        raise ValueError(f"parameters {[p.shape for p in given]} do not fit shape {size}")
    total = prod(size)
    rows, each = size[0], total // max(1, size[0])
    if means.size == stdevs.size == 1 and not minvals.ndim and not maxvals.ndim:
        rows, each = -(-total // _BATCH), _BATCH
    counts = [min(each, total - i * each) for i in range(rows)]
    blocks = rows * 2 * _MOST_TRIES * (each + 3) // 4
    stream = _reserve(state, seed, seed2, blocks)
    columns = [np.broadcast_to(p, rows) for p in given]
    drawn = generators.between_bounds(stream, counts, columns, means.dtype)
    return np.concatenate([np.zeros(0, means.dtype), *drawn]).reshape(size)


@op("RandomUniformInt", type=_shaped_like(1), effect=RANDOM, exact=True, ranks="100")
def random_uniform_int(
    shape: Array,
    minval: Array,
    maxval: Array,
    *,
    seed: int = 0,
    seed2: int = 0,
    state: State | None = None,
) -> Array:
    """Integers in [minval, maxval) (tf.random.uniform)."""
    size = spelled(shape)
    stream = _reserve(state, seed, seed2, prod(size) * PER_OUTPUT)
    return generators.integers(stream, prod(size), minval, maxval).reshape(size)


@op("RandomShuffle", type=same, effect=RANDOM, exact=True)
def random_shuffle(
    value: Array, *, seed: int = 0, seed2: int = 0, state: State | None = None
) -> Array:
    """The rows in random order (tf.random.shuffle)."""
    if value.ndim == 0 or value.size == 0 or len(value) < 2:
        return value
    stream = _reserve(state, seed, seed2, -(-len(value) // 4))
    return value[generators.permutation(stream, len(value))]


def _classes_type(c: Inference) -> ValueType:
    logits, samples = c.inputs[0].shape, c.extents(1)
    if logits is not None and len(logits) != 2:
        raise ValueError(f"the logits have rank {len(logits)} and should have 2")
    rows = c.fresh() if logits is None else logits[0]
    return ValueType(c.attrs["output_dtype"], (rows, samples[0] if samples else c.fresh()))


@op("Multinomial", type=_classes_type, effect=RANDOM, ranks="20")
def multinomial(
    logits: Array,
    num_samples: Array,
    *,
    output_dtype: DType = INT64,
    seed: int = 0,
    seed2: int = 0,
    state: State | None = None,
) -> Array:
    """Classes drawn with probabilities softmax(logits) (tf.random.categorical)."""
    count = _samples(num_samples)
    check_size((len(logits), count))
    stream = _reserve(state, seed, seed2, len(logits) * (-(-count // 4) * 8) * PER_OUTPUT)
    return generators.categorical(stream, logits, count).astype(output_dtype.numpy)


def _samples(num_samples: Array) -> int:
    if num_samples.ndim or num_samples < 0:
        raise ValueError(f"num_samples {num_samples} should be a scalar of at least 0")
    return int(num_samples)


def _appended(dtype: str | None) -> Callable[[Inference], ValueType]:
    """The shape that input 0 spells, then that of input 1; dtype of an attribute or of input 1."""

    def rule(c: Inference) -> ValueType:
        first, second = shape_vector(c, 0), c.inputs[1].shape
        kind = c.inputs[1].dtype if dtype is None else c.attrs[dtype]
        return ValueType(kind, None if first is None or second is None else first + second)

    return rule


def _per_parameter(
    draw: Callable[[Philox, Array, Array], Array], stream: Philox, samples: int, parameter: Array
) -> Array:
    """`samples` numbers for each parameter, as (samples, parameters), in TensorFlow's order."""
    values = np.repeat(parameter.ravel().astype(np.float64), samples)
    numbers = np.arange(len(values)) * PER_OUTPUT
    return draw(stream, numbers, values).reshape(parameter.size, samples).T


def _to(values: Array, dtype: DType) -> Array:
    """Doubles as `dtype`; what no integer can hold becomes the lowest, as in C on x86."""
    if dtype.numpy.kind == "i":
        lost = ~np.isfinite(values)
        whole = np.where(lost, 0, values).astype(dtype.numpy)
        return np.where(lost, np.iinfo(dtype.numpy).min, whole)
    return values.astype(dtype.numpy)


@op("RandomGamma", type=_appended(None), effect=RANDOM, ranks="1")
def random_gamma(
    shape: Array, alpha: Array, *, seed: int = 0, seed2: int = 0, state: State | None = None
) -> Array:
    """Gamma numbers of shape parameter alpha and rate 1 (tf.random.gamma)."""
    size = spelled(shape)
    check_size((*size, *alpha.shape))
    stream = _reserve(state, seed, seed2, prod(size) * alpha.size * PER_OUTPUT)
    drawn = _per_parameter(generators.gamma, stream, prod(size), alpha)
    return drawn.astype(alpha.dtype).reshape(size + alpha.shape)


def _random_poisson(
    shape: Array, rate: Array, dtype: DType, seed: int, seed2: int, state: State | None
) -> Array:
    size = spelled(shape)
    check_size((*size, *rate.shape))
    stream = _reserve(state, seed, seed2, prod(size) * rate.size * PER_OUTPUT)
    drawn = _per_parameter(generators.poisson, stream, prod(size), rate)
    return _to(drawn, dtype).reshape(size + rate.shape)


@op("RandomPoisson", type=_appended(None), effect=RANDOM, ranks="1")
def random_poisson(
    shape: Array,
    rate: Array,
    *,
    dtype: DType = FLOAT32,
    seed: int = 0,
    seed2: int = 0,
    state: State | None = None,
) -> Array:
    """Poisson numbers in the dtype of the rate (tf.random.poisson of TensorFlow 1)."""
    return _random_poisson(shape, rate, dtype, seed, seed2, state)


@op("RandomPoissonV2", type=_appended("dtype"), effect=RANDOM, ranks="1")
def random_poisson_v2(
    shape: Array,
    rate: Array,
    *,
    dtype: DType = INT64,
    seed: int = 0,
    seed2: int = 0,
    state: State | None = None,
) -> Array:
    """Poisson numbers (tf.random.poisson)."""
    return _random_poisson(shape, rate, dtype, seed, seed2, state)


# Stateless: a seed of two integers


@op("StatelessRandomUniform", type=_shaped("dtype"), exact=True, ranks="11")
def stateless_uniform(shape: Array, seed: Array, *, dtype: DType = FLOAT32) -> Array:
    """Uniform numbers in [0, 1) (tf.random.stateless_uniform)."""
    size = spelled(shape)
    return generators.uniform(generators.stateless(seed), prod(size), dtype.numpy).reshape(size)


@op("StatelessRandomNormal", type=_shaped("dtype"), ranks="11")
def stateless_normal(shape: Array, seed: Array, *, dtype: DType = FLOAT32) -> Array:
    """Normal numbers (tf.random.stateless_normal)."""
    size = spelled(shape)
    return generators.normal(generators.stateless(seed), prod(size), dtype.numpy).reshape(size)


@op("StatelessTruncatedNormal", type=_shaped("dtype"), ranks="11")
def stateless_truncated(shape: Array, seed: Array, *, dtype: DType = FLOAT32) -> Array:
    """Normal numbers of absolute value below 2 (tf.random.stateless_truncated_normal)."""
    size = spelled(shape)
    stream = generators.stateless(seed)
    return generators.truncated_normal(stream, prod(size), dtype.numpy).reshape(size)


@op("StatelessRandomUniformInt", type=_shaped_like(2), exact=True, ranks="1100")
def stateless_uniform_int(shape: Array, seed: Array, minval: Array, maxval: Array) -> Array:
    """Integers in [minval, maxval) (tf.random.stateless_uniform)."""
    size = spelled(shape)
    stream = generators.stateless(seed)
    return generators.integers(stream, prod(size), minval, maxval).reshape(size)


@op("StatelessRandomUniformFullInt", type=_shaped("dtype"), exact=True, ranks="11")
def stateless_full_int(shape: Array, seed: Array, *, dtype: DType = _UINT64) -> Array:
    """Integers over their whole range (tf.random.stateless_uniform)."""
    size = spelled(shape)
    stream = generators.stateless(seed)
    return generators.full_integers(stream, prod(size), dtype.numpy).reshape(size)


@op("StatelessMultinomial", type=_classes_type, ranks="201")
def stateless_multinomial(
    logits: Array, num_samples: Array, seed: Array, *, output_dtype: DType = INT64
) -> Array:
    """Classes drawn with probabilities softmax(logits) (tf.random.stateless_categorical)."""
    drawn = generators.categorical(generators.stateless(seed), logits, _samples(num_samples))
    return drawn.astype(output_dtype.numpy)


def repeats(size: tuple[int, ...], tail: tuple[int, ...]) -> int:
    """How many times `tail` fits into `size`; raises ValueError where it is not its end."""
    if size[len(size) - len(tail) :] != tail or len(tail) > len(size):
        raise ValueError(f"shape {size} should end with {tail}, the shape of the parameters")
    return prod(size[: len(size) - len(tail)])


def _gamma(shape: Array, stream: Philox, alpha: Array) -> Array:
    size = spelled(shape)
    samples = repeats(size, alpha.shape)
    drawn = _per_parameter(generators.gamma, stream, samples, alpha)
    return drawn.astype(alpha.dtype).reshape(size)


@op("StatelessRandomGammaV2", type=_shaped_like(2), ranks="11")
def stateless_gamma(shape: Array, seed: Array, alpha: Array) -> Array:
    """Gamma numbers of shape parameter alpha and rate 1 (tf.random.stateless_gamma)."""
    return _gamma(shape, generators.stateless(seed), alpha)


@op("StatelessRandomPoisson", type=_shaped("dtype"), ranks="11")
def stateless_poisson(shape: Array, seed: Array, lam: Array, *, dtype: DType) -> Array:
    """Poisson numbers of rate lam (tf.random.stateless_poisson)."""
    size = spelled(shape)
    samples = repeats(size, lam.shape)
    drawn = _per_parameter(generators.poisson, generators.stateless(seed), samples, lam)
    return _to(drawn, dtype).reshape(size)


@op("StatelessParameterizedTruncatedNormal", type=_shaped_like(2), ranks="11")
def stateless_parameterized_truncated_normal(
    shape: Array, seed: Array, means: Array, stddevs: Array, minvals: Array, maxvals: Array
) -> Array:
    """Normal numbers between bounds (tf.random.stateless_parameterized_truncated_normal); `shape`
    ends with the shape that the parameters have together.

    TensorFlow's numbers on one thread: of many numbers it draws others on more threads.
    """
    size, given = spelled(shape), (means, stddevs, minvals, maxvals)
    tail = np.broadcast_shapes(*(p.shape for p in given))
    samples = repeats(size, tail)
    columns = [np.broadcast_to(p, tail).ravel() for p in given]
    counts = [samples] * prod(tail)
    drawn = generators.between_bounds(generators.stateless(seed), counts, columns, means.dtype)
    return np.array(drawn, means.dtype).reshape(prod(tail), samples).T.reshape(size)


def successes(
    size: tuple[int, ...], stream: Philox, counts: Array, probs: Array, dtype: DType
) -> Array:
    """Successes in `counts` tries of probability `probs`, in `dtype`.

    Raises ValueError where the parameters' shape is not the end of `size`.
    """
    tail = np.broadcast_shapes(counts.shape, probs.shape)
    samples, members = repeats(size, tail), prod(tail)
    count, prob = (
        np.repeat(np.broadcast_to(p, tail).ravel().astype(np.float64), samples)
        for p in (counts, probs)
    )
    drawn = generators.binomial(stream, np.arange(len(count)), count, prob)
    return _to(drawn.reshape(members, samples).T, dtype).reshape(size)


@op("StatelessRandomBinomial", type=_shaped("dtype"), ranks="11")
def stateless_binomial(
    shape: Array, seed: Array, counts: Array, probs: Array, *, dtype: DType = INT64
) -> Array:
    """Successes in `counts` tries of probability `probs` (tf.random.stateless_binomial)."""
    return successes(spelled(shape), generators.stateless(seed), counts, probs, dtype)


# Stateless: key and counter


def _key_type(c: Inference) -> list[ValueType]:
    return [ValueType(_UINT64, (1,)), ValueType(_UINT64, (2,))]


def _key_counter(seed: Array) -> tuple[Array, Array]:
    stream = generators.stateless(seed)
    low, high = stream.counter & (1 << 64) - 1, stream.counter >> 64
    return np.array([stream.key], np.uint64), np.array([low, high], np.uint64)


@op(
    "StatelessRandomGetKeyCounter",
    type=_key_type,
    exact=True,
    outputs=("key", "counter"),
    ranks="1",
)
def get_key_counter(seed: Array) -> tuple[Array, Array]:
    """Key and counter of a seed of two integers, for the ops ending in V2."""
    return _key_counter(seed)


@op(
    "StatelessRandomGetKeyCounterAlg",
    type=lambda c: [*_key_type(c), ValueType(INT32, ())],
    exact=True,
    outputs=("key", "counter", "alg"),
    ranks="1",
)
def get_key_counter_alg(seed: Array) -> tuple[Array, Array, Array]:
    """Key, counter and algorithm (1: Philox) of a seed of two integers."""
    return (*_key_counter(seed), np.array(1, np.int32))


@op("StatelessRandomGetAlg", type=lambda c: ValueType(INT32, ()), exact=True)
def get_alg() -> Array:
    """The algorithm of a CPU: 1, Philox."""
    return np.array(1, np.int32)


@op("StatelessRandomUniformV2", type=_shaped("dtype"), exact=True, ranks="1110")
def stateless_uniform_v2(
    shape: Array, key: Array, counter: Array, alg: Array, *, dtype: DType = FLOAT32
) -> Array:
    """Uniform numbers in [0, 1) (tf.random.stateless_uniform)."""
    size = spelled(shape)
    stream = generators.keyed(key, counter, alg)
    return generators.uniform(stream, prod(size), dtype.numpy).reshape(size)


@op("StatelessRandomNormalV2", type=_shaped("dtype"), ranks="1110")
def stateless_normal_v2(
    shape: Array, key: Array, counter: Array, alg: Array, *, dtype: DType = FLOAT32
) -> Array:
    """Normal numbers (tf.random.stateless_normal)."""
    size = spelled(shape)
    stream = generators.keyed(key, counter, alg)
    return generators.normal(stream, prod(size), dtype.numpy).reshape(size)


@op("StatelessTruncatedNormalV2", type=_shaped("dtype"), ranks="1110")
def stateless_truncated_v2(
    shape: Array, key: Array, counter: Array, alg: Array, *, dtype: DType = FLOAT32
) -> Array:
    """Normal numbers of absolute value below 2 (tf.random.stateless_truncated_normal)."""
    size = spelled(shape)
    stream = generators.keyed(key, counter, alg)
    return generators.truncated_normal(stream, prod(size), dtype.numpy).reshape(size)


@op("StatelessRandomUniformIntV2", type=_shaped_like(4), exact=True, ranks="111000")
def stateless_uniform_int_v2(
    shape: Array, key: Array, counter: Array, alg: Array, minval: Array, maxval: Array
) -> Array:
    """Integers in [minval, maxval) (tf.random.stateless_uniform)."""
    size = spelled(shape)
    stream = generators.keyed(key, counter, alg)
    return generators.integers(stream, prod(size), minval, maxval).reshape(size)


@op("StatelessRandomUniformFullIntV2", type=_shaped("dtype"), exact=True, ranks="1110")
def stateless_full_int_v2(
    shape: Array, key: Array, counter: Array, alg: Array, *, dtype: DType = _UINT64
) -> Array:
    """Integers over their whole range (tf.random.stateless_uniform)."""
    size = spelled(shape)
    stream = generators.keyed(key, counter, alg)
    return generators.full_integers(stream, prod(size), dtype.numpy).reshape(size)


@op("StatelessRandomGammaV3", type=_shaped_like(4), ranks="1110")
def stateless_gamma_v3(shape: Array, key: Array, counter: Array, alg: Array, alpha: Array) -> Array:
    """Gamma numbers of shape parameter alpha and rate 1 (tf.random.stateless_gamma)."""
    return _gamma(shape, generators.keyed(key, counter, alg), alpha)


@op("StatelessShuffle", type=same, exact=True)
def stateless_shuffle(value: Array, key: Array, counter: Array, alg: Array) -> Array:
    """The rows in random order (tf.random.experimental.stateless_shuffle)."""
    stream = generators.keyed(key, counter, alg)
    if value.ndim == 0 or value.size == 0 or len(value) < 2:
        return value
    return value[generators.permutation(stream, len(value))]


@op("NonDeterministicInts", type=_shaped("dtype"), effect=RANDOM, ranks="1")
def non_deterministic_ints(shape: Array, *, dtype: DType = INT64) -> Array:
    """Integers over their whole range, from the system's entropy."""
    size = spelled(shape)
    stream = _reserve(None, 0, 0, 0)
    return generators.full_integers(stream, prod(size), dtype.numpy).reshape(size)


def _indices_type(c: Inference) -> ValueType:
    index, seed, most = (t.shape for t in c.inputs)
    if None in (index, seed, most):
        return ValueType(c.inputs[0].dtype)
    return ValueType(c.inputs[0].dtype, broadcast_shapes(c, index, (seed or ())[:-1], most))


@op("RandomIndexShuffle", type=_indices_type, exact=True)
def random_index_shuffle(index: Array, seed: Array, max_index: Array, *, rounds: int = 4) -> Array:
    """Where each index goes in a random permutation of 0 ... max_index
    (tf.random.experimental.index_shuffle): a walk by a block cipher (Black and Rogaway 2002)."""
    if seed.ndim not in (1, 2) or seed.shape[-1] != 3 or not 4 <= rounds <= 2**16 or rounds % 2:
        raise ValueError(
            f"seed {seed.shape} and rounds {rounds} should be [3] or [n, 3], and an even "
            "number from 4 to 65536"
        )
    if np.any(index < 0) or np.any(index > max_index):
        raise ValueError("indices should lie in [0, max_index]")
    shape = np.broadcast_shapes(index.shape, seed.shape[:-1], max_index.shape)
    rows = np.broadcast_to(seed, (*shape, 3)).reshape(-1, 3).tolist()
    pairs = zip(
        *(np.broadcast_to(v, shape).ravel().tolist() for v in (index, max_index)), strict=True
    )
    moved = [
        generators.shuffled_index(i, key, most, rounds)
        for (i, most), key in zip(pairs, rows, strict=True)
    ]
    return np.array(moved, np.uint64).astype(index.dtype).reshape(shape)
