"""Variables of a built graph: constants where nothing assigns to them, else state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..dtypes import from_numpy
from ..errors import ConversionError
from ..graph.graph import Graph, Node, Ref, SignatureDef, functions
from ..ops import registry
from ..ops.control import LOOPS, PASSED
from .raw import RawModel

VARIABLES = frozenset({"VarHandleOp", "VariableV2", "Variable"})
_REFERENCES = VARIABLES - {"VarHandleOp"}  # their output is the value, not a handle
READS = {
    "ReadVariableOp": "Identity",
    "ResourceGather": "Gather",
    "ResourceGatherNd": "GatherNd",
    "VariableShape": "Shape",
}
"""What an op on a variable's handle becomes when the variable is a constant."""

_SAME = frozenset({"Identity", "IdentityN"})
_RETURN_REFERENCE = frozenset(
    {
        "Assign",
        "AssignAdd",
        "AssignSub",
        "RefIdentity",
        "ScatterAdd",
        "ScatterDiv",
        "ScatterMax",
        "ScatterMin",
        "ScatterMul",
        "ScatterNdAdd",
        "ScatterNdMax",
        "ScatterNdMin",
        "ScatterNdSub",
        "ScatterNdUpdate",
        "ScatterSub",
        "ScatterUpdate",
        "StridedSliceAssign",
    }
)
_TAKE_REFERENCE = _RETURN_REFERENCE | {
    "CountUpTo",
    "DestroyTemporaryVariable",
    "IsVariableInitialized",
}

Signatures = dict[str, SignatureDef]
Origins = frozenset[int]
"""Numbers of the variables that a handle may be."""
_NONE: Origins = frozenset()


class _Use(NamedTuple):
    graph: Graph
    number: int
    variables: Origins


def freeze(raw: RawModel, graph: Graph, signatures: Signatures) -> tuple[Graph, Signatures]:
    """The graph and its signatures, with constants for variables that nothing assigns; the others
    get their initial values.

    Raises ConversionError for a variable without value that nothing assigns.
    """
    uses: list[_Use] = []
    _trace(graph, [], uses)
    state: set[int] = set()
    for use in uses:
        if _writes(use.graph.nodes[use.number]):
            state |= use.variables
    while mixed := [u for u in uses if u.variables & state and not u.variables <= state]:
        state.update(*(use.variables for use in mixed))  # a handle that may be either is a handle
    for use in uses:
        node = use.graph.nodes[use.number]
        if node.op in READS and not use.variables & state and not node.attrs.get("batch_dims"):
            node.op = READS[node.op]
            record = registry.get(node.op)
            known = record.attrs if record else ()
            node.attrs = {k: v for k, v in node.attrs.items() if k in known}
    for number, node in enumerate(graph.nodes):
        if node.op in VARIABLES:
            _give_value(raw, node, number in state)
    references = {n for n in state if graph.nodes[n].op in _REFERENCES}
    return _with_reads(graph, references, signatures) if references else (graph, signatures)


def _writes(node: Node) -> bool:
    record = registry.get(node.op)
    return record is not None and record.effect == registry.WRITES


def _give_value(raw: RawModel, node: Node, assigned: bool) -> None:
    value = None
    try:
        if node.name in raw.variables:
            value = np.asarray(raw.variables[node.name])
    except ConversionError:
        if not assigned:
            raise
    if assigned:
        dtype = node.attrs.get("dtype")
        if dtype is None and value is not None:
            dtype = from_numpy(value.dtype)
        shape = node.attrs.get("shape")
        node.attrs = {"value": value, "dtype": dtype, "shape": shape, "shared_name": node.name}
    elif value is None:
        raise ConversionError(f"{raw.origin}: variable {node.name!r} has no value")
    else:
        node.op, node.attrs = "Const", {"value": value, "dtype": from_numpy(value.dtype)}


def _trace(graph: Graph, arguments: Sequence[Origins], uses: list[_Use]) -> list[Origins]:
    """Notes which nodes use which variables, those in subgraphs too; the origins of the results."""
    found: dict[Ref, Origins] = dict(zip(graph.inputs, arguments, strict=True))
    references = _NONE
    for number, node in enumerate(graph.nodes):
        if node.op in VARIABLES:
            found[Ref(number)] = frozenset({number})
            references |= {number} if node.op in _REFERENCES else _NONE
            continue
        given = [found.get(ref, _NONE) for ref in node.inputs]
        if node.op in _TAKE_REFERENCE:
            uses.append(_Use(graph, number, given[0]))
            if node.op in _RETURN_REFERENCE:
                found[Ref(number)] = given[0]
            continue
        given = [each - references for each in given]  # others take the value
        if not any(given):
            continue
        if node.op in PASSED:
            results = _trace_call(graph, node, given, uses)
        elif node.op in _SAME:
            results = given
        else:
            uses.append(_Use(graph, number, frozenset().union(*given)))
            results = []
        found.update((Ref(number, i), each) for i, each in enumerate(results) if each)
    return [found.get(ref, _NONE) for ref in graph.outputs]


def _trace_call(graph: Graph, node: Node, given: list[Origins], uses: list[_Use]) -> list[Origins]:
    arguments = given[PASSED[node.op] :]
    before = [_NONE] if node.op == "For" else []
    while True:
        results: list[Origins] = [_NONE] * len(arguments)
        inside: list[_Use] = []
        for function in functions(node.attrs):
            after = _trace(graph.subgraphs[function.name], [*before, *arguments], inside)
            results = (
                [(results[i] if i < len(results) else _NONE) | each for i, each in enumerate(after)]
                if function != node.attrs.get("cond")
                else results
            )
        if node.op not in LOOPS:
            break
        wider = [a | b for a, b in zip(arguments, results, strict=True)]
        if wider == arguments:
            break
        arguments = wider
    uses += inside
    return results


def _with_reads(
    graph: Graph, references: set[int], signatures: Signatures
) -> tuple[Graph, Signatures]:
    """The graph with a read of a variable of TensorFlow 1 before each node that takes its value.

    It happens where TensorFlow hands the value on: after what the node waits for.
    """
    result = Graph(subgraphs=graph.subgraphs)
    moved: dict[Ref, Ref] = {}
    handles: dict[Ref, Any] = {}

    def value(ref: Ref, control: tuple[int, ...], reader: str) -> Ref:
        if ref not in handles:
            return moved[ref]
        name = f"{reader}/{graph.nodes[ref.node].name}"
        while name in result.index:
            name += "_"
        attrs = {"dtype": handles[ref]}
        return Ref(result.add(Node("ReadVariableOp", name, (moved[ref],), attrs, (), control)))

    used = {ref for node in graph.nodes for ref in node.inputs} | set(graph.aliases.values())
    used |= {ref for s in signatures.values() for ref in [*s.inputs.values(), *s.outputs.values()]}
    slots: dict[int, set[int]] = {}
    for ref in used:
        slots.setdefault(ref.node, {0}).add(ref.slot)
    for number, node in enumerate(graph.nodes):
        control = tuple(sorted({moved[Ref(n)].node for n in node.control}))
        inputs = tuple(
            moved[ref] if node.op in _TAKE_REFERENCE and not i else value(ref, control, node.name)
            for i, ref in enumerate(node.inputs)
        )
        if number in references:
            handles[Ref(number)] = node.attrs["dtype"]
        elif node.op in _RETURN_REFERENCE and node.inputs[0] in handles:
            handles[Ref(number)] = handles[node.inputs[0]]
        new = result.add(Node(node.op, node.name, inputs, node.attrs, node.types, control))
        moved.update((Ref(number, slot), Ref(new, slot)) for slot in slots.get(number, {0}))
    result.aliases = {name: moved[ref] for name, ref in graph.aliases.items()}

    fetched = dict(moved)
    for ref in handles:
        writer = () if ref.node in references else (moved[ref].node,)
        read = fetched[ref] = value(ref, writer, "fetch")
        result.aliases[f"{graph.nodes[ref.node].name}:0"] = read
    return result, {
        name: SignatureDef(
            {k: moved[ref] for k, ref in each.inputs.items()},
            {k: fetched[ref] for k, ref in each.outputs.items()},
        )
        for name, each in signatures.items()
    }
