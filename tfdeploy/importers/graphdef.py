"""GraphDef, frozen graphs on disk included, to `RawGraph`: every attribute decoded once."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable, Iterable
from typing import Any

from ..errors import ConversionError, FormatError, TfdeployError
from . import pbtxt, protos, tensorproto, wire
from .raw import AttrPlaceholder, FuncRef, RawArg, RawFunction, RawGraph, RawModel, RawNode
from .variables import VARIABLE_OPS, Variables
from .wire import Message

_TEXT = re.compile(rb"[^\x00-\x08\x0e-\x1f\x7f]*+\Z")
_SAVED_MODEL_TEXT = re.compile(rb"(?m)^(?:saved_model_schema_version\b|meta_graphs\b)")
_GZIP = b"\x1f\x8b\x08"  # which begins no GraphDef: field 3 is none of it
_MOST_UNPACKED = 2 << 30  # bytes, as many as a message may have
_SAVED_MODEL_START = b"\x08"  # field 1 as a number, which no GraphDef begins with


def parse_graph_def(data: bytes, origin: str) -> RawGraph:
    """The graph in a serialised GraphDef; `origin` names it in errors.

    Raises FormatError where the data are damaged, UnsupportedError for a dtype that is not known.
    """
    return decode_graph(wire.parse(data, protos.GRAPH, origin), origin)


def read_graph_file(path: str | os.PathLike[str]) -> RawModel:
    """The model in a frozen graph: a GraphDef file, binary or text whatever its name.

    A file named ``saved_model.pb`` or ``.pbtxt`` is read with its folder.  Raises FormatError where
    the file is damaged or no graph, ConversionError where it is something else that has a reader.
    """
    origin = os.fspath(path)
    data = read_unpacked(origin)
    folder, name = os.path.split(origin)
    text = is_text(data)
    if _SAVED_MODEL_TEXT.search(data) if text else data.startswith(_SAVED_MODEL_START):
        if name in ("saved_model.pb", "saved_model.pbtxt"):
            from .savedmodel import read_saved_model

            return read_saved_model(folder or ".")
        raise ConversionError(
            f"{origin} holds a SavedModel, whose weights lie in files beside it: "
            "give the folder, in which this file is named saved_model.pb"
        )
    graph = decode_graph(parse_message(data, protos.GRAPH, origin), origin)
    if not graph.nodes:
        raise FormatError(f"{origin}: no GraphDef, or one without nodes")
    names = {node.name: node for node in graph.nodes if node.op in VARIABLE_OPS}
    return RawModel(graph, variables=Variables(names, {}, None, origin), origin=origin)


def read_file(path: str) -> bytes:
    """The bytes of the file; FormatError where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise FormatError(f"{path}: cannot be read: {error.strerror}") from error


def read_unpacked(path: str) -> bytes:
    """The bytes of the file, those that it unpacks to where it is gzip's; else as `read_file`."""
    data = read_file(path)
    if not data.startswith(_GZIP):
        return data
    inflater = zlib.decompressobj(wbits=31)
    try:
        content = inflater.decompress(data, _MOST_UNPACKED)
    except zlib.error as error:
        raise FormatError(f"{path}: damaged gzip data: {error}") from None
    if not inflater.eof:
        raise FormatError(f"{path}: gzip data cut short, or of more than {_MOST_UNPACKED} bytes")
    return content


def is_text(data: bytes) -> bool:
    """Whether the data are text: a binary graph holds control characters from the start."""
    return _TEXT.match(data[:4096]) is not None


def parse_message(data: bytes, schema: wire.Schema, origin: str) -> Message:
    """The message in `data`, be it binary or text."""
    parse = pbtxt.parse if is_text(data) else wire.parse
    return parse(data, schema, origin)


def decode_graph(graph: Message, origin: str) -> RawGraph:
    """A GraphDef message as RawGraph."""
    nodes = [_node(node, origin, "") for node in graph.node]
    _check_names((node.name for node in nodes), f"{origin}: node")
    functions = [_function(function, origin) for function in graph.library.function]
    _check_names((function.name for function in functions), f"{origin}: function")
    return RawGraph(
        nodes,
        {function.name: function for function in functions},
        {item.function_name: item.gradient_func for item in graph.library.gradient},
        graph.versions.producer or graph.version,
    )


def _check_names(names: Iterable[str], what: str) -> None:
    seen = set()
    for name in names:
        if not name:
            raise FormatError(f"{what} without a name")
        if name in seen:
            raise FormatError(f"{what} {name!r} exists twice")
        seen.add(name)


def _node(message: Message, origin: str, place: str) -> RawNode:
    if not message.op:
        raise FormatError(f"{origin}: node {place}{message.name!r} has no op")
    attrs = _attrs(message.attr, f"{origin}: node {place}{message.name!r}")
    return RawNode(message.name, message.op, list(message.input), attrs)


def _attrs(messages: dict[str, Message], where: str) -> dict[str, Any]:
    attrs = {}
    for name, message in messages.items():
        if name.startswith("_"):
            continue
        try:
            attrs[name] = attribute(message)
        except TfdeployError as error:
            raise type(error)(f"{where}, attribute {name!r}: {error}") from None
        except MemoryError:
            raise FormatError(f"{where}, attribute {name!r}: more than the memory holds") from None
    return attrs


def attribute(message: Message) -> Any:
    """An AttrValue as `RawNode` has it."""
    for kind in reversed(message.__dict__):  # of several, which the format forbids, the last counts
        return _DECODERS[kind](getattr(message, kind))
    return None


def _text(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _same(value: Any) -> Any:
    return value


def _func(message: Message) -> FuncRef:
    return FuncRef(message.name, {name: attribute(value) for name, value in message.attr.items()})


def _list(message: Message) -> list[Any]:
    decoded: list[Any] = []
    for kind, values in message.__dict__.items():
        values = values if isinstance(values, list) else values.tolist()
        decode = _DECODERS[kind]
        decoded.extend(values if decode is _same else [decode(value) for value in values])
    return decoded


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "s": _text,
    "i": _same,
    "f": _same,
    "b": _same,
    "type": tensorproto.dtype,
    "shape": tensorproto.shape,
    "tensor": tensorproto.tensor,
    "func": _func,
    "list": _list,
    "placeholder": AttrPlaceholder,
}


def _function(message: Message, origin: str) -> RawFunction:
    name = message.signature.name
    where = f"{origin}: function {name!r}"
    nodes = [_node(node, origin, f"{name}/") for node in message.node_def]
    _check_names((node.name for node in nodes), f"{where}: node")
    return RawFunction(
        name,
        [_argument(item, where) for item in message.signature.input_arg],
        [_argument(item, where) for item in message.signature.output_arg],
        nodes,
        dict(message.ret),
        dict(message.control_ret),
        _attrs(message.attr, where),
    )


def _argument(message: Message, where: str) -> RawArg:
    try:
        dtype = tensorproto.dtype(message.type)
    except TfdeployError as error:
        raise type(error)(f"{where}, argument {message.name!r}: {error}") from None
    # a fixed type with a number attribute is a list of that type: its count is the caller's
    return RawArg(
        message.name, dtype, message.type_attr, message.number_attr, message.type_list_attr
    )
