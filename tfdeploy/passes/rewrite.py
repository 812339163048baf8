"""How a pass works: rules, indexed by op, that put something in the place of a node.

A pass copies the graph in order.  At each live node its rules may emit other nodes and say which
values now stand for the node's outputs.  What a rule absorbed stays in the graph, dead unless
somebody fetches it: then it is computed beside the rest, and nothing else changes.  So every value
of the graph before has one in the graph after, and passes compose by composing these maps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as Table
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph.graph import Graph, Node, Ref
from ..graph.types import ValueType

Array = NDArray[Any]
Mapping = dict[Ref, Ref]

SIZES = ("Shape", "Size")
"""Ops that ask for the extents of a value, which its type tells where it knows all of them."""


class Rewriter:
    """One pass over a graph: what rules look at, and where they emit.

    Rules see nodes of the graph as it was (`node`, with inputs renamed to values of the new one),
    look at the new graph, and emit into it.
    """

    def __init__(self, graph: Graph, roots: Iterable[Ref]) -> None:
        self.old = graph
        self.graph = Graph(subgraphs=graph.subgraphs)
        self.map: Mapping = {}
        roots = list(roots)
        live = graph.ancestors(ref.node for ref in roots)
        self.live = set(live)
        self.uses = Counter(ref for n in live for ref in _looked_at(graph, graph.nodes[n]))
        self.uses.update(roots)
        self._single: set[Ref] = set()
        self._count: Counter[Ref] = Counter()
        self._placed: dict[int, int] = {}  # nodes that were copied; effectful ones always are

    def run(self, rules: Rules) -> tuple[Graph, Mapping]:
        """The graph after the pass, and the value that stands for each value before."""
        for number, node in enumerate(self.old.nodes):
            inputs = tuple(self.map[ref] for ref in node.inputs)
            control = tuple(self._placed[c] for c in node.control)
            copy = Node(node.op, node.name, inputs, node.attrs, node.types, control)
            outputs = None
            if number in self.live:
                for rule in (*rules.get(node.op, ()), *rules.get("*", ())):
                    outputs = rule(self, copy)
                    if outputs is not None:
                        break
            if outputs is None:
                placed = self._placed[number] = self._add(copy)
                outputs = [Ref(placed, slot) for slot in range(max(1, len(node.types)))]
            for slot, ref in enumerate(outputs):
                before = Ref(number, slot)
                self.map[before] = ref
                self._count[ref] += self.uses[before]
                if self.uses[before] <= 1:
                    self._single.add(ref)
                else:
                    self._single.discard(ref)
        return self.graph, self.map

    def _add(self, node: Node) -> int:
        base, count = node.name, 0
        while node.name in self.graph.index:
            count += 1
            node.name = f"{base}~{count}"
        return self.graph.add(node)

    def emit(
        self,
        op: str,
        inputs: Sequence[Ref],
        attrs: dict[str, Any],
        types: Sequence[ValueType],
        name: str,
    ) -> list[Ref]:
        """Adds a node and gives its outputs."""
        number = self._add(Node(op, name, tuple(inputs), attrs, tuple(types)))
        return [Ref(number, slot) for slot in range(len(types))]

    def source(self, ref: Ref) -> Node:
        """The node that computes a value of the new graph."""
        return self.graph.nodes[ref.node]

    def type(self, ref: Ref) -> ValueType:
        """The type of a value of the new graph."""
        return self.graph.type(ref)

    def single(self, ref: Ref) -> bool:
        """Whether a value has one use alone, so that it may be absorbed."""
        return ref in self._single

    def once(self, ref: Ref) -> Ref:
        """Notes that a value which a rule emits has one use, by another that it emits."""
        self._single.add(ref)
        self._count[ref] = 1
        return ref

    def count(self, ref: Ref) -> int:
        """How many uses a value has, those by roots included."""
        return self._count[ref]

    def constant(self, ref: Ref) -> Array | None:
        """The array of a constant, None for anything else."""
        node = self.source(ref)
        found: Array | None = node.attrs["value"] if node.op == "Const" else None
        return found

    def scalar(self, ref: Ref) -> float | None:
        """The number in a constant that holds just one, None for anything else."""
        value = self.constant(ref)
        if value is None or value.size != 1 or value.dtype.kind not in "fiu":
            return None
        return float(value.reshape(())[()])

    def const(self, value: Array, name: str) -> Ref:
        """A new constant."""
        from ..dtypes import from_numpy

        value = np.asarray(value, order="C")
        value.flags.writeable = False
        dtype = from_numpy(value.dtype)
        kind = ValueType(dtype, value.shape)
        return self.emit("Const", (), {"value": value, "dtype": dtype}, [kind], name)[0]


Rule = Callable[["Rewriter", Node], "list[Ref] | None"]
"""Takes a node whose inputs are values of the new graph; gives the values that stand for its
outputs, or None where it has nothing to say.
"""

Rules = Table[str, Sequence[Rule]]
"""Rules by the op that they look at; those of "*" look at every node."""


def compose(first: Mapping, second: Mapping) -> Mapping:
    """The map of two passes, one after the other."""
    return {before: second[after] for before, after in first.items()}


def _looked_at(graph: Graph, node: Node) -> tuple[Ref, ...]:
    """The inputs whose elements a node needs."""
    told = node.op in SIZES and None not in (graph.type(node.inputs[0]).shape or (None,))
    return () if told else node.inputs
