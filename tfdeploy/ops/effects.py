"""What effect a node has, functions that it calls included."""

from __future__ import annotations

from ..graph.graph import Graph, Node, functions
from .registry import PURE, RAISES, RANDOM, READS, RESOURCE, WRITES, Effect, get

_ORDER: tuple[Effect, ...] = (PURE, RESOURCE, READS, RANDOM, RAISES, WRITES)
ORDERED = frozenset({WRITES, RAISES})
"""Effects that must happen, and in their order."""


def effect(graph: Graph, node: Node) -> Effect:
    """The strongest effect of a node of `graph`: its own, or that of a node in its subgraphs.

    An op that nobody knows reads.
    """
    called = [graph.subgraphs[function.name] for function in functions(node.attrs)]
    if called:
        found = [effect(inner, each) for inner in called for each in inner.nodes]
        return max(found, key=_ORDER.index, default=PURE)
    record = get(node.op)
    return READS if record is None else record.effect


def ordered(graph: Graph) -> list[int]:
    """The nodes of a subgraph that run whenever it is called, whatever is fetched."""
    return [n for n, node in enumerate(graph.nodes) if effect(graph, node) in ORDERED]
