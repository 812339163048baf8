"""The compiled engine: plans for any size, the same bits whatever the batch, threads and
instruction set.
"""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tfdeploy as td
from tfdeploy import config
from tfdeploy.graph.graph import Ref
from tfdeploy.graph.text import text
from tfdeploy.passes.pipeline import PASSES, prepare

pytestmark = pytest.mark.skipif(
    config.engine() is None, reason="needs the compiled engine, which TFDEPLOY_PURE leaves out"
)


def convnet(seed: int = 0) -> Any:
    """Convolutions of every kind, pools, a residual, a concatenation, dense layers."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    first = keras.Input((None, None, 3))
    x = layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False)(first)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    y = layers.DepthwiseConv2D(3, padding="same")(x)
    y = layers.Conv2D(32, 1, activation="swish")(y)
    x = layers.Add()([x, y])
    x = layers.ZeroPadding2D()(x)
    x = layers.Conv2D(40, 3, activation="relu")(x)
    a = layers.MaxPooling2D(3, 2, "same")(x)
    b = layers.AveragePooling2D(3, 2, "same")(x)
    c = layers.Conv2D(16, 3, strides=2, padding="same", groups=4, activation="gelu")(x)
    padded = layers.ZeroPadding2D()(x)
    d, e = layers.MaxPooling2D(3, 2)(padded), layers.AveragePooling2D(3, 2)(padded)
    x = layers.Concatenate()([a, b, c, d, e])
    x = layers.Conv2DTranspose(24, 3, strides=2, padding="same", activation="tanh")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return lively(keras.Model(first, layers.Dense(10, activation="softmax", name="dense")(x)))


def transformer() -> Any:
    """Embedding, attention, layer norms, exact GELU, on token ids of any number."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    first = keras.Input((None,), dtype="int32")
    x = layers.Embedding(50, 48)(first)
    for _ in range(2):
        attended = layers.MultiHeadAttention(4, 12)(x, x)
        x = layers.LayerNormalization()(x + attended)
        x = layers.LayerNormalization()(x + layers.Dense(48)(layers.Dense(96, "gelu")(x)))
    return lively(keras.Model(first, layers.Dense(5)(x)))


def lively(model: Any) -> Any:
    rng = np.random.default_rng(3)
    for weight in model.weights:
        if "variance" in weight.path or "gamma" in weight.path:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif weight.path.rpartition("/")[2] in ("bias", "beta", "moving_mean"):
            weight.assign(rng.normal(0, 0.1, weight.shape))
    return model


def images(count: int, height: int = 21, width: int = 30, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, height, width, 3), np.float32)


def tokens(count: int, length: int = 17, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 50, (count, length)).astype(np.int32)


INPUTS = {"convnet": images, "transformer": tokens}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Any]]:
    """Saved models by name, with the Keras models that they come from."""
    folder = tmp_path_factory.mktemp("engine")
    found = {}
    for name, build in (("convnet", convnet), ("transformer", transformer)):
        keras_model = build()
        keras_model.export(str(folder / name), verbose=False)
        path = folder / f"{name}.tfd"
        td.convert(folder / name).save(path)
        found[name] = path, keras_model
    return found


def segments(model: td.Model) -> list[Any]:
    """The steps of the only program that `model` has run."""
    compiled = model._entries[0].engine._compiled
    (placed,) = compiled._programs.values()
    return list(placed[0].steps)


@pytest.mark.parametrize("name", INPUTS)
def test_equals_tensorflow_in_one_plan(files: Any, name: str) -> None:
    path, keras_model = files[name]
    model = td.Model(path)
    x = INPUTS[name](3)
    want = keras_model(x).numpy()
    got = model(x)
    assert np.abs(got - want).max() <= 1e-5 * np.abs(want).max()
    assert len(segments(model)) == 1


@pytest.mark.parametrize("name", INPUTS)
def test_a_row_has_the_same_bits_in_any_batch(files: Any, name: str) -> None:
    model = td.Model(files[name][0])
    x = INPUTS[name](7)
    whole = model(x)
    for size in (1, 2, 3, 5):
        parts = [model(x[i : i + size]) for i in range(0, 7, size)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("name", INPUTS)
def test_threads_do_not_change_bits(files: Any, name: str) -> None:
    model = td.Model(files[name][0])
    x = INPUTS[name](5, 45)
    before = td.get_num_threads()
    try:
        td.set_num_threads(1)
        alone = model(x)
        for count in (2, 3, 7):
            td.set_num_threads(count)
            np.testing.assert_array_equal(model(x), alone)
    finally:
        td.set_num_threads(before)


SCRIPT = """
import hashlib, sys, numpy as np, tfdeploy as td
from tfdeploy import config
assert config.engine().isa() == sys.argv[1]
model = td.Model(sys.argv[2])
print(hashlib.sha256(model(np.load(sys.argv[3])).tobytes()).hexdigest())
"""


@pytest.mark.parametrize("name", INPUTS)
def test_instruction_sets_agree_to_the_bit(files: Any, name: str, tmp_path: Path) -> None:
    """All that fuse multiply-adds: every one from AVX2 up, and NEON."""
    np.save(tmp_path / "x.npy", INPUTS[name](3))
    digests = {}
    for isa in config.engine().available():
        if isa != "generic":
            arguments = [sys.executable, "-c", SCRIPT, isa, files[name][0], tmp_path / "x.npy"]
            environment = os.environ | {"TFDEPLOY_ISA": isa}
            done = subprocess.run(arguments, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            digests[isa] = done.stdout
    assert len(set(digests.values())) <= 1, digests


@pytest.mark.parametrize("name", INPUTS)
def test_fetching_an_intermediate_changes_nothing_else(files: Any, name: str) -> None:
    model = td.Model(files[name][0])
    x = INPUTS[name](2)
    alone = model(x)
    signature = model.signatures["serving_default"]
    entry, output = model._entries[0], next(iter(signature._outputs.values()))
    source = next(iter(signature._inputs.values()))
    graph = entry.graph
    checked = 0
    for number in graph.ancestors([output.node]):
        kind = graph.nodes[number].types[:1]
        if (
            not kind
            or kind[0].dtype != "float32"
            or graph.nodes[number].op == "Const"
            or number % 5
        ):
            continue
        tapped, result = model.eval(
            [entry.tensor(Ref(number)), entry.tensor(output)], {entry.tensor(source): x}
        )
        reference = entry.engine._references.run([Ref(number)], {source: x})[0]
        np.testing.assert_array_equal(result, alone)
        scale = np.abs(reference).max(initial=1e-30)
        np.testing.assert_allclose(tapped, reference, rtol=0, atol=2e-5 * scale)
        checked += 1
    assert checked > 5


def test_feeding_a_constant_runs_the_graph_with_it(files: Any) -> None:
    path, keras_model = files["convnet"]
    model = td.Model(path)
    bias = next(w for w in keras_model.weights if re.search(r"dense\w*/bias$", w.path))
    (name,) = [
        n.name
        for n in model._entries[0].graph.nodes
        if n.op == "Const" and np.array_equal(n.attrs["value"], bias.numpy())
    ]
    x = images(2)
    before = bias.numpy()
    bias.assign(before + 1.5)
    want = keras_model(x).numpy()
    bias.assign(before)
    inputs = next(iter(model.signatures["serving_default"].inputs))
    root = next(iter(model.roots.values()))
    got = root.eval(
        {
            model[name]: before + 1.5,
            model._entries[0].tensor(model.signatures["serving_default"]._inputs[inputs]): x,
        }
    )
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_sizes_come_and_go(files: Any) -> None:
    """More sizes than a plan remembers, twice over, against one row at a time."""
    model = td.Model(files["transformer"][0])
    x = tokens(1, 30)
    for _ in range(2):
        for length in range(1, 31):
            for count in (1, 3, 4, 9, 10, 11, 12, 13, 14, 15):
                rows = np.repeat(x[:, :length], count, 0)
                y = model(rows)
                assert y.shape == (count, length, 5)
                np.testing.assert_array_equal(y, np.repeat(y[:1], count, 0))


def test_empty_batch(files: Any) -> None:
    for name, rows in INPUTS.items():
        y = td.Model(files[name][0])(rows(2)[:0])
        assert y.shape[0] == 0 and y.dtype == np.float32


def test_strided_readonly_and_other_dtypes(files: Any) -> None:
    model = td.Model(files["convnet"][0])
    x = images(4, 20, 20)
    want = model(x)
    strided = np.zeros((4, 20, 40, 3), np.float32)
    strided[:, :, ::2] = x
    frozen = x.copy()
    frozen.flags.writeable = False
    for other in (strided[:, :, ::2], np.asfortranarray(x), frozen, x.astype(np.float64)):
        np.testing.assert_array_equal(model(other), want)


def test_eight_threads_share_a_model(files: Any) -> None:
    model = td.Model(files["convnet"][0])
    inputs = [images(1 + i % 3, 16 + i, 20, seed=i) for i in range(8)]
    want = [model(x) for x in inputs]
    failures: list[Any] = []

    def work(i: int) -> None:
        for _ in range(20):
            got = model(inputs[i])
            if not np.array_equal(got, want[i]):
                failures.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_of_fork_answers_while_another_thread_runs(files: Any) -> None:
    model = td.Model(files["convnet"][0])
    x = images(2)
    td.set_num_threads(2)
    try:
        want = model(x)
        stop = threading.Event()

        def work() -> None:
            while not stop.is_set():
                model(x)

        busy = threading.Thread(target=work)
        busy.start()
        try:
            for _ in range(3):
                child = os.fork()
                if child == 0:
                    os._exit(0 if np.array_equal(model(x), want) else 1)
                until = time.monotonic() + 5
                done, status = 0, 0
                while not done and time.monotonic() < until:
                    done, status = os.waitpid(child, os.WNOHANG)
                    time.sleep(0.01)
                if not done:
                    os.kill(child, 9)
                    os.waitpid(child, 0)
                assert done and status == 0
        finally:
            stop.set()
            busy.join()
    finally:
        td.set_num_threads(None)


def test_pickle_round_trip(files: Any) -> None:
    model = td.Model(files["transformer"][0])
    x = tokens(2)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model))(x), model(x))


def test_results_are_the_callers(files: Any) -> None:
    model = td.Model(files["convnet"][0])
    x = images(2)
    first = model(x)
    kept = first.copy()
    first[:] = 7.0
    np.testing.assert_array_equal(model(x), kept)


def test_a_bad_index_names_the_node(files: Any) -> None:
    model = td.Model(files["transformer"][0])
    model(tokens(1))
    with pytest.raises(td.EvaluationError, match=r"embedding.*GatherV2.*index"):
        model(np.full((1, 4), 99, np.int32))


def test_stored_and_remade_plans_agree(files: Any) -> None:
    """The prepared graph in the file is what the passes make of the graph."""
    model, other = td.Model(files["convnet"][0]), td.Model(files["convnet"][0])
    other._entries[0].engine._stored = None
    x = images(2)
    np.testing.assert_array_equal(model(x), other(x))


def test_out_takes_the_results(files: Any) -> None:
    model = td.Model(files["convnet"][0])
    x = images(2)
    want = model(x)
    out = np.full_like(want, 9.0)
    assert model(x, out=out) is out
    np.testing.assert_array_equal(out, want)
    named = {"output_0": np.empty_like(want)}
    results = model.signatures["serving_default"](x, out=named)
    assert results["output_0"] is named["output_0"]
    np.testing.assert_array_equal(results["output_0"], want)
    model(x.astype(np.float64), out=out)  # the long way
    np.testing.assert_array_equal(out, want)


def test_out_that_does_not_fit(files: Any) -> None:
    model = td.Model(files["convnet"][0])
    x = images(2)
    want = model(x)
    frozen = want.copy()
    frozen.flags.writeable = False
    memory = np.zeros(x.size + want.size, np.float32)
    memory[: x.size] = x.ravel()
    inside = memory[: x.size].reshape(x.shape)
    for bad in (want[:1], want.astype(np.float64), frozen, want.T.copy().T, [1.0]):
        for _ in range(2):
            with pytest.raises((td.FeedError, ValueError)):
                model(x, out=bad)
    with pytest.raises((td.FeedError, ValueError), match="shares memory"):
        model(inside, out=memory[: want.size].reshape(want.shape))
    with pytest.raises(td.FeedError, match="other"):
        model.signatures["serving_default"](x, out={"other": want})


def test_memory_is_told_before_the_call(files: Any) -> None:
    model = td.Model(files["convnet"][0])
    signature = model.signatures["serving_default"]
    (name,) = signature.inputs
    small = model.memory(1, **{name: (1, 20, 20, 3)})
    large = model.memory(1, **{name: (16, 20, 20, 3)})
    assert large.arena > 4 * small.arena > 0
    assert (small.weights, small.packed) == (large.weights, large.packed)
    assert large.results == 16 * 10 * 4
    with pytest.raises(td.FeedError, match="axis 1"):
        model.memory(4)


def test_every_node_keeps_the_promise_of_bits(files: Any) -> None:
    for path, _ in files.values():
        assert td.Model(path).signatures["serving_default"].bits() == []


LOWERED = Path(__file__).parent / "lowered"
LOWERINGS = sorted(path.stem for path in LOWERED.glob("*.txt"))


def small_graphs() -> dict[str, Any]:
    """Small graphs whose text after each pass is kept."""
    import tensorflow as tf

    v1 = tf.compat.v1

    def graph(build: Any) -> Any:
        with v1.Graph().as_default() as made:
            build()
        return made.as_graph_def()

    def ramp(*shape: int) -> Any:
        return tf.constant(np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape))

    def dense() -> None:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        h = tf.nn.relu(tf.matmul(x, ramp(4, 3)) + ramp(3))
        tf.nn.softmax(tf.matmul(h, ramp(3, 2)) + ramp(2), name="y")

    def batch_norm() -> None:
        x = v1.placeholder(tf.float32, [None, 8, 8, 3], "x")
        c = tf.nn.conv2d(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), ramp(3, 3, 3, 4), 1, "VALID")
        scale = tf.math.rsqrt(ramp(4) + 2.0) * ramp(4)
        tf.nn.relu6(c * scale + (ramp(4) - ramp(4) * scale), name="y")

    def channels_first() -> None:
        x = v1.placeholder(tf.float32, [None, 3, 8, 8], "x")
        c = v1.nn.conv2d(x, ramp(3, 3, 3, 4), [1, 1, 1, 1], "SAME", data_format="NCHW")
        c = tf.nn.relu(tf.nn.bias_add(c, ramp(4), data_format="NCHW"))
        c = tf.pad(c, [[0, 0], [0, 0], [0, 1], [1, 0]])
        c = v1.nn.max_pool(c, [1, 1, 2, 2], [1, 1, 2, 2], "VALID", data_format="NCHW")
        tf.reduce_mean(c, [2, 3], name="y")

    def padded_pools() -> None:
        x = v1.placeholder(tf.float32, [None, 8, 8, 3], "x")
        around = [[0, 0], [1, 1], [1, 1], [0, 0]]
        most = tf.nn.max_pool2d(tf.pad(x, around, constant_values=-np.inf), 3, 2, "VALID")
        tf.add(most, tf.nn.avg_pool2d(tf.pad(x, around), 3, 2, "VALID"), name="y")

    def hard_swish() -> None:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        x = tf.matmul(x, ramp(4, 3))
        x = tf.matmul(tf.multiply(x, tf.nn.relu6(x + 3.0) / 6.0), ramp(3, 2))
        tf.divide(x * tf.nn.relu6(x + 3.0), 6.0, name="y")

    def layer_norm() -> None:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        mean, variance = tf.nn.moments(x, [1], keepdims=True)
        y = tf.nn.batch_normalization(x, mean, variance, ramp(4), ramp(4) + 2.0, 1e-3)
        tf.identity(y, name="y")

    def gelu() -> None:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        tf.identity(tf.nn.gelu(tf.matmul(x, ramp(4, 3))), name="y")

    def silu() -> None:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        tf.identity(tf.nn.silu(tf.matmul(x, ramp(4, 3))), name="y")

    def dilated_sequence() -> None:
        x = v1.placeholder(tf.float32, [None, 12, 2], "x")
        x = tf.space_to_batch(tf.pad(x, [[0, 0], [4, 0], [0, 0]]), [2], [[0, 0]])
        x = tf.batch_to_space(tf.nn.conv1d(x, ramp(3, 2, 3), 1, "VALID"), [2], [[0, 0]])
        tf.nn.relu(x, name="y")

    def waiting() -> None:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        with tf.control_dependencies([v1.Assert(tf.reduce_all(x < 5.0), [x])]):
            tf.nn.relu(tf.matmul(x, ramp(4, 3)), name="y")

    def attention() -> None:
        q, k, v = (v1.placeholder(tf.float32, [None, 2, 5, 4], n) for n in "qkv")
        weights = tf.nn.softmax(tf.matmul(q, k, transpose_b=True) * 0.5)
        tf.matmul(weights, v, name="y")

    def embedding() -> None:
        x = v1.placeholder(tf.int64, [None, 3], "x")
        tf.gather(ramp(5, 2), tf.where(x < 0, x + 5, x), name="y")

    def elementwise() -> None:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        tf.sqrt(tf.exp(x) * 2.0 + ramp(4) - x, name="y")

    builders = (
        dense, batch_norm, channels_first, padded_pools, gelu, hard_swish, layer_norm, attention,
        elementwise, silu, dilated_sequence, waiting, embedding,
    )  # fmt: skip
    return {build.__name__: graph(build) for build in builders}


@pytest.mark.parametrize("name", LOWERINGS)
def test_lowered_texts(name: str) -> None:
    """What each pass makes of a graph; TFDEPLOY_WRITE_LOWERED=1 writes the files anew."""
    model = td.convert(small_graphs()[name], outputs=["y"])
    entry = model._entries[0]
    parts = [f"== canonical\n{text(entry.graph)}"]
    before = parts[0]
    for step, _ in PASSES:
        graph, mapping = prepare(entry.graph, entry.roots, until=step)
        live = set(graph.ancestors(mapping[ref].node for ref in entry.roots))
        lines = [line for i, line in enumerate(text(graph).splitlines()) if i in live]
        now = "\n".join(lines)
        if now != before:
            parts.append(f"== {step}\n{now}")
        before = now
    got = "\n\n".join(parts) + "\n"
    path = LOWERED / f"{name}.txt"
    if os.environ.get("TFDEPLOY_WRITE_LOWERED"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(got)
    assert got == path.read_text()
