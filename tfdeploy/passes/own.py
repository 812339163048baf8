"""Ops that stay as they are: somebody wrote or chose their implementation, kernels refused them
once they were fused, or their reference has something to say of their inputs.

They are marked by a prefix to their type, which no rule and no kernel knows.
"""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING

from ..graph.graph import Graph, Node, Ref, replace
from ..ops import registry

if TYPE_CHECKING:
    from .rewrite import Mapping

MARK = "own."


def mark(graph: Graph, roots: list[Ref]) -> tuple[Graph, Mapping]:
    """The graph with the nodes marked whose implementation is settled."""
    nodes = [marked(node) if _settled(node) else node for node in graph.nodes]
    if all(one is two for one, two in zip(nodes, graph.nodes, strict=True)):
        whole = graph
    else:
        whole = replace(graph, nodes=nodes)
    return whole, {ref: ref for ref in graph.refs()}


def _settled(node: Node) -> bool:
    record = registry.known(node.op)
    return record is not None and record.settled()


def marked(node: Node) -> Node:
    """The node with a type that its reference alone knows."""
    return replace(node, op=MARK + node.op)


def apart(graph: Graph, names: Set[str]) -> Graph:
    """The graph with the nodes of these names marked."""
    nodes = [marked(node) if node.name in names else node for node in graph.nodes]
    return replace(graph, nodes=nodes)


def unmarked(node: Node) -> Node:
    """The node with the type that it had."""
    return replace(node, op=node.op.removeprefix(MARK)) if node.op.startswith(MARK) else node
