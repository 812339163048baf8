"""`convert` and `Model`: every kind of source, how a model is called, what it refuses."""

from __future__ import annotations

import contextlib
import copy
import os
import pickle
import sys
import threading
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

import tfdeploy as td
from tests.test_readme_04 import Counting
from tests.test_semantics_04 import custom_graph
from tfdeploy.storage import tfd

v1 = tf.compat.v1
SPEC = tf.TensorSpec([None, 3], tf.float32, name="x")
X = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


class Affine(tf.Module):
    """Two traced methods that share a variable."""

    def __init__(self) -> None:
        super().__init__()
        self.w = tf.Variable(np.arange(6.0, dtype=np.float32).reshape(3, 2), name="w")
        self.b = tf.Variable([1.0, -1.0], name="b")

    @tf.function(input_signature=[SPEC])
    def __call__(self, x):
        return {"y": tf.matmul(x, self.w) + self.b}

    @tf.function(input_signature=[SPEC])
    def linear(self, x):
        return {"y": tf.matmul(x, self.w)}

    def untraced(self, x):
        return x


AFFINE = Affine()


def loaded_signature(path: str) -> Any:
    """A function as TensorFlow gives it from disk; it must not outlive what it was loaded with."""
    loaded = tf.saved_model.load(path)
    function = loaded.signatures["serving_default"]
    function.kept = loaded
    return function


def affine(x: np.ndarray) -> np.ndarray:
    return x @ np.arange(6.0, dtype=np.float32).reshape(3, 2) + np.float32([1, -1])


@contextlib.contextmanager
def session() -> Any:
    with tf.Graph().as_default(), v1.Session() as sess:
        yield sess


def affine_graph() -> Any:
    """The same in graph mode: a session with initialised variables, input and output."""
    x = v1.placeholder(tf.float32, [None, 3], name="x")
    w = v1.get_variable("w", initializer=np.arange(6.0, dtype=np.float32).reshape(3, 2))
    b = v1.get_variable("b", initializer=np.float32([1, -1]))
    return x, tf.add(tf.matmul(x, w), b, name="y")


def frozen_graph() -> Any:
    with session() as sess:
        affine_graph()
        sess.run(v1.global_variables_initializer())
        return v1.graph_util.convert_variables_to_constants(sess, sess.graph_def, ["y"])


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory) -> str:
    path = str(tmp_path_factory.mktemp("saved") / "affine")
    module = Affine()
    signatures = {"serving_default": module.__call__, "linear": module.linear}
    tf.saved_model.save(module, path, signatures=signatures)
    return path


@pytest.fixture(scope="module")
def functional() -> Any:
    """A Keras model of two inputs and two outputs with lively batch statistics."""
    keras.utils.set_random_seed(3)
    image = keras.Input((7, 6, 3), name="image")
    number = keras.Input((5,), name="number")
    h = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    h = keras.layers.BatchNormalization()(h)
    h = keras.layers.GlobalAveragePooling2D()(h)
    h = keras.layers.Concatenate()([h, keras.layers.Dense(4, activation="gelu")(number)])
    first = keras.layers.Dense(3, name="first")(h)
    model = keras.Model([image, number], {"first": first, "second": keras.layers.Softmax()(first)})
    draw = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(draw.uniform(0.2, 0.9, weight.shape).astype(np.float32))
    return model


@pytest.fixture(scope="module")
def feeds() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(1)
    return {
        "image": draw.normal(size=(2, 7, 6, 3)).astype(np.float32),
        "number": draw.normal(size=(2, 5)).astype(np.float32),
    }


# Sources


def write(folder: Any, name: str, data: bytes) -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


def graph_mode(as_list: bool) -> td.Model:
    with session() as sess:
        _, y = affine_graph()
        sess.run(v1.global_variables_initializer())
        return td.convert([y] if as_list else y, session=sess)


SOURCES = {
    "SavedModel": lambda tmp, saved: td.convert(saved),
    "pathlib": lambda tmp, saved: td.convert(tmp.__class__(saved)),
    "frozen .pb": lambda tmp, saved: td.convert(
        write(tmp, "graph.pb", frozen_graph().SerializeToString()), outputs="y"
    ),
    "frozen .pbtxt": lambda tmp, saved: td.convert(
        write(tmp, "graph.pbtxt", str(frozen_graph()).encode()), outputs=["y"]
    ),
    "GraphDef": lambda tmp, saved: td.convert(frozen_graph(), outputs="y:0"),
    "tensor": lambda tmp, saved: graph_mode(as_list=False),
    "tensors": lambda tmp, saved: graph_mode(as_list=True),
    "tf.Module": lambda tmp, saved: td.convert(Affine()),
    "tf.function": lambda tmp, saved: td.convert(AFFINE.__call__),
    "ConcreteFunction": lambda tmp, saved: td.convert(AFFINE.__call__.get_concrete_function()),
    "loaded": lambda tmp, saved: td.convert(loaded_signature(saved)),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_of_source(kind, tmp_path, saved_model):
    model = SOURCES[kind](tmp_path, saved_model)
    model.save(tmp_path / "model.tfd")
    for each in (model, td.Model(tmp_path / "model.tfd")):
        value = each(X)
        assert value.dtype == np.float32
        assert_allclose(value, affine(X), rtol=1e-6, atol=1e-6)
        assert_allclose(each(x=X), value, rtol=0)
        signature = each.signatures[
            "serving_default" if len(each.signatures) > 1 else next(iter(each.signatures))
        ]
        assert signature.inputs == {"x": td.Spec(td.DType("float32"), (None, 3))}
        (spec,) = signature.outputs.values()
        assert spec == td.Spec(td.DType("float32"), (None, 2))


def test_a_tf_module_has_a_signature_for_each_traced_method(tmp_path):
    module = Affine()
    model = td.convert(module)
    assert list(model.signatures) == ["serving_default", "linear"]
    assert_allclose(model.signatures["linear"](X)["y"], X @ module.w.numpy(), rtol=1e-6)
    model.save(tmp_path / "m.tfd")
    shapes = [shape for _, _, shape, _ in tfd.tensor_sizes(str(tmp_path / "m.tfd"))]
    assert shapes.count((3, 2)) == 1  # once, though both methods have it
    alone = td.convert(module, signature="linear")
    assert list(alone.signatures) == ["linear"]


def test_a_tf_module_with_a_table():
    class Words(tf.Module):
        def __init__(self):
            super().__init__()
            self.weights = tf.Variable([1.0, 2.0, 3.0])
            pairs = tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([1, 2], tf.int64))
            self.table = tf.lookup.StaticHashTable(pairs, 0)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")])
        def __call__(self, words):
            return tf.gather(self.weights, self.table.lookup(words))

    module = Words()
    assert_array_equal(td.convert(module)(["b", "a", "?"]), [3, 2, 1])
    with pytest.raises(td.ConversionError, match=r"table.*tf\.Module"):
        td.convert(module.__call__)


def test_scalars_that_a_function_captures(tmp_path):
    """TensorFlow hands them out as numbers and bytes; a file takes arrays."""
    held = [tf.constant(3), tf.constant(b"ab"), tf.constant(1.5, tf.bfloat16), tf.Variable(b"z")]

    @tf.function(input_signature=[])
    def all_of_them():
        return {f"y{i}": tf.identity(value) for i, value in enumerate(held)}

    model = td.convert(all_of_them)
    model.save(tmp_path / "held.tfd")
    for found in (model(), td.Model(tmp_path / "held.tfd")()):
        for name, expected in all_of_them().items():
            assert found[name].shape == ()
            assert found[name].tolist() == expected.numpy()


def keras_answers(model: Any, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    found = model(feeds, training=False)
    return {name: value.numpy() for name, value in found.items()}


def assert_answers(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert np.abs(value[0] - value[1]).max() > 1e-3 * np.abs(value).max()
        assert_allclose(found[name], value, rtol=0, atol=1e-6 * np.abs(value).max())


def test_keras_alive_and_exported_give_the_same_file(functional, feeds, tmp_path):
    """Bit-identical weights, whichever way they came."""
    functional.export(tmp_path / "exported", verbose=False)
    files = {}
    for name, source in [("live", functional), ("exported", str(tmp_path / "exported"))]:
        model = td.convert(source)
        assert_answers(model(feeds), keras_answers(functional, feeds))
        model.save(tmp_path / f"{name}.tfd")
        stored = tfd.read(str(tmp_path / f"{name}.tfd"))
        files[name] = sorted(
            (str(v.dtype), v.shape, v.tobytes())
            for graph in stored.graphs
            for node in graph.nodes
            if isinstance(v := node.attrs.get("value"), np.ndarray) and v.dtype != object
        )
    assert files["live"] == files["exported"]
    kept = {data for _, _, data in files["live"]}
    assert all(np.asarray(w).tobytes() in kept for w in functional.weights)


def test_a_function_gives_the_weights_of_its_saved_model(tmp_path, saved_model):
    weights = {}
    for name, source in [("live", AFFINE), ("saved", saved_model)]:
        td.convert(source).save(tmp_path / name)
        stored = tfd.read(str(tmp_path / name))
        weights[name] = {
            node.attrs["value"].tobytes()
            for graph in stored.graphs
            for node in graph.nodes
            if node.op == "Const" and node.attrs["value"].dtype == np.float32
        }
    assert weights["live"] == weights["saved"]
    assert AFFINE.w.numpy().tobytes() in weights["live"]


@pytest.mark.parametrize("extension", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore")
def test_keras_files(functional, feeds, tmp_path, extension):
    path = tmp_path / f"model{extension}"
    functional.save(path)
    assert_answers(td.convert(path)(feeds), keras_answers(functional, feeds))


def test_a_subclassed_keras_model(tmp_path):
    class Twice(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2)

        def call(self, x):
            return self.dense(x) * 2

    model = Twice()
    with pytest.raises(td.ConversionError, match=r"not built|cannot export"):
        td.convert(model)
    expected = model(X).numpy()
    assert_allclose(td.convert(model)(X), expected, rtol=1e-5, atol=1e-6)


# Choosing what to convert


def test_signature_inputs_and_outputs_choose(saved_model):
    model = td.convert(saved_model, signature="linear")
    assert list(model.signatures) == ["linear"]
    assert_allclose(model(X), affine(X) - [1, -1], rtol=1e-5, atol=1e-5)
    graph = frozen_graph()
    cut = td.convert(graph, inputs="MatMul", outputs="y")
    assert list(cut.signatures["default"].inputs) == ["MatMul"]
    assert_allclose(cut(np.zeros((1, 2))), [[1, -1]])
    several = td.convert(graph, outputs=["MatMul", "y:0"])
    assert list(several(X)) == ["MatMul", "y"]


def test_outputs_inside_called_functions(functional, feeds, tmp_path):
    """The names that errors and graphs show can be chosen, and need nothing beyond them."""
    functional.export(tmp_path / "m", verbose=False)
    whole = td.convert(tmp_path / "m")
    name = next(
        n.removesuffix(":0")
        for n in whole._entries[0].graph.tensor_names()
        if n.endswith(("Conv2D:0", "convolution:0"))
    )
    part = td.convert(tmp_path / "m", outputs=name)
    names = {n for e in part._entries for n in e.graph.tensor_names()}
    assert not any("first" in n for n in names)
    signature = part.signatures["default"]
    (key,) = signature.inputs
    assert "image" in key
    assert_array_equal(part({key: feeds["image"]}), whole.eval(name, {key: feeds["image"]}))
    with pytest.raises(td.ConversionError, match="near"):
        td.convert(tmp_path / "m", outputs=name + "x")


def test_a_bare_graph_is_converted_to_its_sinks_and_says_so():
    with pytest.warns(UserWarning, match=r"sinks y.*outputs="):
        model = td.convert(frozen_graph())
    assert_allclose(model(X), affine(X), rtol=1e-5, atol=1e-5)


def test_what_outputs_do_not_need_may_be_unknown():
    graph = custom_graph("NoSuchOp")
    graph.node.add(name="z", op="Neg", input=["x0"]).attr["T"].type = 1
    with pytest.raises(td.UnknownOperationException):
        td.convert(graph, outputs=["y", "z"])
    assert_array_equal(td.convert(graph, outputs="z")([1.0]), [-1])


def test_equal_signatures_share_one_graph(functional, feeds, tmp_path):
    """Keras exports a model twice, as `serve` and as `serving_default`."""
    functional.export(tmp_path / "m", verbose=False)
    both = td.convert(tmp_path / "m")
    assert set(both.signatures) == {"serve", "serving_default"}
    one = td.convert(tmp_path / "m", signature="serving_default")
    (shared,), (alone,) = both._entries, one._entries
    assert len(shared.graph.nodes) == len(alone.graph.nodes)
    assert len(both.roots) == len(one.roots)
    for name, value in both.signatures["serve"](feeds).items():
        assert_array_equal(value, both.signatures["serving_default"](feeds)[name])
    # names of the second stay: a value is found by either
    other = td.convert(tmp_path / "m", signature="serve")._entries[0].graph
    assert set(other.tensor_names()) <= set(shared.graph.tensor_names())
    both.save(tmp_path / "m.tfd")
    again = td.Model(tmp_path / "m.tfd")
    assert_answers(again.signatures["serve"](feeds), keras_answers(functional, feeds))


def test_signatures_that_differ_stay_apart(saved_model, tmp_path):
    model = td.convert(saved_model)
    assert_allclose(
        model.signatures["serving_default"](X)["y"] - model.signatures["linear"](X)["y"],
        np.tile([1.0, -1.0], (4, 1)),
        atol=1e-5,
    )

    class Drawn(tf.Module):
        @tf.function(input_signature=[SPEC])
        def one(self, x):
            return x + 1.0

        @tf.function(input_signature=[SPEC])
        def two(self, x):
            return x + 2.0

    model = td.convert(Drawn())
    assert_array_equal(model.signatures["one"](X)["output_0"], X + 1)
    assert_array_equal(model.signatures["two"](X)["output_0"], X + 2)


# What cannot be converted


def test_live_objects_that_are_not_ready(monkeypatch):
    @tf.function
    def untraced(x):
        return x

    with pytest.raises(td.ConversionError, match=r"not been called.*input_signature"):
        td.convert(untraced)
    untraced(tf.constant(1.0))
    assert td.convert(untraced)(2.0) == 2
    untraced(tf.constant(1))
    with pytest.raises(td.ConversionError, match="2 signatures"):
        td.convert(untraced)

    class Empty(tf.Module):
        pass

    with pytest.raises(td.ConversionError, match=r"no traced tf\.function"):
        td.convert(Empty())
    with pytest.raises(td.ConversionError, match=r"keras.Model\(inputs, outputs\)"):
        td.convert(keras.Input((3,)))
    with pytest.raises(td.ConversionError, match="tensor with a value"):
        td.convert(tf.constant(1.0))
    with pytest.raises(td.ConversionError, match="Adam"):
        td.convert(keras.optimizers.Adam())
    with pytest.raises(td.ConversionError, match="int"):
        td.convert(3)
    with pytest.raises(td.ConversionError, match="tfdeploy model already"):
        td.convert(td.Model())


def test_keras_on_another_backend(monkeypatch):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(td.ConversionError, match=r"'torch'.*KERAS_BACKEND=tensorflow"):
        td.convert(model)


def test_a_keras_file_without_keras(tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    path.write_bytes(b"PK")
    with pytest.raises(td.ConversionError, match=r"model\.keras: Keras cannot load"):
        td.convert(path)
    for name in ("keras", "keras.models", "tf_keras", "tf_keras.models"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(td.ConversionError, match=r"not installed.*export"):
        td.convert(path)


def test_graph_mode_tensors_that_do_not_fit_their_session():
    with session() as sess:
        _, y = affine_graph()
        with pytest.raises(td.ConversionError, match=r"uninitialised variables: (w, b|b, w)"):
            td.convert(y, session=sess)
        sess.run(v1.global_variables_initializer())
        with session() as other:
            with pytest.raises(td.ConversionError, match="y:0 belongs to another graph"):
                td.convert(y, session=other)
            with pytest.raises(td.ConversionError, match="another graph"):
                td.Model().add(y, other)
        with pytest.raises(td.ConversionError, match=r"session="):
            td.convert(y)
        with pytest.raises(td.ConversionError, match="session"):
            td.convert([y])
    with tf.Graph().as_default() as graph, v1.Session() as sess:
        assert sess.graph is graph
        with pytest.raises(td.ConversionError, match="not a tensor of a graph"):
            td.convert([np.ones(3)], session=sess)
    inside = AFFINE.linear.get_concrete_function().outputs[0]
    with pytest.raises(td.ConversionError, match=r"tf\.function"):
        td.convert(inside)


def test_a_variable_without_value():
    from tensorflow.python.ops.resource_variable_ops import UninitializedVariable

    unready = UninitializedVariable(shape=[], dtype=tf.float32, name="unready")
    function = tf.function(lambda: unready.read_value() + 1.0, input_signature=[])
    with pytest.raises(td.ConversionError, match="unready"):
        td.convert(function)


def test_a_saved_model_without_signatures(tmp_path):
    class Bare(tf.Module):
        @tf.function
        def one(self, x):
            return x

        @tf.function
        def two(self, x):
            return x

    module = Bare()
    for x in (1.0, [1.0]):
        module.one(tf.constant(x))
        module.two(tf.constant(x))
    tf.saved_model.save(module, str(tmp_path / "bare"))
    with pytest.raises(td.ConversionError, match=r"no signatures.*signatures=.*outputs="):
        td.convert(tmp_path / "bare")


def test_paths_that_are_no_models(tmp_path, saved_model):
    with pytest.raises(td.ConversionError, match="no such file"):
        td.convert(tmp_path / "nothing")
    td.convert(saved_model).save(tmp_path / "m.tfd")
    with pytest.raises(td.ConversionError, match=r"tfdeploy\.Model\(path\)"):
        td.convert(tmp_path / "m.tfd")
    with pytest.raises(td.ConversionError, match=r"'liner'.*near: linear"):
        td.convert(saved_model, signature="liner")
    with pytest.raises(td.ConversionError, match="near: y"):
        td.convert(frozen_graph(), outputs="yy")
    with pytest.raises(td.ConversionError, match="no tensor 'nothing:0'"):
        td.convert(frozen_graph(), inputs="nothing", outputs="y")


# Calling


@pytest.fixture(scope="module")
def two(saved_model) -> td.Model:
    """``{"s": a + b, "d": a - b}`` of float32[None] and float32[3]."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.float32, name="a"),
            tf.TensorSpec([3], tf.float32, name="b"),
        ]
    )
    def function(a, b):
        return {"s": a + b, "d": a - b}

    return td.convert(function)


A, B = np.float32([1, 2, 3]), np.float32([4, 5, 7])


def test_one_input_alone_several_by_name(two):
    for found in (two(a=A, b=B), two({"a": A, "b": B}), two({"a": A}, b=B)):
        assert list(found) == ["d", "s"] or list(found) == ["s", "d"]
        assert_array_equal(found["s"], A + B)
        assert_array_equal(found["d"], A - B)
    assert_array_equal(two({two.get("a"): A, two.get("b"): B})["s"], A + B)
    with pytest.raises(td.FeedError, match="a, b"):
        two(A)
    with pytest.raises(td.FeedError, match=r"needs.* b"):
        two(a=A)
    with pytest.raises(td.FeedError, match="no input 'c'"):
        two(a=A, b=B, c=1)


def test_a_signature_always_gives_a_dict(saved_model):
    model = td.convert(saved_model)
    assert set(model.signatures["linear"](X)) == {"y"}
    assert isinstance(model(X), np.ndarray)
    assert repr(model.signatures["linear"]) == (
        "<Signature linear(x: float32[?, 3]) -> y: float32[?, 2]>"
    )


def test_the_default_signature(saved_model):
    model = td.convert(saved_model)
    assert_allclose(model(X), affine(X), rtol=1e-5, atol=1e-5)
    del model.signatures["serving_default"]
    assert_allclose(model(X), affine(X) - [1, -1], rtol=1e-5, atol=1e-5)
    model.signatures["another"] = model.signatures["linear"]
    with pytest.raises(td.FetchError, match="linear, another"):
        model(X)
    with pytest.raises(td.FetchError, match="no signatures"):
        td.Model()(X)


def test_inputs_named_like_parameters():
    graph = v1.GraphDef()
    for name in ("feeds", "out", "self"):
        held = graph.node.add(name=name, op="Placeholder")
        held.attr["dtype"].type = 1
    total = graph.node.add(name="y", op="AddN", input=["feeds", "out", "self"])
    total.attr["T"].type, total.attr["N"].i = 1, 3
    model = td.convert(graph, outputs="y")
    assert model({"feeds": 1, "out": 2, "self": 4}) == 7
    assert model({"out": 2}, feeds=1, self=4) == 7


def test_casting_of_feeds():
    names = dict(
        zip(("float32", "int32", "uint8", "bool", "complex64", "string"), "abcdef", strict=True)
    )

    @tf.function(input_signature=[tf.TensorSpec([None], t, name=n) for t, n in names.items()])
    def function(a, b, c, d, e, f):
        return [a + 1, b + 1, c + 1, tf.logical_not(d), e + 1, tf.strings.upper(f)]

    model = td.convert(function)

    def feed(dtype: str, value: Any) -> np.ndarray:
        found = model.eval(names[dtype], {names[dtype]: value})
        assert found.dtype == td.DType(dtype).numpy
        return found

    for dtype, value, expected in [
        ("float32", np.float64([0.1]), np.float32([0.1])),
        ("float32", np.int64([3]), [3]),
        ("float32", np.array([True]), [1]),
        ("float32", [1, 2.5], [1, 2.5]),
        ("float32", np.array([1.5], ">f8"), [1.5]),
        ("int32", np.int64([3]), [3]),
        ("int32", [1, 2], [1, 2]),
        ("int32", [True], [1]),
        ("int32", [], []),
        ("uint8", [255], [255]),
        ("bool", [True], [True]),
        ("complex64", [1.5], [1.5]),
        ("complex64", np.int8([2]), [2]),
        ("string", ["ä", b"\0a\0"], ["ä".encode(), b"\0a\0"]),
        ("string", np.array(["ab"]), [b"ab"]),
        ("string", np.array([b"ab"]), [b"ab"]),
    ]:
        assert_array_equal(feed(dtype, value), np.asarray(expected, feed(dtype, value).dtype))
    for dtype, value in [
        ("int32", np.float32([1])),
        ("int32", [1.0]),
        ("int32", [2**40]),
        ("uint8", [256]),
        ("uint8", [-1]),
        ("uint8", np.int64([1])),
        ("bool", [1]),
        ("float32", ["1"]),
        ("float32", np.array([b"1"])),
        ("float32", np.complex64([1])),
        ("float32", [None]),
        ("float32", [[1, 2], [3]]),
        ("float32", np.array(["2020-01-01"], "M8[D]")),
        ("string", [1]),
        ("string", [["a"], ["b", "c"]]),
        ("string", np.float32([1])),
    ]:
        with pytest.raises(td.FeedError, match=names[dtype]) as caught:
            feed(dtype, value)
        assert dtype in str(caught.value) or "array" in str(caught.value)


def test_shapes_of_feeds(two):
    with pytest.raises(td.FeedError, match=r"b takes shape \(3\), got \(2,\)"):
        two(a=A, b=[1, 2])
    with pytest.raises(td.FeedError, match=r"a takes shape \(any\), got \(1, 3\)"):
        two(a=[A], b=B)


def test_results_alias_nothing(saved_model):
    graph = custom_graph("Identity")
    graph.node[-1].attr["T"].type = 1
    constant = graph.node.add(name="c", op="Const")
    constant.attr["dtype"].type = 1
    constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto([1.0, 2.0]))
    model = td.convert(graph, outputs=["y", "c", "x0"])
    mine = np.float32([5, 6])
    for _ in range(2):
        results = model.eval(["y", "y", "x0", "c", "c"], {"x0": mine})
        for result, expected in zip(results, [mine, mine, mine, [1, 2], [1, 2]], strict=True):
            assert_array_equal(result, expected)
        for result in results:
            assert result.flags.writeable and result.flags.owndata
            result[:] = -1
        assert_array_equal(mine, [5, 6])
    with pytest.raises(ValueError):
        model.get("c").value[0] = 1
    reshaped = td.convert(saved_model)
    again = reshaped(X)
    again[:] = 0
    assert_allclose(reshaped(X), affine(X), rtol=1e-5, atol=1e-5)


# eval


@pytest.fixture
def counted(own_ops):
    """``y = Step(x)``, ``a = -y``, ``b = exp(y)``, and the counter of Step's calls."""
    counter = Counting(lambda x: (x + 1,))

    class Step(td.Operation):
        func = staticmethod(counter)

    graph = custom_graph("Step")
    for name, op in [("a", "Neg"), ("b", "Exp")]:
        graph.node.add(name=name, op=op, input=["y"]).attr["T"].type = 1
    return SimpleNamespace(model=td.convert(graph, outputs=["a", "b"]), counter=counter)


def test_several_fetches_are_one_pass(counted):
    a, b = counted.model.eval(["a", "b"], {"x0": [1.0]})
    assert counted.counter.calls == 1
    assert_array_equal(a, [-2])
    assert_allclose(b, np.exp([2]), rtol=1e-6)
    assert counted.model.eval("a", {"x0": [1.0]}) == [-2]
    assert isinstance(counted.model.eval(["a"], {"x0": [1.0]}), list)
    assert isinstance(counted.model.eval(("a",), {"x0": [1.0]}), list)
    assert counted.model.eval([], {"x0": [1.0]}) == []
    counted.model(x0=[1.0])
    assert counted.counter.calls == 5


def test_any_tensor_may_be_fed(counted):
    """Intermediates, constants and outputs; what is upstream does not run."""
    model = counted.model
    assert_array_equal(model.eval("a", {"y": [5.0]}), [-5])
    assert_array_equal(model.eval("a", {model.get("y"): [5.0], "x0": [1.0]}), [-5])
    assert_array_equal(model.eval(["a", "y"], {"a": [9.0], "x0": [1.0]})[0], [9])
    assert counted.counter.calls == 1
    frozen = td.convert(frozen_graph(), outputs="y")
    weights = next(n.name for n in frozen._entries[0].graph.nodes if n.name == "w")
    value = frozen.eval("y", {"x": X, weights: np.zeros((3, 2))})
    assert_array_equal(value, np.tile(np.float32([1, -1]), (4, 1)))
    assert_allclose(frozen(X), affine(X), rtol=1e-5, atol=1e-5)


def test_one_output_of_several_may_be_fed():
    graph = custom_graph("Split", {"num_split": 2}, inputs=1)
    split = graph.node[-1]
    axis = graph.node.add(name="axis", op="Const")
    axis.attr["dtype"].type = 3
    axis.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(0))
    split.input[:] = ["axis", "x0"]
    split.attr["T"].type = 1
    total = graph.node.add(name="z", op="Sub", input=["y", "y:1"])
    total.attr["T"].type = 1
    model = td.convert(graph, outputs="z")
    assert_array_equal(model([5.0, 3.0]), [2])
    assert_array_equal(model.eval("z", {"x0": [5.0, 3.0], "y:1": [1.0]}), [4])
    assert_array_equal(model.eval(["y:1", "y"], {"x0": [5.0, 3.0], "y:1": [1.0]}), [[1], [5]])


def test_unknown_names_list_near_ones(two):
    other = td.convert(custom_graph("Identity"), outputs="y")
    with pytest.raises(td.FetchError, match=r"no tensor 'ad'.*near: .*add:0"):
        two.eval("ad")
    with pytest.raises(td.FeedError, match=r"no tensor 'aa' to feed.*near: a:0"):
        two.eval("a", {"aa": A})
    with pytest.raises(td.FetchError, match="another model"):
        two.eval(other.get("y"))
    with pytest.raises(td.FeedError, match="another model"):
        two.eval("a", {other.get("x0"): A})
    with pytest.raises(td.FetchError, match="int"):
        two.eval(3)
    with pytest.raises(td.FeedError, match="int"):
        two.eval("a", {3: A})
    with pytest.raises(td.FeedError, match=r"'a'.*was not fed"):
        two.eval("a")


def test_a_failing_op_names_itself_and_its_inputs(own_ops):
    class Fails(td.Operation):
        @staticmethod
        def func(a):
            raise ZeroDivisionError("by nothing")

    model = td.convert(custom_graph("Fails"), outputs="y")
    with pytest.raises(
        td.EvaluationError, match=r"node y \(Fails\).*float32\[2\].*by nothing"
    ) as e:
        model([1.0, 2.0])
    assert isinstance(e.value.__cause__, ZeroDivisionError)


# The rest


def test_pickle_and_copy(two):
    two.get("a").name = "renamed"
    try:
        for again in (pickle.loads(pickle.dumps(two)), copy.deepcopy(two)):
            assert again.signatures.keys() == two.signatures.keys()
            assert_array_equal(again(a=A, b=B)["s"], A + B)
            assert again.get("renamed") is not None
            assert again.get("renamed") is not two.get("renamed")
    finally:
        two.get("renamed").name = "a"


def test_threads(functional, feeds):
    model = td.convert(functional)
    expected = dict(model(feeds))
    rows = [{n: v[i : i + 1] for n, v in feeds.items()} for i in range(2)]
    wrong: list[Any] = []

    def work(number: int) -> None:
        for _ in range(10):
            found = model(rows[number % 2])
            for name, value in found.items():
                if not np.allclose(value[0], expected[name][number % 2], rtol=1e-5, atol=1e-6):
                    wrong.append((number, name))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_summary_and_repr(two):
    text = two.summary()
    for part in (
        "signature serving_default",
        "input  a: float32[?]",
        "output s: float32[3]",
        "Sub",
    ):
        assert part in text, text
    assert "serving_default" in repr(two)
    assert repr(two.get("b")).startswith("<Tensor b:0 float32")


def test_show_config(capsys):
    td.show_config()
    text = capsys.readouterr().out
    assert td.__version__ in text and np.__version__ in text


def test_save_replaces_and_load_needs_no_source(tmp_path, two):
    path = tmp_path / "m.tfd"
    two.save(path)
    before = os.stat(path)
    model = td.Model(path)
    two.save(path)
    assert os.listdir(tmp_path) == ["m.tfd"]
    assert os.stat(path).st_size == before.st_size
    assert_array_equal(model(a=A, b=B)["s"], A + B)
    os.unlink(path)
    assert_array_equal(model(a=A, b=B)["s"], A + B)
