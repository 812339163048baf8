"""Nodes without an effect wait for nothing: what they waited for is among the roots instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..graph.graph import Graph, Node, Ref, replace
from ..ops.effects import effect
from ..ops.registry import PURE

if TYPE_CHECKING:
    from .rewrite import Mapping


def free(graph: Graph, roots: list[Ref]) -> tuple[Graph, Mapping]:
    """The graph in which only nodes with an effect wait for others."""

    def freed(node: Node) -> Node:
        return replace(node, control=()) if effect(graph, node) == PURE else node

    if any(node.control for node in graph.nodes):
        nodes = [freed(node) if node.control else node for node in graph.nodes]
        graph = replace(graph, nodes=nodes)
    return graph, {ref: ref for ref in graph.refs()}
