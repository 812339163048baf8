"""The text format, against TensorFlow's and protobuf's own parsers."""

from __future__ import annotations

import os

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from google.protobuf import text_format
from tensorflow.core.framework import attr_value_pb2, graph_pb2, node_def_pb2, tensor_pb2

from tests import tf_graphs
from tests.damage import mutations, refusals
from tfdeploy.errors import FormatError
from tfdeploy.importers import graphdef, pbtxt, protos, tensorproto


@pytest.fixture(scope="module", params=["keras", "old"])
def graph(request):
    return tf_graphs.keras_graph() if request.param == "keras" else tf_graphs.control_flow_graph()


@pytest.mark.parametrize("style", ["", "as_one_line", "use_short_repeated_primitives"])
def test_graphs_equal_tensorflows(graph, style):
    text = text_format.MessageToString(graph, **({style: True} if style else {})).encode()
    message = pbtxt.parse(text, protos.GRAPH, "test")
    tf_graphs.assert_same_graph(graphdef.decode_graph(message, "test"), graph)


VALUES = [
    "i: 5",
    "i: -5",
    "i: 0x1F",
    "i: -0x1f",
    "i: 017",
    "i: 9223372036854775807",
    "i: -9223372036854775808",
    "f: 1.5",
    "f: -1.5e-3",
    "f: .5",
    "f: 5.",
    "f: 2f",
    "f: 1.5F",
    "f: inf",
    "f: -inf",
    "f: nan",
    "f: Infinity",
    "f: 0.1",
    "f: 1e300",
    "f: -7",
    "b: true",
    "b: false",
    "b: t",
    "b: 1",
    "b: False",
    "type: DT_FLOAT",
    "type: DT_HALF_REF",
    "type: DT_FLOAT8_E4M3B11FNUZ",
    "type: 3",
    's: "plain"',
    "s: 'single \"quoted\"'",
    's: "one" "two"\n  \'three\'',
    r's: "\a\b\f\n\r\t\v\\\'\""',
    r's: "\0\1\12\123\377\x41\x4\xfg"',
    r's: "é\u00e9\U0001F600"',
    's: ""',
    'placeholder: "T"',
    "list { i: 1 i: 2 i: 3 }",
    "list { i: [1, 2, 3] }",
    "list { i: [] }",
    "list: { f: [1.5, inf] }",
    "list < b: true >",
    'list { s: ["a", "b" "c"]; s: "d" }',
    "list { type: [DT_FLOAT, 3], type: DT_INT8 }",
    "list { shape: [{dim {size: 1}}, {unknown_rank: true}, <>] }",
    "list { shape { } shape { dim { size: 3 name: 'n' } } }",
    "shape { dim { size: -1 } dim { size: 4 } }",
    "shape { unknown_rank: true }",
    'func { name: "f" attr { key: "T" value { type: DT_INT32 } } attr { key: "U" } }',
    'func { name: "f" attr [{ key: "T" value { i: 1 } }, { key: "U" value { i: 2 } }] }',
    "tensor { dtype: DT_INT32 tensor_shape { dim { size: 3 } } int_val: 7 }",
    r'tensor { dtype: DT_INT16 tensor_shape { dim { size: 1 } } tensor_content: "\001\000" }',
    "tensor { dtype: DT_HALF tensor_shape { dim { size: 2 } } half_val: 15360 half_val: 1 }",
    "# a comment { [\n i: 5 # another\n",
    "list { func { name: 'a' } func { name: 'b' } }",
]


@pytest.mark.parametrize("text", VALUES)
def test_values_equal_protobufs(text):
    proto = text_format.Parse(text, attr_value_pb2.AttrValue(), allow_unknown_field=False)
    message = pbtxt.parse(text.encode(), protos.ATTR_VALUE, "test")
    tf_graphs.assert_same_value(graphdef.attribute(message), proto)


REFUSED = [
    "i: 5.5",
    "i: 9223372036854775808",
    "i: abc",
    "i: 089",
    'i: "5"',
    "b: 2",
    "b: maybe",
    "f: 1.2.3",
    "f: x",
    "s: 5",
    "s: plain",
    's: "open',
    's: "new\nline"',
    r's: "\x"',
    r's: "\ud800"',
    r's: "\U00110000"',
    r's: "\U80000000"',
    'placeholder: "\\377"',
    "type: DT_NOTHING",
    "i 5",
    "i:",
    "i: [1, 2]",
    "list { i: [1, 2 }",
    "list { i: [1 2] }",
    "list { i: [1,] }",
    "list { i: 1",
    "list { i: 1 >",
    "list: 5",
    "shape 5",
    "i { }",
    "}",
    ": 5",
    "list { shape: [{}, 5] }",
    "i: -",
    "5: 5",
    "\x01",
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_protobuf_refuses_is_refused_with_its_place(text):
    with pytest.raises(text_format.ParseError):
        text_format.Parse(text, attr_value_pb2.AttrValue())
    with pytest.raises(FormatError, match=r"^some\.pbtxt: line \d+ \(byte \d+\): expected .*found"):
        pbtxt.parse(text.encode(), protos.ATTR_VALUE, "some.pbtxt")


def test_unknown_fields_are_skipped_whatever_they_hold():
    text = """
      name: "a" op: "NoOp"
      device: "/cpu:0"
      experimental_debug_info { original_node_names: "x" original_node_names: ["y", "z"] }
      future: [{ a: 1 b: [1.5, inf, -nan] }, < c: "}" >], future2: -DT_X;
      future3 { [a.b/c-d] { x: 1 } }
      input: "b"
    """
    message = pbtxt.parse(text.encode(), protos.NODE, "test")
    assert (message.name, message.op, message.input) == ("a", "NoOp", ["b"])


def test_one_message_in_two_parts_is_merged():
    text = "shape { dim { size: 2 } } shape { dim { size: 3 } }"
    # protobuf's parser refuses this in text; in binary it is legal and merges
    message = pbtxt.parse(text.encode(), protos.ATTR_VALUE, "test")
    assert graphdef.attribute(message) == (2, 3)


def test_large_escaped_content():
    array = np.random.default_rng(0).integers(0, 256, 1 << 20).astype(np.uint8)
    proto = tensor_pb2.TensorProto(dtype=4, tensor_content=array.tobytes())
    proto.tensor_shape.dim.add(size=1 << 20)
    text = text_format.MessageToString(proto).encode()
    found = tensorproto.tensor(pbtxt.parse(text, protos.TENSOR, "test"))
    assert np.array_equal(found, array)


def test_nesting():
    def nested(depth, start="list { func { attr { value {", end="} } } }"):
        return (start * depth + end * depth).encode()

    pbtxt.parse(nested(20), protos.ATTR_VALUE, "test")
    for data in (
        nested(200),
        nested(200_000, "unknown { ", "}"),
        nested(200_000, "unknown: [{ ", "}]"),
        b"unknown: [" * 200_000,
        b"unknown {" * 200_000,
        b"[" * 200_000,
    ):
        with pytest.raises(FormatError):
            pbtxt.parse(data, protos.ATTR_VALUE, "test")


def test_an_escaped_question_mark():
    message = pbtxt.parse(rb's: "\?\X41"', protos.ATTR_VALUE, "test")
    assert message.s == b"?A"


@pytest.mark.parametrize("text", [r's: "\400"', r's: "\q"', r's: "\477"'])
def test_escapes_outside_the_language_are_refused(text):
    with pytest.raises(FormatError, match="escapes"):
        pbtxt.parse(text.encode(), protos.ATTR_VALUE, "test")


def test_line_numbers():
    with pytest.raises(FormatError, match=r"line 3 \(byte 24\): expected a int64 for i, found 'x'"):
        pbtxt.parse(b"# first\n# second\n    i: x", protos.ATTR_VALUE, "test")


def test_mutated_text_gives_only_our_errors():
    old = tf_graphs.control_flow_graph()
    keep = [n for n in old.node if n.op in ("Const", "VariableV2", "Placeholder", "Merge")][:12]
    text = text_format.MessageToString(graph_pb2.GraphDef(node=keep)).encode()

    def read(data):
        return graphdef.decode_graph(pbtxt.parse(data, protos.GRAPH, "test"), "test")

    assert refusals(read, mutations(text, 1500, seed=2)) > 300


def test_a_node_may_be_anything_that_protobuf_reads():
    node = node_def_pb2.NodeDef(name="n", op="Op", input=["a", "b:1", "^c"])
    node.attr["é"].s = "ü".encode()
    text = text_format.MessageToString(node, as_utf8=True).encode()
    graph = pbtxt.parse(b"node {" + text + b"}", protos.GRAPH, "test")
    tf_graphs.assert_same_node(graphdef.decode_graph(graph, "test").nodes[0], node)
