"""What a model consists of: the facts for machines, and as text for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .config import get_num_threads
from .errors import FeedError
from .graph.graph import Graph
from .graph.types import evaluate, product
from .runtime.interp import Replanned, Unplanned

if TYPE_CHECKING:
    from .model import Model, Signature, Spec
    from .runtime.interp import Program


class Memory(NamedTuple):
    """Bytes: of the weights as the file has them, of those that the engine keeps packed, of the
    arena and scratch of one call, of its results; `peak` is what one call needs beyond the file.
    """

    weights: int
    packed: int
    arena: int
    scratch: int
    results: int

    @property
    def peak(self) -> int:
        """Packed weights, arena, scratch and results together."""
        return self.packed + self.arena + self.scratch + self.results


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


def memory(signature: Signature, n: int, shapes: Mapping[str, tuple[int, ...]]) -> Memory:
    """Bytes that a call of `signature` takes; see `Signature.memory`."""
    graph = signature._entry.graph
    binding: dict[str, int] = {}
    for name, ref in signature._inputs.items():
        _bind(graph.type(ref).shape, name, n, shapes, binding)
    weights = sum(array.nbytes for array in {id(a): a for a in _constants(graph)}.values())
    weighed = None
    while weighed is None:
        try:
            weighed = _weighed(signature, binding)
        except Replanned:
            signature._entry.engine.renew()
    arena, scratch, packed = weighed
    results = 0
    for ref in signature._outputs.values():
        kind = graph.type(ref)
        if kind.shape is not None and kind.dtype != "string" and not kind.dtype.is_handle:
            with suppress(KeyError):  # a size that only the data tell
                count = evaluate(product(kind.shape), binding)
                results += count * kind.dtype.numpy.itemsize
    return Memory(weights, packed, arena, scratch, results)


def _weighed(signature: Signature, binding: Mapping[str, int]) -> tuple[int, int, int]:
    """Bytes of the largest arena, of scratch for all threads and of packed weights of the plans."""
    arena = scratch = packed = 0
    try:
        for step in _program(signature).steps:
            feeds = getattr(step.function, "feeds", None)
            if feeds is None:
                continue
            sizes = tuple(tuple(evaluate(e, binding) for e in shape) for shape in feeds)
            most, each = step.function.memory(sizes)  # type: ignore[attr-defined]
            arena, scratch = max(arena, most), max(scratch, each * get_num_threads())
            packed += step.function.packed  # type: ignore[attr-defined]
    except KeyError:
        raise FeedError(
            f"sizes inside signature {signature.name!r} depend on the data: no call can be "
            "weighed before it"
        ) from None
    except Replanned:
        raise
    except Unplanned:
        raise FeedError(
            f"signature {signature.name!r} takes no inputs of these sizes: they do not fit each "
            "other, or what the model holds"
        ) from None
    return arena, scratch, packed


def _bind(
    shape: Any, name: str, n: int, shapes: Mapping[str, tuple[int, ...]], binding: dict[str, int]
) -> None:
    """Adds to `binding` what the symbols of an input's shape stand for."""
    given = shapes.get(name)
    if given is not None and shape is not None and len(given) != len(shape):
        raise FeedError(
            f"input {name!r} has rank {len(shape)}, the shape given for it {len(given)}"
        )
    for axis, extent in enumerate(shape or ()):
        if isinstance(extent, int):
            continue
        if given is None and axis:
            raise FeedError(f"input {name!r} varies in axis {axis}: give its shape, {name}=(...)")
        binding[str(extent)] = given[axis] if given is not None else n


def inexact(signature: Signature) -> list[str]:
    """Names and ops of the nodes that are outside the promise of equal bits; see
    `Signature.bits`.
    """
    from .ops import registry

    found = []
    for step in _program(signature).steps:
        record = registry.get(step.node.op.removeprefix("own."))
        if not hasattr(step.function, "feeds") and not (
            record and record.exact and not record.user
        ):
            found.append(f"{step.node.name} ({step.node.op.removeprefix('own.')})")
    return found


def _program(signature: Signature) -> Program:
    executor = signature._entry.engine
    return executor.program(list(signature._outputs.values()), signature._inputs.values())
