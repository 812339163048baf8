"""The ``.tfd`` file: what goes in comes out, and nothing that is broken gets in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from numpy.testing import assert_array_equal

import tfdeploy as td
from tests.attack_prepared import join, split
from tests.fuzz import resealed
from tfdeploy import config, demo
from tfdeploy.dtypes import DType, from_numpy
from tfdeploy.graph.graph import FuncRef, Graph, Node, Ref, SignatureDef
from tfdeploy.graph.types import Dim, ValueType
from tfdeploy.passes import VERSION
from tfdeploy.storage import tfd
from tfdeploy.storage.files import atomic_write

FLOAT = DType("float32")


def constants(*arrays: np.ndarray) -> Graph:
    graph = Graph()
    for i, array in enumerate(arrays):
        dtype = from_numpy(array.dtype)
        kind = ValueType(dtype, array.shape)
        graph.add(Node("Const", f"c{i}", (), {"value": array, "dtype": dtype}, (kind,)))
    return graph


def through(graph: Graph) -> Graph:
    """The graph after a way through a file's bytes."""
    return tfd.loads(tfd.dumps(tfd.Stored([graph], {}, {}))).graphs[0]


def small() -> tfd.Stored:
    """``y = x @ w + b`` with weights in tensors of their own, a root and a signature."""
    n = Dim.symbol("x.0")
    graph = Graph()
    graph.add(
        Node("Placeholder", "x", (), {"dtype": FLOAT, "shape": (None, 30)},
             (ValueType(FLOAT, (n, 30)),))
    )  # fmt: skip
    draw = np.random.default_rng(0)
    for name, shape in [("w", (30, 20)), ("b", (20,))]:
        value = draw.normal(size=shape).astype(np.float32)
        graph.add(
            Node("Const", name, (), {"value": value, "dtype": FLOAT}, (ValueType(FLOAT, shape),))
        )
    row = ValueType(FLOAT, (n, 20))
    graph.add(Node("MatMul", "m", (Ref(0), Ref(1)), {"transpose_a": False}, (row,)))
    graph.add(Node("AddV2", "y", (Ref(3), Ref(2)), {}, (row,)))
    graph.aliases["call:0"] = Ref(4)
    signature = SignatureDef({"x": Ref(0)}, {"y": Ref(4)})
    return tfd.Stored([graph], {0: (0, Ref(4)), "m": (0, Ref(3))}, {"default": (0, signature)})


X = np.random.default_rng(1).normal(size=(3, 30)).astype(np.float32)


def answer(data: bytes, digest: bool = False) -> np.ndarray:
    model = td.Model()
    model._merge(tfd.loads(data, digest=digest))
    return model(X)


# What goes in comes out

DTYPES = [
    np.bool_,
    np.int8,
    np.uint8,
    np.int16,
    np.uint16,
    np.int32,
    np.uint32,
    np.int64,
    np.uint64,
    np.float16,
    np.float32,
    np.float64,
    np.complex64,
    np.complex128,
    ml_dtypes.bfloat16,
    ml_dtypes.float8_e5m2,
    ml_dtypes.float8_e4m3fn,
]


def numbers(dtype: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of every magnitude, NaN and infinities where there are any."""
    draw = np.random.default_rng(len(shape))
    if np.dtype(dtype).kind in "iub":
        bits = draw.integers(0, 256, int(np.prod(shape)) * 8, np.uint8)
        found = bits.view(np.int64).astype(dtype)
    else:
        found = (draw.normal(size=shape) * 10.0 ** draw.integers(-4, 4, shape)).astype(dtype)
        if found.dtype.kind == "c":
            found = found + found.dtype.type(1j) * draw.normal(size=shape).astype(found.real.dtype)
        if found.size > 4:
            found.reshape(-1)[:2] = [np.nan, -0.0]
            if np.dtype(dtype) != ml_dtypes.float8_e4m3fn:
                found.reshape(-1)[2:4] = [np.inf, -np.inf]
    return np.asarray(found).reshape(shape)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (7,), (41, 33)])
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: np.dtype(d).name)
def test_every_dtype_comes_back(dtype, shape):
    array = numbers(dtype, shape)
    (node,) = through(constants(array)).nodes
    value = node.attrs["value"]
    assert value.dtype == array.dtype
    assert value.shape == array.shape
    assert value.tobytes() == array.tobytes()
    assert not value.flags.writeable
    assert node.types == (ValueType(from_numpy(array.dtype), shape),)


@pytest.mark.parametrize("shape", [(), (0, 4), (3,), (200, 2)])
def test_strings_come_back(shape):
    draw = np.random.default_rng(0)
    array = np.empty(shape, object)
    flat = array.reshape(-1)
    for i in range(flat.size):
        flat[i] = draw.bytes(int(draw.integers(0, 30))) + b"\0"
    if shape == ():
        array = np.array(b"one \xff\0", object)
    (node,) = through(constants(array)).nodes
    assert node.attrs["value"].shape == shape
    assert node.attrs["value"].tolist() == array.tolist()


def test_arrays_of_other_layouts_come_back():
    base = np.arange(600, dtype=np.float32).reshape(20, 30)
    arrays = [base.T, base[::2, ::3], base.astype(">f4"), np.broadcast_to(base[0], (40, 30))]
    for array, node in zip(arrays, through(constants(*arrays)).nodes, strict=True):
        assert_array_equal(node.attrs["value"], array)
        assert node.attrs["value"].dtype == np.float32


def test_an_array_that_several_nodes_hold_is_stored_once():
    array = np.arange(1000.0)
    data = tfd.dumps(tfd.Stored([constants(array, array)], {}, {}))
    assert len(data) < 2 * array.nbytes
    for node in tfd.loads(data).graphs[0].nodes:
        assert_array_equal(node.attrs["value"], array)


def test_keys_of_the_format_are_never_names_of_nodes():
    graph = Graph()
    for name in ("~graph", "~pad0", "__metadata__", "a", "a'", "a~bytes", "a~offsets"):
        value = np.full(300, sum(name.encode()), np.float32)
        kind = ValueType(FLOAT, (300,))
        graph.add(Node("Const", name, (), {"value": value, "dtype": FLOAT}, (kind,)))
    words = np.array([b"word %d" % i for i in range(500)], object)
    kind = ValueType(DType("string"), (500,))
    for name in ("s", "s~bytes"):
        graph.add(Node("Const", name, (), {"value": words, "dtype": kind.dtype}, (kind,)))
    again = through(graph)
    for one, two in zip(graph.nodes, again.nodes, strict=True):
        assert one.attrs["value"].tolist() == two.attrs["value"].tolist(), one.name


def test_attributes_come_back():
    attrs = {
        "none": None, "true": True, "one": 1, "float": 0.1, "minus_zero": -0.0, "text": "ä",
        "bytes": b"\xff\0", "dtype": DType("bfloat16"), "list": [1, "a", [2.5, None]],
        "shape": (None, 3), "shapes": [(1,), None], "types": [FLOAT, DType("int8")], "big": 2**63,
        "inf": float("inf"), "minus_inf": float("-inf"), "empty": [], "array": np.arange(400),
    }  # fmt: skip
    graph = Graph()
    graph.add(Node("Anything", "n", (), dict(attrs), (ValueType(FLOAT), ValueType(FLOAT, ()))))
    graph.nodes[0].attrs["nan"] = float("nan")
    node = through(graph).nodes[0]
    assert np.isnan(node.attrs.pop("nan"))
    assert_array_equal(node.attrs.pop("array"), attrs.pop("array"))
    assert node.attrs == attrs
    for name, value in attrs.items():
        assert type(node.attrs[name]) is type(value), name
    assert str(node.attrs["minus_zero"]) == "-0.0"
    assert node.types == graph.nodes[0].types


def test_symbolic_extents_come_back():
    n, m = Dim.symbol("x.0"), Dim.symbol("y.1")
    extents = [n, n * 2 + 3, n * m - m, (n + 1) // 2, (n // 2 + 5) // m * n, Dim.broadcast(n, m)]
    graph = Graph()
    graph.add(Node("Any", "n", (), {}, (ValueType(FLOAT, (*extents, 4)), ValueType(FLOAT, None))))
    again = through(graph).nodes[0].types
    assert again == graph.nodes[0].types
    values = [extent.evaluate({"x.0": 7, "y.1": 3}) for extent in again[0].shape[:-1]]
    assert values == [7, 17, 18, 4, 14, 7]


def test_structure_comes_back():
    stored = small()
    graph = stored.graphs[0]
    graph.rename(Ref(0), "features")
    inner = Graph()
    inner.add(Node("Placeholder", "a", (), {"dtype": FLOAT}, (ValueType(FLOAT),)))
    inner.inputs, inner.outputs = [Ref(0)], [Ref(0)]
    graph.subgraphs["body"] = inner
    graph.add(Node("If", "if", (Ref(4),), {"then": FuncRef("body", {"T": FLOAT})}, ()))
    graph.add(Node("Assert", "check", (Ref(4),), {}, (), (5,)))
    again = tfd.loads(tfd.dumps(stored))
    assert again.roots == stored.roots and again.signatures == stored.signatures
    assert list(again.roots) == [0, "m"]
    (found,) = again.graphs
    for one, two in zip(graph.nodes, found.nodes, strict=True):
        assert (one.op, one.name, one.inputs, one.types, one.control) == (
            two.op, two.name, two.inputs, two.types, two.control
        )  # fmt: skip
    assert found.aliases == graph.aliases and found.renamed == graph.renamed
    assert found.index == graph.index
    assert found.nodes[5].attrs == {"then": FuncRef("body", {"T": FLOAT})}
    body = found.subgraphs["body"]
    assert (body.inputs, body.outputs) == ([Ref(0)], [Ref(0)])
    assert body.nodes[0].name == "a"


def test_the_safetensors_library_reads_a_file(tmp_path):
    path = tmp_path / "digits.tfd"
    model = td.convert(demo.SAVED_MODEL)
    model.save(path)
    tensors = safetensors.numpy.load_file(path)
    weights = [
        node.attrs["value"]
        for node in model._entries[0].graph.nodes
        if node.op == "Const" and node.attrs["value"].nbytes > tfd.MOST_INLINE
    ]
    assert len(weights) > 1
    for value in weights:
        same = [t for k, t in tensors.items() if k[0] != "~" and t.shape == value.shape]
        assert any(t.dtype == value.dtype and t.tobytes() == value.tobytes() for t in same)
    with safetensors.safe_open(path, "numpy") as file:
        assert file.metadata()["format"] == "tfdeploy"
    document = json.loads(tensors["~graph"].tobytes())
    assert set(document) == {"graphs", "roots", "signatures"}
    for key, dtype, shape, size in tfd.tensor_sizes(str(path)):
        assert tensors[key].shape == shape and tensors[key].nbytes == size, (key, dtype)


def test_tensors_are_aligned_in_the_file_and_in_memory(tmp_path):
    path = tmp_path / "m.tfd"
    tfd.write(str(path), small())
    for mmap in (True, False):
        for node in tfd.read(str(path), mmap=mmap).graphs[0].nodes:
            if node.op == "Const":
                assert not node.attrs["value"].flags.writeable
                assert node.attrs["value"].flags.aligned
    header, start = split(path.read_bytes())[0], split(path.read_bytes())[1]
    assert start % 64 == 0
    for key, entry in header.items():
        if key[0] not in "_~":
            assert (start + entry["data_offsets"][0]) % 64 == 0


def test_mapped_or_read(tmp_path):
    path = tmp_path / "m.tfd"
    tfd.write(str(path), small())
    mapped, read = td.Model(path), td.Model(path, mmap=False)
    expected = mapped(X)
    assert_array_equal(read(X), expected)
    os.unlink(path)
    path.write_bytes(b"")
    assert_array_equal(mapped(X), expected)


# Writing


def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "m.tfd"
    tfd.write(str(path), small())
    before = path.read_bytes()
    bad = small()
    bad.graphs[0].nodes[4].attrs["bad"] = object()
    with pytest.raises(td.UnsupportedError, match="y: an attribute of type object"):
        tfd.write(str(path), bad)
    emit = tfd._emit

    def full(file: Any, header: bytes, tensors: Any) -> None:
        emit(file, header, tensors[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tfd, "_emit", full)
    with pytest.raises(OSError, match="No space"):
        tfd.write(str(path), small())
    with pytest.raises(KeyboardInterrupt), atomic_write(str(path)) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m.tfd"]


def test_what_no_file_can_hold_is_an_error(tmp_path):
    with pytest.raises(td.UnsupportedError, match="int4"):
        tfd.dumps(tfd.Stored([constants(np.zeros(3000, ml_dtypes.int4))], {}, {}))


# Attacks: a file is taken apart, changed and put together with the right checksums


def pack(graph: bytes, tensors: dict[str, np.ndarray]) -> bytes:
    """A well-formed file around the text of a graph."""
    header: dict[str, Any] = {}
    body = b""
    blobs = {"~graph": np.frombuffer(graph, np.uint8), **tensors}
    for i, (key, array) in enumerate(blobs.items()):
        if hole := -len(body) % 64:
            header[f"~pad{i}"] = {
                "dtype": "U8", "shape": [hole], "data_offsets": [len(body), len(body) + hole]
            }  # fmt: skip
            body += b"\0" * hole
        header[key] = {
            "dtype": {"uint8": "U8", "float32": "F32", "int64": "I64", "bool": "BOOL"}[
                array.dtype.name
            ],
            "shape": list(array.shape),
            "data_offsets": [len(body), len(body) + array.nbytes],
        }
        body += array.tobytes()
    metadata = {"format": "tfdeploy", "version": "0", "graph_crc32": f"{zlib.crc32(graph):08x}"}
    return join({"__metadata__": metadata, **header}, body)


def parts() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The graph of `small` as JSON, and its tensors."""
    data = tfd.dumps(small())
    header, start = split(data)
    tensors = {}
    for key, entry in header.items():
        if key == "~graph" or key[0] not in "~_":
            begin, end = (start + offset for offset in entry["data_offsets"])
            kind = {"U8": np.uint8, "F32": np.float32}[entry["dtype"]]
            tensors[key] = np.frombuffer(data[begin:end], kind).reshape(entry["shape"])
    return json.loads(tensors.pop("~graph").tobytes()), tensors


def packed(change: Callable[[Any], Any]) -> bytes:
    document, tensors = parts()
    document = change(document) or document
    return pack(json.dumps(document).encode(), tensors)


def test_the_attackers_own_tools_make_good_files():
    expected = X @ small().graphs[0].nodes[1].attrs["value"]
    expected = expected + small().graphs[0].nodes[2].attrs["value"]
    for data in (tfd.dumps(small()), packed(lambda d: None)):
        np.testing.assert_allclose(answer(data), expected, rtol=1e-5, atol=1e-5)


def refused(data: bytes, said: str) -> None:
    with pytest.raises(td.FormatError, match=said) as caught:
        tfd.loads(data, "evil.tfd")
    assert "evil.tfd" in str(caught.value)


def edited(change: Callable[[dict[str, Any]], Any]) -> bytes:
    data = tfd.dumps(small())
    header, start = split(data)
    header = change(header) or header
    return join(header, data[start:])


def offsets(key: str, begin: int, end: int) -> Callable[[Any], None]:
    def change(header: Any) -> None:
        old = header[key]["data_offsets"]
        header[key]["data_offsets"] = [old[0] + begin, old[1] + end]

    return change


def put(key: str, **entry: Any) -> Callable[[Any], None]:
    return lambda header: header.setdefault(key, {}).update(entry)


HEADERS = {
    "no JSON": (lambda h: b'{"a": ', "not valid JSON"),
    "no UTF-8": (lambda h: b'{"a": "\xff\xfe"}', "not valid JSON"),
    "a list": (lambda h: b'{"a": 1}, []', "not valid JSON"),
    "deep": (lambda h: b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not valid JSON"),
    "deep objects": (lambda h: b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "not valid JSON"),
    "same key twice": (lambda h: json.dumps(h).encode()[:-1] + b',"w":{}}', "same key twice"),
    "NaN": (lambda h: b'{"a": NaN}', "constant NaN"),
    "Infinity": (lambda h: b'{"a": -Infinity}', "constant -Infinity"),
    "no metadata": (lambda h: {k: v for k, v in h.items() if k[0] != "_"}, "tfdeploy wrote"),
    "metadata of another kind": (lambda h: h | {"__metadata__": [1]}, "tfdeploy wrote"),
    "another version": (put("__metadata__", version="1"), "version '1'.*newer"),
    "another checksum": (put("__metadata__", graph_crc32="00000000"), "graph_crc32"),
    "no graph": (lambda h: {k.replace("~graph", "graph"): v for k, v in h.items()}, "'~graph'"),
    "overlap": (offsets("b", -64, -64), "overlaps"),
    "overlap of two": (offsets("w", 0, 64), "offsets span"),
    "hole": (offsets("b", 64, 64), "hole"),
    "beyond the end": (offsets("b", 0, 8), "offsets span"),
    "pad is gone": (lambda h: {k: v for k, v in h.items() if k[:4] != "~pad"}, "hole"),
    "no tensor": (put("w", shape=None), "'w' should have"),
    "no offsets": (put("w", data_offsets=[0]), "'w' should have"),
    "negative extent": (put("w", shape=[-30, -20]), "at least 0"),
    "negative offset": (put("w", data_offsets=[-8, 2392]), "at least 0"),
    "fraction": (put("w", shape=[30.0, 20]), "at least 0"),
    "truth": (put("w", shape=[True, 600]), "at least 0"),
    "text": (put("w", shape="ab"), "at least 0"),
    "huge extent": (put("w", shape=[2**62, 2**62]), "takes .* bytes"),
    "huge with zero": (put("w", shape=[0, 2**62]), "takes 0 bytes"),
    "unknown dtype": (put("w", dtype="F31"), "known dtype"),
    "another dtype": (put("w", dtype="I32"), "refers to tensor 'w', int32"),
    "a value, no entry": (lambda h: h | {"w": 3}, "'w' should have"),
}


@pytest.mark.parametrize("attack", HEADERS)
def test_attacks_on_the_header(attack):
    change, said = HEADERS[attack]
    refused(edited(change), said)


def test_attacks_on_the_length():
    data = tfd.dumps(small())
    refused(b"", "0 bytes")
    refused(data[:7], "7 bytes")
    refused(b"\xff" * 8 + data[8:], "claims")
    refused((2**40).to_bytes(8, "little") + data[8:], "claims")
    refused(len(data).to_bytes(8, "little") + data[8:], "claims")
    refused((0).to_bytes(8, "little") + data[8:], "not valid JSON")
    refused(data + b"\0", "end at byte")
    refused(b"\x80\x04\x95\0\0\0\0\0\0\0\0", "pickle")
    refused(b"\x08\x01\x12\x03abcdefgh", "tfdeploy.convert")


def column(name: str, value: Any) -> Callable[[Any], None]:
    """Replaces a column, or what a function makes of it."""

    def change(document: Any) -> None:
        graph = document["graphs"][0]
        graph[name] = value(graph[name]) if callable(value) else value

    return change


def at(index: int, value: Any) -> Callable[[list[Any]], list[Any]]:
    return lambda old: [*old[:index], value, *old[index + 1 :]]


def deep(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


WHOLE = "structure|should|refers|whole|expected|add up"
GRAPHS = {
    "not an object": (lambda d: [1], WHOLE),
    "no graphs": (lambda d: {"roots": [], "signatures": []}, WHOLE),
    "no column": (lambda d: d["graphs"][0].pop("op") and None, WHOLE),
    "cyclic": (column("input", at(0, 4)), "refers to node 4"),
    "itself": (column("input", at(6, 4)), "refers to node"),
    "input beyond": (column("input", at(0, 99)), "refers to node 99"),
    "negative input": (column("input", at(0, -1)), "refers to node -1"),
    "slot beyond": (column("input", at(1, 1)), "output 1 of node"),
    "negative slot": (column("input", at(1, -1)), "output -1 of node"),
    "fraction": (column("input", at(0, 0.5)), WHOLE),
    "truth": (column("input", at(0, False)), WHOLE),
    "text": (column("input", at(0, "0")), WHOLE),
    "huge number": (column("input", at(0, 10**30)), "refers to node"),
    "arity": (column("arity", at(3, 3)), WHOLE),
    "negative arity": (column("arity", [4, -2, 0, 2, 0]), "at least 0"),
    "huge arity": (column("arity", at(3, 10**18)), WHOLE),
    "outputs": (column("outputs", [0, 1, 1, 1, 2]), WHOLE),
    "negative outputs": (column("outputs", [3, -1, 1, 1, 1]), "at least 0"),
    "op beyond": (column("op", at(0, 77)), "below"),
    "negative op": (column("op", at(0, -1)), "below"),
    "attrs beyond": (column("attr", at(0, 77)), "below"),
    "type beyond": (column("type", at(0, 77)), "below"),
    "same name": (column("name", at(1, "x")), "unique"),
    "name is a number": (column("name", at(1, 5)), "unique"),
    "shorter": (column("name", lambda old: old[:-1]), "one entry a node"),
    "unknown dtype": (column("types", at(0, ["float31", [1]])), "float31"),
    "negative extent": (column("types", at(0, ["float32", [-3]])), "negative extent"),
    "fraction extent": (column("types", at(0, ["float32", [0.5]])), WHOLE),
    "deep extent": (
        column("types", at(0, ["float32", [[[1, [["//", [[1, ["a"]]], deep(9)]]]]]])), WHOLE
    ),
    "unknown operator": (column("types", at(0, ["float32", [[[1, [["%", 1, 2]]]]]])), "operation"),
    "control of the future": (column("control", [[1, 4]]), "not an earlier node"),
    "control of nobody": (column("control", [[99, 0]]), "below"),
    "alias beyond": (column("aliases", [["a:0", 99, 0]]), "refers to node 99"),
    "alias slot": (column("aliases", [["a:0", 0, 9]]), "output 9"),
    "renamed beyond": (column("renamed", [["a:0", 99, 0]]), "refers to node 99"),
    "output beyond": (column("out", [[99, 0]]), "refers to node 99"),
    "constant of another shape": (column("types", at(1, ["float32", [20, 30]])), "shape|type"),
    "constant of another dtype": (column("types", at(1, ["int32", [30, 20]])), "array of int32"),
    "constant without value": (column("attrs", at(1, {"dtype": {"t": "float32"}})), "array of"),
    "constant of text": (column("attrs", at(1, {"value": "text"})), "array of"),
    "tensor that is not there": (
        column("attrs", at(1, {"value": {"a": ["float32", [30, 20], "nothing"]}})), "does not hold"
    ),
    "the graph as a weight": (
        column("attrs", at(1, {"value": {"a": ["float32", [30, 20], "~graph"]}})), "~graph"
    ),
    "more elements": (
        column("attrs", at(1, {"value": {"a": ["float32", [30, 21], "w"]}})), "elements"
    ),
    "huge shape": (
        column("attrs", at(1, {"value": {"a": ["float32", [2**62, 2**62, 0], []]}})), WHOLE
    ),
    "negative shape": (
        column("attrs", at(1, {"value": {"a": ["float32", [-30, -20], "w"]}})), "at least 0"
    ),
    "handle": (column("attrs", at(1, {"value": {"a": ["resource", [1], [1]]}})), "handle|should"),
    "unknown kind": (column("attrs", at(1, {"value": {"evil": 1}})), "unknown kind 'evil'"),
    "empty object": (column("attrs", at(1, {"value": {}})), WHOLE),
    "NaN by name": (column("attrs", at(1, {"value": {"f": "nan()"}})), WHOLE),
    "deep attribute": (column("attrs", at(1, {"value": deep(900)})), WHOLE),
    "subgraph of nothing": (column("subgraphs", [["g", {}]]), WHOLE),
    "root beyond": (lambda d: d | {"roots": [[0, 0, 99, 0]]}, "refers to"),
    "root of no graph": (lambda d: d | {"roots": [[0, 9, 0, 0]]}, "below"),
    "root's key": (lambda d: d | {"roots": [[[1], 0, 0, 0]]}, "key|structure"),
    "signature beyond": (lambda d: d | {"signatures": [["s", 0, [["x", 99, 0]], []]]}, "refers"),
    "signature's slot": (lambda d: d | {"signatures": [["s", 0, [["x", 0, 7]], []]]}, "refers"),
    "signature of text": (lambda d: d | {"signatures": [["s", 0, [["x", "a", 0]], []]]}, "whole"),
}  # fmt: skip


@pytest.mark.parametrize("attack", GRAPHS)
def test_attacks_on_the_graph(attack):
    change, said = GRAPHS[attack]
    with pytest.raises(td.TfdeployError, match=said):
        tfd.loads(packed(change), "evil.tfd")


@pytest.mark.parametrize("depth", [3, 100, 20_000])
def test_subgraphs_inside_subgraphs(depth):
    document, tensors = parts()
    own = json.dumps(document["graphs"][0] | {"subgraphs": []})
    head = own[: own.rindex("[]}")]
    text = head * depth and '{"graphs":[' + (head + '[["g",') * depth + own + "]]}" * depth
    text += '],"roots":[],"signatures":[]}'
    data = pack(text.encode(), tensors)
    if depth <= 100:
        assert tfd.loads(data).graphs[0].subgraphs["g"].subgraphs["g"].nodes
    else:
        refused(data, "JSON|structure")


def test_text_that_is_no_graph():
    _, tensors = parts()
    for text in (b"", b"{", b"NaN", b'{"graphs": NaN}', b"[" * 10**6, b"\xff\xff", b"1" * 10**5):
        refused(pack(text, tensors), "JSON|NaN|structure")


def test_strings_with_bad_offsets():
    for offsets in ([0, 5, 3, 9], [1, 2, 9], [0, 4], [0, 99], [], [0, -1, 9]):
        data, tensors = parts()
        data["graphs"][0]["attrs"] = at(1, {"value": {"a": ["string", [2], "s"]}})(
            data["graphs"][0]["attrs"]
        )
        tensors["s~offsets"] = np.array(offsets, np.int64)
        tensors["s~bytes"] = np.zeros(9, np.uint8)
        with pytest.raises(td.FormatError, match=r"offsets should rise|elements|array of"):
            tfd.loads(pack(json.dumps(data).encode(), tensors), "evil.tfd")


def test_a_bool_that_is_none():
    graph = constants(np.zeros(3000, np.bool_))
    data = bytearray(tfd.dumps(tfd.Stored([graph], {}, {})))
    data[-1] = 2
    with pytest.raises(td.FormatError, match="0 or 1"):
        tfd.loads(bytes(data))


def test_a_tensor_that_is_not_aligned():
    document, tensors = parts()
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 64 + 4)
    data = pack(text, {})
    header, start = split(data)
    body = bytearray(data[start:])
    for key, array in tensors.items():
        header[key] = {
            "dtype": "F32", "shape": list(array.shape),
            "data_offsets": [len(body), len(body) + array.nbytes],
        }  # fmt: skip
        body += array.tobytes()
    refused(join(header, bytes(body)), "multiple of 64")


# Attacks on the prepared graph, which engines run


def lively(tmp_path: Any) -> tuple[str, str]:
    """A file whose prepared graph has convolutions, products and maps, and its input."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    x = keras.Input((9, 8, 3))
    h = layers.Conv2D(5, 3, strides=2, padding="same", activation="relu")(x)
    h = layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(h))
    h = layers.MaxPooling2D(2)(layers.Activation("gelu")(h))
    h = layers.LayerNormalization()(layers.Flatten()(h))
    h = layers.Dense(6, activation="tanh")(h)
    model = keras.Model(x, layers.Softmax()(layers.Add()([h, layers.Dense(6)(h)])))
    td.convert(model).save(tmp_path / "m.tfd")
    data = np.random.default_rng(2).normal(size=(3, 9, 8, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", data)
    return str(tmp_path / "m.tfd"), str(tmp_path / "x.npy")


def attack_prepared(tmp_path: Any, count: int) -> str:
    """In a process of its own, since it may crash; its last line."""
    script = os.path.join(os.path.dirname(__file__), "attack_prepared.py")
    command = [sys.executable, script, *lively(tmp_path), str(count)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-300:] + result.stderr[-2000:]
    return result.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    "document",
    [5, [], [7], [[]], [{}], {}, [{"version": VERSION}], ["text"]]
    + [{"graphs": g, "roots": []} for g in (5, "text", [7], [{}], [{"version": VERSION}])],
)
def test_prepared_graphs_of_another_structure(document):
    text = json.dumps(document).encode()
    graph, tensors = parts()
    prepared = {"~prepared": np.frombuffer(text, np.uint8)}
    data = pack(json.dumps(graph).encode(), tensors | prepared)
    header, start = split(data)
    header["__metadata__"]["prepared_crc32"] = f"{zlib.crc32(text):08x}"
    with pytest.raises(td.FormatError, match=r"evil\.tfd: .*structure"):
        tfd.loads(join(header, data[start:]), "evil.tfd").prepared(0)


def answered() -> td.Model:
    """`small` as a model, which files hold with its prepared graph."""
    model = td.Model()
    model._merge(tfd.loads(tfd.dumps(small())))
    return model


def rewritten(key: str, change: Callable[[Any], Any]) -> bytes:
    """The file of `answered` with another JSON text in a tensor."""
    data = tfd.dumps(answered()._stored())
    header, start = split(data)
    begin, end = (start + offset for offset in header[key]["data_offsets"])
    document = json.loads(data[begin:end])
    text = json.dumps(change(document) or document, separators=(",", ":")).encode()
    return resealed(data, key, text)


def unread(model: td.Model) -> bool:
    """Whether nobody has looked into the graph."""
    graph = model._entries[0].graph
    return isinstance(graph, tfd._Unread) and graph._reader is not None


def loaded(data: bytes) -> td.Model:
    model = td.Model()
    model._merge(tfd.loads(data, "evil.tfd"))
    return model


def test_a_call_leaves_the_graph_unread():
    expected = answered()(X)
    model = loaded(tfd.dumps(answered()._stored()))
    signature = model.signatures["default"]
    for _ in range(2):
        np.testing.assert_array_equal(model(X), expected)
        np.testing.assert_array_equal(signature(x=X.astype(np.float64))["y"], expected)
    assert signature.inputs["x"].shape == (None, 30)
    assert unread(model) == (config.engine() is not None)
    assert model.get("w").value.shape == (30, 20) and not unread(model)
    assert model.get("nothing") is None
    np.testing.assert_array_equal(model(X), expected)
    model.get("b").value = np.zeros(20)
    np.testing.assert_allclose(model(X), X @ model.get("w").value, rtol=1e-5, atol=1e-5)


def test_threads_look_into_an_unread_graph_at_once():
    data = tfd.dumps(answered()._stored())
    for _ in range(20):
        graph = tfd.loads(data).graphs[0]
        barrier = threading.Barrier(6)
        names = ["index", "nodes", "aliases", "renamed", "outputs", "inputs"]

        def look(name: str, graph: Any = graph, barrier: Any = barrier) -> Any:
            barrier.wait()
            return getattr(graph, name)

        with ThreadPoolExecutor(6) as pool:
            found = dict(zip(names, pool.map(look, names), strict=True))
        assert all(getattr(graph, name) is value for name, value in found.items())
        assert set(found["index"]) == {node.name for node in found["nodes"]} >= {"x", "w", "b"}


LIES = {
    "another op": column("ops", ["Placeholder", "Const", "MatMul", "Sub"]),
    "no placeholder": column("op", [1, 1, 1, 2, 3]),
    "another type": column("types", [["float32", [30, 20]]] * 9),
    "broken": column("arity", [0]),
    "no graph": lambda d: d | {"graphs": []},
}


@pytest.mark.parametrize("lie", LIES)
def test_an_unread_graph_that_is_not_the_prepared_one(lie):
    model = loaded(rewritten("~graph", LIES[lie]))
    for _ in range(2):
        with pytest.raises(td.FormatError, match=r"evil\.tfd: "):
            model.get("w")


def test_a_damaged_graph_shows_at_once():
    data = bytearray(tfd.dumps(answered()._stored()))
    header, start = split(bytes(data))
    data[start + header["~graph"]["data_offsets"][0] + 20] ^= 1
    with pytest.raises(td.FormatError, match="graph_crc32"):
        tfd.loads(bytes(data))


def test_prepared_graphs_as_they_were_written_before():
    """A list of graphs, which tells nothing of the canonical ones."""

    def before(document: Any) -> Any:
        rows = document["graphs"]
        return [{key: row[key] for key in ("version", "graph", "values")} for row in rows]

    model = loaded(rewritten("~prepared", before))
    assert not unread(model) and model._entries[0].engine._stored is not None
    np.testing.assert_array_equal(model(X), answered()(X))


def test_a_prepared_graph_that_makes_no_plan_is_told(monkeypatch):
    if config.engine() is None:
        pytest.skip("needs the compiled engine")
    expected = answered()(X)
    model = loaded(tfd.dumps(answered()._stored()))

    def confused(self, *arguments: Any) -> None:
        raise TypeError("types make no sense")

    monkeypatch.setattr("tfdeploy.plan.segments.Maker.program", confused)
    with pytest.warns(RuntimeWarning, match="types make no sense.*op by op"):
        np.testing.assert_allclose(model(X), expected, rtol=1e-5, atol=1e-5)


def test_attacks_on_the_prepared_graph(tmp_path):
    assert attack_prepared(tmp_path, 150).startswith(("pure", "survived"))


@pytest.mark.slow
def test_every_attack_on_the_prepared_graph(tmp_path):
    assert attack_prepared(tmp_path, 10**6).startswith(("pure", "survived"))


# Accidents


def test_truncated_anywhere(tmp_path):
    data = tfd.dumps(small())
    path = tmp_path / "m.tfd"
    for fiftieth in range(50):
        path.write_bytes(data[: len(data) * fiftieth // 50])
        for mmap in (True, False):
            with pytest.raises(td.FormatError, match=r"m\.tfd"):
                td.Model(path, mmap=mmap)


def flips(data: bytes, count: int, seed: int, end: int) -> Any:
    draw = np.random.default_rng(seed)
    for _ in range(count):
        damaged = bytearray(data)
        for _ in range(int(draw.integers(1, 4))):
            damaged[int(draw.integers(end))] ^= 1 << int(draw.integers(8))
        yield bytes(damaged)


def test_flipped_bits_are_found_or_harmless():
    """In a file that is read whole: an error of tfdeploy's, or the same answer."""
    data = tfd.dumps(small())
    expected = answer(data)
    refusals = 0
    for damaged in flips(data, 400, seed=1, end=len(data)):
        try:
            value = answer(damaged, digest=True)
        except td.TfdeployError:
            refusals += 1
            continue
        assert_array_equal(value, expected)
    assert refusals > 300


def test_flipped_bits_outside_the_weights_are_found_in_a_mapped_file_too():
    data = tfd.dumps(small())
    header, start = split(data)
    expected = answer(data)
    for damaged in flips(data, 400, seed=2, end=start + header["~graph"]["data_offsets"][1]):
        try:
            value = answer(damaged)
        except td.TfdeployError:
            continue
        assert_array_equal(value, expected)


def test_damaged_weights_are_found_where_the_file_is_read(tmp_path):
    path = tmp_path / "m.tfd"
    data = bytearray(tfd.dumps(small()))
    data[-3] ^= 4
    path.write_bytes(data)
    with pytest.raises(td.FormatError, match="digest"):
        td.Model(path, mmap=False)
    assert not tfd.digest_holds(str(path))
    td.Model(path)


def test_paths_that_are_no_files(tmp_path):
    with pytest.raises(td.FormatError, match=r"tfdeploy\.convert\('.*digits'\)"):
        td.Model(demo.SAVED_MODEL)
    with pytest.raises(FileNotFoundError, match=r"nothing\.tfd"):
        td.Model(tmp_path / "nothing.tfd")
    with pytest.raises(td.FormatError, match="not a tfdeploy file"):
        td.Model(os.path.join(demo.SAVED_MODEL, "saved_model.pb"))
    path = tmp_path / "plain.safetensors"
    safetensors.numpy.save_file({"a": np.zeros(3, np.float32)}, path)
    with pytest.raises(td.FormatError, match="a safetensors file"):
        td.Model(path)
