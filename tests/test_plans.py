"""What real graphs are made of runs as one plan, and as TensorFlow runs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfdeploy as td
from tfdeploy import config
from tfdeploy.passes import pipeline

pytestmark = pytest.mark.skipif(config.engine() is None, reason="no compiled engine")

F, INT = tf.float32, tf.int32
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


def masses(p: Any) -> Any:
    x, y, z, m = tf.unstack(p, axis=-1)
    e = tf.sqrt(x**2 + y**2 + z**2 + m**2)
    phi, eta = tf.atan2(y, x), tf.asinh(z / tf.sqrt(x**2 + y**2))
    turn = phi[:, :, None] - phi[:, None]
    turn = tf.math.floormod(turn + np.pi, 2 * np.pi) - np.pi
    near = tf.cast(tf.sqrt(turn**2 + (eta[:, :, None] - eta[:, None]) ** 2) < 1.0, tf.float64)
    return tf.reduce_sum(near * e[:, None], 2) + tf.where(m > 0, tf.cos(phi), tf.exp(-e))


def pairs(x: Any) -> Any:
    chosen = np.eye(6, dtype=np.float32)[[0, 1, 2, 3, 4, 5, 1, 3]]
    edges = tf.einsum("en,bnf->bef", chosen, x)
    return tf.einsum("bef,eg->bgf", edges, ramp(8, 3)) + tf.einsum("bnf,bnf->bf", x, x)[:, None]


def neighbours(x: Any) -> Any:
    distances = tf.reduce_sum(tf.square(x[:, :, None] - x[:, None]), -1)
    _, at = tf.math.top_k(-distances, 3)
    rows = tf.broadcast_to(tf.range(tf.shape(x)[0])[:, None, None], tf.shape(at))
    pairs = tf.stack([rows, at], -1)
    return tf.gather(x, at, batch_dims=1) - 2.0 * tf.gather_nd(x, pairs)


def placed(x: Any) -> Any:
    """Rows that know no more than six places, as a short text model has them."""
    return headed(x + tf.slice(tf.constant(ramp(6, 4)), [0, 0], [tf.shape(x)[1], 4]))


def headed(x: Any) -> Any:
    """Heads that a product takes only where its rows lie dense."""
    heads = tf.transpose(tf.reshape(x, [*tf.unstack(tf.shape(x)[:2]), 2, 2]), [0, 2, 1, 3])
    mixed = tf.transpose(tf.matmul(tf.nn.softmax(heads), ramp(2, 1)), [0, 2, 1, 3])
    return tf.einsum("bsnh,nhd->bsd", mixed, ramp(2, 1, 4)) + ramp(4)


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
    "a filter for each channel": (lambda x: conv2d(x, ramp(3, 3, 1, 4)), [((None, 9, 12, 4), F)]),
    "two filters for each channel": (
        lambda x: conv2d(x, ramp(3, 3, 1, 8)),
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
        [((None, 5, 2, 4), F), ((None, 7, 2, 4), F), ((None, 7, 2, 4), F), ((None, 7), INT)],
    ),
    "neighbours": (neighbours, [((None, 6, 4), F)]),
    "positions": (
        lambda x: tf.gather(ramp(40, 3), tf.range(tf.shape(x)[1])) + x,
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
    "crops": (
        lambda x, at: tf.concat(
            [
                tf.image.crop_and_resize(x, at / 3.0, tf.range(tf.shape(x)[0]), (5, 4), m, -2.0)
                for m in ("bilinear", "nearest")
            ],
            3,
        ),
        [((None, 7, 6, 11), F), ((None, 4), F)],
    ),
    "few positions": (placed, [((None, None, 4), F)]),
    "places of floats": (
        lambda x: (
            tf.einsum("i,j->ij", tf.range(tf.cast(tf.shape(x)[1], F)), ramp(3))
            + tf.einsum("bi,ij->bij", x, tf.ones([tf.shape(x)[1], 3]))
            + tf.reduce_sum(x)
        ),
        [((None, None), F)],
    ),
    "products of pairs": (pairs, [((None, 6, 4), F)]),
    "powers": (
        lambda x: x**2 + x**3 + tf.abs(x) ** 1.5 + (x * x + 1) ** -1,
        [((None, 5), F)],
    ),
    "running sums and products": (
        lambda x: tf.cumsum(x, 1, exclusive=True, reverse=True) + tf.math.cumprod(x, -1),
        [((None, 5, 3), F)],
    ),
    "counts": (lambda x: tf.reduce_sum(tf.cumsum(x, 0), 1), [((None, 5, 70), INT)]),
    "four-vectors of doubles": (masses, [((None, 5, 4), tf.float64)]),
    "attention of doubles": (
        lambda x: tf.matmul(tf.nn.softmax(tf.matmul(x, x, transpose_b=True) / 2.0), x),
        [((None, 5, 4), tf.float64)],
    ),
    "integers": (
        lambda x: tf.nn.bias_add(x, np.int32([1, 2, 3])) * 2,
        [((None, 3), INT)],
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
    executor = model._entries[0].engine
    (made,) = executor._compiled._programs.values()
    assert [type(step.function).__name__ for step in made[0].steps] == ["Segment"]
    assert not executor._references._programs  # which run where a plan does not hold


OPEN: dict[str, tuple[Callable[..., Any], list[tuple[int, ...]]]] = {
    "product": (lambda x: tf.matmul(x, ramp(10, 3)), [(4, 10)]),
    "sum": (lambda x: tf.nn.relu(x + ramp(10)) * 2.0, [(4, 10)]),
    "choice": (lambda x: tf.where(x > 0, ramp(10), x), [(4, 10)]),
    "parts": (lambda x, y: tf.matmul(tf.concat([x, y], 1), ramp(10, 3)), [(4, 6), (4, 4)]),
    "padding": (lambda x: tf.matmul(tf.pad(x, [[0, 0], [0, 4]]), ramp(10, 3)), [(4, 6)]),
    "rows": (lambda x: tf.matmul(tf.reshape(x, [tf.shape(x)[0], -1]), ramp(10, 3)), [(4, 2, 5)]),
    "axes": (lambda x: tf.einsum("bsi,io->bso", x, ramp(10, 3)), [(4, 2, 10)]),
}


@pytest.mark.parametrize("name", OPEN)
def test_sizes_that_weights_tell(name: str) -> None:
    """An extent that is open, but can only be one number, keeps nothing from the plan."""
    function, shapes = OPEN[name]
    specs = [tf.TensorSpec([None] * len(shape), F) for shape in shapes]
    traced = tf.function(function, input_signature=specs)
    (signature,) = td.convert(traced).signatures.values()
    assert signature.bits() == []
    feeds = dict(zip(signature.inputs, [ramp(*shape) for shape in shapes], strict=True))
    want = traced(*feeds.values()).numpy()
    assert signature.memory(**{name: x.shape for name, x in feeds.items()}).arena >= 0
    for _ in range(2):
        (got,) = signature(feeds).values()
        assert np.abs(got - want).max() <= 2e-6 * np.abs(want).max()
        assert signature._direct.named(feeds, {}) is not None


@pytest.mark.parametrize(("count", "rows"), [(100, None), (200, 5), (150, None)])
def test_many_inputs(count: int, rows: int | None) -> None:
    """As of a table's columns: what is more than one plan can be fed makes several plans."""

    def function(*columns: Any) -> Any:
        pairs = [a * b - 1.0 for a, b in zip(columns[::2], columns[1::2], strict=True)]
        return tf.concat([tf.concat(pairs[:40], 1), tf.concat(pairs[40:], 1)], 1)

    traced = tf.function(function, input_signature=[tf.TensorSpec((rows, 1), F)] * count)
    model = td.convert(traced)
    (signature,) = model.signatures.values()
    columns = list(ramp(count, 5, 1))
    (got,) = signature(dict(zip(signature.inputs, columns, strict=True))).values()
    assert np.array_equal(got, traced(*columns).numpy())
    (made,) = model._entries[0].engine._compiled._programs.values()
    steps = [type(step.function).__name__ for step in made[0].steps]
    assert set(steps) == {"Segment"}
    assert (len(steps) == 1) == (2 * count <= 256)


def test_fused_nodes_that_are_refused_are_found_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each preparation tells all of them, not one: graphs that write believe the sample."""
    calls = tf.Variable(0.0)

    @tf.function(input_signature=[tf.TensorSpec((None, None), F)])
    def function(x: Any) -> Any:
        with tf.control_dependencies([calls.assign_add(1.0)]):
            parts = [tf.nn.relu(tf.matmul(x + i, ramp(10, 3)) + ramp(3)) for i in range(8)]
        return tf.concat(parts, 1)

    made = []
    prepare = pipeline.prepare
    monkeypatch.setattr(pipeline, "prepare", lambda *a: made.append(1) or prepare(*a))
    model = td.convert(function)
    want = function(ramp(4, 10)).numpy()
    assert np.abs(model(ramp(4, 10)) - want).max() <= 2e-6 * np.abs(want).max()
    assert len(made) <= 6


def test_open_sizes_between_assertions() -> None:
    """What only speaks may do so again."""
    specs = [tf.TensorSpec((None, None), F)]

    @tf.function(input_signature=specs)
    def function(x: Any) -> Any:
        tf.debugging.assert_less(x, 1.5)
        y = tf.matmul(x, ramp(10, 3))
        with tf.control_dependencies([tf.debugging.Assert(tf.shape(y)[0] < 9, [y])]):
            return tf.matmul(tf.concat([y, x], 1), ramp(13, 2))

    model = td.convert(function)
    for n in (3, 4):
        x = ramp(n, 10)
        want = function(x).numpy()
        assert np.abs(model(x) - want).max() <= 2e-6 * np.abs(want).max()
        assert not model._entries[0].engine._references._programs
    with pytest.raises(td.EvaluationError):
        model(ramp(9, 10))


def test_sizes_that_no_sample_has() -> None:
    """Kernels are asked at the first call, and the plan is made anew; then it stays."""
    specs = [tf.TensorSpec((None, None, 4), F), tf.TensorSpec((None, None, 4), F)]
    function = tf.function(
        lambda x, y: headed(tf.concat([tf.zeros([tf.shape(x)[0], 7, 4]), x], 1) + y),
        input_signature=specs,
    )
    model = td.convert(function)
    (signature,) = model.signatures.values()
    executor = model._entries[0].engine
    for n in (3, 4):
        feeds = dict(zip(signature.inputs, (ramp(2, n, 4), ramp(2, n + 7, 4)), strict=True))
        want = function(*feeds.values()).numpy()
        (got,) = signature(feeds).values()
        assert np.abs(got - want).max() <= 2e-6 * np.abs(want).max()
        assert not executor._references._programs
        assert executor.edits == 2  # made, and made anew
        assert signature._direct.named(feeds, {}) is not None


def ops(model: td.Model) -> list[str]:
    """The ops of the prepared graph that the only program of `model` runs, in order."""
    (placed,) = model._entries[0].engine._compiled._programs.values()
    steps = placed[0].steps
    return [n.op for s in steps for n in getattr(s.function, "nodes", [s.node])]


def test_dense_layers_of_doubles_take_any_rank() -> None:
    w = ramp(4, 5).astype(np.float64)
    spec = tf.TensorSpec((None, 3, 4), tf.float64)
    function = tf.function(lambda x: tf.tensordot(x, w, 1) + w[0], input_signature=[spec])
    x = ramp(2, 3, 4).astype(np.float64)
    np.testing.assert_allclose(td.convert(function)(x), function(x).numpy(), rtol=1e-14)


def test_a_filter_for_each_channel_is_depthwise() -> None:
    spec = tf.TensorSpec((None, 9, 12, 4), F)
    model = td.convert(tf.function(lambda x: conv2d(x, ramp(3, 3, 1, 4)), input_signature=[spec]))
    model(ramp(1, 9, 12, 4))
    assert ops(model) == ["td.Depthwise"]


@pytest.mark.parametrize("width", [2, 4, 8, 16])
def test_convolutions_of_groups_are_tensorflows(width: int) -> None:
    spec = tf.TensorSpec((None, 9, 12, 48), F)
    w = ramp(3, 3, width, 48)
    function = tf.function(lambda x: tf.nn.relu(conv2d(x, w)), input_signature=[spec])
    x = ramp(2, 9, 12, 48)
    want = function(x).numpy()
    np.testing.assert_allclose(td.convert(function)(x), want, atol=1e-5 * np.abs(want).max())


def test_what_waits_for_an_assertion_is_fused() -> None:
    """And the assertion speaks, whichever tensor is fetched."""
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(F, [None, 4], "x")
        check = tf.debugging.Assert(tf.reduce_all(x < 5), ["too large:", x])
        with tf.control_dependencies([check]):
            y = tf.matmul(x, ramp(4, 3))
            z = tf.nn.relu(y + ramp(3), name="z")
        tf.nn.softmax(z * 2.0, name="out")
    outputs = ["out", "MatMul", "z"]
    for fetched in outputs:
        model = td.convert(graph.as_graph_def(), outputs=outputs)
        arrays = fed([((None, 4), F)], 3)
        with tf.compat.v1.Session(graph=graph) as session:
            want = session.run(f"{fetched}:0", {"x:0": arrays[0] / 9})
        got = model.eval(f"{fetched}:0", {"x:0": arrays[0] / 9})
        assert np.abs(got - want).max() <= 1e-6
        assert "td.MatMul" in ops(model)
        with pytest.raises(td.EvaluationError, match="too large"):
            model.eval(f"{fetched}:0", {"x:0": arrays[0] + 9})


class Counting(tf.Module):
    """Counts its calls, before a product that waits for that."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = tf.Variable(0.0)

    @tf.function(input_signature=[tf.TensorSpec([None, 4], F)])
    def __call__(self, x: Any) -> Any:
        with tf.control_dependencies([self.calls.assign_add(1.0)]):
            y = tf.nn.relu(tf.matmul(x, ramp(4, 3)) + 1.0)
        return {"y": y, "calls": self.calls.read_value()}


def test_what_waits_for_an_assignment_is_fused() -> None:
    module = Counting()
    model = td.convert(module.__call__)
    (signature,) = model.signatures.values()
    (x,) = fed([((None, 4), F)], 3)
    for count in (1, 2, 3):
        want, got = module(x), signature(x)
        assert np.abs(got["y"] - want["y"].numpy()).max() <= 1e-6
        assert got["calls"] == count
    assert "td.MatMul" in ops(model)


def sequences(x: Any) -> Any:
    """As Keras spells convolutions of sequences with a residual, SiLU among it."""
    y = tf.nn.silu(tf.nn.bias_add(tf.nn.conv1d(x, ramp(3, 4, 4), 1, "SAME"), ramp(4)))
    y = tf.nn.conv1d(y, ramp(3, 4, 4), 1, "SAME") * (ramp(4) + 2.0) - ramp(4)
    return tf.nn.relu(y + x)


def bytes_of(x: Any) -> Any:
    """As Keras spells a dense layer of int8."""
    scale = 127.0 / (tf.reduce_max(tf.abs(x), -1, keepdims=True) + 1e-7)
    whole = tf.cast(tf.clip_by_value(tf.round(x * scale), -127, 127), tf.int8)
    weights = np.arange(-60, 60, dtype=np.int8).reshape(40, 3)
    product = tf.raw_ops.BatchMatMulV3(x=whole, y=weights, Tout=INT)
    return tf.cast(product, F) / (scale * 3.0) + ramp(3)


def halves(x: Any) -> Any:
    y = tf.cast(x, tf.float16)
    y = tf.nn.max_pool2d(tf.nn.relu(conv2d(y, ramp(3, 3, 4, 5).astype(np.float16))), 2, 2, "SAME")
    y = tf.cast(tf.reshape(y, [-1, 10]), tf.bfloat16)
    return tf.cast(tf.matmul(y, tf.cast(ramp(10, 3), tf.bfloat16)), F)


BYTES = ["td.Map", "Max", "td.Map", "td.Map", "td.MatMul", "td.Map", "td.Map"]


def frozen(x: Any) -> Any:
    """As TensorFlow 1 spelled blocks that begin with a batch norm."""
    numbers = [ramp(4) + 2.0, ramp(4), ramp(4) / 3.0, ramp(4) + 1.5]
    y, *_ = tf.compat.v1.nn.fused_batch_norm(x, *numbers, 0.01, is_training=False)
    y = tf.nn.conv2d(tf.nn.relu(y), ramp(3, 3, 4, 4), 1, "SAME")
    return tf.nn.relu(tf.add_n([y, x, x]))


def decoder(x: Any) -> Any:
    """A causal mask as Keras spells it: the scores are asked for their shape."""
    heads = tf.reshape(x, [-1, 5, 2, 4])
    scores = tf.einsum("BTNH,BSNH->BNTS", heads, heads + 1.0) * 0.3
    size = tf.shape(scores)
    before = tf.linalg.band_part(tf.ones(size[2:], tf.bool), -1, 0)[None, None]
    mask = tf.logical_and(tf.ones_like(scores, tf.bool), before)
    weights = tf.nn.softmax(tf.where(mask, scores, np.float32(-2e38)))
    return tf.einsum("BNTS,BSNH->BTNH", weights, heads)


def turned_scores(x: Any) -> Any:
    """Attention as Keras spells it beside dropout: keys by queries, and their transpose."""
    heads = tf.transpose(tf.reshape(x, [-1, 5, 2, 4]), [0, 2, 1, 3])
    scores = tf.matmul(heads, tf.transpose(heads, [0, 1, 3, 2]) * 0.5)
    weights = tf.nn.softmax(tf.transpose(scores, [0, 1, 3, 2]))
    return tf.transpose(tf.matmul(weights, heads), [0, 2, 1, 3])


def lowered_scores(x: Any) -> Any:
    """Scores that a mask lowers by a number, as in layers.Attention."""
    scores = tf.matmul(x, x, transpose_b=True)
    later = tf.constant(np.triu(np.ones((1, 5, 5), bool), 1))
    return tf.matmul(tf.nn.softmax(tf.where(later, scores - 1e9, scores)), x)


def lesser_scores(x: Any) -> Any:
    scores = tf.matmul(x, x, transpose_b=True)
    return tf.matmul(tf.nn.softmax(scores - 2.0 * np.eye(5, dtype=np.float32)[None]), x)


@pytest.mark.parametrize(
    ("function", "shape", "want", "error"),
    [
        (turned_scores, (None, 5, 8), ["td.Map", "td.Attention", "Transpose"], 1e-6),
        (lowered_scores, (None, 5, 8), ["td.Attention"], 1e-6),
        (lesser_scores, (None, 5, 8), ["td.Attention"], 1e-6),
        (decoder, (None, 5, 8), ["td.Map", "td.Attention"], 1e-6),
        (sequences, (None, 6, 4), ["td.Conv", "td.Conv"], 1e-6),
        (frozen, (None, 5, 6, 4), ["td.Map", "td.Conv", "td.Map"], 1e-6),
        (bytes_of, (None, 40), BYTES, 1e-6),
        (halves, (None, 6, 5, 4), ["td.Map", "td.Conv", "MaxPool", "td.Map", "td.MatMul"], 2e-2),
    ],
)
def test_steps_of_one_plan(function: Any, shape: Shape, want: list[str], error: float) -> None:
    traced = tf.function(function, input_signature=[tf.TensorSpec(shape, F)])
    model = td.convert(traced)
    for n in (4, 3):
        (x,) = fed([(shape, F)], n)
        expected, got = traced(x).numpy(), model(x)
        assert np.abs(got - expected).max() <= error * np.abs(expected).max()
    assert ops(model) == want


def test_half_precision_rounds_what_is_cast_and_keeps_infinities() -> None:
    model = td.convert(
        tf.function(
            lambda x: tf.cast(tf.cast(x, tf.float16) * np.float16(2), F),
            input_signature=[tf.TensorSpec([None], F)],
        )
    )
    x = np.array([1 / 3, -1 / 3, 1000.1, np.inf, -np.inf, np.nan, 0, -0.0], np.float32)
    np.testing.assert_array_equal(model(x), x.astype(np.float16).astype(np.float32) * 2)
    assert len(ops(model)) == 1


@pytest.mark.parametrize("kind", [tf.float16, tf.bfloat16])
def test_products_round_to_half_precision(kind: tf.DType) -> None:
    def after(x: tf.Tensor) -> tf.Tensor:
        y = tf.nn.relu6(tf.cast(tf.matmul(x, tf.eye(20)), kind))
        return tf.cast(tf.cast(tf.nn.relu(tf.matmul(tf.cast(y, F), tf.eye(20))), kind), F)

    model = td.convert(tf.function(after, input_signature=[tf.TensorSpec([None, 20], F)]))
    x = (np.random.default_rng(0).standard_normal((30, 20)) * 4).astype(np.float32)
    expected = tf.cast(tf.cast(tf.clip_by_value(x, 0, 6), kind), F).numpy()
    np.testing.assert_array_equal(model(x), expected)
    assert ops(model) == ["td.MatMul"] * 2
