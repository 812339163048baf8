"""Counted loops run inside one plan, and give what TensorFlow gives."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import tensorflow as tf

import tfdeploy as td
from tfdeploy import config
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


LOOPS = {f.__name__: f for f in (scan, swap, counting, outside, mapped)}
OTHERS = {f.__name__: f for f in (nested, searching)}


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
