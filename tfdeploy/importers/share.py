"""Signatures that compute the same share one subgraph.

Keras exports a model under two names, each with a function call of its own; inlined, that would
double the graph.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from ..graph.graph import Graph, Node, Ref, SignatureDef
from ..ops import registry

_SHORT = 1024  # bytes of an array up to which it is its own key

Classes = dict[Any, int]
"""Structural keys to the numbers of their classes: nodes of one class compute the same."""


def share(
    graph: Graph, signatures: dict[str, SignatureDef], names: dict[str, int]
) -> tuple[Graph, dict[str, SignatureDef], dict[str, int]]:
    """The graph with one subgraph for all signatures that are structurally equal.

    Equal are signatures whose arguments and results have the same names and whose nodes have the
    same ops, attributes and constants, inputs by their names.  The first of them keeps its nodes;
    `names`, which mean nodes, come back with those of the nodes that are gone.
    """
    classes: Classes = {}
    known: dict[Any, tuple[SignatureDef, dict[int, int]]] = {}
    result: dict[str, SignatureDef] = {}
    instead: dict[int, int] = {}
    kept: set[int] = set()
    for name, signature in signatures.items():
        numbers = _classify(graph, signature, classes)
        key = (_spelled(signature.inputs, numbers), _spelled(signature.outputs, numbers))
        if key not in known:
            known[key] = signature, {each: number for number, each in numbers.items()}
            kept.update(numbers)
        result[name], nodes = known[key]
        instead |= {number: nodes[each] for number, each in numbers.items()}
    instead = {number: other for number, other in instead.items() if number not in kept}
    if not instead:
        return graph, signatures, names
    smaller, moved = _without(graph, instead)
    result = {
        name: SignatureDef(
            {k: Ref(moved[r.node], r.slot) for k, r in signature.inputs.items()},
            {k: Ref(moved[r.node], r.slot) for k, r in signature.outputs.items()},
        )
        for name, signature in result.items()
    }
    names = names | {graph.nodes[number].name: number for number in instead}
    return smaller, result, {name: moved[number] for name, number in names.items()}


def _spelled(refs: dict[str, Ref], numbers: dict[int, int]) -> frozenset[Any]:
    return frozenset((name, numbers[ref.node], ref.slot) for name, ref in refs.items())


def _classify(graph: Graph, signature: SignatureDef, classes: Classes) -> dict[int, int]:
    """The class of every node that a signature needs, its inputs included."""
    inputs = {ref.node: name for name, ref in signature.inputs.items()}
    roots = [*inputs, *(ref.node for ref in signature.outputs.values())]
    numbers: dict[int, int] = {}
    seen: dict[Any, int] = {}
    for number in graph.ancestors(roots):
        node = graph.nodes[number]
        key: Any = _key(node, inputs.get(number, ""), numbers)
        record = registry.get(node.op)
        if record is None or record.effect != registry.PURE:
            seen[key] = seen.get(key, 0) + 1
            key = key, seen[key]  # two draws of random numbers are two
        numbers[number] = classes.setdefault(key, len(classes))
    return numbers


def _key(node: Node, argument: str, numbers: dict[int, int]) -> Any:
    sources = tuple((numbers[ref.node], ref.slot) for ref in node.inputs)
    control = tuple(numbers[n] for n in node.control)
    # a node without inputs is what it is by name: a variable, a placeholder that is no argument
    name = "" if node.inputs or node.op == "Const" or argument else node.name
    return node.op, argument, name, sources, control, frozen(node.attrs)


def frozen(value: Any) -> Any:
    """A hashable value that is equal for equal attributes, and for them alone."""
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            return "array", value.shape, tuple(value.ravel().tolist())
        data = value.tobytes()
        data = data if len(data) <= _SHORT else hashlib.sha256(data).digest()
        return "array", value.shape, value.dtype.str, data
    if isinstance(value, dict):
        return tuple((k, frozen(v)) for k, v in sorted(value.items()))
    if isinstance(value, (list, tuple)):
        return type(value), tuple(frozen(v) for v in value)
    return type(value), value


def _without(graph: Graph, instead: dict[int, int]) -> tuple[Graph, dict[int, int]]:
    """The graph without the nodes that others stand for, and the new numbers of all."""
    smaller = Graph(subgraphs=graph.subgraphs)
    moved: dict[int, int] = {}
    for number, node in enumerate(graph.nodes):
        if number in instead:
            moved[number] = moved[instead[number]]
            continue
        node.inputs = tuple(Ref(moved[ref.node], ref.slot) for ref in node.inputs)
        node.control = tuple(sorted({moved[n] for n in node.control}))
        moved[number] = smaller.add(node)
    smaller.aliases = {name: Ref(moved[r.node], r.slot) for name, r in graph.aliases.items()}
    return smaller, moved
