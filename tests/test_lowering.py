"""Functions are inlined, training parts pruned, variables frozen; what is missing is listed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from tensorflow.core.protobuf import saved_model_pb2

import tfdeploy as td

v1 = tf.compat.v1
SPEC = tf.TensorSpec([None, 4], tf.float32, name="x")
X = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
WEIGHTS = np.random.default_rng(1).normal(size=(4, 4)).astype(np.float32)


class Nested(tf.Module):
    """Functions in functions, one of them called twice, one compiled, one with several outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.w = tf.Variable(WEIGHTS)
        self.steps = tf.Variable(0)

    @tf.function
    def scaled(self, x, by):
        return tf.matmul(x, self.w) * by

    @tf.function(jit_compile=True)
    def compiled(self, x):
        return tf.nn.softplus(self.scaled(x, 0.5))

    @tf.function
    def parts(self, x):
        return tf.nn.moments(x, [1], keepdims=True)

    @tf.function(input_signature=[SPEC])
    def __call__(self, x):
        mean, variance = self.parts(self.scaled(self.compiled(x), 2.0))
        return self.scaled(x - mean, 3.0) / (1 + variance)

    @tf.function(input_signature=[SPEC])
    def train(self, x):
        self.steps.assign_add(1)
        self.w.assign_sub(0.1 * tf.matmul(x, x, transpose_a=True))
        return tf.matmul(x, self.w)


def ops(model: td.Model) -> set[str]:
    return {node.op for entry in model._entries for node in entry.graph.nodes}


def save(module: tf.Module, path: Path, **signatures: Any) -> str:
    tf.saved_model.save(module, str(path), signatures=signatures)
    return str(path)


def functions_of(path: str) -> list[Any]:
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString(Path(path, "saved_model.pb").read_bytes())
    return list(saved.meta_graphs[0].graph_def.library.function)


# Functions


def test_nested_functions_are_inlined(tmp_path):
    module = Nested()
    path = save(module, tmp_path / "nested", serving_default=module.__call__)
    compiled = [f for f in functions_of(path) if f.attr["_XlaMustCompile"].b]
    assert compiled, "TensorFlow should mark the function that it compiles"
    model = td.convert(path)
    assert not any("Call" in op for op in ops(model))
    assert_allclose(model(X), module(X), rtol=2e-5, atol=1e-6)


def test_outputs_of_calls_keep_their_names():
    module = Nested()
    function = module.__call__.get_concrete_function()
    model = td.convert(function)
    calls = [n for n in function.graph.as_graph_def().node if n.op.endswith("PartitionedCall")]
    assert len(calls) == 4
    for call in calls:
        assert f"{call.name}:0" in model


def called_by_name(attrs: bool) -> Any:
    """A graph whose nodes have functions of its library as types; where `attrs` is set, the
    function takes its dtype from the node."""
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 4], name="x")

        @tf.function
        def double(a):
            return a + a, a * a

        first, second = double(x)
        tf.identity(first - 3 * second, name="y")
    definition = graph.as_graph_def()
    (call,) = [n for n in definition.node if n.op.endswith("PartitionedCall")]
    call.op = call.attr["f"].func.name
    for name in list(call.attr):
        del call.attr[name]
    if attrs:
        generic(definition)
        call.attr["T"].type = tf.float32.as_datatype_enum
    return definition


def generic(definition: Any) -> None:
    """Makes the dtype of the only function an attribute, as functions of TensorFlow 1 have."""
    (function,) = definition.library.function
    for arg in [*function.signature.input_arg, *function.signature.output_arg]:
        arg.ClearField("type")
        arg.type_attr = "T"
    function.signature.attr.add(name="T", type="type")
    for node in function.node_def:
        if "T" in node.attr:
            node.attr["T"].placeholder = "T"


@pytest.mark.parametrize("attrs", [False, True])
def test_a_function_may_be_a_node_s_type(attrs, tmp_path):
    definition = called_by_name(attrs)
    path = tmp_path / "graph.pb"
    path.write_bytes(definition.SerializeToString())
    model = td.convert(str(path), outputs="y")
    assert ops(model) <= {"Placeholder", "Const", "Identity", "AddV2", "Mul", "Sub"}
    assert_allclose(model(X), 2 * X - 3 * X * X, rtol=1e-5)


def test_a_function_that_calls_itself():
    definition = called_by_name(attrs=False)
    (function,) = definition.library.function
    node = function.node_def.add(name="again", op=function.signature.name, input=["a"])
    function.ret[function.signature.output_arg[0].name] = f"{node.name}:{0}"
    with pytest.raises(td.UnsupportedError, match="calls itself"):
        td.convert(definition, outputs="y")


def test_a_function_that_the_library_lacks():
    module = Nested()
    definition = module.__call__.get_concrete_function().graph.as_graph_def()
    called = next(n.attr["f"].func.name for n in definition.node if "PartitionedCall" in n.op)
    del definition.library.function[:]
    with pytest.raises(td.ConversionError, match=called):
        td.convert(definition, outputs="Identity")


# Training


def trained_graph() -> None:
    """A classifier with dropout, loss, Adam, summaries and a saver."""
    x = v1.placeholder(tf.float32, [None, 4], name="x")
    labels = v1.placeholder(tf.int64, [None], name="labels")
    keep = v1.placeholder_with_default(1.0, [], name="keep")
    w = v1.get_variable("w", initializer=WEIGHTS)
    logits = tf.matmul(v1.nn.dropout(x, keep_prob=keep), w, name="logits")
    loss = v1.losses.sparse_softmax_cross_entropy(labels, logits)
    v1.summary.scalar("loss", loss)
    v1.train.AdamOptimizer(0.01).minimize(loss, name="train")
    v1.train.Saver()


@pytest.mark.parametrize("extension", ["pb", "pbtxt"])
def test_training_parts_of_a_frozen_graph_are_pruned(extension, tmp_path):
    with tf.Graph().as_default() as graph, v1.Session() as session:
        trained_graph()
        session.run(v1.global_variables_initializer())
        definition = graph.as_graph_def()
        # the inference part is frozen in place; everything else stays, optimiser and saver included
        for node in definition.node:
            if node.name == "w":
                value = session.run(v1.global_variables()[0])
                node.op = "Const"
                node.ClearField("attr")
                node.attr["dtype"].type = tf.float32.as_datatype_enum
                node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
            elif node.op == "ReadVariableOp" and node.input[0] == "w":
                node.op = "Identity"
                del node.attr["dtype"]
                node.attr["T"].type = tf.float32.as_datatype_enum
    data = definition.SerializeToString() if extension == "pb" else str(definition).encode()
    path = tmp_path / f"graph.{extension}"
    path.write_bytes(data)
    assert any(node.op == "ResourceApplyAdam" for node in definition.node)
    model = td.convert(str(path), outputs="logits")
    assert not any(op.startswith(("ResourceApply", "SaveV2", "Assign")) for op in ops(model))
    assert_allclose(model(x=X), X @ WEIGHTS, rtol=1e-5)


def test_training_parts_of_a_saved_model_are_pruned(tmp_path):
    path = str(tmp_path / "trained")
    with tf.Graph().as_default() as graph, v1.Session() as session:
        trained_graph()
        session.run(v1.global_variables_initializer())
        x, logits = graph.get_tensor_by_name("x:0"), graph.get_tensor_by_name("logits:0")
        v1.saved_model.simple_save(session, path, {"x": x}, {"logits": logits})
    model = td.convert(path)
    assert not any(op.startswith(("ResourceApply", "SaveV2", "Assign")) for op in ops(model))
    assert_allclose(model(X), X @ WEIGHTS, rtol=1e-5)


def test_keras_training_configuration_is_pruned(tmp_path):
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(6, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.GaussianNoise(0.3),
            keras.layers.Dense(2),
        ]
    )
    model.compile("adam", "mse")
    model.fit(X, np.ones((3, 2)), epochs=2, verbose=0)
    tf.saved_model.save(model, str(tmp_path / "trained"))
    converted = td.convert(str(tmp_path / "trained"))
    assert not any(op.startswith(("Random", "ResourceApply", "Assign")) for op in ops(converted))
    assert_allclose(converted(X), np.asarray(model(X, training=False)), rtol=1e-5, atol=1e-6)


# What cannot be converted


def test_state_is_assigned_only_by_what_is_chosen(tmp_path):
    module = Nested()
    path = save(module, tmp_path / "training", train=module.train, serve=module.__call__)
    served = td.convert(path, signature="serve")
    assert not any("Assign" in op or op == "VarHandleOp" for op in ops(served))
    before = served(X)
    assert_allclose(before, module(X), rtol=2e-5, atol=1e-6)
    whole = td.convert(path)
    for _ in range(2):
        (trained,) = whole.signatures["train"](X).values()
        assert_allclose(trained, module.train(X), rtol=1e-5, atol=1e-5)
    (after,) = whole.signatures["serve"](X).values()
    assert_allclose(after, module(X), rtol=2e-4, atol=1e-4)
    assert np.abs(after - before).max() > 0.1
    assert_allclose(served(X), before)


def with_unknown_ops() -> Any:
    """A graph with types that neither TensorFlow nor tfdeploy knows, and a part that needs none."""
    definition = v1.GraphDef()
    definition.node.add(name="x", op="Placeholder").attr["dtype"].type = 1
    known = definition.node.add(name="known", op="Relu", input=["x"])
    known.attr["T"].type = 1
    before = "x"
    for i in range(5):
        definition.node.add(name=f"layer_{i}/frob", op="Frobnicate", input=[before])
        before = f"layer_{i}/frob"
    for i in range(2):
        definition.node.add(name=f"head/warp_{i}", op="WarpDrive", input=[before])
    end = definition.node.add(name="y", op="AddV2", input=["head/warp_0", "head/warp_1"])
    end.attr["T"].type = 1
    return definition


def test_one_error_lists_every_missing_op(tmp_path):
    path = tmp_path / "strange.pb"
    path.write_bytes(with_unknown_ops().SerializeToString())
    with pytest.raises(td.UnknownOperationException) as caught:
        td.convert(str(path), outputs="y")
    message = str(caught.value)
    lines = message.splitlines()
    assert str(path) in lines[0] and "2 op type" in lines[0]
    frobs, warps = (next(line for line in lines if op in line) for op in ("Frobn", "Warp"))
    assert "5 x" in frobs and "layer_0/frob, layer_1/frob, layer_2/frob" in frobs
    assert "layer_3" not in message
    assert "2 x" in warps and "head/warp_0, head/warp_1" in warps
    assert "tfdeploy.Operation" in lines[-1] and "outputs=" in lines[-1]
    assert {op: len(names) for op, names in caught.value.missing.items()} == {
        "Frobnicate": 5,
        "WarpDrive": 2,
    }
    model = td.convert(str(path), outputs="known")
    assert_allclose(model(X), np.maximum(X, 0))


def test_a_cut_has_the_dtype_of_the_result_there() -> None:
    v1 = tf.compat.v1
    with v1.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        equal = tf.equal(x, 1.0, name="equal")
        tf.where(equal, x * 2, x * 3, name="y")
        tf.cast(tf.argmax(x, 1, name="greatest"), tf.float32, name="z")
    model = td.convert(graph.as_graph_def(), inputs=["x", "equal"], outputs=["y"])
    assert model.signatures["default"].inputs["equal"].dtype == "bool"
    model = td.convert(graph.as_graph_def(), inputs=["greatest"], outputs=["z"])
    assert model.signatures["default"].inputs["greatest"].dtype == "int64"
