"""Graphs that TensorFlow makes, for tests that compare readers with TensorFlow's own parsers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import dtypes, tensor_util

from tfdeploy.importers.raw import AttrPlaceholder, FuncRef, RawGraph, RawNode

v1 = tf.compat.v1


def keras_graph() -> Any:
    """An LSTM and a convolution as tf.function: While, function library, strings."""
    import keras

    image = keras.Input((8, 6, 3))
    y = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    y = keras.layers.BatchNormalization()(y)
    y = keras.layers.Reshape((12, 16))(y)
    model = keras.Model(image, keras.layers.LSTM(3)(y))
    function = tf.function(lambda x: model(x, training=False))
    spec = tf.TensorSpec([None, 8, 6, 3], tf.float32)
    return function.get_concrete_function(spec).graph.as_graph_def(add_shapes=True)


def control_flow_graph() -> Any:
    """TF 1 control flow, reference variables, constants of many dtypes, control inputs."""
    graph = tf.Graph()
    with graph.as_default(), _control_flow_v1():
        x = v1.placeholder(tf.float32, [None, 3], name="x")
        w = v1.get_variable("w", [3, 2], use_resource=False)
        y = v1.cond(tf.reduce_sum(x) > 0, lambda: x @ w, lambda: x @ (w * 2))
        _, y = v1.while_loop(lambda i, _: i < 3, lambda i, z: (i + 1, z * 2), [0, y])
        with tf.control_dependencies([v1.assign(w, w * 2)]):
            tf.identity(y, name="y")
        for kind in (np.float16, np.float64, np.int8, np.uint16, np.uint64, np.complex64):
            tf.constant(np.arange(5).astype(kind), name=f"c_{np.dtype(kind).name}")
        tf.constant([b"a", b"\xff\x00", b""], name="strings")
        tf.constant(tf.bfloat16.as_numpy_dtype(1.5), tf.bfloat16, [4], name="bf16")
        tf.zeros([0, 3], name="empty")
        tf.constant(True, shape=[2, 2], name="truth")
    return graph.as_graph_def(add_shapes=True)


@contextlib.contextmanager
def _control_flow_v1() -> Iterator[None]:
    v1.disable_control_flow_v2()
    try:
        yield
    finally:
        v1.enable_control_flow_v2()


def assert_same_graph(raw: RawGraph, expected: Any) -> None:
    """Compares nodes, attributes and functions with a GraphDef of TensorFlow."""
    assert len(raw.nodes) == len(expected.node)
    for node, proto in zip(raw.nodes, expected.node, strict=True):
        assert_same_node(node, proto)
    assert list(raw.functions) == [f.signature.name for f in expected.library.function]
    for proto in expected.library.function:
        function = raw.functions[proto.signature.name]
        assert function.ret == dict(proto.ret)
        assert function.control_ret == dict(proto.control_ret)
        for args, protos in (
            (function.inputs, proto.signature.input_arg),
            (function.outputs, proto.signature.output_arg),
        ):
            assert [a.name for a in args] == [p.name for p in protos]
            assert [a.type_attr for a in args] == [p.type_attr for p in protos]
            assert [a.dtype for a in args] == [_dtype(p.type) for p in protos]
        assert len(function.nodes) == len(proto.node_def)
        for node, node_proto in zip(function.nodes, proto.node_def, strict=True):
            assert_same_node(node, node_proto)
        assert set(function.attrs) == set(_public(proto.attr))
    assert raw.producer == expected.versions.producer
    assert raw.gradients == {g.function_name: g.gradient_func for g in expected.library.gradient}


def assert_same_node(node: RawNode, proto: Any) -> None:
    """Compares a node with a NodeDef of TensorFlow, attribute by attribute."""
    assert (node.name, node.op, node.inputs) == (proto.name, proto.op, list(proto.input))
    expected = _public(proto.attr)
    assert set(node.attrs) == set(expected)
    for name, value in expected.items():
        assert_same_value(node.attrs[name], value)


def _public(attrs: Any) -> dict[str, Any]:
    return {name: value for name, value in attrs.items() if not name.startswith("_")}


def assert_same_value(found: Any, proto: Any) -> None:
    """Compares an attribute with an AttrValue of TensorFlow."""
    kind = proto.WhichOneof("value")
    if kind is None:
        assert found is None
    elif kind == "list":
        values = [
            (n, v)
            for f in proto.list.DESCRIPTOR.fields
            for n in [f.name]
            for v in getattr(proto.list, n)
        ]
        assert len(found) == len(values)
        for item, (name, value) in zip(found, values, strict=True):
            _KINDS[name](item, value)
    else:
        _KINDS[kind](found, getattr(proto, kind))


def _dtype(number: int) -> str | None:
    return dtypes.as_dtype(number).base_dtype.name if number else None


def _same_text(found: Any, value: bytes) -> None:
    assert (found.encode() if isinstance(found, str) else found) == value


def _same_number(found: Any, value: Any) -> None:
    assert type(found) is type(value)
    assert found == value or (found != found and value != value)


def _same_dtype(found: Any, value: int) -> None:
    assert found == _dtype(value)


def _same_shape(found: Any, value: Any) -> None:
    expected = tf.TensorShape(value)
    assert found == (None if expected.rank is None else tuple(expected.as_list()))


def _same_tensor(found: Any, value: Any) -> None:
    expected = tensor_util.MakeNdarray(value)
    assert found.dtype == (expected.dtype if expected.dtype.kind not in "SU" else object)
    assert found.shape == expected.shape
    assert found.tolist() == expected.tolist() or found.tobytes() == expected.tobytes()


def _same_func(found: Any, value: Any) -> None:
    assert isinstance(found, FuncRef)
    assert found.name == value.name
    assert set(found.attrs) == set(value.attr)
    for name, attr in value.attr.items():
        assert_same_value(found.attrs[name], attr)


def _same_placeholder(found: Any, value: str) -> None:
    assert isinstance(found, AttrPlaceholder) and found == value


_KINDS: dict[str, Callable[[Any, Any], None]] = {
    "s": _same_text,
    "i": _same_number,
    "f": _same_number,
    "b": _same_number,
    "type": _same_dtype,
    "shape": _same_shape,
    "tensor": _same_tensor,
    "func": _same_func,
    "placeholder": _same_placeholder,
}
