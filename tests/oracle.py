"""Runs one op in TensorFlow: the place that expected values come from."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.cases import Case
from tests.goldens import Answer

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import tensorflow as tf
from tensorflow.core.framework import op_def_pb2
from tensorflow.python.framework import op_def_registry

PRODUCER = 20
"""Version written into graphs; ops retired before it get the last version that had them."""

NO_KERNEL = (
    "only supports NHWC",
    "only supports the NHWC",
    "Current CPU implementation does not yet support",
    "Current CPU implementations do not yet support",
    "Current kernel implementation does not support",
)
"""What TensorFlow says on machines for which oneDNN is not switched on."""


def lacks_kernel(error: object) -> bool:
    """Whether TensorFlow's `error` is that it has no kernel on this machine."""
    return any(text in str(error) for text in NO_KERNEL)


@cache
def has_onednn() -> bool:
    """Whether TensorFlow uses oneDNN here, without which it lacks kernels and leaves some outputs
    as it finds them in memory.
    """
    image, weights = tf.zeros([1, 1, 2, 2]), tf.zeros([1, 1, 1, 1])
    try:
        tf.nn.conv2d(image, weights, 1, "VALID", data_format="NCHW")
    except tf.errors.OpError as error:
        if not lacks_kernel(error):
            raise
        return False
    return True


def op_def(name: str, required: bool = True) -> op_def_pb2.OpDef | None:
    """TensorFlow's own definition of an op; without one the test is skipped where `required`."""
    definition = op_def_registry.get(name)
    if definition is None:
        getattr(tf.raw_ops, name, None)  # registers ops that are loaded lazily
        definition = op_def_registry.get(name)
    if definition is None and required:
        pytest.importorskip("tensorflow_text", reason=f"{name} is an op of tensorflow_text")
        definition = op_def_registry.get(name)
    return definition


def _array(value: Any, dtype: tf.DType | None) -> np.ndarray:
    if isinstance(value, np.ndarray):
        return value
    if dtype is not None:
        return np.asarray(value, dtype.as_numpy_dtype)
    array = np.asarray(value)
    narrow = {np.dtype("float64"): np.float32, np.dtype("int64"): np.int32}.get(array.dtype)
    if array.dtype.kind in "SU":
        return np.asarray(
            [v if isinstance(v, bytes) else v.encode() for v in array.ravel().tolist()], object
        ).reshape(array.shape)
    return array.astype(narrow) if narrow and not isinstance(value, np.generic) else array


def prepare(case: Case) -> tuple[list[np.ndarray], dict[str, Any]]:
    """The flat inputs as arrays, and every attribute, deduced ones included, as TensorFlow's
    NodeDef would spell them: dtypes as tf.DType, the rest as given.
    """
    definition = op_def(case.op)
    attrs = dict(case.attrs)
    unknown = attrs.keys() - {attr.name for attr in definition.attr}
    if unknown:
        raise ValueError(f"{case.op} has no attribute {', '.join(sorted(unknown))}")
    for name, value in attrs.items():
        kind = next((a.type for a in definition.attr if a.name == name), "")
        if kind == "type" and not isinstance(value, tf.DType):
            attrs[name] = tf.as_dtype(value)
        elif kind == "list(type)":
            attrs[name] = [tf.as_dtype(v) for v in value]
    flat: list[np.ndarray] = []
    for arg, value in zip(definition.input_arg, case.inputs, strict=True):
        dtype = tf.as_dtype(arg.type) if arg.type else attrs.get(arg.type_attr)
        if arg.number_attr or arg.type_list_attr:
            arrays = [_array(v, dtype if arg.number_attr else None) for v in value]
            if arg.number_attr:
                attrs[arg.number_attr] = len(arrays)
            if arg.type_list_attr:
                attrs.setdefault(arg.type_list_attr, [tf.as_dtype(a.dtype) for a in arrays])
            flat.extend(arrays)
            if arg.type_attr and arrays:
                attrs.setdefault(arg.type_attr, tf.as_dtype(arrays[0].dtype))
        else:
            array = _array(value, dtype)
            if arg.type_attr:
                attrs.setdefault(arg.type_attr, tf.as_dtype(array.dtype))
            flat.append(array)
    return flat, attrs


def graph_def(case: Case) -> tuple[tf.compat.v1.GraphDef, list[np.ndarray], int]:
    """A graph of one node ``op`` fed by placeholders ``in0`` ...; the inputs; the number of
    outputs.
    """
    flat, attrs = prepare(case)
    definition = op_def(case.op)
    graph = tf.compat.v1.GraphDef()
    retired = definition.deprecation.version
    graph.versions.producer = min(PRODUCER, retired - 1) if retired else PRODUCER
    node = tf.compat.v1.NodeDef(name="op", op=case.op)
    for i, (array, dtype) in enumerate(zip(flat, _input_types(definition, attrs), strict=True)):
        node.input.append(f"in{i}")
        held = graph.node.add(name=f"in{i}", op="Placeholder")
        held.attr["dtype"].type = dtype.as_datatype_enum
        shape = tf.TensorShape(array.shape).as_proto()
        held.attr["shape"].shape.CopyFrom(shape)
    for attr in definition.attr:
        if attr.name in attrs:
            _set(node.attr[attr.name], attr.type, attrs[attr.name])
        elif attr.HasField("default_value"):
            node.attr[attr.name].CopyFrom(attr.default_value)
        else:
            raise ValueError(f"{case.op}: attribute {attr.name} has no default; give it in the row")
    graph.node.append(node)
    return graph, flat, _outputs(definition, node)


def _input_types(definition: op_def_pb2.OpDef, attrs: dict[str, Any]) -> list[tf.DType]:
    """Types of the flat inputs; quantised ones differ from their arrays' own."""
    types: list[tf.DType] = []
    for arg in definition.input_arg:
        if arg.type_list_attr:
            types += attrs[arg.type_list_attr]
        else:
            one = tf.as_dtype(arg.type or attrs.get(arg.type_attr))
            types += [one] * (attrs[arg.number_attr] if arg.number_attr else 1)
    return types


def _outputs(definition: op_def_pb2.OpDef, node: Any) -> int:
    total = 0
    for arg in definition.output_arg:
        if arg.number_attr:
            total += node.attr[arg.number_attr].i
        elif arg.type_list_attr:
            total += len(node.attr[arg.type_list_attr].list.type)
        else:
            total += 1
    return total


def _set(target: Any, kind: str, value: Any) -> None:
    if kind.startswith("list("):
        target.list.SetInParent()
        for item in value:
            if kind == "list(type)":
                target.list.type.append(tf.as_dtype(item).as_datatype_enum)
            elif kind == "list(shape)":
                target.list.shape.append(tf.TensorShape(item).as_proto())
            elif kind == "list(string)":
                target.list.s.append(item if isinstance(item, bytes) else item.encode())
            else:
                getattr(target.list, {"int": "i", "float": "f", "bool": "b"}[kind[5:-1]]).append(
                    item
                )
    elif kind == "type":
        target.type = tf.as_dtype(value).as_datatype_enum
    elif kind == "shape":
        target.shape.CopyFrom(tf.TensorShape(value).as_proto())
    elif kind == "string":
        target.s = value if isinstance(value, bytes) else value.encode()
    elif kind == "tensor":
        target.tensor.CopyFrom(tf.make_tensor_proto(value))
    else:
        setattr(target, {"int": "i", "float": "f", "bool": "b"}[kind], value)


def expected(case: Case) -> list[np.ndarray]:
    """What TensorFlow answers to a case; raises tf.errors.OpError or ValueError where it
    refuses.
    """
    definition, flat, outputs = graph_def(case)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
        config = tf.compat.v1.ConfigProto(
            graph_options=tf.compat.v1.GraphOptions(
                rewrite_options={"disable_meta_optimizer": True}
            )
        )
        with tf.compat.v1.Session(graph=graph, config=config) as session:
            feeds = {f"in{i}:0": array for i, array in enumerate(flat)}
            if outputs == 0:
                session.run("op", feeds)
                return []
            return session.run([f"op:{i}" for i in range(outputs)], feeds)


def signature(case: Case) -> tuple[list[Any], dict[str, Any]]:
    """The `types` and `attrs` of a row's `goldens.Answer`."""
    flat, attrs = prepare(case)
    names = iter([array.dtype.name for array in flat])
    types = [
        [next(names) for _ in value] if arg.number_attr or arg.type_list_attr else next(names)
        for arg, value in zip(op_def(case.op).input_arg, case.inputs, strict=True)
    ]

    def named(value: Any) -> Any:
        if isinstance(value, list):
            return [named(item) for item in value]
        return value.name if isinstance(value, tf.DType) else value

    kinds = {attr.name for attr in op_def(case.op).attr if "type" in attr.type}
    return types, {n: named(v) for n, v in attrs.items() if n in kinds or n not in case.attrs}


def ask(case: Case) -> Answer:
    """TensorFlow's answer; raises AssertionError where it takes what it should refuse, and its own
    error where it refuses what it should take.
    """
    types, attrs = signature(case)
    if not case.raises:
        outputs = [np.asarray(w, object if isinstance(w, bytes) else None) for w in expected(case)]
        return Answer(types, attrs, outputs)
    try:
        expected(case)
    except (tf.errors.OpError, ValueError, TypeError):
        return Answer(types, attrs, None)
    raise AssertionError("TensorFlow does not refuse this")
