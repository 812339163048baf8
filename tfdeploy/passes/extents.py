"""Operands that spell extents or places, and that depend on the value of an integer which the graph
is given, become ``td.Extents``: its attribute `extents` has them, flat.

So a plan can be bound to the value, as it is to shapes.  Where nothing but shapes is told, types
say enough.
"""

from __future__ import annotations

import numpy as np

from ..graph.graph import Graph, Node, Ref
from ..graph.types import VALUE, Dim
from ..ops.infer import known
from ..ops.rules import Known
from .rewrite import Mapping, Rewriter

_OPERANDS = {
    "StridedSlice": (1, 2, 3),
    "Slice": (1,),
    "Tile": (1,),
    "Range": (0, 1, 2),
    "XlaDynamicSlice": (1,),
    "XlaDynamicUpdateSlice": (2,),
}
"""Which operands of an op spell extents or places that a plan may know."""


def name(graph: Graph, roots: list[Ref]) -> tuple[Graph, Mapping]:
    """The graph with such operands named."""
    if not any(VALUE in node.attrs for node in graph.nodes):
        return graph, {ref: ref for ref in graph.refs()}
    found: dict[Ref, Known | None] = {}

    def rule(rw: Rewriter, node: Node) -> list[Ref] | None:
        inputs = list(node.inputs)
        for i in _OPERANDS[node.op]:
            if rw.constant(inputs[i]) is None:
                value = known(rw.graph, inputs[i], found)
                if value is not None:
                    inputs[i] = _emitted(rw, inputs[i], value, f"{node.name}~{i}")
        if inputs == list(node.inputs):
            return None
        return rw.emit(node.op, inputs, node.attrs, node.types, node.name)

    return Rewriter(graph, roots).run({op: [rule] for op in _OPERANDS})


def _emitted(rw: Rewriter, ref: Ref, value: Known, name: str) -> Ref:
    kind = rw.type(ref)
    flat = [e if isinstance(e, Dim) else int(e) for e in np.ravel(value)]
    if not any(isinstance(e, Dim) for e in flat):
        return rw.const(np.asarray(value, kind.dtype.numpy), name)
    return rw.emit("td.Extents", [], {"extents": flat}, [kind], name)[0]
