"""What effect a node has, functions that it calls included."""

from __future__ import annotations

from collections.abc import Iterable

from ..graph.graph import Graph, Node, Ref, functions
from . import registry
from .registry import PURE, RAISES, RANDOM, READS, RESOURCE, WRITES, Effect

_ORDER: tuple[Effect, ...] = (PURE, RESOURCE, READS, RANDOM, RAISES, WRITES)
ORDERED = frozenset({WRITES, RAISES})
"""Effects that must happen, and in their order."""


def effect(graph: Graph, node: Node) -> Effect:
    """The strongest effect of a node of `graph`: its own, or that of a node in its subgraphs.

    An op that nobody knows reads.
    """
    called = functions(node.attrs) if graph.subgraphs else ()
    if inner := [graph.subgraphs[function.name] for function in called]:
        found = [effect(body, each) for body in inner for each in body.nodes]
        return max(found, key=_ORDER.index, default=PURE)
    return registry.effect(node.op)


def ordered(graph: Graph) -> list[int]:
    """The nodes of a subgraph that run whenever it is called, whatever is fetched."""
    return [n for n, node in enumerate(graph.nodes) if effect(graph, node) in ORDERED]


def lasting(graph: Graph) -> bool:
    """Whether a run may leave something behind, so that it cannot be done once more."""
    return any(effect(graph, node) == WRITES for node in graph.nodes)


def happening(graph: Graph, fetches: Iterable[Ref]) -> list[Ref]:
    """The nodes that run for what they do when `fetches` are computed, where any node waits for
    one; a reference to the first output of each stands for it, whether or not it has outputs.
    """
    if not any(node.control for node in graph.nodes):
        return []
    needed = graph.ancestors(ref.node for ref in fetches)
    return [Ref(n) for n in needed if effect(graph, graph.nodes[n]) in ORDERED]
