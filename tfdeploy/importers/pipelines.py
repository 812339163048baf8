"""Input pipelines of TensorFlow 1 cut off: what they would deliver becomes inputs of the model.

Queues and iterators read files and run threads; a model is given its batches instead.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..graph.graph import split_name
from .raw import RawGraph, RawNode
from .structure import Nodes, needed

SOURCES = frozenset(
    {
        *(f"QueueDequeue{many}{v}" for many in ("", "Many", "UpTo") for v in ("", "V2")),
        "IteratorGetNext",
        "IteratorGetNextSync",
        "Unstage",
    }
)
"""Op types that take values out of a pipeline."""
_DTYPES = ("component_types", "output_types", "dtypes")
_SHAPES = ("output_shapes", "_output_shapes")


def without_pipelines(
    graph: RawGraph, roots: Iterable[str], cut: Iterable[str], origin: str
) -> RawGraph:
    """The graph with placeholders for the values of queues and iterators that `roots` need.

    Warns with the names of the new inputs.  Nothing beyond the tensors `cut` is looked at.
    """
    if not any(node.op in SOURCES for node in graph.nodes):
        return graph
    nodes = {node.name: node for node in graph.nodes}
    found = needed(nodes, roots, {split_name(name) for name in cut})
    replaced: dict[str, str] = {}
    for node in [node for node in found.values() if node.op in SOURCES]:
        del nodes[node.name]
        made = _placeholders(node, nodes)
        if made:
            replaced |= {f"{node.name}:{i}": each.name for i, each in enumerate(made)}
            spelled = ", ".join(f"{each.name} ({each.attrs['dtype']})" for each in made)
            warnings.warn(
                f"{origin}: the input pipeline ends at node {node.name} ({node.op}): its values "
                f"are inputs of the model now: {spelled}",
                stacklevel=5,
            )
        nodes.update((each.name, each) for each in made or [node])
    return replace(graph, nodes=[_renamed(node, replaced) for node in nodes.values()])


def _placeholders(node: RawNode, taken: Nodes) -> list[RawNode]:
    """A placeholder for each value; the first has the node's name."""
    dtypes: list[Any] = next((node.attrs[a] for a in _DTYPES if node.attrs.get(a)), [])
    shapes: list[Any] = next((node.attrs[a] for a in _SHAPES if node.attrs.get(a)), [])
    made = []
    for number, dtype in enumerate(dtypes):
        name = node.name if number == 0 else f"{node.name}_{number}"
        while name in taken:
            name += "_"
        shape = shapes[number] if len(shapes) == len(dtypes) else None
        made.append(RawNode(name, "Placeholder", [], {"dtype": dtype, "shape": shape}))
    return made


def _renamed(node: RawNode, names: dict[str, str]) -> RawNode:
    """The node with inputs from placeholders."""
    if not any(spelled in names for spelled in node.inputs):
        return node
    inputs = [names.get(spelled, spelled) for spelled in node.inputs]
    return RawNode(node.name, node.op, inputs, node.attrs)
