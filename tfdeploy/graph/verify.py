"""Checks that a graph keeps its invariants: everything that is loaded, in tests after each pass."""

from __future__ import annotations

import numpy as np

from ..errors import GraphError
from .graph import FuncRef, Graph, Node, Ref, functions
from .types import Dim


def verify(graph: Graph, where: str = "graph") -> None:
    """Raises GraphError at the first violation, naming the node and what it should be."""
    counts = [len(node.types) for node in graph.nodes]
    for number, node in enumerate(graph.nodes):
        if not _sound(graph, node, number, counts) and (wrong := _wrong_node(graph, node, number)):
            raise GraphError(f"{where}: node {number} ({node.op} {node.name!r}): {wrong}")
    total = len(graph.nodes)
    for name, ref in graph.aliases.items():
        if wrong := _wrong_ref(graph, ref, total):
            raise GraphError(f"{where}: alias {name!r} {wrong}")
    for ref in [*graph.inputs, *graph.outputs, *graph.renamed]:
        if wrong := _wrong_ref(graph, ref, total):
            raise GraphError(f"{where}: input or output {wrong}")
    for name, subgraph in graph.subgraphs.items():
        verify(subgraph, f"{where}/{name}")


def _sound(graph: Graph, node: Node, number: int, counts: list[int]) -> bool:
    """Whether a node is as nearly all are, and right: told in a fraction of the time."""
    if graph.index.get(node.name) != number or node.control:
        return False
    for before, slot in node.inputs:
        if not (0 <= before < number and 0 <= slot < counts[before]):
            return False
    for kind in node.types:
        for extent in kind.shape or ():
            if type(extent) is int and extent < 0:
                return False
    for value in node.attrs.values():
        if isinstance(value, (FuncRef, list)):
            return False
    if node.op == "Const":
        value = node.attrs.get("value")
        return (
            len(node.types) == 1
            and not node.inputs
            and isinstance(value, np.ndarray)
            and (value.shape == node.types[0].shape and value.dtype == node.types[0].dtype.numpy)
        )
    return node.op != "Placeholder"


def _wrong_node(graph: Graph, node: Node, number: int) -> str:
    """What is wrong with a node; nothing where it is as it should be."""
    if graph.index.get(node.name) != number:
        return "its name is not unique"
    for ref in node.inputs:
        if wrong := _wrong_ref(graph, ref, number):
            return f"input {wrong}"
    for earlier in node.control:
        if not 0 <= earlier < number:
            return f"control input {earlier} is not an earlier node"
    for kind in node.types:
        for extent in kind.shape or ():
            if not isinstance(extent, Dim) and extent < 0:
                return f"negative extent {extent}"
    for function in functions(node.attrs):
        if function.name not in graph.subgraphs:
            return f"there is no subgraph {function.name!r}"
    return _wrong_source(node) if node.op in ("Const", "Placeholder") else ""


def _wrong_ref(graph: Graph, ref: Ref, before: int) -> str:
    if not 0 <= ref.node < before:
        return f"refers to node {ref.node}, expected one of the {before} before it"
    outputs = len(graph.nodes[ref.node].types)
    if not 0 <= ref.slot < outputs:
        return f"refers to output {ref.slot} of node {ref.node}, which has {outputs}"
    return ""


def _wrong_source(node: Node) -> str:
    """A constant is the array that its type promises, and so is the default of a placeholder."""
    if len(node.types) != 1 or node.inputs:
        return "expected one output and no inputs"
    (kind,) = node.types
    value = node.attrs.get("value" if node.op == "Const" else "default")
    if value is None and node.op == "Placeholder":
        return ""
    if not isinstance(value, np.ndarray) or value.dtype != kind.dtype.numpy:
        return f"its value should be an array of {kind.dtype}"
    shape = value.shape if kind.shape is None else kind.shape
    if shape != value.shape and (
        len(shape) != value.ndim
        or any(isinstance(e, int) and e != s for e, s in zip(shape, value.shape, strict=True))
    ):
        return f"its value has shape {value.shape}, its type is {kind}"
    return ""
