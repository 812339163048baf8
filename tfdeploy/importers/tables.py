"""Fills the lookup tables of a built graph, as a loader of the model would: once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..dtypes import STRING
from ..errors import UnsupportedError
from ..graph.graph import Graph, Node, Ref, functions, split_name
from ..ops import registry
from ..ops.tables import ASSET
from .freeze import freeze
from .raw import RawModel, RawNode
from .variables import RESTORES, TABLE_PARTS

_FILLERS = frozenset(
    {
        "InitializeTable",
        "InitializeTableFromTextFile",
        "InitializeTableFromTextFileV2",
        "InitializeTableV2",
        "LookupTableImport",
        "LookupTableImportV2",
    }
)


Build = Callable[[RawModel, str], tuple[Graph, Iterable[str]]]


def fill(raw: RawModel, graph: Graph, build: Build) -> None:
    """Gives the tables of `graph` the contents that the model's initialisers put into them.

    `build` makes the graph of one node of a model with all that it needs, and lists op types that
    are unknown there.  Raises UnsupportedError where an initialiser of a table cannot run.
    """
    tables = {node.name: node for node in graph.nodes if _is_table(node)}
    if not tables:
        return
    model, made = _with_contents(raw), dict[str, Any]()
    for name in _initialisers(model):
        inner, missing = build(model, name)
        if not any(node.name in tables for node in inner.nodes) or RESTORES & set(missing):
            continue  # what a checkpoint restores is among the variables, if there is one
        try:
            if missing:
                raise ValueError(f"unknown ops {', '.join(sorted(missing))}")
            _run(freeze(model, inner, {})[0], made)
        except Exception as error:
            raise UnsupportedError(
                f"{raw.origin}: {name}, which fills lookup tables, cannot run: {error}"
            ) from error
    for name, node in tables.items():
        keys, values = (name + part for part in TABLE_PARTS)
        if keys in raw.variables and values in raw.variables:
            node.attrs = node.attrs | {"keys": raw.variables[keys], "values": raw.variables[values]}
        elif name in made:
            node.attrs = node.attrs | made[name].saved()


def _run(graph: Graph, made: dict[str, Any]) -> None:
    """Runs every node of a graph in order; `made` holds tables and variables by node."""
    values: dict[Ref, Any] = {}
    for number, node in enumerate(graph.nodes):
        record = registry.get(node.op)
        if record is None or any(functions(node.attrs)):
            raise ValueError(f"node {node.name} ({node.op}) does not belong there")
        attrs = record.defaults | {k: v for k, v in node.attrs.items() if k in record.attrs}
        run = partial(record.reference, *(values[ref] for ref in node.inputs), **attrs)
        if record.effect == registry.RESOURCE:
            result = made[node.name] = made.get(node.name) or run()
        else:
            result = run()
        results = result if isinstance(result, tuple) else (result,)
        values.update((Ref(number, slot), value) for slot, value in enumerate(results))


def _is_table(node: Node) -> bool:
    record = registry.get(node.op)
    return record is not None and record.effect == registry.RESOURCE and record.family == "tables"


def _initialisers(raw: RawModel) -> list[str]:
    """The nodes of the top graph that fill tables, and those that a loader runs."""
    direct = [node.name for node in raw.graph.nodes if node.op in _FILLERS]
    known = {node.name for node in raw.graph.nodes}
    return list(dict.fromkeys([*direct, *(name for name in raw.init_ops if name in known)]))


def _with_contents(raw: RawModel) -> RawModel:
    """The model with the contents of assets in place of their names."""
    contents = {split_name(name)[0]: data for name, data in raw.assets.items()}
    nodes = [
        _asset(node, contents[node.name]) if node.name in contents else node
        for node in raw.graph.nodes
    ]
    return replace(raw, graph=replace(raw.graph, nodes=nodes))


def _asset(node: RawNode, data: bytes) -> RawNode:
    value: Any = np.array(ASSET + data, object)
    return RawNode(node.name, "Const", [], {"value": value, "dtype": STRING})
