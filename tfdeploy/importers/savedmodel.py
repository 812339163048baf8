"""SavedModel folders to `RawModel`: graph, signatures, assets, and where the variables' values are.

The layout is that of tensorflow/cc/saved_model: ``saved_model.pb`` (or ``.pbtxt``), ``variables/``
and ``assets/``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from ..dtypes import INT64
from ..errors import ConversionError, FormatError, TfdeployError, UnsupportedError
from . import protos, tensorproto, wire
from .graphdef import decode_graph, parse_message, read_file, read_unpacked
from .raw import RawModel, RawNode, RawSignature, TensorInfo
from .variables import TABLE_PARTS, VARIABLE_OPS, Variables, find_sources
from .wire import Message

_INIT_SIGNATURE = "__saved_model_init_op"
_TRAIN_SIGNATURE = "__saved_model_train_op"
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op", "table_initializer")
_ASSET_COLLECTION = "saved_model_assets"
_DEFAULT_TAG = "serve"


def read_saved_model(
    folder: str | os.PathLike[str], tags: str | Iterable[str] | None = None
) -> RawModel:
    """The model in a SavedModel folder.

    `tags` choose among several meta graphs: the one that has exactly these.  Without them it is
    the one tagged "serve" alone, else one that has "serve" among its tags, else the only one.
    Values of variables are read when asked for.  Raises FormatError where a file is damaged or
    missing, ConversionError where no meta graph has the tags.
    """
    origin = os.fspath(folder)
    path = _model_file(origin)
    model = parse_message(read_unpacked(path), protos.SAVED_MODEL, path)
    meta = _choose(model.meta_graphs, tags, path)
    folders = [os.path.join(origin, "assets")]
    raw = decode_meta_graph(meta, path, folders, os.path.join(origin, "variables", "variables"))
    raw.origin = origin
    return raw


def decode_meta_graph(meta: Message, path: str, assets: list[str], prefix: str) -> RawModel:
    """The model in a MetaGraphDef: its assets lie in one of the folders `assets`, the values of its
    variables in the checkpoint `prefix`.
    """
    graph = decode_graph(meta.graph_def, path)
    signatures = {
        name: _signature(message, f"{path}: signature {name!r}")
        for name, message in meta.signature_def.items()
        if name not in (_INIT_SIGNATURE, _TRAIN_SIGNATURE)
    }
    contents = _assets(meta, assets, path)
    init_ops = _init_ops(meta)
    nodes = {node.name: node for node in graph.nodes if node.op in VARIABLE_OPS}
    sources = find_sources(graph, meta.saver_def.restore_op_name, init_ops, contents, path)
    nodes |= {name: RawNode(name, "") for name in sources if name.endswith(TABLE_PARTS)}
    variables = Variables(nodes, sources, prefix, path)
    return RawModel(graph, variables, signatures, contents, init_ops, path)


def _model_file(folder: str) -> str:
    """The path of the SavedModel message in `folder`."""
    for name in ("saved_model.pb", "saved_model.pbtxt"):
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            return path
    if os.path.isfile(os.path.join(folder, "saved_model.cpb")):
        raise UnsupportedError(
            f"{folder}: saved_model.cpb, the chunked form for graphs above 2 GB, is not read; "
            "save the model with its constants as variables"
        )
    if not os.path.isdir(folder):
        raise FormatError(f"{folder}: not a folder; expected one that holds saved_model.pb")
    raise FormatError(f"{folder}: holds neither saved_model.pb nor saved_model.pbtxt")


def _choose(metas: Iterable[Message], tags: str | Iterable[str] | None, path: str) -> Message:
    """The meta graph that `tags` ask for."""
    by_tags = [(frozenset(meta.meta_info_def.tags), meta) for meta in metas]
    if not by_tags:
        raise FormatError(f"{path}: a SavedModel without meta graphs")
    if tags is None:
        wanted = frozenset({_DEFAULT_TAG})
        for found, meta in by_tags:
            if found == wanted:
                return meta
        for found, meta in by_tags:
            if found >= wanted:
                return meta
        if len(by_tags) == 1:
            return by_tags[0][1]
    else:
        wanted = frozenset([tags] if isinstance(tags, str) else tags)
        for found, meta in by_tags:
            if found == wanted:
                return meta
    there = "; ".join(", ".join(sorted(found)) or "(none)" for found, _ in by_tags)
    raise ConversionError(
        f"{path}: no meta graph has the tags {', '.join(sorted(wanted)) or '(none)'}; "
        f"there are those tagged: {there}"
    )


def _signature(message: Message, where: str) -> RawSignature:
    return RawSignature(
        _tensors(message.inputs, f"{where}, input"),
        _tensors(message.outputs, f"{where}, output"),
        message.method_name,
    )


def _tensors(messages: dict[str, Message], where: str) -> dict[str, TensorInfo]:
    """TensorInfo by name; one of several tensors gives an entry ``name/part`` for each."""
    infos: dict[str, TensorInfo] = {}
    stack = list(reversed(messages.items()))
    while stack:
        name, message = stack.pop()
        if message.has("composite_tensor"):
            parts = enumerate(message.composite_tensor.components)
            stack += reversed([(f"{name}/{number}", part) for number, part in parts])
            continue
        try:
            infos.update(_tensor(name, message))
        except TfdeployError as error:
            raise type(error)(f"{where} {name!r}: {error}") from None
    return infos


def _tensor(name: str, message: Message) -> dict[str, TensorInfo]:
    dtype = tensorproto.dtype(message.dtype)
    if dtype is None:
        raise FormatError("no dtype")
    shape = tensorproto.shape(message.tensor_shape)
    if not message.has("coo_sparse"):
        return {name: TensorInfo(message.name, dtype, shape)}
    rank = None if shape is None else len(shape)
    sparse = message.coo_sparse
    return {
        f"{name}/indices": TensorInfo(sparse.indices_tensor_name, INT64, (None, rank)),
        f"{name}/values": TensorInfo(sparse.values_tensor_name, dtype, (None,)),
        f"{name}/dense_shape": TensorInfo(sparse.dense_shape_tensor_name, INT64, (rank,)),
    }


def _init_ops(meta: Message) -> list[str]:
    """The nodes that a loader runs: the signature of TensorFlow 2, else a collection of 1.x."""
    if _INIT_SIGNATURE in meta.signature_def:
        infos = meta.signature_def[_INIT_SIGNATURE].outputs.values()
        return [_node(info.name) for info in infos]
    for name in _INIT_COLLECTIONS:
        if name in meta.collection_def:
            return [_node(item) for item in meta.collection_def[name].node_list.value]
    return []


def _node(name: str) -> str:
    return name.lstrip("^").partition(":")[0]


def _assets(meta: Message, folders: list[str], path: str) -> dict[str, bytes]:
    """The files that the graph reads, by their filename tensors."""
    files = list(meta.asset_file_def)
    if not files and _ASSET_COLLECTION in meta.collection_def:
        for item in meta.collection_def[_ASSET_COLLECTION].any_list.value:
            files.append(wire.parse(item.value, protos.ASSET_FILE, f"{path}: {_ASSET_COLLECTION}"))
    return {file.tensor_info.name: read_asset(file.filename, folders, path) for file in files}


def read_asset(name: str, folders: list[str], path: str) -> bytes:
    """The file `name` in the first of `folders` that has it; none but a file inside is read."""
    found = ""
    for folder in folders:
        root = os.path.realpath(folder)
        found = os.path.realpath(os.path.join(root, name)) if "\0" not in name else ""
        if not found.startswith(root + os.sep):
            raise FormatError(f"{path}: asset {name!r} does not lie in {root}")
        if os.path.exists(found):
            break
    return read_file(found)
