"""What a model consists of: the facts for machines, and as text for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .graph.graph import Graph

if TYPE_CHECKING:
    from .model import Model, Spec


def facts(model: Model) -> dict[str, Any]:
    """Signatures with their inputs and outputs, roots, op counts and sizes, as JSON knows them."""
    from .ops import registry

    graphs = [graph for entry in model._entries for graph in _all_graphs(entry.graph)]
    ops = Counter(node.op for graph in graphs for node in graph.nodes)
    arrays = {id(array): array for graph in graphs for array in _constants(graph)}.values()
    return {
        "signatures": {
            name: {
                "inputs": {n: _spec(s) for n, s in signature.inputs.items()},
                "outputs": {n: _spec(s) for n, s in signature.outputs.items()},
            }
            for name, signature in model.signatures.items()
        },
        "roots": [
            {"key": key, "name": tensor.name, "dtype": tensor.dtype, "shape": _shape(tensor.shape)}
            for key, tensor in model.roots.items()
        ],
        "graphs": len(model._entries),
        "nodes": sum(ops.values()),
        "ops": dict(sorted(ops.items(), key=lambda item: (-item[1], item[0]))),
        "unknown_ops": sorted(op for op in ops if registry.get(op) is None),
        "constants": sum(array.size for array in arrays),
        "constant_bytes": sum(array.nbytes for array in arrays),
    }


def _all_graphs(graph: Graph) -> Iterator[Graph]:
    pending = [graph]
    while pending:
        graph = pending.pop()
        yield graph
        pending.extend(graph.subgraphs.values())


def _constants(graph: Graph) -> Iterator[Any]:
    for node in graph.nodes:
        value = node.attrs.get("value")
        if node.op == "Const" and isinstance(value, np.ndarray):
            yield value


def _shape(shape: Any) -> list[int | None] | None:
    return None if shape is None else [e if isinstance(e, int) else None for e in shape]


def _spec(spec: Spec) -> dict[str, Any]:
    return {"dtype": spec.dtype, "shape": _shape(spec.shape)}


def text(facts: dict[str, Any]) -> str:
    """The facts for people."""
    lines = []
    for name, signature in facts["signatures"].items():
        lines.append(f"signature {name}")
        for kind in ("inputs", "outputs"):
            for each, spec in signature[kind].items():
                lines.append(f"  {kind[:-1]:<6} {each}: {spell(spec)}")
    lines += [f"root {root['key']!r}: {root['name']} {spell(root)}" for root in facts["roots"]]
    lines.append(
        f"{facts['nodes']} nodes in {facts['graphs']} graph(s), {facts['constants']:,} numbers in "
        f"constants, {facts['constant_bytes']:,} bytes"
    )
    lines += [f"  {count:6} {op}" for op, count in facts["ops"].items()]
    if facts["unknown_ops"]:
        lines.append(f"not registered here: {', '.join(facts['unknown_ops'])}")
    return "\n".join(lines)


def spell(spec: dict[str, Any]) -> str:
    """``float32[?, 3]``; a rank that is unknown is ``[...]``."""
    shape = spec["shape"]
    extents = "..." if shape is None else ", ".join("?" if e is None else str(e) for e in shape)
    return f"{spec['dtype']}[{extents}]"
