"""Counted loops run inside one plan, and give what TensorFlow gives."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import tensorflow as tf
from tensorflow.compiler.tf2xla.ops import gen_xla_ops

import tfdeploy as td
from tfdeploy import config
from tfdeploy.runtime import pick
from tfdeploy.summary import _program

pytestmark = pytest.mark.skipif(config.engine() is None, reason="the compiled engine is off")

RNG = np.random.default_rng(5)
WEIGHTS = RNG.normal(size=(3, 4)).astype(np.float32)
AGAIN = (RNG.normal(size=(4, 4)) / 2).astype(np.float32)


def scan(x: Any) -> Any:
    """States of a cell: rows in, rows out, and the last state."""
    rows = tf.TensorArray(tf.float32, tf.shape(x)[0], element_shape=[None, 3]).unstack(x)
    found = tf.TensorArray(tf.float32, tf.shape(x)[0], element_shape=[None, 4])
    first = tf.zeros([tf.shape(x)[1], 4])

    def step(i: Any, state: Any, found: Any) -> Any:
        state = tf.tanh(tf.matmul(rows.read(i), WEIGHTS) + tf.matmul(state, AGAIN) + 0.1)
        return i + 1, state, found.write(i, state * 2)

    _, state, found = tf.while_loop(lambda i, *_: i < tf.shape(x)[0], step, (0, first, found))
    return tf.concat([found.stack(), state[None]], 0)


def swap(x: Any) -> Any:
    """States that become one another."""
    first = (0, x[0], x[1] * 2, x[2])
    _, a, b, c = tf.while_loop(
        lambda i, *_: i < 5, lambda i, a, b, c: (i + 1, b, a, b + c * 0.5), first
    )
    return tf.stack([a, b, c])


def counting(x: Any) -> Any:
    """A counter that is computed with, and that is a result."""
    i, y = tf.while_loop(
        lambda i, _: i < 7, lambda i, y: (i + 1, y + tf.cast(i, tf.float32)), (0, x)
    )
    return y * tf.cast(i, tf.float32)


def outside(x: Any) -> Any:
    """What does not change in the loop, computed from what is fed."""
    _, y = tf.while_loop(
        lambda i, _: i < 3, lambda i, y: (i + 1, tf.nn.softmax(y) * tf.reduce_sum(x * x)), (0, x)
    )
    return y


def indexed(x: Any) -> Any:
    """Rows by the counter's number, of what is fed and of what is computed from it."""
    squares = tf.square(x)
    count = tf.shape(x)[0]
    first = (0, tf.zeros_like(x[0]))
    step = lambda i, y: (i + 1, tf.tanh(x[i] + tf.gather(squares, i)) + y * 0.5)  # noqa: E731
    return tf.while_loop(lambda i, _: i < count, step, first)[1]


def mapped(x: Any) -> Any:
    """Rows on their own, of another shape."""
    return tf.map_fn(lambda row: tf.reduce_max(row, 0) + tf.reduce_sum(row, 0), x)


def nested(x: Any) -> Any:
    """A loop in a loop: the inner one is for the engine."""

    def inner(y: Any) -> Any:
        return tf.while_loop(lambda j, _: j < 4, lambda j, y: (j + 1, y * 0.5 + x[0]), (0, y))[1]

    return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, inner(y)), (0, x[1]))[1]


def searching(x: Any) -> Any:
    """A number of rounds that depends on the numbers."""
    return tf.while_loop(lambda y: tf.reduce_sum(y) < 100.0, lambda y: y * y + 1.0, (x,))[0]


LOOPS = {f.__name__: f for f in (scan, swap, counting, outside, indexed, mapped)}
OTHERS = {f.__name__: f for f in (nested, searching)}


# Loops that end when the numbers say so: their bodies are plans that know the counter.


def _until(body: Callable[[Any, Any], Any], y: Any, most: int = 6) -> Any:
    """`body` of a counter and a value until this is large or the counter has come to an end."""
    going = lambda i, y: (i < most) & (tf.reduce_sum(y) < 1e6)  # noqa: E731
    return tf.while_loop(going, lambda i, y: (i + 1, body(i, y)), (0, y))


def cached(x: Any) -> Any:
    """A row of a cache is written, and those so far are looked at."""
    rows = tf.shape(x)[1]
    cache = tf.zeros([6, rows, 3])

    def step(i: Any, y: Any, cache: Any) -> Any:
        cache = tf.tensor_scatter_nd_update(cache, [[i]], (y @ WEIGHTS[:, :3])[None])
        past = tf.reshape(cache[: i + 1], [i + 1, rows, 3])
        weights = tf.nn.softmax(tf.einsum("rc,trc->rt", y, past))
        return i + 1, tf.einsum("rt,trc->rc", weights, past) + y, cache

    going = lambda i, y, _: (i < 6) & (tf.reduce_sum(y) < 1e6)  # noqa: E731
    return tf.while_loop(going, step, (0, x[0], cache))[1:]


def two_axes(x: Any) -> Any:
    """A place of two axes is written, and another one in the middle is changed by a sum."""
    rows = tf.shape(x)[1]

    def step(i: Any, y: Any) -> Any:
        y = tf.tensor_scatter_nd_update(y, [[0, i], [1, i]], tf.ones([2, rows, 3]) * y[0, 0, 0, 0])
        return tf.tensor_scatter_nd_add(y, [[1, 2, 0]], y[:1, i, 0])

    return _until(step, tf.tile(x[None, :1], [2, 6, 1, 1]))


def windows(x: Any) -> Any:
    """Slices with varying begins, of either kind."""

    def step(i: Any, y: Any) -> Any:
        part = tf.slice(y, [i // 2, 0], [2, -1])
        moved = tf.concat([y[i:], y[:i]], 0)
        every = tf.reduce_sum(y[i : i + 3], 0) + tf.reduce_sum(y[: 2 * i + 1 : 2], 0)
        moved = tf.ensure_shape(moved, [6, 3])
        return moved + tf.reduce_sum(part, 0) * 0.1 + every * 0.01 + y[i] + y[tf.newaxis, i, :]

    return _until(step, tf.reshape(x[:3, :2], [6, 3]))


def from_the_end(x: Any) -> Any:
    """Begins that are negative at times."""
    first = tf.reshape(x[:3, :2], [6, 3])
    return _until(lambda i, y: y + y[i - 3] + tf.reduce_sum(y[i - 3 :], 0), first)


def beyond(x: Any) -> Any:
    """Bounds that lie outside of their axis at times."""
    return _until(lambda i, y: y + tf.reduce_sum(y[i - 1 : 3 * i], 0), tf.abs(x[0]))


def growing(x: Any) -> Any:
    """Shapes that the counter is in."""

    def step(i: Any, y: Any) -> Any:
        many = tf.reshape(tf.tile(y[None], [i + 1, 1, 1]), [-1, i + 1, 3])
        count = tf.cast(tf.range(i, 2 * i + 4, 2), tf.float32)
        filled = tf.fill([i + 2, 3], 0.5) * tf.cast(tf.shape(many)[1], tf.float32)
        return y + tf.reduce_mean(many) + tf.reduce_sum(count) * 0.01 + tf.reduce_sum(filled)

    return _until(step, x[0])


def updates(x: Any) -> Any:
    """Windows that are written, and read, moved inside where they would stand out."""

    def step(i: Any, y: Any) -> Any:
        change = gen_xla_ops.xla_dynamic_slice(y, [i - 1, 0], [2, 2])
        return gen_xla_ops.xla_dynamic_update_slice(y, change * 2.0, [2 * i, 1])

    return _until(step, x[0, :1] + x[:3, 0])


def chosen(x: Any) -> Any:
    """Rows are chosen within each row, as beams are; integers are divided by numbers."""

    def step(i: Any, y: Any) -> Any:
        scores, best = tf.math.top_k(tf.reshape(y, [tf.shape(y)[0], 12]), 4)
        parent = tf.gather(best // 3, tf.range(4)[::-1], axis=1)
        left = tf.cast((best - 7) // 3 * 100 + (best - 7) % -5, tf.float32)
        done = tf.reduce_all(best > 3, 1) | tf.reduce_any(tf.equal(best, i), 1)
        y = tf.gather(y, parent, batch_dims=1) + left[:, :, None] * 1e-3
        return y + tf.where(done, 0.5, 0.25)[:, None, None] + scores[:, :, None] * 0.1

    first = tf.tile(tf.reshape(x, [-1, 1, 3]), [1, 4, 1]) * [[1.0], [2.0], [0.5], [-1.0]]
    return _until(step, first)


def branching(x: Any) -> Any:
    """A loop in a loop whose end the numbers say, and constants for both."""

    def step(i: Any, y: Any) -> Any:
        inner = lambda j, z: (j + 1, tf.tanh(z @ AGAIN[:3, :3]) + z[: i + 1][0])  # noqa: E731
        return tf.while_loop(lambda j, z: j < tf.minimum(i, 2), inner, (0, y))[1] + 0.1

    return _until(step, x[0])


ENDING = {
    f.__name__: f
    for f in (cached, two_axes, windows, from_the_end, beyond, growing, updates, chosen, branching)
}
WHOLE = ("cached", "two_axes", "windows", "growing", "updates", "chosen")
"""Whose bodies are one plan, whatever the counter."""


def _named(found: Any) -> dict[str, Any]:
    return {f"part{i}": value for i, value in enumerate(tf.nest.flatten(found))}


def convert(function: Callable[[Any], Any]) -> tuple[Any, td.Model]:
    concrete = tf.function(function).get_concrete_function(
        tf.TensorSpec([None, None, 3], tf.float32)
    )
    return concrete, td.convert(concrete)


def steps(model: td.Model) -> set[str]:
    """Ops after which the steps of a call are named."""
    return {step.node.op for step in _program(model.signatures["serving_default"]).steps}


@pytest.mark.parametrize("name", LOOPS | OTHERS)
def test_equals_tensorflow(name: str) -> None:
    concrete, model = convert((LOOPS | OTHERS)[name])
    for shape in ((5, 2, 3), (3, 1, 3), (4, 6, 3)):
        x = RNG.normal(size=shape).astype(np.float32)
        want = concrete(tf.constant(x)).numpy()
        got = model(x)
        assert got.shape == want.shape and got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", LOOPS)
def test_runs_in_the_engine(name: str) -> None:
    assert not {"While", "StatelessWhile"} & steps(convert(LOOPS[name])[1])


def test_other_loops_run_as_they_did() -> None:
    assert {"While", "StatelessWhile"} & steps(convert(searching)[1])


def test_no_rounds() -> None:
    def doubled(x: Any) -> Any:
        first = (0, tf.reduce_sum(x, 0) + 1.0)
        return tf.while_loop(lambda i, _: i < tf.shape(x)[0], lambda i, y: (i + 1, y * 2), first)[1]

    concrete, model = convert(doubled)
    assert not {"While", "StatelessWhile"} & steps(model)
    for rounds in (0, 1, 3):
        x = np.ones((rounds, 2, 3), np.float32)
        np.testing.assert_array_equal(model(x), concrete(tf.constant(x)).numpy())


def test_batches_that_meet_in_a_state() -> None:
    """Rows, their mask and the first state are fed on their own, as to decoders."""

    def masked(x: Any, mask: Any, first: Any) -> Any:
        found = tf.TensorArray(tf.float32, tf.shape(x)[0])
        valid = tf.TensorArray(tf.bool, tf.shape(mask)[0], element_shape=[None, 1]).unstack(mask)

        def step(i: Any, state: Any, found: Any) -> Any:
            new = tf.tanh(x[i] @ WEIGHTS + state @ AGAIN)
            state = tf.where(valid.read(i), new, state)
            return i + 1, state, found.write(i, state)

        going = lambda i, *_: i < tf.shape(x)[0]  # noqa: E731
        _, state, found = tf.while_loop(going, step, (0, first, found))
        return {"state": state @ AGAIN, "rows": tf.nn.relu(found.stack() @ AGAIN)}

    concrete = tf.function(masked).get_concrete_function(
        tf.TensorSpec([None, None, 3]),
        tf.TensorSpec([None, None, 1], tf.bool),
        tf.TensorSpec([None, 4]),
    )
    model = td.convert(concrete)
    assert len(_program(model.signatures["serving_default"]).steps) == 1
    for rounds, batches in ((5, (2, 2, 2)), (5, (3, 1, 3)), (4, (1, 1, 1)), (4, (4, 4, 4))):
        shapes = [(rounds, batches[0], 3), (rounds + (rounds == 4), batches[1], 1), (batches[2], 4)]
        x, mask, first = (RNG.normal(size=shape).astype(np.float32) for shape in shapes)
        want = concrete(x, mask > 0, first)
        got = model(x=x, mask=mask > 0, first=first)
        for key, value in want.items():
            np.testing.assert_allclose(got[key], value, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("threads", [1, 2])
def test_rows_do_not_depend_on_their_batch(threads: int) -> None:
    model = convert(scan)[1]
    x = RNG.normal(size=(9, 40, 3)).astype(np.float32)
    before = td.get_num_threads()
    td.set_num_threads(threads)
    try:
        whole = model(x)
        for n in (0, 7, 39):
            np.testing.assert_array_equal(model(x[:, n : n + 1]), whole[:, n : n + 1])
    finally:
        td.set_num_threads(before)


@pytest.fixture
def crossings(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts the steps that bodies of loops take, by their kind."""
    found: Counter[str] = Counter()
    apply = pick._Compiled.apply

    def counting(self: Any, arguments: Any) -> Any:
        program, _ = self._program(tuple(self._graph.outputs), frozenset(self._graph.inputs))
        kinds = [type(step.function).__name__ for step in program.steps]
        found["plans"] += kinds.count("Segment")
        found["others"] += len(kinds) - kinds.count("Segment")
        found["calls"] += 1
        try:
            return apply(self, arguments)
        except Exception:
            found["refused"] += 1
            raise

    monkeypatch.setattr(pick._Compiled, "apply", counting)
    return found


@pytest.mark.parametrize("name", WHOLE)
def test_a_round_is_one_plan(name: str, crossings: Counter[str]) -> None:
    _, model = convert(lambda x: _named(ENDING[name](x)))
    model(RNG.normal(size=(4, 2, 3)).astype(np.float32))
    assert crossings["calls"] == crossings["plans"] > 4
    assert crossings["others"] == crossings["refused"] == 0


@pytest.mark.parametrize("name", ENDING)
def test_loops_that_numbers_end(name: str) -> None:
    concrete, model = convert(lambda x: _named(ENDING[name](x)))
    for shape in ((5, 2, 3), (4, 6, 3), (3, 3, 3)):
        x = RNG.normal(size=shape).astype(np.float32)
        want = concrete(tf.constant(x))
        got = model(x)
        for key, value in want.items():
            assert got[key].shape == value.shape and got[key].dtype == value.numpy().dtype
            np.testing.assert_allclose(got[key], value.numpy(), rtol=2e-5, atol=2e-5)
