"""Generators in variables: numbers and the state they leave, against TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tfdeploy.dtypes import from_enum
from tfdeploy.ops import registry
from tfdeploy.ops.handles import Variable

STATES = ([1, 2, 3], [-1, 2, -3], [-1, -1, 2**62])
SHAPE = np.array([3, 2], np.int64)
ALG = np.array(1, np.int64)


def both(name: str, state: list[int], *inputs: Any, dtype: Any = None) -> tuple[Any, Any, Any, Any]:
    """tfdeploy's result and variable, then TensorFlow's, after two calls."""
    import tensorflow as tf

    ours, theirs = Variable(np.array(state, np.int64)), tf.Variable(np.array(state, np.int64))
    record = registry.get(name)
    assert record is not None
    keywords: dict[str, Any] = dict(record.defaults)
    attrs: list[Any] = []
    if name.startswith("Stateful"):
        kind = tf.as_dtype(dtype if dtype is not None else inputs[2].dtype).as_datatype_enum
        attrs = ["shape_dtype", tf.int64.as_datatype_enum, "dtype", kind]
    if dtype is not None:
        keywords["dtype"] = from_enum(kind)
    for _ in range(2):
        got = record.reference(ours, *inputs, **keywords)
        want = _run(name, [theirs.handle, *map(tf.constant, inputs)], attrs, name != "RngSkip")
    return got, ours.value, want, theirs.numpy()


def _run(name: str, tensors: list[Any], attrs: list[Any], outputs: int) -> Any:
    from tensorflow.python.eager import context, execute

    results = execute.execute(name.encode(), outputs, tensors, tuple(attrs), context.context())
    return results[0].numpy() if outputs else None


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("alg", [1, 3])
def test_read_and_skip(state: list[int], alg: int) -> None:
    inputs = np.array(alg, np.int32), np.array(2**55 + 7, np.uint64)
    got, left, want, theirs = both("RngReadAndSkip", state, *inputs)
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(left, theirs)


@pytest.mark.parametrize("state", STATES)
def test_skip(state: list[int]) -> None:
    _, left, _, theirs = both("RngSkip", state, ALG, np.array(9, np.int64))
    np.testing.assert_array_equal(left, theirs)


@pytest.mark.parametrize(
    "name", ["StatefulUniform", "StatefulStandardNormalV2", "StatefulTruncatedNormal"]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_floats(name: str, dtype: Any) -> None:
    got, left, want, theirs = both(name, STATES[1], ALG, SHAPE, dtype=dtype)
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(left, theirs)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint32, np.uint64])
def test_full_integers(dtype: Any) -> None:
    got, left, want, theirs = both("StatefulUniformFullInt", STATES[2], ALG, SHAPE, dtype=dtype)
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(left, theirs)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_integers(dtype: Any) -> None:
    ends = np.array(-5, dtype), np.array(1000, dtype)
    got, left, want, theirs = both("StatefulUniformInt", STATES[0], ALG, SHAPE, *ends)
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(left, theirs)


@pytest.mark.parametrize("size", [[3], [7, 2], [10, 5]])
def test_binomial(size: list[int]) -> None:
    import tensorflow as tf

    counts, probs = np.array([1.0, 20, 50, 100, 1000]), np.array([0.5, 0.2, 0.3, 0.9, 0.4])
    inputs = np.array(size, np.int32), counts[: size[-1]], probs[: size[-1]]
    ours, theirs = Variable(np.array(STATES[1])), tf.Variable(np.array(STATES[1]))
    for _ in range(2):
        theirs.assign_add([0, 0, 0])  # TensorFlow loses the update of a buffer that others read
        got = registry.get("StatefulRandomBinomial").reference(ours, ALG, *inputs)
        want = tf.raw_ops.StatefulRandomBinomial(
            resource=theirs.handle, algorithm=1, shape=inputs[0], counts=inputs[1], probs=inputs[2]
        )
        np.testing.assert_array_equal(got, want)
        np.testing.assert_array_equal(ours.value, np.array(theirs.numpy()))


def test_old_state_names_its_algorithm() -> None:
    """StatefulStandardNormal is retired: its numbers are those of its successor."""
    old, new = Variable(np.array([1, 7, 8, 9])), Variable(np.array([7, 8, 9]))
    float32 = from_enum(1)
    got = registry.get("StatefulStandardNormal").reference(old, SHAPE, dtype=float32)
    want = registry.get("StatefulStandardNormalV2").reference(new, ALG, SHAPE, dtype=float32)
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(old.value[1:], new.value)


@pytest.mark.parametrize(
    ("state", "alg", "said"),
    [([1, 2], 1, "should hold"), ([1, 2, 3], 2, "Philox"), (None, 1, "not initialised")],
)
def test_what_is_no_generator(state: Any, alg: int, said: str) -> None:
    variable = Variable(None if state is None else np.array(state), "seed")
    with pytest.raises(ValueError, match=said):
        registry.get("RngSkip").reference(variable, np.array(alg), np.array(1))


def test_threefry_is_refused_as_on_every_cpu() -> None:
    import tensorflow as tf

    variable, alg = Variable(np.array([1, 2, 3], np.int64)), np.array(2, np.int64)
    record = registry.get("StatefulUniform")
    assert record is not None
    with pytest.raises(ValueError, match="ThreeFry"):
        record.reference(variable, alg, SHAPE, **record.defaults)
    key, counter = np.array([1], np.uint64), np.array([1, 2], np.uint64)
    draw = {"shape": [2], "key": key, "counter": counter, "alg": 2}
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.raw_ops.StatelessRandomUniformV2(**draw)
    record = registry.get("StatelessRandomUniformV2")
    assert record is not None
    with pytest.raises(ValueError, match="ThreeFry"):
        record.reference(*map(np.array, draw.values()), **record.defaults)
