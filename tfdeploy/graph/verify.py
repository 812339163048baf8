"""Checks that a graph keeps its invariants: everything that is loaded, in tests after each pass."""

from __future__ import annotations

import numpy as np

from ..errors import GraphError
from .graph import Graph, Node, Ref, functions
from .types import Dim, ValueType


def verify(graph: Graph, where: str = "graph") -> None:
    """Raises GraphError at the first violation, naming the node and what it should be."""
    for number, node in enumerate(graph.nodes):
        place = f"{where}: node {number} ({node.op} {node.name!r})"
        if graph.index.get(node.name) != number:
            raise GraphError(f"{place}: its name is not unique")
        for ref in node.inputs:
            _check_ref(graph, ref, number, f"{place}: input")
        for earlier in node.control:
            if not 0 <= earlier < number:
                raise GraphError(f"{place}: control input {earlier} is not an earlier node")
        for kind in node.types:
            _check_type(kind, place)
        _check_source(node, place)
        for function in functions(node.attrs):
            if function.name not in graph.subgraphs:
                raise GraphError(f"{place}: there is no subgraph {function.name!r}")
    total = len(graph.nodes)
    for name, ref in graph.aliases.items():
        _check_ref(graph, ref, total, f"{where}: alias {name!r}")
    for ref in [*graph.inputs, *graph.outputs, *graph.renamed]:
        _check_ref(graph, ref, total, f"{where}: input or output")
    for name, subgraph in graph.subgraphs.items():
        verify(subgraph, f"{where}/{name}")


def _check_ref(graph: Graph, ref: Ref, before: int, what: str) -> None:
    if not 0 <= ref.node < before:
        raise GraphError(
            f"{what} refers to node {ref.node}, expected one of the {before} before it"
        )
    outputs = len(graph.nodes[ref.node].types)
    if not 0 <= ref.slot < outputs:
        raise GraphError(
            f"{what} refers to output {ref.slot} of node {ref.node}, which has {outputs}"
        )


def _check_type(kind: ValueType, place: str) -> None:
    for extent in kind.shape or ():
        if not isinstance(extent, Dim) and extent < 0:
            raise GraphError(f"{place}: negative extent {extent}")


def _check_source(node: Node, place: str) -> None:
    """A constant is the array that its type promises, and so is the default of a placeholder."""
    if node.op not in ("Const", "Placeholder"):
        return
    if len(node.types) != 1 or node.inputs:
        raise GraphError(f"{place}: expected one output and no inputs")
    kind = node.types[0]
    value = node.attrs.get("value" if node.op == "Const" else "default")
    if value is None and node.op == "Placeholder":
        return
    if not isinstance(value, np.ndarray) or value.dtype != kind.dtype.numpy:
        raise GraphError(f"{place}: its value should be an array of {kind.dtype}")
    shape = value.shape if kind.shape is None else kind.shape
    if len(shape) != value.ndim or any(
        isinstance(e, int) and e != s for e, s in zip(shape, value.shape, strict=True)
    ):
        raise GraphError(f"{place}: its value has shape {value.shape}, its type is {kind}")
