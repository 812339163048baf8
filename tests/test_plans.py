"""What real graphs are made of runs as one plan, and as TensorFlow runs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfdeploy as td
from tfdeploy import config

pytestmark = pytest.mark.skipif(config.engine() is None, reason="no compiled engine")

F, I, L = tf.float32, tf.int32, tf.int64
Shape = tuple[int | None, ...]


def ramp(*shape: int) -> Any:
    return np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)


def around(before: int, after: int, rank: int) -> list[list[int]]:
    return [[0, 0], *[[before, after]] * (rank - 2), [0, 0]]


def dilated(x: Any, rate: int, padding: str, kernel: Any, op: Callable[..., Any]) -> Any:
    """A dilated convolution as TensorFlow spelled it before windows could be dilated."""
    rank = len(x.shape)
    reach = rate * (kernel.shape[0] - 1)
    before = reach // 2 if padding == "SAME" else 0
    after = reach - before if padding == "SAME" else 0
    extents = [n + before + after for n in x.shape[1:-1]]
    more = [-n % rate for n in extents]
    pads = [[before, after + m] for m in more]
    x = tf.space_to_batch_nd(x, [rate] * (rank - 2), pads)
    return tf.batch_to_space(op(x, kernel), [rate] * (rank - 2), [[0, m] for m in more])


def conv1d(x: Any, kernel: Any) -> Any:
    return tf.nn.conv1d(x, kernel, 1, "VALID")


def conv2d(x: Any, kernel: Any) -> Any:
    return tf.nn.conv2d(x, kernel, 1, "VALID")


def depthwise(x: Any, kernel: Any) -> Any:
    return tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "VALID")


def causal(x: Any) -> Any:
    x = tf.pad(x, [[0, 0], [6, 0], [0, 0]])
    x = dilated(x, 3, "VALID", ramp(3, 4, 5), conv1d)
    return tf.nn.relu(tf.nn.bias_add(x, ramp(5)))


def upsampled(x: Any) -> Any:
    n, h, w, c = tf.shape(x)[0], *x.shape[1:]
    x = tf.tile(x[:, :, None], [1, 1, 2, 1, 1])
    x = tf.reshape(x, tf.stack([n, h * 2, w, c]))
    return tf.reshape(tf.tile(x[..., None, :], [1, 1, 1, 3, 1]), tf.stack([n, h * 2, w * 3, c]))


def masked_attention(q: Any, k: Any, v: Any, keep: Any) -> Any:
    scores = tf.einsum("BTNH,BSNH->BNTS", q, k) * 0.3
    causal = tf.linalg.band_part(tf.ones((tf.shape(q)[1], tf.shape(k)[1]), tf.bool), -1, 0)
    mask = tf.logical_and(tf.ones(tf.shape(scores), tf.bool), causal[None, None])
    mask = tf.logical_and(mask, (keep > 0)[:, None, None])
    weights = tf.nn.softmax(tf.where(mask, scores, np.float32(-2e38)))
    return tf.einsum("BNTS,BSNH->BTNH", weights, v)


def neighbours(x: Any) -> Any:
    distances = tf.reduce_sum(tf.square(x[:, :, None] - x[:, None]), -1)
    _, at = tf.math.top_k(-distances, 3)
    rows = tf.broadcast_to(tf.range(tf.shape(x)[0])[:, None, None], tf.shape(at))
    pairs = tf.stack([rows, at], -1)
    return tf.gather(x, at, batch_dims=1) - 2.0 * tf.gather_nd(x, pairs)


ROWS: dict[str, tuple[Callable[..., Any], list[tuple[Shape, Any]]]] = {
    "dilated sequence": (causal, [((None, 21, 4), F)]),
    "dilated image": (
        lambda x: dilated(x, 2, "SAME", ramp(3, 3, 4, 5), conv2d),
        [((None, 9, 12, 4), F)],
    ),
    "dilated image of even size": (
        lambda x: dilated(x, 3, "VALID", ramp(2, 2, 4, 5), conv2d),
        [((None, 9, 12, 4), F)],
    ),
    "dilated depthwise": (
        lambda x: dilated(x, 2, "SAME", ramp(3, 3, 4, 1), depthwise),
        [((None, 9, 12, 4), F)],
    ),
    "padded twice": (
        lambda x: conv2d(tf.pad(tf.nn.relu(x), around(2, 1, 4)), ramp(3, 3, 4, 5)),
        [((None, 6, 7, 4), F)],
    ),
    "upsampling": (upsampled, [((None, 3, 4, 5), F)]),
    "slices": (
        lambda x: x[..., 1:3] + x[:, ::-1, None, 0] * x[:, -1:, 2, tf.newaxis] - x[:, :, :1],
        [((None, 5, 4), F)],
    ),
    "slices of any length": (
        lambda x: x[:, 1:] - x[:, :-1] + x[:, -1:, ..., :1],
        [((None, None, 3), F)],
    ),
    "attention under masks": (
        masked_attention,
        [((None, 5, 2, 4), F), ((None, 7, 2, 4), F), ((None, 7, 2, 4), F), ((None, 7), I)],
    ),
    "neighbours": (neighbours, [((None, 6, 4), F)]),
    "positions": (
        lambda x: tf.gather(ramp(40, 3), tf.range(2, tf.shape(x)[1] + 2)) + x,
        [((None, None, 3), F)],
    ),
    "sizes": (
        lambda x: tf.reduce_sum(x, [1]) / tf.cast(tf.shape(x)[1] * tf.size(x), F),
        [((None, None, 3), F)],
    ),
    "reflections": (
        lambda x: tf.pad(x, [[0, 0], [2, 1], [0, 3], [0, 0]], "REFLECT"),
        [((None, 3, 4, 2), F)],
    ),
    "symmetric padding": (
        lambda x: tf.pad(x, [[0, 0], [3, 2], [1, 4]], "SYMMETRIC"),
        [((None, 3, 4), F)],
    ),
    "depth to space": (
        lambda x: tf.nn.relu(tf.nn.depth_to_space(x, 2)),
        [((None, 3, 4, 12), F)],
    ),
    "space to depth": (lambda x: tf.nn.space_to_depth(x, 3), [((None, 6, 9, 2), F)]),
    "angles": (
        lambda x, y: tf.atan2(x, y) + tf.asinh(x / 3.0) + tf.math.floormod(y, 0.7),
        [((None, 33), F), ((None, 33), F)],
    ),
    "integers": (
        lambda x: tf.nn.bias_add(x, np.int32([1, 2, 3])) * 2,
        [((None, 3), I)],
    ),
}


def fed(specs: list[tuple[Shape, Any]], n: int) -> list[np.ndarray]:
    rng = np.random.default_rng(n)
    shapes = [[n if e is None else e for e in shape] for shape, _ in specs]
    made = [rng.normal(0, 3, s) for s in shapes]
    return [a.astype(kind.as_numpy_dtype) for a, (_, kind) in zip(made, specs, strict=True)]


@pytest.mark.parametrize("name", ROWS)
def test_one_plan_as_tensorflow(name: str) -> None:
    function, specs = ROWS[name]
    traced = tf.function(function, input_signature=[tf.TensorSpec(s, k) for s, k in specs])
    model = td.convert(traced)
    (signature,) = model.signatures.values()
    for n in (4, 3):
        arrays = fed(specs, n)
        want = traced(*arrays).numpy()
        (got,) = signature(dict(zip(signature.inputs, arrays, strict=True))).values()
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        assert np.abs(got - want).max() <= 2e-6 * np.abs(want).max()
    (placed,) = model._entries[0].engine._compiled._programs.values()
    assert [type(step.function).__name__ for step in placed.program.steps] == ["Segment"]
