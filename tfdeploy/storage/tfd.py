"""The ``.tfd`` file: a safetensors file that also holds the graphs.  FORMAT.md is the
specification.

Nothing in a file is code, a path or a pickle.  Loading checks the header, then every index, type
and attribute of the graphs, before anything is used; each violation is a FormatError that says
where.
"""

from __future__ import annotations

import math
import mmap as mmap_module
import os
import sys
import zlib
from _thread import allocate_lock
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, NoReturn, TypeAlias, TypeVar

import numpy as np

from ..dtypes import Array, DType
from ..errors import FormatError, GraphError, UnsupportedError
from ..graph.graph import FuncRef, Graph, Node, Ref, SignatureDef
from ..graph.types import Dim, Extent, ValueType
from ..graph.verify import verify

if TYPE_CHECKING:
    from ..passes import Prepared

Key = int | str
Roots: TypeAlias = "dict[Key, tuple[int, Ref]]"
Signatures: TypeAlias = "dict[str, tuple[int, SignatureDef]]"
T = TypeVar("T")

VERSION = 0
ALIGNMENT = 64
_SPACE = " \t\n\r"  # of JSON
MOST_HEADER = 100 << 20  # bytes, as in safetensors
MOST_NODES = 5_000_000
MOST_TENSORS = 1_000_000
MOST_INLINE = 1024  # bytes of a constant that stands in the graph's JSON
_GRAPH = "~graph"
_PREPARED = "~prepared"

# safetensors' names of element types
_STORED = {
    "bool": "BOOL",
    "uint8": "U8",
    "int8": "I8",
    "uint16": "U16",
    "int16": "I16",
    "float16": "F16",
    "bfloat16": "BF16",
    "uint32": "U32",
    "int32": "I32",
    "float32": "F32",
    "uint64": "U64",
    "int64": "I64",
    "float64": "F64",
    "float8_e5m2": "F8_E5M2",
    "float8_e4m3fn": "F8_E4M3",
}
_SIZES = {
    "BOOL": 1,
    "U8": 1,
    "I8": 1,
    "F8_E5M2": 1,
    "F8_E4M3": 1,
    "U16": 2,
    "I16": 2,
    "F16": 2,
    "BF16": 2,
    "U32": 4,
    "I32": 4,
    "F32": 4,
    "U64": 8,
    "I64": 8,
    "F64": 8,
}
_LOADED = {stored: name for name, stored in _STORED.items()}
_PAIRS = {"complex64": "float32", "complex128": "float64"}


class Stored(NamedTuple):
    """What a file holds: graphs, roots by key, signatures by name; numbers say which graph.

    `prepared` gives the prepared form of a graph by its number, where there is one.
    """

    graphs: list[Graph]
    roots: Roots
    signatures: Signatures
    prepared: Callable[[int], Prepared | None] = lambda number: None


# what a document of another structure than expected raises
_STRUCTURE = (
    KeyError,
    TypeError,
    ValueError,
    IndexError,
    OverflowError,
    AttributeError,
    RecursionError,
)


def json() -> ModuleType:
    """Python's module, whose import takes about as long as reading a file, which does without."""
    import json

    return json


# Writing


def write(path: str, stored: Stored) -> None:
    """Writes `stored` to `path` by atomic rename."""
    from .files import atomic_write

    header, tensors = _layout(stored)
    with atomic_write(path) as file:
        _emit(file, header, tensors)


def dumps(stored: Stored) -> bytes:
    """The bytes of the file."""
    import io

    buffer = io.BytesIO()
    _emit(buffer, *_layout(stored))
    return buffer.getvalue()


def _emit(file: BinaryIO | Any, header: bytes, tensors: list[Array]) -> None:
    file.write(len(header).to_bytes(8, "little"))
    file.write(header)
    for array in tensors:
        file.write(_bytes(array))


def _bytes(array: Array) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


class _Weights:
    """Arrays on their way into the file, each once."""

    def __init__(self) -> None:
        self.tensors: dict[str, tuple[str, Array]] = {}
        self._keys: dict[int, Any] = {}
        self._held: list[Array] = []

    def add(self, array: Array, name: str) -> Any:
        """How the graph refers to `array`: the key of a tensor, or the values themselves."""
        if id(array) not in self._keys:
            self._held.append(array)
            self._keys[id(array)] = self._store(array, name)
        return self._keys[id(array)]

    def _store(self, array: Array, name: str) -> Any:
        from ..dtypes import from_numpy

        dtype = from_numpy(array.dtype)
        small = array.size * max(array.itemsize, 1) <= MOST_INLINE
        short = array.dtype.kind in "iubO" or (array.dtype.kind == "f" and array.ndim == 0)
        if small and short:
            if dtype == "string":
                values: list[Any] = [v.decode("latin-1") for v in array.ravel().tolist()]
            else:
                values = [_encode(v, self, name) for v in array.ravel().tolist()]
            return [dtype, list(array.shape), values]
        name = self._free(name)
        if dtype == "string":
            parts = [bytes(v) for v in array.ravel().tolist()]
            offsets = np.cumsum([0, *map(len, parts)], dtype=np.int64)
            self._put(f"{name}~offsets", DType("int64"), offsets)
            self._put(f"{name}~bytes", DType("uint8"), np.frombuffer(b"".join(parts), np.uint8))
        elif dtype in _PAIRS:
            part = np.dtype(_PAIRS[dtype])
            pairs = np.stack([array.real, array.imag], axis=-1).astype(part)
            self._put(name, DType(_PAIRS[dtype]), pairs)
        else:
            self._put(name, dtype, array)
        return [dtype, list(array.shape), name]

    def _free(self, name: str) -> str:
        """A key like `name` that nothing has: those that begin with ~ are the format's own."""
        key = name if name[:1] not in ("~", "_") else f"'{name}"
        while key in self.tensors or f"{key}~bytes" in self.tensors:
            key += "'"
        return key

    def _put(self, key: str, dtype: DType, array: Array) -> None:
        if dtype not in _STORED:
            raise UnsupportedError(f"tensor {key}: a file cannot hold {dtype} yet")
        little = array.dtype.newbyteorder("<") if array.dtype.kind != "V" else array.dtype
        self.tensors[key] = dtype, np.ascontiguousarray(array, little).reshape(array.shape)


def _layout(stored: Stored) -> tuple[bytes, list[Array]]:
    """The header, and the arrays in the order of the file, padding included."""
    weights = _Weights()
    several = len(stored.graphs) > 1
    document = {
        "graphs": [
            _columns(g, weights, f"{i}/" if several else "") for i, g in enumerate(stored.graphs)
        ],
        "roots": [[key, number, *ref] for key, (number, ref) in stored.roots.items()],
        "signatures": [
            [name, number, _refs(d.inputs), _refs(d.outputs)]
            for name, (number, d) in stored.signatures.items()
        ],
    }
    rows = [_prepared_columns(stored, i, weights) for i in range(len(stored.graphs))]
    prepared = document | {"graphs": rows}
    tensors = {_GRAPH: _text_tensor(document), _PREPARED: _text_tensor(prepared), **weights.tensors}
    entries: dict[str, Any] = {}
    arrays: list[Array] = []
    offset = 0
    for key, (dtype, array) in tensors.items():
        if hole := -offset % ALIGNMENT:
            pad = np.zeros(hole, np.uint8)
            entries[f"~pad{len(arrays)}"] = _entry("U8", (hole,), offset, hole)
            arrays.append(pad)
            offset += hole
        entries[key] = _entry(_STORED[dtype], array.shape, offset, array.nbytes)
        arrays.append(array)
        offset += array.nbytes
    metadata = {
        "format": "tfdeploy",
        "version": str(VERSION),
        "graph_crc32": f"{zlib.crc32(_bytes(tensors[_GRAPH][1])):08x}",
        "prepared_crc32": f"{zlib.crc32(_bytes(tensors[_PREPARED][1])):08x}",
        "sha256": _digest(arrays),
    }
    header = json().dumps({"__metadata__": metadata, **entries}, separators=(",", ":")).encode()
    header += b" " * (-(8 + len(header)) % ALIGNMENT)
    if len(header) > MOST_HEADER:
        raise UnsupportedError(
            f"the header would have {len(header)} bytes, at most {MOST_HEADER} are allowed"
        )
    return header, arrays


def _text_tensor(document: Any) -> tuple[DType, Array]:
    text = json().dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return DType("uint8"), np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)


def _prepared_columns(stored: Stored, number: int, weights: _Weights) -> Any:
    """The prepared form of a graph as JSON, None where there is none."""
    found = stored.prepared(number)
    if found is None:
        return None
    values = [[*before, *after] for before, after in found.values.items()]
    columns = _columns(found.graph, weights, f"{number}/prepared/")
    return {
        "version": found.version,
        "ops": sorted(found.ops),
        "feeds": sorted(map(list, found.feeds)),
        "values": values,
        "graph": columns,
    }


def _entry(dtype: str, shape: tuple[int, ...], offset: int, size: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + size]}


def _digest(arrays: list[Array]) -> str:
    import hashlib

    digest = hashlib.sha256()
    for array in arrays:
        digest.update(_bytes(array))
    return digest.hexdigest()


def _refs(refs: dict[str, Ref]) -> list[list[Any]]:
    return [[name, *ref] for name, ref in refs.items()]


class _Table:
    """Distinct values in the order of their first use, and the column that refers to them."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.column: list[int] = []
        self._numbers: dict[str, int] = {}
        self._dumps = json().dumps

    def add(self, value: Any) -> None:
        text = self._dumps(value, separators=(",", ":"))
        number = self._numbers.setdefault(text, len(self.values))
        if number == len(self.values):
            self.values.append(value)
        self.column.append(number)


def _columns(graph: Graph, weights: _Weights, prefix: str) -> dict[str, Any]:
    """A graph as columns: a list per field, one entry a node."""
    ops, attrs, types = _Table(), _Table(), _Table()
    for node in graph.nodes:
        ops.add(node.op)
        attrs.add({k: _encode(v, weights, prefix + node.name) for k, v in node.attrs.items()})
        for kind in node.types:
            types.add(
                [
                    kind.dtype,
                    None if kind.shape is None else [_encode_extent(e) for e in kind.shape],
                ]
            )
    return {
        "ops": ops.values,
        "op": ops.column,
        "name": [node.name for node in graph.nodes],
        "arity": [len(node.inputs) for node in graph.nodes],
        "input": [number for node in graph.nodes for ref in node.inputs for number in ref],
        "attrs": attrs.values,
        "attr": attrs.column,
        "outputs": [len(node.types) for node in graph.nodes],
        "types": types.values,
        "type": types.column,
        "control": [[i, *node.control] for i, node in enumerate(graph.nodes) if node.control],
        "aliases": _refs(graph.aliases),
        "renamed": [[name, *ref] for ref, name in graph.renamed.items()],
        "in": [list(ref) for ref in graph.inputs],
        "out": [list(ref) for ref in graph.outputs],
        "subgraphs": [
            [name, _columns(g, weights, f"{prefix}{name}/")] for name, g in graph.subgraphs.items()
        ],
    }


def _encode_extent(extent: Extent) -> Any:
    """An int as it is, an expression as a list of [factor, atoms]."""
    if not isinstance(extent, Dim):
        return int(extent)
    return [
        [
            factor,
            [
                a if isinstance(a, str) else [a[0], _encode_extent(a[1]), _encode_extent(a[2])]
                for a in atoms
            ],
        ]
        for atoms, factor in extent.terms.items()
    ]


def _encode(value: Any, weights: _Weights, name: str) -> Any:
    """An attribute as JSON; what JSON lacks is a dict of one entry."""
    if isinstance(value, np.ndarray):
        return {"a": weights.add(value, name)}
    if isinstance(value, DType):
        return {"t": str(value)}
    if isinstance(value, bytes):
        return {"b": value.decode("latin-1")}
    if isinstance(value, float) and not np.isfinite(value):
        return {"f": str(value)}
    if isinstance(value, FuncRef):
        return {
            "fn": value.name,
            "attrs": {k: _encode(v, weights, name) for k, v in value.attrs.items()},
        }
    if isinstance(value, tuple):
        return {"s": [_encode(v, weights, name) for v in value]}
    if isinstance(value, list):
        return [_encode(v, weights, name) for v in value]
    if isinstance(value, np.generic):
        return _encode(value.item(), weights, name)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise UnsupportedError(f"{name}: an attribute of type {type(value).__name__} cannot be saved")


# Reading


def read(path: str, mmap: bool = True) -> Stored:
    """The contents of a file; weights are mapped, or read and checked where `mmap` is false.

    Raises FormatError for a damaged file or one of another kind, FileNotFoundError, and for a
    SavedModel folder a FormatError that points to `convert`.
    """
    if os.path.isdir(path):
        raise FormatError(
            f"{path}: this is a folder; a SavedModel is converted with tfdeploy.convert({path!r})"
        )
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if mmap and size:
            data: Any = mmap_module.mmap(file.fileno(), 0, access=mmap_module.ACCESS_READ)
        else:
            data = file.read()
    return loads(data, path, digest=not mmap)


def loads(data: Any, origin: str = "bytes", digest: bool = False) -> Stored:
    """The contents of a file that is in memory; weights refer to `data`.

    Where `digest` is true the weights are checked too, not the graph alone.
    """
    reader = _Reader(memoryview(data), origin)
    if digest and not reader.digest_holds():
        reader.fail("the digest in the header is not that of the tensors: the file is damaged")
    return reader.stored()


class _Unread(Graph):
    """A canonical graph that is read, and verified, when somebody looks into it.

    The file's prepared graph knows before what calls ask.
    """

    __slots__ = ("_number", "_reader")

    def __init__(self, reader: _Reader, number: int) -> None:
        self._reader: _Reader | None = reader
        self._number = number
        self.subgraphs = {}

    def __getattr__(self, name: str) -> Any:
        if name not in Graph.__slots__:
            raise AttributeError(name)
        if (reader := self._reader) is not None:
            with reader.lock:
                if self._reader is not None:
                    graph = reader.canonical(self._number)
                    for each in Graph.__slots__:
                        setattr(self, each, getattr(graph, each))
                    self._reader = None
        return object.__getattribute__(self, name)

    def type(self, ref: Ref) -> ValueType:
        """See `Graph.type`."""
        reader = self._reader
        found = reader and reader.prepared[self._number]
        if not found or ref not in found.values:
            return super().type(ref)
        return found.graph.type(found.values[ref])

    def fed(self, ref: Ref) -> bool:
        """See `Graph.fed`."""
        reader = self._reader
        found = reader and reader.prepared[self._number]
        return bool(found and ref in found.feeds) or super().fed(ref)

    def op_types(self) -> set[str]:
        """See `Graph.op_types`."""
        reader = self._reader
        found = reader and reader.prepared[self._number]
        return found.ops if found else super().op_types()


class _Reader:
    """Reads one file, trusting nothing in it."""

    def __init__(self, data: memoryview, origin: str) -> None:
        self.data = data
        self.origin = origin
        self._scan = self._scanner()
        header, start = self._header()
        self.start = start
        self.body = data[start:]
        self.metadata = header.pop("__metadata__", {})
        self._check_metadata()
        self.entries = header
        self._check_entries()
        self.lock = allocate_lock()
        self.prepared: list[Prepared] = []
        """Those that tell enough of graphs that were left unread."""
        self._canonical: list[Graph] = []
        self._arrays: dict[str, Array] = {}
        self._extents: dict[str, Extent] = {}

    def fail(self, what: str) -> NoReturn:
        raise FormatError(f"{self.origin}: {what}")

    def _header(self) -> tuple[dict[str, Any], int]:
        if len(self.data) < 8:
            self.fail(f"{len(self.data)} bytes are too few for a tfdeploy file")
        size = int.from_bytes(self.data[:8], "little")
        if bytes(self.data[8:9]) != b"{":
            self.fail("not a tfdeploy file: byte 8 should open the header with '{'" + self._hint())
        if size > min(len(self.data) - 8, MOST_HEADER):
            self.fail(
                f"the header claims {size} bytes; the file has {len(self.data) - 8} after byte 8 "
                f"and {MOST_HEADER} is the limit"
            )
        header = self._json(bytes(self.data[8 : 8 + size]), "the header")
        if not isinstance(header, dict):
            self.fail("the header should be a JSON object")
        return header, 8 + size

    def _hint(self) -> str:
        head = bytes(self.data[:2])
        if head[:1] == b"\x80" or head in (b"(d", b"(l", b"cc"):
            return " (this looks like a pickle, as tfdeploy 0.4 wrote)"
        return f"; a TensorFlow graph is converted with tfdeploy.convert({self.origin!r})"

    def _json(self, text: bytes | memoryview, what: str) -> Any:
        try:
            document = str(text, "utf-8", "surrogatepass").strip(_SPACE)
            value, end = self._scan(document, 0)
            if end != len(document):
                self.fail(f"{what} is not valid JSON: it goes on after its end at {end}")
            return value
        except (ValueError, RecursionError, StopIteration) as error:
            if isinstance(error, FormatError):
                raise
            self.fail(f"{what} is not valid JSON: {error!r}")

    def _scanner(self) -> Callable[[str, int], tuple[Any, int]]:
        """What reads a JSON value from a place in a text."""
        hooks: dict[str, Any] = {
            "strict": True,
            "object_hook": None,
            "object_pairs_hook": self._unique,
            "parse_float": float,
            "parse_int": int,
            "parse_constant": lambda name: self.fail(f"a JSON text holds the constant {name}"),
        }
        try:
            from _json import make_scanner
        except ImportError:  # another Python's
            return json().JSONDecoder(**hooks).scan_once  # type: ignore[no-any-return]
        context: Any = SimpleNamespace(**hooks)
        return make_scanner(context)

    def _unique(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            self.fail("a JSON object has the same key twice")
        return found

    def _check_metadata(self) -> None:
        if not isinstance(self.metadata, dict) or self.metadata.get("format") != "tfdeploy":
            self.fail(
                "a safetensors file, but not one that tfdeploy wrote: its metadata lacks "
                '"format": "tfdeploy"'
            )
        version = self.metadata.get("version")
        if version != str(VERSION):
            self.fail(
                f"format version {version!r}; this tfdeploy reads version {VERSION}: install a "
                "newer one"
            )

    def _check_entries(self) -> None:
        """Tensors fill the body without holes or overlap, and are as long as their shapes say."""
        if len(self.entries) > MOST_TENSORS:
            self.fail(f"{len(self.entries)} tensors; at most {MOST_TENSORS} are allowed")
        spans = []
        for key, entry in self.entries.items():
            begin, end = self._span(key, entry)
            spans.append((begin, end, key))
        position = 0
        for begin, end, key in sorted(spans):
            if begin != position:
                kind = (
                    "overlaps the tensor before it"
                    if begin < position
                    else "leaves a hole before it"
                )
                self.fail(
                    f"tensor {key!r} starts at byte {begin} and {kind}, which ends at {position}"
                )
            if (begin + self.start) % ALIGNMENT and not key.startswith("~pad"):
                self.fail(
                    f"tensor {key!r} starts at byte {begin + self.start} of the file, which is no "
                    f"multiple of {ALIGNMENT}"
                )
            position = end
        if position != len(self.body):
            self.fail(f"the tensors end at byte {position} of {len(self.body)} after the header")

    def _span(self, key: str, entry: Any) -> tuple[int, int]:
        try:
            dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
            size = _SIZES[dtype]
            numbers = [*shape, begin, end]
        except (TypeError, KeyError, ValueError):
            self.fail(f"tensor {key!r} should have a known dtype, a shape and two data_offsets")
        for n in numbers:
            if type(n) is not int or n < 0:
                self.fail(
                    f"tensor {key!r}: extents and offsets should be numbers of at least 0, got "
                    f"{numbers}"
                )
        for extent in shape:
            size *= extent
        if end - begin != size:
            self.fail(
                f"tensor {key!r}: {dtype}{shape} takes {size} bytes, its offsets span {end - begin}"
            )
        return begin, end

    def stored(self) -> Stored:
        """Graphs, roots and signatures, verified.

        Where prepared graphs say all that calls ask, the canonical ones wait to be looked into.
        """
        if _GRAPH not in self.entries:
            self.fail(f"there is no tensor {_GRAPH!r}")
        document: Any = self._prepared_document()
        with self._structure("the prepared graphs do"):
            rows = document["graphs"] if document is not None else None
            if rows and "roots" in document and all(rows) and all(map(self._current, rows)):
                self.prepared = [self._prepared(row, i) for i, row in enumerate(rows)]
                known = [prepared.values.keys() for prepared in self.prepared]
                roots, signatures = self._calls(document, lambda number, ref: ref in known[number])
                self._text(_GRAPH, "graph_crc32")
                graphs: list[Graph] = [_Unread(self, i) for i in range(len(rows))]
                return Stored(graphs, roots, signatures, self.prepared.__getitem__)
        graphs, roots, signatures = self._read_graphs()
        return Stored(graphs, roots, signatures, partial(self._prepared_for, graphs, document))

    @contextmanager
    def _structure(self, what: str) -> Iterator[None]:
        """Says of what goes wrong inside that the file is not as it should be."""
        try:
            yield
        except FormatError:
            raise
        except _STRUCTURE as error:
            self.fail(f"{what} not have the structure that FORMAT.md gives: {error!r}")

    def _read_graphs(self) -> tuple[list[Graph], Roots, Signatures]:
        """What `~graph` holds."""
        document = self._json(self._text(_GRAPH, "graph_crc32"), f"tensor {_GRAPH}")
        with self._structure("the graph does"):
            rows = document["graphs"]
            graphs = [self._graph(columns, f"graph {i}") for i, columns in enumerate(rows)]
            has = [partial(self._value, graph) for graph in graphs]
            calls = self._calls(document, lambda number, ref: has[number](ref) is not None)
        return graphs, *calls

    def canonical(self, number: int) -> Graph:
        """A canonical graph that was left unread, with which its prepared one must agree."""
        if not self._canonical:
            graphs, *_ = self._read_graphs()
            if len(graphs) != len(self.prepared):
                self.fail(f"{len(self.prepared)} prepared graphs for {len(graphs)} graphs")
            for graph, prepared in zip(graphs, self.prepared, strict=True):
                self._check_prepared(graph, prepared)
            self._canonical = graphs
        return self._canonical[number]

    def _check_prepared(self, graph: Graph, prepared: Prepared) -> None:
        """Whether what a prepared graph tells of the canonical one is so."""
        for before, after in prepared.values.items():
            kinds = self._value(graph, before), self._value(prepared.graph, after)
            if None in kinds or kinds[0] != kinds[1]:
                self.fail(f"the prepared graph gives value {tuple(before)} another type")
        feeds = {ref for ref in prepared.values if graph.fed(ref)}
        if (prepared.ops, prepared.feeds) != (graph.op_types(), feeds) or graph.subgraphs:
            self.fail("the prepared graph tells of other ops than the graph has")

    def _calls(self, document: Any, has: Callable[[int, Ref], bool]) -> tuple[Roots, Signatures]:
        """Roots and signatures of a document, which refer to values that its graphs have."""
        count = len(document["graphs"])
        roots = {
            self._key(key): (self._number(n, count), self._ref(ref))
            for key, n, *ref in document["roots"]
        }
        signatures = {
            str(name): (self._number(n, count), SignatureDef(self._named(i), self._named(o)))
            for name, n, i, o in document["signatures"]
        }
        used = [*roots.values()]
        for number, definition in signatures.values():
            used += [(number, ref) for refs in definition for ref in refs.values()]
        for number, ref in used:
            if not has(number, ref):
                self.fail(
                    f"a root or signature refers to {tuple(ref)}, which graph {number} does not "
                    "have"
                )
        return roots, signatures

    def _text(self, key: str, checksum: str) -> memoryview:
        text = _bytes(self._array(key))
        if self.metadata.get(checksum) != f"{zlib.crc32(text):08x}":
            self.fail(f"{checksum} in the header is not that of tensor {key}: the file is damaged")
        return text

    def _prepared_document(self) -> Any:
        """What `~prepared` holds: an object, or as it was written before, the list of its
        graphs.
        """
        if _PREPARED not in self.entries:
            return None
        document = self._json(self._text(_PREPARED, "prepared_crc32"), f"tensor {_PREPARED}")
        return document if isinstance(document, dict) else {"graphs": document}

    def _prepared_for(self, graphs: list[Graph], document: Any, number: int) -> Prepared | None:
        """The prepared form of a graph that was read, read when it is asked for."""
        with self._structure("the prepared graphs do"):
            rows: Any = document["graphs"] if document is not None else {number: None}
            if rows[number] is None or not self._current(rows[number]):
                return None
            prepared = self._prepared(rows[number], number)
            if "ops" not in rows[number]:  # as it was written before
                feeds = set(filter(graphs[number].fed, prepared.values))
                prepared.ops, prepared.feeds = graphs[number].op_types(), feeds
        self._check_prepared(graphs[number], prepared)
        return prepared

    @staticmethod
    def _current(row: Any) -> bool:
        from ..passes import VERSION

        return bool(row["version"] == VERSION)

    def _prepared(self, row: Any, number: int) -> Prepared:
        from ..passes import VERSION, Prepared

        graph = self._graph(row["graph"], f"prepared graph {number}")
        values = {self._ref(pair[:2]): self._ref(pair[2:]) for pair in row["values"]}
        for after in values.values():
            if self._value(graph, after) is None:
                self.fail(f"the prepared graph does not have value {tuple(after)}")
        ops, feeds = set(map(str, row.get("ops", ()))), set(map(self._ref, row.get("feeds", ())))
        return Prepared(VERSION, graph, values, ops, feeds)

    def _ref(self, numbers: Any) -> Ref:
        node, slot = self._whole(numbers, "a value")
        return Ref(node, slot)

    @staticmethod
    def _value(graph: Graph, ref: Ref) -> ValueType | None:
        if type(ref.node) is not int or not 0 <= ref.node < len(graph.nodes):
            return None
        types = graph.nodes[ref.node].types
        return types[ref.slot] if type(ref.slot) is int and 0 <= ref.slot < len(types) else None

    def _key(self, key: Any) -> Key:
        if type(key) is not int and not isinstance(key, str):
            self.fail(f"a root's key should be a number or text, got {key!r}")
        return key

    def _number(self, number: Any, below: int) -> int:
        if type(number) is not int or not 0 <= number < below:
            self.fail(f"expected a number below {below}, got {number!r}")
        return number

    def _named(self, rows: Any) -> dict[str, Ref]:
        return {str(name): self._ref(ref) for name, *ref in rows}

    def _graph(self, columns: Any, where: str) -> Graph:
        pending = [(columns, where, Graph())]
        top = pending[0][2]
        while pending:
            columns, where, graph = pending.pop()
            self._fill(graph, columns, where)
            for name, inner in columns["subgraphs"]:
                graph.subgraphs[str(name)] = Graph()
                pending.append((inner, f"{where}/{name}", graph.subgraphs[name]))
        try:
            verify(top, f"{self.origin}: graph")
        except GraphError as error:  # which names the file already
            raise FormatError(str(error)) from None
        return top

    def _fill(self, graph: Graph, columns: Any, where: str) -> None:
        names = columns["name"]
        per_node = [columns[c] for c in ("op", "name", "arity", "attr", "outputs")]
        if len({len(c) for c in per_node}) != 1 or len(names) > MOST_NODES:
            self.fail(f"{where}: its columns should have one entry a node, at most {MOST_NODES}")
        inputs = self._whole(columns["input"], where)
        types = [self._type(kind) for kind in columns["types"]]
        typed = self._chosen(types, columns["type"], where)
        if sum(columns["arity"]) * 2 != len(inputs) or sum(columns["outputs"]) != len(typed):
            self.fail(f"{where}: inputs or types do not add up")
        ops = [str(op) for op in columns["ops"]]
        attrs = [
            {k: self._decode(v) if isinstance(v, (dict, list)) else v for k, v in row.items()}
            for row in columns["attrs"]
        ]
        refs = list(map(Ref, inputs[::2], inputs[1::2]))
        chosen = (
            self._chosen(ops, columns["op"], where),
            names,
            self._whole(columns["arity"], where),
            self._chosen(attrs, columns["attr"], where),
            self._whole(columns["outputs"], where),
        )
        at = out = 0
        for op, name, arity, attr, outputs in zip(*chosen, strict=True):
            if not isinstance(name, str) or arity < 0 or outputs < 0 or name in graph.index:
                self.fail(
                    f"{where}: node name {name!r} should be unique text, its counts at least 0"
                )
            given, types_of = tuple(refs[at : at + arity]), tuple(typed[out : out + outputs])
            graph.index[name] = len(graph.nodes)
            graph.nodes.append(Node(op, name, given, attr.copy(), types_of))
            at += arity
            out += outputs
        for number, *control in columns["control"]:
            graph.nodes[self._number(number, len(graph.nodes))].control = tuple(
                self._whole(control, where)
            )
        graph.aliases = self._named(columns["aliases"])
        graph.renamed = {ref: name for name, ref in self._named(columns["renamed"]).items()}
        graph.inputs = list(map(self._ref, columns["in"]))
        graph.outputs = list(map(self._ref, columns["out"]))

    def _chosen(self, items: list[T], numbers: Any, where: str) -> list[T]:
        """The items of these numbers."""
        if self._whole(numbers, where) and not 0 <= min(numbers) <= max(numbers) < len(items):
            self.fail(f"{where}: a column should hold numbers below {len(items)}")
        return [items[number] for number in numbers]

    def _whole(self, numbers: Any, where: str) -> Any:
        if not set(map(type, numbers)) <= {int}:
            self.fail(f"{where}: indices should be whole numbers")
        return numbers

    def _type(self, kind: Any) -> ValueType:
        dtype, shape = kind
        try:
            known = DType(dtype)
        except UnsupportedError as error:
            self.fail(str(error))
        return ValueType(known, None if shape is None else tuple(map(self._known_extent, shape)))

    def _known_extent(self, extent: Any) -> Extent:
        """An extent; equal expressions, of which there are many, are the same object."""
        if type(extent) is int and extent >= 0:
            return extent
        key = repr(extent)
        found = self._extents.get(key)
        if found is None:
            found = self._extents[key] = self._extent(extent)
        return found

    def _extent(self, extent: Any, depth: int = 0) -> Extent:
        if type(extent) is int:
            if extent < 0 and not depth:
                self.fail(f"a shape has the negative extent {extent}")
            return extent
        if depth > 20:
            self.fail("an extent is nested too deeply")
        total: Extent = 0
        for factor, atoms in extent:
            term: Extent = self._whole([factor], "an extent")[0]
            for atom in atoms:
                if isinstance(atom, str):
                    term = Dim.symbol(atom) * term
                else:
                    term = self._quotient(atom, depth + 1) * term
            total = total + term
        return total

    def _quotient(self, atom: Any, depth: int) -> Dim:
        kind, a, b = atom
        if kind not in ("//", "bc"):
            self.fail(f"an extent has the unknown operation {kind!r}")
        return Dim({((kind, self._extent(a, depth), self._extent(b, depth)),): 1})

    def _decode(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._decode(v) for v in value]
        if not isinstance(value, dict):
            return value
        (kind, content), *rest = value.items()
        if kind == "a":
            return self._constant(content)
        if kind == "t":
            return DType(content)
        if kind == "b":
            return content.encode("latin-1")
        if kind == "f":
            return {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}[content]
        if kind == "s":
            return tuple(self._decode(v) for v in content)
        if kind == "fn" and [k for k, _ in rest] == ["attrs"]:
            return FuncRef(str(content), {k: self._decode(v) for k, v in rest[0][1].items()})
        self.fail(f"an attribute of unknown kind {kind!r}")

    def _constant(self, content: Any) -> Array:
        dtype, shape, source = DType(content[0]), self._shape(content[1]), content[2]
        if isinstance(source, list):
            array = self._inline(dtype, source)
        elif dtype == "string":
            array = self._strings(source)
        else:
            array = self._array(source)
            if array.dtype != DType(_PAIRS.get(dtype, dtype)).numpy:
                self.fail(f"a constant of dtype {dtype} refers to tensor {source!r}, {array.dtype}")
            if dtype in _PAIRS:
                array = array.reshape(-1).view(dtype.numpy)
            elif dtype == "bool" and (array.view(np.uint8) > 1).any():
                self.fail(f"tensor {source!r}: a bool should be 0 or 1")
        if array.size != math.prod(shape):
            self.fail(f"a constant of shape {shape} has {array.size} elements")
        if array.shape != shape:
            array = array.reshape(shape)
        array.flags.writeable = False
        return array

    def _shape(self, shape: Any) -> tuple[int, ...]:
        for extent in shape:
            if type(extent) is not int or extent < 0:
                self.fail(f"a constant's shape should be numbers of at least 0, got {shape}")
        return tuple(shape)

    def _inline(self, dtype: DType, values: list[Any]) -> Array:
        if dtype == "string":
            array = np.empty(len(values), object)
            array[:] = [v.encode("latin-1") for v in values]
            return array
        return np.array([self._decode(v) for v in values], dtype.numpy)

    def _strings(self, key: str) -> Array:
        offsets, data = self._array(f"{key}~offsets"), self._array(f"{key}~bytes").tobytes()
        if (
            offsets.dtype != np.int64
            or offsets.ndim != 1
            or not len(offsets)
            or offsets[0] != 0
            or (offsets[-1] != len(data) or (np.diff(offsets) < 0).any())
        ):
            self.fail(f"strings {key!r}: offsets should rise from 0 to {len(data)}")
        array = np.empty(len(offsets) - 1, object)
        array[:] = [
            data[a:b] for a, b in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
        ]
        return array

    def _array(self, key: Any) -> Array:
        """The tensor called `key`, a read-only view of the file."""
        if not isinstance(key, str) or key not in self.entries:
            self.fail(f"the graph refers to tensor {key!r}, which the file does not hold")
        found = self._arrays.get(key)
        if found is None:
            entry = self.entries[key]
            dtype = DType(_LOADED[entry["dtype"]]).numpy
            start = self.start + entry["data_offsets"][0]
            found = np.ndarray(entry["shape"], dtype, self.data, start)
            if sys.byteorder == "big" and dtype.itemsize > 1:
                found = found.byteswap()
            found.flags.writeable = False
            self._arrays[key] = found
        return found

    def digest_holds(self) -> bool:
        """Whether the tensors are those that were written."""
        body = np.frombuffer(self.body, np.uint8)
        return bool(self.metadata.get("sha256") == _digest([body]))


def digest_holds(path: str) -> bool:
    """Whether the tensors of a file are the ones that were written, by the digest in its header."""
    with open(path, "rb") as file:
        return _Reader(memoryview(file.read()), path).digest_holds()


def tensor_sizes(path: str) -> Iterator[tuple[str, str, tuple[int, ...], int]]:
    """Key, dtype, shape and bytes of each tensor of a file, padding left out."""
    with open(path, "rb") as file:
        reader = _Reader(memoryview(file.read()), path)
    for key, entry in reader.entries.items():
        if not key.startswith("~"):
            begin, end = entry["data_offsets"]
            yield key, entry["dtype"], tuple(entry["shape"]), end - begin
