"""Random numbers whose generator stands in a variable (tf.random.Generator, Keras seeds).

The variable holds int64 [counter, counter, key]: the two halves of Philox's counter, low one first,
and its key.  A draw of n numbers moves the counter by 256 n, whatever the distribution.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import FLOAT32, INT64, DType
from ..graph.types import ValueType
from . import generators
from .generators import PER_OUTPUT, Philox, check_algorithm
from .handles import Variable
from .random import repeats, spelled, successes
from .registry import WRITES, op
from .rules import Inference, shape_vector

Array = NDArray[Any]

_DOUBLE_WORD = (1 << 64) - 1
_UINT64 = DType("uint64")


def _shaped(c: Inference) -> ValueType:
    return ValueType(c.attrs["dtype"], shape_vector(c, 2))


def _advance(variable: Variable, alg: Array, numbers: int, skipped: int = 0) -> Philox:
    """The stream from where the variable stands, which moves on by `numbers`.

    `skipped` elements stand before the counter.  Raises ValueError for an algorithm but Philox
    or a variable that is no generator's.
    """
    check_algorithm(alg)
    state = variable.read()
    if state.dtype != np.int64 or state.ndim != 1 or len(state) < 3 + skipped:
        raise ValueError(
            f"the generator's variable holds {state.dtype}{list(state.shape)} and should "
            f"hold int64[{3 + skipped}]"
        )
    low, high, key = (int(n) & _DOUBLE_WORD for n in state[skipped : skipped + 3])
    stream = Philox(key, high << 64 | low)
    counter = stream.skip(numbers * PER_OUTPUT).counter
    moved = state.copy()
    halves = np.array([counter & _DOUBLE_WORD, counter >> 64], np.uint64)
    moved[skipped : skipped + 2] = halves.view(np.int64)
    variable.assign(moved)
    return stream


def _drawn(
    variable: Variable,
    alg: Array,
    shape: Array,
    draw: Callable[[Philox, int], Array],
    skipped: int = 0,
) -> Array:
    size = spelled(shape)
    stream = _advance(variable, alg, prod(size), skipped)
    return draw(stream, prod(size)).reshape(size)


@op("RngReadAndSkip", type=lambda c: ValueType(INT64, (3,)), effect=WRITES, exact=True)
def rng_read_and_skip(resource: Variable, alg: Array, delta: Array) -> Array:
    """The generator's state, which then moves on by `delta` numbers."""
    state = resource.read()
    _advance(resource, alg, int(delta))
    return state[:3]


@op("RngSkip", type=lambda c: [], effect=WRITES, exact=True)
def rng_skip(resource: Variable, algorithm: Array, delta: Array) -> tuple[Array, ...]:
    """The generator moves on by `delta` numbers (tf.random.Generator.skip)."""
    _advance(resource, algorithm, int(delta))
    return ()


@op("StatefulUniform", type=_shaped, effect=WRITES, exact=True)
def stateful_uniform(
    resource: Variable, algorithm: Array, shape: Array, *, dtype: DType = FLOAT32
) -> Array:
    """Uniform numbers in [0, 1) (tf.random.Generator.uniform)."""
    return _drawn(resource, algorithm, shape, lambda s, n: generators.uniform(s, n, dtype.numpy))


@op("StatefulStandardNormalV2", type=_shaped, effect=WRITES)
def stateful_normal(
    resource: Variable, algorithm: Array, shape: Array, *, dtype: DType = FLOAT32
) -> Array:
    """Normal numbers (tf.random.Generator.normal)."""
    return _drawn(resource, algorithm, shape, lambda s, n: generators.normal(s, n, dtype.numpy))


@op(
    "StatefulStandardNormal",
    type=lambda c: ValueType(c.attrs["dtype"], shape_vector(c, 1)),
    effect=WRITES,
)
def stateful_normal_v1(resource: Variable, shape: Array, *, dtype: DType = FLOAT32) -> Array:
    """Normal numbers; the algorithm is the first element of the variable."""
    return _drawn(
        resource,
        resource.read()[0],
        shape,
        lambda s, n: generators.normal(s, n, dtype.numpy),
        skipped=1,
    )


@op("StatefulTruncatedNormal", type=_shaped, effect=WRITES)
def stateful_truncated_normal(
    resource: Variable, algorithm: Array, shape: Array, *, dtype: DType = FLOAT32
) -> Array:
    """Normal numbers of absolute value below 2 (tf.random.Generator.truncated_normal)."""
    return _drawn(
        resource, algorithm, shape, lambda s, n: generators.truncated_normal(s, n, dtype.numpy)
    )


@op("StatefulUniformFullInt", type=_shaped, effect=WRITES, exact=True)
def stateful_full_int(
    resource: Variable, algorithm: Array, shape: Array, *, dtype: DType = _UINT64
) -> Array:
    """Integers over their whole range (tf.random.Generator.uniform_full_int)."""
    return _drawn(
        resource, algorithm, shape, lambda s, n: generators.full_integers(s, n, dtype.numpy)
    )


@op(
    "StatefulUniformInt",
    type=lambda c: ValueType(c.inputs[3].dtype, shape_vector(c, 2)),
    effect=WRITES,
    exact=True,
)
def stateful_uniform_int(
    resource: Variable, algorithm: Array, shape: Array, minval: Array, maxval: Array
) -> Array:
    """Integers in [minval, maxval) (tf.random.Generator.uniform)."""
    return _drawn(
        resource, algorithm, shape, lambda s, n: generators.integers(s, n, minval, maxval)
    )


@op("StatefulRandomBinomial", type=_shaped, effect=WRITES)
def stateful_binomial(
    resource: Variable,
    algorithm: Array,
    shape: Array,
    counts: Array,
    probs: Array,
    *,
    dtype: DType = INT64,
) -> Array:
    """Successes in `counts` tries of probability `probs` (tf.random.Generator.binomial)."""
    size = spelled(shape)
    tail = np.broadcast_shapes(counts.shape, probs.shape)
    reserved = prod(tail) * 2 * 100 * (repeats(size, tail) + 3) // 4  # as TensorFlow reckons
    return successes(size, _advance(resource, algorithm, reserved), counts, probs, dtype)
