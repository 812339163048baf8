"""Checks that a graph keeps its invariants; run on everything that is loaded, and after passes in tests."""

from __future__ import annotations

from ..errors import GraphError
from .graph import Graph, Ref
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
