"""Which value belongs to which variable of a graph.

The restore op of a model says so: it leads, through function calls, to ops that assign tensors of
a checkpoint to variables.  Names alone do not: two variables may share one, and a checkpoint of
objects names paths of objects.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from ..errors import ConversionError, FormatError, TfdeployError, near
from . import protos, wire
from .bundle import Bundle, parse_slice
from .raw import CALLS, FuncRef, RawFunction, RawGraph, RawNode
from .slices import open_checkpoint

VARIABLE_OPS = frozenset({"VarHandleOp", "VariableV2", "Variable"})
_ASSIGN_OPS = frozenset({"Assign", "AssignVariableOp"})
_IMPORT_OPS = frozenset({"LookupTableImport", "LookupTableImportV2"})
TABLE_PARTS = ("~keys", "~values")
"""What follows a table's name in the names of the values that a checkpoint has for it."""
_SAME_VALUE = frozenset({"Identity", "Reshape", "Snapshot"})
_SLICES = {"RestoreV2": 2, "RestoreSlice": 2, "Restore": None}  # which input says the slice
RESTORES = frozenset(_SLICES)
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_MAX_SCOPES = 10_000
_MAX_STEPS = 10_000


class Restored(NamedTuple):
    """A value in a checkpoint: its name there, the slice of it (``""`` for all), and whether it
    takes the variable's shape.
    """

    key: str
    part: str = ""
    reshape: bool = False


Source = Restored | np.ndarray
"""Where a variable's value comes from: a checkpoint, or a constant that an initialiser assigns."""


class Variables(Mapping[str, np.ndarray]):
    """The values of a graph's variables by node name, read when asked for.

    `nodes` are the variables, `sources` says where the values of (some of) them come from; the
    checkpoint `prefix` may be None.  Each access raises ConversionError where the variable has no
    value, FormatError where the checkpoint is damaged.
    """

    def __init__(
        self,
        nodes: Mapping[str, RawNode],
        sources: Mapping[str, Source],
        prefix: str | None,
        origin: str,
    ) -> None:
        self._nodes, self._sources = nodes, sources
        self._prefix, self._origin = prefix, origin
        self._bundle: Bundle | None = None
        self._object_names: dict[str, list[str]] | None = None

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __contains__(self, name: object) -> bool:
        return name in self._nodes

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._nodes:
            hint = near(name, self._nodes)
            raise ConversionError(f"{self._origin} has no variable {name!r}{hint}")
        node = self._nodes[name]
        source = self._sources[name] if name in self._sources else self._shared(node)
        if isinstance(source, np.ndarray):
            return source
        where = f"{self._origin}: variable {name!r}"
        bundle = self._checkpoint(where)
        if source is None:
            source = self._guess(node, bundle, where)
        try:
            value = bundle.read(source.key, parse_slice(source.part))
        except TfdeployError as error:
            raise type(error)(f"{where}: {error}") from None
        return _fitting(value, node, source, where)

    def _checkpoint(self, where: str) -> Bundle:
        if self._bundle is None:
            if self._prefix is None:
                raise ConversionError(
                    f"{where} has no value: the file holds a graph alone. Freeze the graph, "
                    "or convert the SavedModel"
                )
            self._bundle = open_checkpoint(self._prefix)
            if self._bundle is None:
                raise ConversionError(f"{where} has no value: {self._prefix}.index does not exist")
        return self._bundle

    def _shared(self, node: RawNode) -> Source | None:
        """The source of another node that names the same variable."""
        identity = _identity(node)
        for name, source in self._sources.items():
            if name in self._nodes and _identity(self._nodes[name]) == identity:
                return source
        return None

    def _guess(self, node: RawNode, bundle: Bundle, where: str) -> Restored:
        """The tensor of the checkpoint that by its name is the variable's."""
        if self._object_names is None:
            self._object_names = _object_names(bundle)
        shared = _identity(node)[1]
        for name in (shared, node.name):
            keys = self._object_names.get(name, [name])
            if len(keys) > 1:
                raise ConversionError(
                    f"{where}: checkpoint {bundle.prefix} has several tensors of that name, "
                    f"{', '.join(keys)}, and the graph does not say which"
                )
            if keys[0] in bundle:
                return Restored(keys[0])
        hint = near(shared, bundle)
        raise ConversionError(f"{where} has no value in checkpoint {bundle.prefix}{hint}")


def _identity(node: RawNode) -> tuple[str, str]:
    """Container and name of a variable: nodes that have both in common share its value."""
    return str(node.attrs.get("container") or ""), str(node.attrs.get("shared_name") or node.name)


def _object_names(bundle: Bundle) -> dict[str, list[str]]:
    """The checkpoint's own list of its objects: names of variables to keys."""
    names: dict[str, list[str]] = {}
    if _OBJECT_GRAPH in bundle:
        where = f"{bundle.prefix}: {_OBJECT_GRAPH}"
        data = bundle[_OBJECT_GRAPH]
        if data.shape != () or data.dtype != object:
            raise FormatError(f"{where}: {data.dtype} of shape {data.shape}, expected a string")
        for item in wire.parse(data.item(), protos.OBJECT_GRAPH, where).nodes:
            for attribute in item.attributes:
                names.setdefault(attribute.full_name, []).append(attribute.checkpoint_key)
    return names


def _fitting(value: np.ndarray, node: RawNode, source: Restored, where: str) -> np.ndarray:
    """`value`, if it has the dtype and the shape that the node says."""
    key, dtype, shape = source.key, node.attrs.get("dtype"), node.attrs.get("shape")
    if dtype is not None and dtype.numpy != value.dtype:
        raise ConversionError(f"{where} is {dtype}, its value {key!r} is {value.dtype}")
    if shape is None or None in shape or shape == value.shape:
        return value
    if source.reshape and math.prod(shape) == value.size:
        return value.reshape(shape)
    raise ConversionError(f"{where} has shape {shape}, its value {key!r} has {value.shape}")


class _Scope:
    """The top graph, or one call of a function: where the names of its nodes are looked up."""

    def __init__(
        self,
        nodes: dict[str, RawNode],
        function: RawFunction | None = None,
        caller: _Scope | None = None,
        call: RawNode | None = None,
    ) -> None:
        self.nodes, self.function, self.caller, self.call = nodes, function, caller, call
        self.calls: dict[str, _Scope] = {}
        names = [item.name for item in function.inputs] if function else []
        self.arguments = {name: index for index, name in enumerate(names)}


class _Value(NamedTuple):
    """Output `slot` of a node (None where an input leads nowhere), reshaped on the way or not."""

    scope: _Scope
    node: RawNode | None
    slot: int = 0
    reshaped: bool = False


class _Tracer:
    """Follows values through a graph and the functions that it calls."""

    def __init__(self, graph: RawGraph, origin: str) -> None:
        self.graph, self.origin = graph, origin
        self.top = _Scope({node.name: node for node in graph.nodes})
        self._bodies: dict[str, dict[str, RawNode]] = {}
        self._scopes = 0

    def assignments(self, root: str) -> Iterator[tuple[str, _Value]]:
        """Variables of the top graph that running the node `root` assigns, and their values.

        A table that it fills counts as two, with names that end in `TABLE_PARTS`.
        """
        stack, seen = [(self.top, root)], {(self.top, root)}
        while stack:
            scope, name = stack.pop()
            node = scope.nodes.get(name)
            if node is None:
                continue
            if node.op in _ASSIGN_OPS and len(node.inputs) > 1:
                variable = self.resolve(scope, node.inputs[0]).node
                if variable is not None and variable.op in VARIABLE_OPS:
                    yield variable.name, self.resolve(scope, node.inputs[1])
            if node.op in _IMPORT_OPS and len(node.inputs) > 2:
                table = self.resolve(scope, node.inputs[0]).node
                for part, spelled in zip(TABLE_PARTS, node.inputs[1:3], strict=True):
                    if table is not None:
                        yield table.name + part, self.resolve(scope, spelled)
            needs = [(scope, _split(spelled)[0]) for spelled in node.inputs]
            inner = self._enter(scope, node)
            if inner is not None:
                needs += [(inner, each) for each in inner.nodes]
            for need in needs:
                if need not in seen:
                    seen.add(need)
                    stack.append(need)

    def resolve(self, scope: _Scope, spelled: str) -> _Value:
        """Where the value of an input comes from, past calls and ops that pass it on."""
        reshaped = False
        for _ in range(_MAX_STEPS):
            name, slot = _split(spelled)
            if name in scope.arguments and scope.caller is not None and scope.call is not None:
                index, inputs = scope.arguments[name], scope.call.inputs
                if index >= len(inputs):
                    return _Value(scope, None)
                scope, spelled = scope.caller, inputs[index]
                continue
            node = scope.nodes.get(name)
            inner = self._enter(scope, node) if node is not None else None
            if inner is not None and inner.function is not None:
                outputs, ret = inner.function.outputs, inner.function.ret
                if slot >= len(outputs) or outputs[slot].name not in ret:
                    return _Value(scope, None)
                scope, spelled = inner, ret[outputs[slot].name]
            elif node is not None and node.op in _SAME_VALUE and node.inputs:
                spelled = node.inputs[0]
                reshaped |= node.op == "Reshape"
            else:
                return _Value(scope, node, slot, reshaped)
        raise FormatError(f"{self.origin}: the value of {spelled!r} depends on itself")

    def constant(self, scope: _Scope, spelled: str) -> np.ndarray | None:
        """The array that an input is, if it is a constant."""
        node = self.resolve(scope, spelled).node
        value = node.attrs.get("value") if node is not None and node.op == "Const" else None
        return value if isinstance(value, np.ndarray) else None

    def _enter(self, scope: _Scope, node: RawNode) -> _Scope | None:
        """The scope of a call; None where the node calls no function."""
        name = node.op
        if node.op in CALLS and isinstance(node.attrs.get("f"), FuncRef):
            name = node.attrs["f"].name
        function = self.graph.functions.get(name)
        if function is None:
            return None
        if node.name not in scope.calls:
            self._scopes += 1
            if self._scopes > _MAX_SCOPES:
                raise FormatError(f"{self.origin}: function {name!r} calls itself without end")
            body = self._bodies.setdefault(name, {n.name: n for n in function.nodes})
            scope.calls[node.name] = _Scope(body, function, scope, node)
        return scope.calls[node.name]


def _split(spelled: str) -> tuple[str, int]:
    """Node and output number of an input: ``a``, ``a:1``, ``^a``, or ``a:output:1``."""
    name, *rest = spelled.lstrip("^").split(":")
    return name, int(rest[-1]) if rest and rest[-1].isdecimal() else 0


def find_sources(
    graph: RawGraph, restore: str, init_ops: Iterable[str], assets: Iterable[str], origin: str
) -> dict[str, Source]:
    """Where the values of the top graph's variables come from.

    `restore` is the node that restores them from a checkpoint (may be empty); `init_ops` count
    where they assign constants.  `assets` are filename tensors, whose values are their own names.
    """
    tracer = _Tracer(graph, origin)
    names = {_split(asset)[0]: asset for asset in assets}
    sources: dict[str, Source] = {}
    for root in init_ops:
        for variable, value in tracer.assignments(root):
            if value.node is not None and value.node.name in names and value.scope is tracer.top:
                sources[variable] = np.array(names[value.node.name].encode(), object)
            elif value.node is not None and value.node.op == "Const":
                constant = value.node.attrs.get("value")
                if isinstance(constant, np.ndarray):
                    sources[variable] = constant
    sources = {name: s for name, s in sources.items() if not name.endswith(TABLE_PARTS)}
    for variable, value in tracer.assignments(_split(restore)[0]):
        restored = _restored(tracer, value)
        if restored is not None:
            sources[variable] = restored
    return sources


def _restored(tracer: _Tracer, value: _Value) -> Restored | None:
    """What of a checkpoint an output of a restore op is."""
    scope, node, slot, reshaped = value
    if node is None or node.op not in _SLICES:
        return None
    texts = []
    for index in (1, _SLICES[node.op]):
        if index is None:
            texts.append("")
            continue
        found = tracer.constant(scope, node.inputs[index]) if index < len(node.inputs) else None
        if found is None or found.dtype != object or slot >= found.size:
            return None
        texts.append(found.reshape(-1)[slot].decode("utf-8", "backslashreplace"))
    return Restored(texts[0], texts[1], reshaped)
