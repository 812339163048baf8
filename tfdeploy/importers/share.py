"""Signatures that compute the same share one subgraph, and what none needs goes.

Keras exports a model under two names, each with a function call of its own; inlined, that would
double the graph.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from ..graph.graph import FuncRef, Graph, Node, Ref, SignatureDef, functions
from ..ops import registry
from ..ops.effects import effect

_SHORT = 1024  # bytes of an array up to which it is its own key

Classes = dict[Any, int]
"""Structural keys to the numbers of their classes: nodes of one class compute the same."""


def share(
    graph: Graph, signatures: dict[str, SignatureDef], names: dict[str, int]
) -> tuple[Graph, dict[str, SignatureDef], dict[str, int]]:
    """The graph with one subgraph for all signatures that are structurally equal.

    Equal are signatures whose arguments and results have the same names and whose nodes have the
    same ops, attributes and constants, inputs by their names.  The first of them keeps its nodes;
    `names`, which mean nodes, come back with those of the nodes that others stand for.
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
    smaller, moved = _only(graph, kept, instead)
    result = {
        name: SignatureDef(
            {k: Ref(moved[r.node], r.slot) for k, r in signature.inputs.items()},
            {k: Ref(moved[r.node], r.slot) for k, r in signature.outputs.items()},
        )
        for name, signature in result.items()
    }
    names = names | {graph.nodes[number].name: number for number in instead}
    return smaller, result, {name: moved[n] for name, n in names.items() if n in moved}


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
        key: Any = _key(graph, node, inputs.get(number, ""), numbers)
        if effect(graph, node) != registry.PURE:
            seen[key] = seen.get(key, 0) + 1
            key = key, seen[key]  # two draws of random numbers are two
        numbers[number] = classes.setdefault(key, len(classes))
    return numbers


def _key(graph: Graph, node: Node, argument: str, numbers: dict[int, int]) -> Any:
    sources = tuple((numbers[ref.node], ref.slot) for ref in node.inputs)
    control = tuple(numbers[n] for n in node.control)
    # a node without inputs is what it is by name: a variable, a placeholder that is no argument
    name = "" if node.inputs or node.op == "Const" or argument else node.name
    return node.op, argument, name, sources, control, frozen(_expanded(graph, node.attrs))


def _expanded(graph: Graph, value: Any) -> Any:
    """Attributes with the contents of subgraphs in place of their names."""
    if isinstance(value, dict):
        return {name: _expanded(graph, item) for name, item in value.items()}
    if isinstance(value, list):
        return [_expanded(graph, item) for item in value]
    if not isinstance(value, FuncRef):
        return value
    inner = graph.subgraphs[value.name]
    nodes = [(n.op, n.inputs, n.control, _expanded(inner, n.attrs)) for n in inner.nodes]
    return nodes, tuple(inner.inputs), tuple(inner.outputs)


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


def _only(graph: Graph, kept: set[int], instead: dict[int, int]) -> tuple[Graph, dict[int, int]]:
    """The graph of the nodes `kept`, and the new numbers of all that these are or stand for."""
    smaller = Graph()
    moved: dict[int, int] = {}
    for number in sorted(kept):
        node = graph.nodes[number]
        node.inputs = tuple(Ref(moved[ref.node], ref.slot) for ref in node.inputs)
        node.control = tuple(moved[n] for n in node.control)
        moved[number] = smaller.add(node)
        for function in functions(node.attrs):
            smaller.subgraphs[function.name] = graph.subgraphs[function.name]
    moved |= {number: moved[other] for number, other in instead.items()}
    smaller.aliases = {
        name: Ref(moved[ref.node], ref.slot)
        for name, ref in graph.aliases.items()
        if ref.node in moved
    }
    return smaller, moved
