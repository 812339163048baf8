"""Runs type rules over nodes, and propagates the values of shape arithmetic.

A small integer value is followed symbolically: ``Shape -> StridedSlice -> Pack`` of an input with
extents (n, 8) is known to be the array [n] or [n, 64] before anything runs.  Where all inputs of a
pure op are known numbers its reference computes the result; where some are symbols it does so if
the record says that the reference works on object arrays of extents (`symbolic`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..dtypes import DType
from ..graph.graph import Graph, Node, Ref
from ..graph.types import Dim, ValueType
from .registry import PURE, OpDef, get
from .rules import Inference, Known

_MOST = 256  # elements of a value that is followed
_FOLLOWED = frozenset(map(DType, ("int32", "int64", "bool", "uint8", "int8", "int16")))


class Typing:
    """Types of one graph in the making: `node` types a node whose inputs are typed."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._values: dict[Ref, Known] = {}
        self._node = ""
        self._count = 0

    def fresh(self) -> Dim:
        """A symbol that nothing else has, named after the node at hand: ``x.0``."""
        self._count += 1
        return Dim.symbol(f"{self._node}.{self._count - 1}")

    def node(self, node: Node, number: int, outputs: int = 1) -> None:
        """Sets ``node.types``; an op without record gets `outputs` values of unknown type.

        Raises ValueError where the op's rule says that its inputs cannot be.
        """
        record = get(node.op)
        if len(node.types) >= outputs and (record is None or record.type is None):
            return  # what is known of it cannot be known better
        self._node, self._count = node.name, 0
        inputs = [self._graph.type(ref) for ref in node.inputs]
        known = [self._values.get(ref) for ref in node.inputs]
        types, values = infer(record, node.attrs, inputs, known, self.fresh, outputs)
        node.types = tuple(types)
        for slot, value in enumerate(values):
            if value is not None and value.size <= _MOST:
                self._values[Ref(number, slot)] = value


def infer(
    record: OpDef | None,
    attrs: dict[str, Any],
    inputs: Sequence[ValueType],
    known: Sequence[Known | None],
    fresh: Callable[[], Dim],
    outputs: int = 1,
) -> tuple[list[ValueType], list[Known | None]]:
    """Types of an op's outputs, and their values where they are known integers."""
    if record is None or record.type is None:
        dtype = inputs[0].dtype if inputs else attrs.get("dtype", DType("float32"))
        return [ValueType(dtype)] * outputs, []
    full = record.defaults | attrs
    context = Inference(inputs, full, known, fresh)
    types = record.type(context)
    types = types if isinstance(types, list) else [types]
    values = context.result_values
    if not values and types and types[0].dtype in _FOLLOWED:
        values = _compute(record, full, known, types)
    return types, values


def _compute(
    record: OpDef, attrs: dict[str, Any], known: Sequence[Known | None], types: list[ValueType]
) -> list[Known | None]:
    if record.effect != PURE or any(v is None for v in known):
        return []
    symbols = any(v is not None and v.dtype == object for v in known)
    if symbols and not record.symbolic:
        return []
    if not known and (record.names[0] != "Const" or attrs["value"].size > _MOST):
        return []
    try:
        result = record.reference(*known, **{name: attrs[name] for name in record.attrs})
    except Exception:  # the run itself reports it, with the node's name
        return []
    results = result if isinstance(result, tuple) else (result,)
    return [_tidy(np.asarray(r), t.dtype) for r, t in zip(results, types, strict=False)]


def _tidy(value: Known, dtype: DType) -> Known:
    if value.dtype == object and not any(isinstance(v, Dim) for v in value.flat):
        return value.astype(dtype.numpy)
    return value
