"""What old GraphDefs mean by attributes that mean something else today.

TensorFlow tells by the producer version of a graph (tensorflow/core/public/version.h).
"""

from __future__ import annotations

from dataclasses import replace

from .raw import RawGraph, RawNode

_UNKNOWN_SHAPES = 24  # from here on a placeholder of shape () is a scalar; before, of any shape


def modern(graph: RawGraph) -> RawGraph:
    """The graph with today's attributes; the same object where nothing is to be done."""
    if graph.producer < _UNKNOWN_SHAPES:  # 0 where a tool has left it out
        return replace(graph, nodes=[_with_unknown_shape(node) for node in graph.nodes])
    return graph


def _with_unknown_shape(node: RawNode) -> RawNode:
    if node.op != "Placeholder" or node.attrs.get("shape") != ():
        return node
    return RawNode(node.name, node.op, node.inputs, {**node.attrs, "shape": None})
