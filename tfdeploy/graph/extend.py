"""Adds one graph to another whose nodes it partly shares."""

from __future__ import annotations

from typing import Any

import numpy as np

from .graph import Graph, Node, Ref


def extend(graph: Graph, other: Graph) -> list[int] | None:
    """Adds to `graph` what only `other` has; gives the numbers that the nodes of `other` have
    there.

    A node is shared where name, op, inputs and attributes are the same; the default of a
    placeholder may be the one of either.  Where nodes of one name differ, `graph` stays as it is
    and None is given.
    """
    numbers: list[int] = []
    fresh: list[Node] = []
    for node in other.nodes:
        moved = Node(
            node.op,
            node.name,
            tuple(Ref(numbers[ref.node], ref.slot) for ref in node.inputs),
            dict(node.attrs),
            node.types,
            tuple(numbers[number] for number in node.control),
        )
        number = graph.index.get(node.name)
        if number is None:
            number = len(graph.nodes) + len(fresh)
            fresh.append(moved)
        elif not _agree(graph.nodes[number], moved):
            return None
        numbers.append(number)
    for node in fresh:
        graph.add(node)
    for node in other.nodes:
        if "default" in node.attrs:
            graph.nodes[graph.index[node.name]].attrs["default"] = node.attrs["default"]
    for name, ref in other.aliases.items():
        graph.aliases.setdefault(name, Ref(numbers[ref.node], ref.slot))
    graph.subgraphs.update(other.subgraphs)
    return numbers


def _agree(one: Node, two: Node) -> bool:
    if (one.op, one.inputs, one.control) != (two.op, two.inputs, two.control):
        return False
    names = (one.attrs.keys() | two.attrs.keys()) - {"default"}
    missing = object()
    return all(_same(one.attrs.get(n, missing), two.attrs.get(n, missing)) for n in names)


def _same(one: Any, two: Any) -> bool:
    if isinstance(one, np.ndarray) and isinstance(two, np.ndarray):
        if one.dtype != two.dtype or one.shape != two.shape:
            return False
        return (
            one.tolist() == two.tolist() if one.dtype == object else one.tobytes() == two.tobytes()
        )
    return type(one) is type(two) and bool(one == two)
