"""Checkpoints of TensorFlow 1 to `RawModel`: values of either format, the graph beside them.

``tf.train.Saver`` writes ``model.ckpt.meta``, a MetaGraphDef whose restore op says which tensor of
the checkpoint belongs to which variable; ``tf.train.write_graph`` writes ``graph.pbtxt``.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable

import numpy as np

from ..errors import ConversionError, FormatError
from . import protos, slices
from .graphdef import parse_message, read_graph_file, read_unpacked
from .raw import RawGraph, RawModel, RawNode
from .savedmodel import decode_meta_graph, read_asset
from .variables import VARIABLE_OPS, Variables, find_sources

STATE = "checkpoint"
"""Name of the file in a folder that says which of its checkpoints is the latest."""

_PARTS = re.compile(r"(\.meta|\.index|\.data-\d{5}-of-\d{5})\Z")
_GRAPHS = (".pbtxt", ".pb")
_FILE_TABLES = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})


def prefix_of(path: str) -> str | None:
    """The prefix of the checkpoint that `path` means; None where it means none.

    It may be the prefix, one of its files, or a folder with a `STATE` file.  Raises FormatError
    where that file names no checkpoint of the folder.
    """
    if os.path.isdir(path):
        return _latest(path) if os.path.isfile(os.path.join(path, STATE)) else None
    if os.path.basename(path) == STATE and os.path.isfile(path):
        return _latest(os.path.dirname(path))
    if _PARTS.search(path):
        return _PARTS.sub("", path)
    if os.path.isfile(path):
        return path if slices.is_table(path) else None
    return path if os.path.isfile(path + ".meta") or slices.exists(path) else None


def _latest(folder: str) -> str:
    """The checkpoint that the state file names; one of this folder, wherever it was written."""
    path = os.path.join(folder, STATE)
    named = parse_message(read_unpacked(path), protos.CHECKPOINT_STATE, path).model_checkpoint_path
    for name in (named, os.path.basename(named)):
        prefix = os.path.join(folder, name)
        inside = os.path.realpath(prefix).startswith(os.path.realpath(folder) + os.sep)
        if name and "\0" not in name and inside and slices.exists(prefix):
            return prefix
    raise FormatError(f"{path} names checkpoint {named!r}, which is not in {folder or '.'}")


def read_checkpoint(prefix: str) -> RawModel:
    """The model in a checkpoint, with the graph in ``prefix.meta`` or in a ``graph.pbtxt`` beside.

    Values are read when asked for.  Raises ConversionError where there is no graph or no
    checkpoint, FormatError where a file is damaged.
    """
    prefix = slices.whole(prefix)
    meta_path = prefix + ".meta"
    folder = os.path.dirname(prefix) or "."
    if not slices.exists(prefix):
        raise ConversionError(
            f"{prefix}: no checkpoint of that name: expected {prefix}.index with its .data files, "
            f"or {prefix}"
        )
    if os.path.isfile(meta_path):
        meta = parse_message(read_unpacked(meta_path), protos.META_GRAPH, meta_path)
        raw = decode_meta_graph(meta, meta_path, [os.path.join(folder, "assets"), folder], prefix)
        if not raw.graph.nodes:
            raise FormatError(f"{meta_path}: a MetaGraphDef without nodes")
    else:
        raw = _with_graph(prefix, folder)
    _add_files(raw, folder)
    return raw


def _with_graph(prefix: str, folder: str) -> RawModel:
    """The model whose graph is the GraphDef beside the checkpoint."""
    names = [prefix + end for end in _GRAPHS]
    names += [os.path.join(folder, "graph" + end) for end in _GRAPHS]
    found = [name for name in names if os.path.isfile(name)][:1]
    if not found:
        there = os.path.join(glob.escape(folder), "*")
        found = [name for end in _GRAPHS for name in glob.glob(there + end)]
    if len(found) != 1:
        raise ConversionError(
            f"{prefix}: a checkpoint holds values alone; expected its graph in {prefix}.meta or "
            f"{os.path.join(folder, 'graph.pbtxt')}"
            + (f"; there are several: {', '.join(sorted(found))}" if found else "")
        )
    raw = read_graph_file(found[0])
    nodes = {node.name: node for node in raw.graph.nodes if node.op in VARIABLE_OPS}
    sources = {}
    for node in raw.graph.nodes:
        if node.name.rpartition("/")[2] == "restore_all":
            sources.update(find_sources(raw.graph, node.name, (), (), found[0]))
    raw.variables = Variables(nodes, sources, prefix, found[0])
    return raw


def _add_files(raw: RawModel, folder: str) -> None:
    """Embeds the files that fill the graph's tables: those of their names beside the checkpoint."""
    for tensor, name in _filenames(raw.graph):
        if tensor not in raw.assets:
            base = name.replace("\\", "/").rpartition("/")[2]
            places = [os.path.join(folder, "assets"), folder]
            if base and any(os.path.isfile(os.path.join(place, base)) for place in places):
                raw.assets[tensor] = read_asset(base, places, raw.origin)


def _filenames(graph: RawGraph) -> Iterable[tuple[str, str]]:
    """Constants that table initialisers read a file by: their tensors and values."""
    nodes = {node.name: node for node in graph.nodes}
    for node in graph.nodes:
        if node.op in _FILE_TABLES and len(node.inputs) > 1:
            source = _source(nodes, node.inputs[1])
            value = source.attrs.get("value") if source is not None else None
            if source is not None and isinstance(value, np.ndarray) and value.size == 1:
                text = value.item()
                yield f"{source.name}:0", text.decode("utf-8", "replace") if text else ""


def _source(nodes: dict[str, RawNode], spelled: str) -> RawNode | None:
    """The constant behind an input, past identities and defaults."""
    for _ in range(len(nodes)):
        node = nodes.get(spelled.lstrip("^").partition(":")[0])
        if node is None or node.op == "Const" or not node.inputs:
            return node
        spelled = node.inputs[0]
    return None
