"""The binary reader and GraphDef, against TensorFlow's own parsers."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow as tf
from tensorflow.core.framework import graph_pb2, tensor_pb2, tensor_shape_pb2, types_pb2

from tests import tf_graphs
from tests.damage import mutations, refusals
from tfdeploy import convert
from tfdeploy.dtypes import DTYPES, to_enum
from tfdeploy.errors import ConversionError, FormatError, TfdeployError, UnsupportedError
from tfdeploy.importers import graphdef, protos, tensorproto, wire
from tfdeploy.importers.raw import FuncRef, Unreadable
from tfdeploy.importers.variables import find_sources


@pytest.fixture(scope="module")
def keras_graph():
    return tf_graphs.keras_graph()


@pytest.fixture(scope="module")
def old_graph():
    return tf_graphs.control_flow_graph()


@pytest.mark.parametrize("name", ["keras_graph", "old_graph"])
def test_graphs_equal_tensorflows(name, request):
    graph = request.getfixturevalue(name)
    raw = graphdef.parse_graph_def(graph.SerializeToString(), "test")
    tf_graphs.assert_same_graph(raw, graph)
    assert len(raw.nodes) > 20


def test_field_numbers_are_tensorflows():
    """Every schema field exists under that number, with that type, in TensorFlow's descriptors."""
    from tensorflow.core.protobuf import (
        saved_model_pb2,
        tensor_bundle_pb2,
        trackable_object_graph_pb2,
    )

    roots = [
        (protos.SAVED_MODEL, saved_model_pb2.SavedModel),
        (protos.BUNDLE_HEADER, tensor_bundle_pb2.BundleHeaderProto),
        (protos.BUNDLE_ENTRY, tensor_bundle_pb2.BundleEntryProto),
        (protos.OBJECT_GRAPH, trackable_object_graph_pb2.TrackableObjectGraph),
    ]
    stack = [(schema, message.DESCRIPTOR) for schema, message in roots]
    seen = set()
    while stack:
        schema, descriptor = stack.pop()
        if schema in seen:
            continue
        seen.add(schema)
        for field in schema.fields.values():
            theirs = descriptor.fields_by_name[field.name]
            assert theirs.number == field.number, (schema.name, field.name)
            assert theirs.is_repeated == (field.repeated or field.map)
            if isinstance(field.type, wire.Schema):
                stack.append((field.type, theirs.message_type))
            elif field.type.name == "enum":
                values = theirs.enum_type.values_by_name
                assert {n: v.number for n, v in values.items() if n in field.type.enum} == (
                    field.type.enum
                )
            else:
                assert getattr(theirs, f"TYPE_{field.type.name.upper()}") == theirs.type
    assert len(seen) > 40


def test_every_dtype_of_tensorflow_has_its_name():
    theirs = {n: v for n, v in types_pb2.DataType.items() if not n.endswith("_REF")}
    theirs.pop("DT_INVALID")
    assert set(theirs.values()) == {to_enum(dtype) for dtype in DTYPES}


def _tensor(dtype, shape, **fields):
    dims = tf.TensorShape(shape).as_proto()
    return tensor_pb2.TensorProto(dtype=dtype, tensor_shape=dims, **fields)


@pytest.mark.parametrize(
    "proto",
    [
        _tensor(types_pb2.DT_FLOAT, [2, 3], float_val=[1.5]),
        _tensor(types_pb2.DT_FLOAT, [4], float_val=[1.5, float("nan")]),
        _tensor(types_pb2.DT_FLOAT, [2, 3]),
        _tensor(types_pb2.DT_FLOAT, [], float_val=[-0.0]),
        _tensor(types_pb2.DT_FLOAT, [0, 3], float_val=[7.0]),
        _tensor(types_pb2.DT_FLOAT, [40], float_val=np.arange(40.0)),
        _tensor(types_pb2.DT_DOUBLE, [3], double_val=[1e300, -1, 2]),
        _tensor(types_pb2.DT_INT32, [3], int_val=[-1, 2**31 - 1]),
        _tensor(types_pb2.DT_INT32, [300], int_val=range(-150, 150)),
        _tensor(types_pb2.DT_INT8, [3], int_val=[-128, 127]),
        _tensor(types_pb2.DT_UINT8, [3], int_val=[255, 0]),
        _tensor(types_pb2.DT_INT16, [2], int_val=[-(2**15), 3]),
        _tensor(types_pb2.DT_UINT16, [2], int_val=[65535, 3]),
        _tensor(types_pb2.DT_INT64, [200], int64_val=[-(2**63), 2**63 - 1, *range(150)]),
        _tensor(types_pb2.DT_UINT32, [2], uint32_val=[2**32 - 1]),
        _tensor(types_pb2.DT_UINT64, [2], uint64_val=[2**64 - 1]),
        _tensor(types_pb2.DT_BOOL, [2, 2], bool_val=[True, False, True]),
        _tensor(types_pb2.DT_BOOL, [300], bool_val=[True, False] * 150),
        _tensor(types_pb2.DT_HALF, [3], half_val=[0x3C00, 0xFC00]),
        _tensor(types_pb2.DT_BFLOAT16, [3], half_val=[0x3F80, 0xC000]),
        _tensor(types_pb2.DT_COMPLEX64, [3], scomplex_val=[1, 2, 3, -4]),
        _tensor(types_pb2.DT_COMPLEX128, [2], dcomplex_val=[1, 2]),
        _tensor(types_pb2.DT_STRING, [2, 2], string_val=[b"a", b"\xff\0"]),
        _tensor(types_pb2.DT_STRING, [2]),
        _tensor(types_pb2.DT_FLOAT8_E5M2, [2], float8_val=b"\x3c\xbc"),
        _tensor(types_pb2.DT_INT4, [3], int_val=[-8, 7, 0]),
        _tensor(types_pb2.DT_FLOAT4_E2M1FN, [3], float8_val=b"\x02\x04"),
        _tensor(types_pb2.DT_INT32, [2], tensor_content=b"\1\0\0\0\xff\xff\xff\xff"),
        _tensor(types_pb2.DT_STRING, [2], tensor_content=b"\1\2abc"),
        _tensor(types_pb2.DT_QINT8, [2], int_val=[-3, 4]),
    ],
    ids=lambda p: types_pb2.DataType.Name(p.dtype) + str([d.size for d in p.tensor_shape.dim]),
)
def test_tensors_equal_the_runtimes(proto):
    dtype = tf.as_dtype(proto.dtype)
    runtime = tf.io.parse_tensor(proto.SerializeToString(), dtype)
    if dtype == tf.qint8:
        runtime = tf.bitcast(runtime, tf.int8)
    expected = runtime.numpy()
    if not isinstance(expected, np.ndarray):
        expected = np.array(expected, object if dtype == tf.string else None)
    message = wire.parse(proto.SerializeToString(), protos.TENSOR, "test")
    found = tensorproto.tensor(message)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert found.tolist() == expected.tolist() or found.tobytes() == expected.tobytes()
    assert not found.flags.writeable
    assert found.flags.aligned


def test_unpacked_numbers_read_as_packed_ones():
    packed = _tensor(types_pb2.DT_FLOAT, [3], float_val=[1, 2, 3]).SerializeToString()
    head = _tensor(types_pb2.DT_FLOAT, [3]).SerializeToString()
    single = head + b"".join(b"\x2d" + np.float32(v).tobytes() for v in (1, 2, 3))
    both = head + b"\x2d" + np.float32(1).tobytes() + b"\x2a\x08" + np.float32([2, 3]).tobytes()
    for data in (packed, single, both):
        array = tensorproto.tensor(wire.parse(data, protos.TENSOR, "test"))
        assert array.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("proto", "words"),
    [
        (_tensor(types_pb2.DT_FLOAT, [3], tensor_content=b"1234"), "4 bytes of values"),
        (_tensor(types_pb2.DT_FLOAT, [1 << 40], float_val=[1.0]), "up to"),
        (_tensor(types_pb2.DT_FLOAT, [1 << 40, 1 << 40]), "more than any memory"),
        (_tensor(types_pb2.DT_FLOAT, [1 << 40], float_val=[1.0, 2.0]), "up to"),
        (_tensor(types_pb2.DT_FLOAT, [None], float_val=[1.0]), "unknown shape"),
        (_tensor(types_pb2.DT_FLOAT, None), "unknown shape"),
        (_tensor(types_pb2.DT_COMPLEX64, [1], scomplex_val=[1.0]), "complex"),
        (_tensor(types_pb2.DT_STRING, [9], tensor_content=b"\1\2abc"), "9 strings"),
        (_tensor(types_pb2.DT_STRING, [2], tensor_content=b"\1\5abc"), "strings"),
        (_tensor(0, [2]), "dtype"),
        (_tensor(types_pb2.DT_INT4, [1] * 40), "rank"),
    ],
    ids=lambda p: p if isinstance(p, str) else "",
)
def test_tensors_that_cannot_be_are_refused(proto, words):
    message = wire.parse(proto.SerializeToString(), protos.TENSOR, "test")
    with pytest.raises(TfdeployError, match=words):
        tensorproto.tensor(message)


def test_a_large_splat_takes_no_memory():
    proto = _tensor(types_pb2.DT_FLOAT, [1 << 14, 1 << 14], float_val=[2.5])
    found = tensorproto.tensor(wire.parse(proto.SerializeToString(), protos.TENSOR, "test"))
    assert found.strides == (0, 0) and found[123, 456] == 2.5


def test_a_variant_is_unreadable_only_where_it_is_used(tmp_path):
    graph = graph_pb2.GraphDef()
    node = graph.node.add(name="list", op="Const")
    node.attr["value"].tensor.CopyFrom(_tensor(types_pb2.DT_VARIANT, []))
    value = graphdef.parse_graph_def(graph.SerializeToString(), "test").nodes[0].attrs["value"]
    assert isinstance(value, Unreadable) and "variant" in value.reason
    graph.node.add(name="x", op="Placeholder").attr["dtype"].type = types_pb2.DT_FLOAT
    (tmp_path / "m.pb").write_bytes(graph.SerializeToString())
    convert(tmp_path / "m.pb", outputs=["x"])
    with pytest.raises(UnsupportedError, match=r"m\.pb: node 'list', attribute 'value': a variant"):
        convert(tmp_path / "m.pb", outputs=["list"])


def test_shapes():
    for shape in (None, [], [2, None], [0]):
        proto = tf.TensorShape(shape).as_proto()
        message = wire.parse(proto.SerializeToString(), protos.TENSOR_SHAPE, "test")
        assert tensorproto.shape(message) == (None if shape is None else tuple(shape))
    proto = tensor_shape_pb2.TensorShapeProto(dim=[{"size": -2}])
    with pytest.raises(FormatError, match="-2"):
        tensorproto.shape(wire.parse(proto.SerializeToString(), protos.TENSOR_SHAPE, "test"))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x0a\x05abc", r"byte 0: GraphDef.node claims 5 bytes, .* has 3 left"),
        (b"\x0a\x04\x0a\x05ab", r"byte 2: NodeDef.name claims 5 bytes, .* has 2 left"),
        (b"\x0a\x02\x0a\x80", "end after 4 bytes"),
        (b"\x0a\x03\x0a\x01\xff", "NodeDef.name is not UTF-8"),
        (b"\x08\x01", "GraphDef.node comes as a varint"),
        (b"\x18" + b"\x80" * 11, "more than ten bytes"),
        (b"\x00\x00", "tag 0"),
        (b"\x9b\x06", "tag 795"),
        (b"\x1a\x01", "GraphDef.version comes as length and bytes"),
        (b"\x0a", "end after 1 bytes"),
        (b"\x32\x09ab", "field 6 of GraphDef claims 9 bytes"),
    ],
)
def test_damage_is_named_with_file_and_place(data, words):
    with pytest.raises(FormatError, match=words) as error:
        graphdef.parse_graph_def(data, "some/model.pb")
    assert str(error.value).startswith("some/model.pb: ")


def test_unknown_fields_are_skipped():
    data = b"\x32\x02hi" + b"\x38\x96\x01" + b"\x41" + bytes(8) + b"\x4d" + bytes(4)
    graph = graph_pb2.GraphDef(node=[{"name": "a", "op": "NoOp"}])
    raw = graphdef.parse_graph_def(data + graph.SerializeToString() + data, "test")
    assert [node.name for node in raw.nodes] == ["a"]


def test_deep_nesting_is_refused_and_shallow_nesting_read():
    def nested(depth):
        value = b""
        for _ in range(depth):  # AttrValue.list.func.attr["k"] = AttrValue
            entry = b"\x0a\x01k\x12" + _length(value) + value
            name = b"\x12" + _length(entry) + entry
            part = b"\x4a" + _length(name) + name
            value = b"\x0a" + _length(part) + part
        entry = b"\x0a\x01a\x12" + _length(value) + value
        node = b"\x0a\x01n\x12\x04NoOp\x2a" + _length(entry) + entry
        return b"\x0a" + _length(node) + node

    value = graphdef.parse_graph_def(nested(10), "test").nodes[0].attrs["a"]
    for _ in range(9):
        assert isinstance(value[0], FuncRef)
        value = value[0].attrs["k"]
    for depth in (50, 5000):
        with pytest.raises(FormatError, match="nested deeper"):
            graphdef.parse_graph_def(nested(depth), "test")


def _length(data):
    size, out = len(data), b""
    while size > 127:
        out += bytes([size & 127 | 128])
        size >>= 7
    return out + bytes([size])


def test_attributes_without_value_or_dtype_are_none():
    graph = graph_pb2.GraphDef(node=[{"name": "a", "op": "NoOp"}])
    graph.node[0].attr["nothing"].SetInParent()
    graph.node[0].attr["invalid"].type = 0
    graph.node[0].attr["bytes"].s = b"\xff"
    graph.node[0].attr["none"].list.SetInParent()
    attrs = graphdef.parse_graph_def(graph.SerializeToString(), "test").nodes[0].attrs
    assert attrs == {"nothing": None, "invalid": None, "bytes": b"\xff", "none": []}


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([{"name": "a", "op": "NoOp"}] * 2, "node 'a' exists twice"),
        ([{"op": "NoOp"}], "node without a name"),
        ([{"name": "a"}], "node 'a' has no op"),
    ],
)
def test_graphs_that_cannot_be_are_refused(nodes, words):
    data = graph_pb2.GraphDef(node=nodes).SerializeToString()
    with pytest.raises(FormatError, match=words):
        graphdef.parse_graph_def(data, "test")


def test_errors_in_attributes_name_the_node():
    graph = graph_pb2.GraphDef(node=[{"name": "weights", "op": "Const"}])
    graph.node[0].attr["value"].tensor.CopyFrom(
        _tensor(types_pb2.DT_FLOAT, [3], tensor_content=b"1234")
    )
    with pytest.raises(FormatError, match=r"m.pb: node 'weights', attribute 'value': 4 bytes"):
        graphdef.parse_graph_def(graph.SerializeToString(), "m.pb")


def test_mutated_graphs_give_only_our_errors(old_graph):
    data = old_graph.SerializeToString()
    refused = refusals(
        lambda variant: graphdef.parse_graph_def(variant, "test"), mutations(data, 1500, seed=1)
    )
    assert refused > 500


def test_every_truncation_of_a_graph_is_an_error_or_whole_nodes(old_graph):
    data = graph_pb2.GraphDef(node=old_graph.node[:6]).SerializeToString()
    whole = 0
    for size in range(len(data)):
        try:
            raw = graphdef.parse_graph_def(data[:size], "test")
        except FormatError:
            continue
        assert len(raw.nodes) < 6
        whole += 1
    assert whole == 6  # cut where a node ends, which the format cannot tell


def test_adversarial_sizes_end_at_once():
    start = time.perf_counter()
    runs = b"\x3a\x01\x01" * 200_000  # packed runs of one number, one after the other
    message = wire.parse(runs, protos.TENSOR, "test")
    assert len(message.int_val) == 200_000
    assert time.perf_counter() - start < 20


def test_a_call_that_never_ends_is_refused():
    graph = graph_pb2.GraphDef(node=[{"name": "start", "op": "loop"}])
    function = graph.library.function.add(signature={"name": "loop"})
    function.node_def.add(name="again", op="loop")
    function.node_def.add(name="more", op="loop")
    raw = graphdef.parse_graph_def(graph.SerializeToString(), "test")
    with pytest.raises(FormatError, match="calls itself"):
        find_sources(raw, "start", [], [], "test")


def test_files(tmp_path, old_graph):
    binary, text = tmp_path / "a.pbtxt", tmp_path / "b.pb"  # the names mislead
    binary.write_bytes(old_graph.SerializeToString())
    text.write_text(str(old_graph))
    for path in (binary, text):
        model = graphdef.read_graph_file(path)
        tf_graphs.assert_same_graph(model.graph, old_graph)
        assert model.signatures == {}
        assert model.origin == str(path)
        assert list(model.variables) == ["w"]
        with pytest.raises(ConversionError, match="variable 'w' has no value"):
            model.variables["w"]


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (b"", FormatError, "without nodes"),
        (b"hello", FormatError, "line 1"),
        (b"\x08\x01\x12\x00", ConversionError, "give the folder"),
        (b"# a\nsaved_model_schema_version: 1\nmeta_graphs {}", ConversionError, "give the folder"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), FormatError, "byte 10"),
    ],
)
def test_files_that_are_no_graph(tmp_path, content, error, words):
    path = tmp_path / "model.pb"
    path.write_bytes(content)
    with pytest.raises(error, match=words) as caught:
        graphdef.read_graph_file(path)
    assert str(path) in str(caught.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(FormatError, match=r"nothing\.pb: cannot be read: No such file"):
        graphdef.read_graph_file(Path(tmp_path) / "nothing.pb")


def test_large_constants_are_not_copied_by_the_parser():
    content = np.zeros(1 << 20, np.float32).tobytes()
    graph = graph_pb2.GraphDef(node=[{"name": "c", "op": "Const"}])
    graph.node[0].attr["value"].tensor.CopyFrom(
        _tensor(types_pb2.DT_FLOAT, [1 << 20], tensor_content=content)
    )
    data = graph.SerializeToString()
    message = wire.parse(data, protos.GRAPH, "test")
    view = message.node[0].attr["value"].tensor.tensor_content
    assert view.obj is data and len(view) == 4 << 20
