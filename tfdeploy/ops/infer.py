"""Runs type rules over nodes, and propagates the values of shape arithmetic.

A small integer value is followed symbolically: ``Shape -> StridedSlice -> Pack`` of an input with
extents (n, 8) is known to be the array [n] or [n, 64] before anything runs.  Where all inputs of a
pure op are known numbers its reference computes the result; where some are symbols it does so if
the record says that the reference works on object arrays of extents (`symbolic`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..dtypes import DType
from ..errors import ConversionError
from ..graph.graph import FuncRef, Graph, Node, Ref
from ..graph.types import VALUE, Dim, Extent, ValueType
from .elements import Elements
from .registry import PURE, OpDef, get
from .rules import Calls, Inference, Known

_MOST = 256  # elements of a value that is followed
_IMPOSSIBLE = (ValueError, TypeError, LookupError, ArithmeticError)
_FOLLOWED = frozenset(map(DType, ("int32", "int64", "bool", "uint8", "int8", "int16")))


class Typing:
    """Types of one graph in the making: `node` types a node whose inputs are typed.

    `path` stands before the names of symbols, so that those of a subgraph are its own.
    """

    def __init__(self, graph: Graph, path: str = "") -> None:
        self._graph = graph
        self._path = path
        self._values: dict[Ref, Known] = {}
        self._node = ""
        self._count = 0

    def fresh(self) -> Dim:
        """A symbol that nothing else has, named after the node at hand: ``x.0``."""
        self._count += 1
        return Dim.symbol(f"{self._path}{self._node}.{self._count - 1}")

    def run(self, origin: str, used: Iterable[Ref] = ()) -> None:
        """Types every node but a subgraph's arguments, in order.

        An op without type rule has as many outputs as others, or the values `used`, refer to.
        Raises ConversionError where an op's inputs cannot be; in a function, which may never run,
        only where that follows from their dtypes.
        """
        given = {ref.node for ref in self._graph.inputs}
        for ref in self._graph.inputs:
            value = self._graph.nodes[ref.node].attrs.get(VALUE)
            if value is not None:
                self._values[ref] = np.array(value, object)
        counts = _output_counts(self._graph, used)
        for number, node in enumerate(self._graph.nodes):
            if number in given:
                continue
            try:
                self.node(node, number, counts[number])
            except ConversionError:
                raise
            except _IMPOSSIBLE as error:
                if self._path and self._by_dtypes(node, counts[number]):
                    continue
                shapes = ", ".join(map(repr, (self._graph.type(r) for r in node.inputs)))
                raise ConversionError(
                    f"{origin}: node {self._path}{node.name} ({node.op}) cannot take inputs "
                    f"{shapes}: {error}"
                ) from error

    def _by_dtypes(self, node: Node, outputs: int) -> bool:
        """Types a node whose shapes cannot be as if nothing were known of them; tells whether the
        rule can.
        """
        kinds = [ValueType(self._graph.type(ref).dtype) for ref in node.inputs]
        try:
            types, _ = infer(
                get(node.op), node.attrs, kinds, [None] * len(kinds), self.fresh, outputs, self
            )
        except _IMPOSSIBLE:
            return False
        node.types = tuple(types)
        return True

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
        types, values = infer(record, node.attrs, inputs, known, self.fresh, outputs, self)
        node.types = tuple(types)
        for slot in range(len(types)):
            self._values.pop(Ref(number, slot), None)
        for slot, value in enumerate(values):
            if value is not None and value.size <= _MOST:
                self._values[Ref(number, slot)] = value

    def graph(self, function: FuncRef) -> Graph:
        """The subgraph that a function is; see `rules.Calls`."""
        return self._graph.subgraphs[function.name]

    def types(
        self, function: FuncRef, inputs: Sequence[ValueType], values: Sequence[Known | None]
    ) -> tuple[list[ValueType], list[Known | None]]:
        """Types a subgraph for arguments of these types and values; gives those of its results."""
        graph = self.graph(function)
        inner = Typing(graph, f"{self._path}{function.name}/")
        for ref, kind, value in zip(graph.inputs, inputs, values, strict=True):
            node = graph.nodes[ref.node]
            node.types, node.attrs = (kind,), {"dtype": kind.dtype}
            if value is not None:
                inner._values[ref] = value
        inner.run(f"function {function.name}", graph.outputs)
        kinds = [graph.type(ref) for ref in graph.outputs]
        found = [inner._values.get(ref) for ref in graph.outputs]
        return [self._settle(k, inner) for k in kinds], [_known_outside(v, inner) for v in found]

    def _settle(self, kind: ValueType, inner: Typing) -> ValueType:
        """A type whose extents mean something outside of a subgraph."""
        if kind.shape is None:
            return kind
        return kind._replace(
            shape=tuple(e if inner.outside(e) else self.fresh() for e in kind.shape)
        )

    def outside(self, extent: Extent) -> bool:
        """Whether an extent depends on nothing that this graph's own nodes find out."""
        return isinstance(extent, int) or not any(
            symbol.startswith(self._path) for symbol in extent.symbols()
        )


def known(graph: Graph, ref: Ref, found: dict[Ref, Known | None] | None = None) -> Known | None:
    """The value of small integers of a typed graph, extents where they depend on what is fed;
    None where it is not known.  `found` keeps what was found out on the way.
    """
    found = {} if found is None else found
    pending = [ref]
    while pending:
        at = pending[-1]
        if at in found:
            pending.pop()
            continue
        node = graph.nodes[at.node]
        missing = [r for r in _followed(graph, node) if r not in found]
        if missing and node.types[at.slot].dtype in _FOLLOWED:
            pending += missing
            continue
        pending.pop()
        values = _known(graph, node, [found.get(r) for r in node.inputs])
        found[at] = values[at.slot] if at.slot < len(values) else None
    return found[ref]


def computed(graph: Graph, node: Node) -> Known | None:
    """As `known`, of the first output of a node that is not in the graph, though its inputs are."""
    if node.types[0].dtype not in _FOLLOWED:
        return None
    followed = _followed(graph, node)
    values = _known(graph, node, [known(graph, r) if r in followed else None for r in node.inputs])
    return values[0] if values else None


def _followed(graph: Graph, node: Node) -> list[Ref]:
    return [r for r in node.inputs if graph.type(r).dtype in _FOLLOWED]


def _known(graph: Graph, node: Node, given: list[Known | None]) -> list[Known | None]:
    record = get(node.op)
    if record is None or record.type is None or record.effect != PURE:
        return []
    kinds = [graph.type(r) for r in node.inputs]
    fresh = partial(Dim.symbol, f"{node.name}.?")
    return infer(record, node.attrs, kinds, given, fresh, len(node.types))[1]


def _known_outside(value: Known | None, inner: Typing) -> Known | None:
    """What is known of a result outside of the subgraph that gives it."""
    if isinstance(value, Elements):
        return value.rename(inner.outside)
    if isinstance(value, np.ndarray) and value.dtype == object:
        return value if all(map(inner.outside, value.flat)) else None
    return value


def _output_counts(graph: Graph, used: Iterable[Ref]) -> list[int]:
    """How many outputs each node has at least: what an op that nobody knows has."""
    counts = [max(1, len(node.types)) for node in graph.nodes]
    inputs = [ref for node in graph.nodes for ref in node.inputs]
    for ref in [*inputs, *graph.aliases.values(), *used]:
        counts[ref.node] = max(counts[ref.node], ref.slot + 1)
    return counts


def infer(
    record: OpDef | None,
    attrs: dict[str, Any],
    inputs: Sequence[ValueType],
    known: Sequence[Known | None],
    fresh: Callable[[], Dim],
    outputs: int = 1,
    calls: Calls | None = None,
) -> tuple[list[ValueType], list[Known | None]]:
    """Types of an op's outputs, and their values where they are known integers."""
    if record is not None:
        record.check_ranks([None if kind.shape is None else len(kind.shape) for kind in inputs])
    if record is None or record.type is None:
        dtype = inputs[0].dtype if inputs else attrs.get("dtype", DType("float32"))
        return [ValueType(dtype)] * outputs, []
    full = record.defaults | attrs
    record.check_outputs(full)
    context = Inference(inputs, full, known, fresh, calls)
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
