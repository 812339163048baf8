"""Ops whose implementation somebody wrote or chose stay as they are, and so do nodes that kernels
refused once they were fused.

They are marked by a prefix to their type, which no rule and no kernel knows.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from typing import TYPE_CHECKING

from ..graph.graph import Graph, Node, Ref
from ..ops import registry

if TYPE_CHECKING:
    from .rewrite import Mapping

_MARK = "own."


def mark(graph: Graph, roots: list[Ref]) -> tuple[Graph, Mapping]:
    """The graph with the nodes marked whose implementation is settled."""
    nodes = [_marked(node) for node in graph.nodes]
    if all(one is two for one, two in zip(nodes, graph.nodes, strict=True)):
        marked = graph
    else:
        marked = replace(graph, nodes=nodes)
    refs = (Ref(n, slot) for n, node in enumerate(nodes) for slot in range(len(node.types)))
    return marked, {ref: ref for ref in refs}


def _marked(node: Node) -> Node:
    record = registry.get(node.op)
    if record is None or not record.settled():
        return node
    return replace(node, op=_MARK + node.op)


def apart(graph: Graph, names: Set[str]) -> Graph:
    """The graph with the nodes of these names marked."""
    nodes = [
        replace(node, op=_MARK + node.op) if node.name in names else node for node in graph.nodes
    ]
    return replace(graph, nodes=nodes)


def unmarked(node: Node) -> Node:
    """The node with the type that it had."""
    return replace(node, op=node.op.removeprefix(_MARK)) if node.op.startswith(_MARK) else node
