"""Constants are computed once, and ops that only pass a value on are left out."""

from __future__ import annotations

import numpy as np

from ..graph.graph import Node, Ref
from ..ops import registry
from ..ops.infer import computed
from . import own
from .rewrite import Rewriter

MOST_FOLDED = 1 << 24  # bytes that a folded value may have beyond those of its inputs


def fold(rw: Rewriter, node: Node) -> list[Ref] | None:
    """A pure op of constants becomes constants; one that fails is left to its reference."""
    record = registry.get(node.op)
    if record is None or record.effect != registry.PURE or node.op == "Const" or node.control:
        return None
    values = [rw.constant(ref) for ref in node.inputs]
    if not values or not node.types or any(v is None for v in values):
        return None
    attrs = record.defaults | {k: v for k, v in node.attrs.items() if k in record.attrs}
    with np.errstate(all="ignore"):
        try:
            result = record.func()(*values, **attrs)
        except Exception:  # the run itself reports it, with the node's name
            kept = own.marked(node)
            return rw.emit(kept.op, kept.inputs, kept.attrs, kept.types, kept.name)
    results = [np.asarray(r) for r in (result if isinstance(result, tuple) else (result,))]
    taken = sum(v.nbytes for v in values if v is not None)
    if sum(r.nbytes for r in results) > taken + MOST_FOLDED or len(results) != len(node.types):
        return None
    return [rw.const(r, f"{node.name}~{slot}") for slot, r in enumerate(results)]


def told(rw: Rewriter, node: Node) -> list[Ref] | None:
    """Small integers that follow from shapes which never vary."""
    if node.control or len(node.types) != 1 or not node.inputs:
        return None
    value = computed(rw.graph, node)
    if not isinstance(value, np.ndarray) or value.dtype == object:
        return None
    return [rw.const(value, f"{node.name}~0")]


def elide(rw: Rewriter, node: Node) -> list[Ref] | None:
    """An op that gives its input as it is."""
    return list(node.inputs) if not node.control and len(node.inputs) == len(node.types) else None


def cast_to_same(rw: Rewriter, node: Node) -> list[Ref] | None:
    """A cast to the type that the value has."""
    return [node.inputs[0]] if rw.type(node.inputs[0]).dtype == node.types[0].dtype else None


def unit(rw: Rewriter, node: Node) -> list[Ref] | None:
    """A product with 1 (tf.nn.silu has one), a quotient by 1."""
    sides = ((0, 1), (1, 0)) if node.op == "Mul" else ((0, 1),)
    for x, one in sides:
        value = rw.constant(node.inputs[one])
        kept = rw.type(node.inputs[x]) == node.types[0] and not node.control
        if kept and value is not None and value.size == 1 and value.item() == 1:
            return [node.inputs[x]]
    return None


_PASSING = (
    "Identity",
    "StopGradient",
    "PreventGradient",
    "Snapshot",
    "IdentityN",
    "DisableCopyOnRead",
    "GuaranteeConst",
)

RULES = {
    "*": [fold, told],
    "Cast": [cast_to_same],
    "Mul": [unit],
    "RealDiv": [unit],
    **{op: [elide] for op in _PASSING},
}
