"""RawModel to canonical Graph: function calls inlined, variables frozen, unreachable parts left
out.

Only what the chosen outputs need, through data and control inputs, is built.  Names are
TensorFlow's; nodes inlined from a call are named ``call/inner``, and the call's own outputs stay as
aliases.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ..dtypes import DType
from ..errors import ConversionError, UnknownOperationException, UnsupportedError, near
from ..graph.graph import Graph, Node, Ref, SignatureDef, split_name
from ..graph.types import Dim, ValueType
from ..ops import refused, registry
from ..ops.effects import ORDERED, effect
from ..ops.infer import Typing, infer
from .age import modern
from .freeze import VARIABLES, freeze
from .pipelines import without_pipelines
from .raw import (
    CALLS,
    AttrPlaceholder,
    FuncRef,
    RawArg,
    RawFunction,
    RawGraph,
    RawModel,
    RawNode,
    RawSignature,
    Unreadable,
)
from .share import share
from .sinks import sinks
from .structure import structured
from .tables import fill

_DEEPEST = 60  # functions inside functions that are not inlined


class _Frame:
    """One activation of a function, or the top graph: where its names are looked up."""

    def __init__(
        self,
        prefix: str,
        nodes: dict[str, RawNode],
        args: dict[str, list[Ref]],
        attrs: dict[str, Any],
        function: RawFunction | None = None,
    ) -> None:
        self.prefix = prefix
        self.nodes = nodes
        self.args = args
        self.attrs = attrs
        self.function = function


class _Built(NamedTuple):
    """What a raw node became: its outputs, and the effectful nodes that running it implies."""

    refs: tuple[Ref, ...] | int
    effects: tuple[int, ...]

    def output(self, slot: int) -> Ref:
        """Output `slot`; a plain node is kept as its number, since its types come later."""
        return Ref(self.refs, slot) if isinstance(self.refs, int) else self.refs[slot]


_Key = tuple[_Frame, str]


class _Builder:
    """Builds the graph from the outputs upwards, with a stack of its own."""

    def __init__(self, raw: RawModel, cut: Iterable[str], depth: int = 0) -> None:
        self.raw = raw
        self.graph = Graph()
        self.depth = depth
        self.top = _Frame("", {n.name: n for n in raw.graph.nodes}, {}, {})
        self.cut = {"{}:{}".format(*split_name(name)): name for name in cut}
        self.missing: dict[str, list[str]] = {}
        self.names: dict[str, int] = {}
        self._done: dict[_Key, _Built] = {}
        self._frames: dict[_Key, _Frame] = {}
        self._cut_refs: dict[str, Ref] = {}

    def tensor(self, name: str) -> Ref:
        """The value that the top graph calls `name`, built with all that it needs."""
        node, slot = split_name(name)
        full = f"{node}:{slot}"
        if full in self.cut:
            return self._placeholder(full)
        built = self._build(self._locate(node))
        try:
            return built.output(slot)
        except IndexError:
            raise ConversionError(
                f"{self.raw.origin}: node {node!r} has no output {slot}"
            ) from None

    def function(self, function: RawFunction, attrs: dict[str, Any]) -> Graph:
        """The body of a function as a graph, its arguments as placeholders."""
        args: dict[str, list[Ref]] = {}
        for arg in function.inputs:
            dtypes = _argument_dtypes(arg, attrs)
            args[arg.name] = [
                self._argument(f"{arg.name}_{i}" if len(dtypes) > 1 else arg.name, dtype)
                for i, dtype in enumerate(dtypes)
            ]
        self.top = _Frame("", {n.name: n for n in function.nodes}, args, attrs, function)
        results = [function.ret[arg.name] for arg in function.outputs]
        for spelled in [*function.control_ret.values(), *results]:
            source = spelled.lstrip("^").partition(":")[0]
            if source not in args:
                self._build((self.top, source))
        self.graph.outputs = [self._input(self.top, spelled) for spelled in results]
        return self.graph

    def _argument(self, name: str, dtype: DType) -> Ref:
        node = Node("Placeholder", self._unique(name), (), {"dtype": dtype})
        ref = Ref(self.graph.add(node))
        self.graph.inputs.append(ref)
        return ref

    def _locate(self, name: str) -> _Key:
        """The node called `name`, which may be ``call/inner`` for one in a called function."""
        frame, rest = self.top, name
        while rest not in frame.nodes:
            parts = rest.split("/")
            heads = ("/".join(parts[:i]) for i in range(len(parts) - 1, 0, -1))
            head = next((h for h in heads if h in frame.nodes), None)
            function = self._function(frame.nodes[head]) if head else None
            if head is None or function is None:
                raise ConversionError(
                    f"{self.raw.origin}: the graph has no tensor {name!r}"
                    + near(rest, (frame.prefix + n for n in frame.nodes))
                )
            for source in self._sources(frame, frame.nodes[head]):
                self._build((frame, source))
            frame, rest = self._inside((frame, head), function), rest[len(head) + 1 :]
        return frame, rest

    def _inside(self, call: _Key, function: RawFunction) -> _Frame:
        """The activation of `function` by a call whose inputs are built."""
        if call not in self._frames:
            frame, name = call
            self._frames[call] = self._enter(frame, frame.nodes[name], function)
        return self._frames[call]

    def _build(self, root: _Key) -> _Built:
        stack, opened = [root], set()
        while stack:
            key = stack[-1]
            if key in self._done:
                stack.pop()
                continue
            opened.add(key)
            missing = [dep for dep in self._needs(key) if dep not in self._done]
            if missing:
                for frame, name in missing:
                    if (frame, name) in opened:
                        raise UnsupportedError(
                            f"{self.raw.origin}: node {frame.prefix}{name} depends on itself; "
                            "loops of TensorFlow 1 are not supported"
                        )
                stack.extend(reversed(missing))
                continue
            self._done[key] = self._emit(*key)
            opened.discard(key)
            stack.pop()
        return self._done[root]

    def _needs(self, key: _Key) -> list[_Key]:
        """The nodes that must be built before `key`, in an order in which they may run."""
        frame, name = key
        node = self._node(frame, name)
        needs = [(frame, source) for source in self._sources(frame, node)]
        function = self._function(node)
        if function is None or any(n not in self._done for n in needs):
            return needs
        inner = self._inside(key, function)
        for spelled in (*function.control_ret.values(), *function.ret.values()):
            source = spelled.partition(":")[0].lstrip("^")
            if source not in inner.args:
                needs.append((inner, source))
        return needs

    def _sources(self, frame: _Frame, node: RawNode) -> list[str]:
        sources = [s for s in node.inputs if s.startswith("^")]
        sources += [s for s in node.inputs if not s.startswith("^")]
        names = []
        for spelled in sources:
            name = spelled.lstrip("^").partition(":")[0]
            if name in frame.args or (frame is self.top and self._is_cut(spelled)):
                continue
            names.append(name)
        return names

    def _is_cut(self, spelled: str) -> bool:
        return "{}:{}".format(*split_name(spelled)) in self.cut

    def _node(self, frame: _Frame, name: str) -> RawNode:
        try:
            return frame.nodes[name]
        except KeyError:
            place = f"function {frame.function.name}" if frame.function else "the graph"
            raise ConversionError(
                f"{self.raw.origin}: {place} refers to node {name!r}, which it does not hold"
            ) from None

    def _function(self, node: RawNode) -> RawFunction | None:
        """The function that `node` calls: by attribute, or by using its name as the op."""
        if node.op in CALLS:
            target = node.attrs.get("f")
            name = target.name if isinstance(target, FuncRef) else str(target)
        elif node.op in self.raw.graph.functions:
            name = node.op
        else:
            return None
        try:
            return self.raw.graph.functions[name]
        except KeyError:
            raise ConversionError(
                f"{self.raw.origin}: node {node.name} calls function {name!r}, which the library "
                "does not hold"
            ) from None

    def _lowered(self, value: Any, frame: _Frame, name: str) -> Any:
        """An attribute `name` (of a node) with functions made subgraphs of the graph."""
        if isinstance(value, list):
            return [self._lowered(v, frame, f"{name}_{i}") for i, v in enumerate(value)]
        if not isinstance(value, FuncRef):
            return value
        function = self.raw.graph.functions.get(value.name)
        if function is None:
            raise ConversionError(
                f"{self.raw.origin}: {name} is function {value.name!r}, which the library does not "
                "hold"
            )
        if self.depth > _DEEPEST:
            raise UnsupportedError(f"{self.raw.origin}: function {function.name} calls itself")
        inner = _Builder(self.raw, (), self.depth + 1)
        inner.missing = self.missing
        attrs = {key: self._attr(v, frame) for key, v in value.attrs.items()}
        while name in self.graph.subgraphs:
            name += "_"
        self.graph.subgraphs[name] = inner.function(function, attrs)
        return FuncRef(name, {})

    def _enter(self, frame: _Frame, node: RawNode, function: RawFunction) -> _Frame:
        target = node.attrs.get("f")
        attrs = dict(target.attrs) if isinstance(target, FuncRef) else dict(node.attrs)
        attrs = {name: self._attr(value, frame) for name, value in attrs.items()}
        values = [self._input(frame, s) for s in node.inputs if not s.startswith("^")]
        args: dict[str, list[Ref]] = {}
        for arg in function.inputs:
            count = 1
            if arg.number_attr:
                count = int(attrs[arg.number_attr])
            elif arg.type_list_attr:
                count = len(attrs[arg.type_list_attr])
            args[arg.name], values = values[:count], values[count:]
        if len(frame.prefix) > 4000:
            raise UnsupportedError(f"{self.raw.origin}: function {function.name} calls itself")
        prefix = f"{frame.prefix}{node.name}/"
        return _Frame(prefix, {n.name: n for n in function.nodes}, args, attrs, function)

    def _attr(self, value: Any, frame: _Frame) -> Any:
        if isinstance(value, AttrPlaceholder):
            return frame.attrs.get(str(value))
        if isinstance(value, list):
            return [self._attr(v, frame) for v in value]
        return value

    def _input(self, frame: _Frame, spelled: str) -> Ref:
        """The value that a node's input means."""
        if frame.function is None:
            if self._is_cut(spelled):
                return self._placeholder("{}:{}".format(*split_name(spelled)))
            name, slot = split_name(spelled)
            return self._done[frame, name].output(slot)
        name, _, rest = spelled.partition(":")
        if name in frame.args:
            return frame.args[name][int(rest or 0)]
        output, _, position = rest.rpartition(":") if ":" in rest else (rest, "", "0")
        if output.isdecimal() and position == "0":
            output, position = "", output
        raw = self._node(frame, name)
        return self._done[frame, name].output(self._slot(raw, frame, output, int(position or 0)))

    def _slot(self, node: RawNode, frame: _Frame, output: str, position: int) -> int:
        """The flat number of output `position` of the output argument called `output`."""
        if node.op in CALLS or not output:  # one output argument holds all results
            return position
        function = self._function(node)
        if function is not None:
            names = [(arg.name, arg.number_attr or arg.type_list_attr) for arg in function.outputs]
        else:
            record = registry.get(node.op)
            if record is None or len(record.outputs) < 2:
                return position
            names = [(name, attr) for name, _, attr in (o.partition("*") for o in record.outputs)]
        slot = 0
        for name, attr in names:
            if name == output:
                return slot + position
            count = self._attr(node.attrs.get(attr), frame) if attr else 1
            slot += len(count) if isinstance(count, list) else int(count)
        raise ConversionError(
            f"{self.raw.origin}: node {node.name} ({node.op}) has no output called {output!r}"
        )

    def _placeholder(self, full: str) -> Ref:
        """The input that stands where the caller cut the graph."""
        if full not in self._cut_refs:
            name, slot = split_name(full)
            if name not in self.top.nodes:
                raise ConversionError(
                    f"{self.raw.origin}: the graph has no tensor {full!r}"
                    + near(name, self.top.nodes)
                )
            raw = self.top.nodes[name]
            attrs = {"dtype": _output_dtype(raw, slot), "shape": raw.attrs.get("shape")}
            label = name if slot == 0 else f"{name}_{slot}"
            number = self.graph.add(Node("Placeholder", self._unique(label), (), attrs))
            self._cut_refs[full] = self.graph.aliases[full] = Ref(number)
        return self._cut_refs[full]

    def _emit(self, frame: _Frame, name: str) -> _Built:
        node = frame.nodes[name]
        label = frame.prefix + name
        inputs = [s for s in node.inputs if not s.startswith("^")]
        waits = [
            self._done[frame, s[1:].partition(":")[0]] for s in node.inputs if s.startswith("^")
        ]
        effects = {e for built in waits for e in built.effects}
        function = self._function(node)
        if function is not None:
            return self._leave(frame, node, function, effects)
        refs = tuple(self._input(frame, s) for s in inputs)
        attrs = {k: self._attr(v, frame) for k, v in node.attrs.items() if not k.startswith("_")}
        for key, value in attrs.items():
            if isinstance(value, Unreadable):
                raise UnsupportedError(
                    f"{self.raw.origin}: node {label!r}, attribute {key!r}: {value.reason}"
                )
        op = "Placeholder" if node.op == "PlaceholderV2" else node.op
        record = registry.get(op)
        if record is not None:
            attrs = {
                k: self._lowered(v, frame, f"{label}.{k}")
                for k, v in attrs.items()
                if k in record.attrs
            }
        elif op not in VARIABLES:
            self.missing.setdefault(op, []).append(label)
        unique = self._unique(label)
        made = Node(op, unique, refs, attrs)
        number = self.graph.add(made)
        if unique != label:
            self.names[label] = number
        kind = effect(self.graph, made)
        sources = [self._done[frame, source] for source in self._sources(frame, node)]
        implied = effects.union(*(built.effects for built in sources))
        if kind in ORDERED or kind == registry.READS:
            effects = implied  # TensorFlow leaves out what already follows from an input
        elif op == "Const":
            effects = set()  # whoever takes it waits instead
        else:
            effects.update(e for built in sources if self._constant(built) for e in built.effects)
        made.control = tuple(sorted(effects))
        return _Built(number, (number,) if kind in ORDERED else tuple(sorted(implied)))

    def _constant(self, built: _Built) -> bool:
        return isinstance(built.refs, int) and self.graph.nodes[built.refs].op == "Const"

    def _leave(
        self, frame: _Frame, node: RawNode, function: RawFunction, waits: set[int]
    ) -> _Built:
        """The outputs of an inlined call; where its body has effects, they wait for those."""
        inner = self._frames[frame, node.name]
        refs = [self._input(inner, function.ret[arg.name]) for arg in function.outputs]
        effects = set(waits)
        for spelled in function.control_ret.values():
            effects |= set(self._done[inner, spelled.lstrip("^").partition(":")[0]].effects)
        label = frame.prefix + node.name
        refs = [self._after(ref, effects, f"{label}/output_{i}") for i, ref in enumerate(refs)]
        for i, ref in enumerate(refs):
            self.graph.aliases[f"{label}:{i}"] = ref
        return _Built(tuple(refs), tuple(sorted(effects)))

    def _after(self, ref: Ref, effects: set[int], name: str) -> Ref:
        """A value that waits for what has an effect."""
        if not effects:
            return ref
        control = tuple(sorted(effects))
        return Ref(self.graph.add(Node("Identity", self._unique(name), (ref,), control=control)))

    def signature(self, signature: RawSignature) -> SignatureDef:
        """A signature with all that it needs."""
        inputs = {k: self.tensor(i.name) for k, i in signature.inputs.items()}
        effects: set[int] = set()
        for name in signature.control:
            effects |= self.effects(name)
        outputs = {
            k: self._after(self.tensor(i.name), effects, f"{split_name(i.name)[0]}/output")
            for k, i in signature.outputs.items()
        }
        return SignatureDef(inputs, outputs)

    def effects(self, name: str) -> set[int]:
        """Builds a node of the top graph for what happens when it runs."""
        return set(self._build(self._locate(name)).effects)

    def _unique(self, name: str) -> str:
        candidate, count = name, 0
        while candidate in self.graph.index:
            count += 1
            candidate = f"{name}_{count}"
        return candidate


def _argument_dtypes(arg: RawArg, attrs: dict[str, Any]) -> list[DType]:
    """The dtypes of an argument of a function, which may be several."""
    if arg.type_list_attr:
        return list(attrs[arg.type_list_attr])
    dtype = arg.dtype or attrs[arg.type_attr]
    return [dtype] * (int(attrs[arg.number_attr]) if arg.number_attr else 1)


def _output_dtype(node: RawNode, slot: int) -> DType:
    for attr in ("component_types", "output_types", "Tout", "dtypes"):
        if isinstance(node.attrs.get(attr), list):
            return DType(node.attrs[attr][slot])
    for attr in ("dtype", "DstT", "output_type", "out_type"):
        if isinstance(node.attrs.get(attr), DType):
            return DType(node.attrs[attr])
    if isinstance(node.attrs.get("T"), DType):
        return _ruled_dtype(node, slot)
    if slot < len(refused.DTYPES.get(node.op, ())):
        return refused.DTYPES[node.op][slot]
    raise ConversionError(
        f"the dtype of input {node.name}:{slot} does not show in its op {node.op}"
    )


def _ruled_dtype(node: RawNode, slot: int) -> DType:
    """The dtype that the op's rule gives for inputs of type ``T``; ``T`` where it does not say."""
    kind = DType(node.attrs["T"])
    count = sum(not source.startswith("^") for source in node.inputs)
    record = registry.get(node.op)
    attrs = {k: v for k, v in node.attrs.items() if record and k in record.attrs}
    try:
        types, _ = infer(
            record, attrs, [ValueType(kind)] * count, [None] * count, _anything, slot + 1
        )
        return types[slot].dtype
    except (ValueError, TypeError, IndexError, KeyError, AttributeError):
        return kind


def _anything() -> Dim:
    return Dim.symbol("?")


def lower(
    raw: RawModel,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    signatures: Sequence[str] | None = None,
) -> tuple[Graph, dict[str, SignatureDef]]:
    """The canonical graph of `raw`, typed, and its signatures.

    Where `outputs` are given (tensor names), they make one signature ``default`` whose inputs are
    `inputs`, else the placeholders that they need; otherwise the model's own `signatures` are taken
    (all by default), and where it has none, its sinks.  Raises ConversionError for names that do
    not exist, UnknownOperationException with every op that tfdeploy lacks, UnsupportedError where
    it refuses all of these.
    """
    raw = replace(raw, graph=_structured(raw, inputs, outputs, signatures))
    if outputs is None and raw.signatures:
        chosen = list(signatures or raw.signatures)
        builder = _Builder(raw, ())
        built = {}
        for name in sorted(chosen, key=lambda n: n != "serving_default"):  # it keeps its names
            built[name] = builder.signature(raw.signatures[name])
        built = {name: built[name] for name in chosen}
    else:
        builder = _Builder(raw, inputs or ())
        results = {
            label(n): builder.tensor(n) for n in (sinks(raw) if outputs is None else outputs)
        }
        graph = builder.graph
        if inputs is None:
            needed = graph.ancestors(ref.node for ref in results.values())
            feeds = {
                graph.nodes[i].name: Ref(i) for i in needed if graph.nodes[i].op == "Placeholder"
            }
        else:
            feeds = {label(n): builder.tensor(n) for n in inputs}
        built = {"default": SignatureDef(feeds, results)}
    _report_missing(raw, builder.missing)
    order = sorted(built, key=lambda n: n != "serving_default")
    graph, shared, names = share(builder.graph, {n: built[n] for n in order}, builder.names)
    graph, shared = freeze(raw, graph, shared)
    fill(raw, graph, _initialiser)
    assign_types(raw.origin, graph, (r for d in shared.values() for r in d.outputs.values()))
    for name, number in names.items():
        for slot in range(len(graph.nodes[number].types)):
            graph.aliases.setdefault(f"{name}:{slot}", Ref(number, slot))
    return graph, {name: shared[name] for name in built}


def _structured(
    raw: RawModel,
    inputs: Sequence[str] | None,
    outputs: Sequence[str] | None,
    signatures: Sequence[str] | None,
) -> RawGraph:
    """The graph with today's attributes and, where it is needed, without control flow of old."""
    wanted: list[str] = []
    if outputs is None and raw.signatures:
        for name in signatures or raw.signatures:
            signature = raw.signatures[name]
            wanted += [info.name for info in signature.inputs.values()]
            wanted += [info.name for info in signature.outputs.values()]
            wanted += signature.control
    else:
        wanted += sinks(raw) if outputs is None else outputs
    roots = list(dict.fromkeys(split_name(name.lstrip("^"))[0] for name in wanted))
    graph = without_pipelines(modern(raw.graph), roots, inputs or (), raw.origin)
    return structured(graph, roots, inputs or (), raw.origin)


def _initialiser(raw: RawModel, name: str) -> tuple[Graph, Iterable[str]]:
    """A node with all that it needs as a graph of its own, and the op types that are unknown."""
    builder = _Builder(raw, ())
    builder.effects(name)
    return builder.graph, builder.missing


def label(name: str) -> str:
    """The short form of a tensor name: ``a:0`` is ``a``."""
    return name[:-2] if name.endswith(":0") else name


def _report_missing(raw: RawModel, missing: dict[str, list[str]]) -> None:
    """Raises one error with every op without record that was reached, if there is any."""
    if not missing:
        return
    width = max(map(len, missing))
    unknown: list[str] = []
    refusals: dict[str, list[str]] = {}
    for op, names in sorted(missing.items(), key=lambda item: -len(item[1])):
        reason = refused.why(op)
        lines = unknown if reason is None else refusals.setdefault(reason, [])
        lines.append(f"  {op:{width}}  {len(names):5} x  first: {', '.join(names[:3])}")
    text: list[str] = []
    if refusals:
        text.append(f"{len(missing) - len(unknown)} op type(s) of this graph are refused:")
        for reason, lines in refusals.items():
            text += [*lines, f"    {reason}"]
    if unknown:
        text += [f"{len(unknown)} op type(s) of this graph are unknown to tfdeploy:", *unknown]
        text.append(
            "register each as a subclass of tfdeploy.Operation before converting, or choose "
            "outputs= that do not need them"
        )
    message = f"{raw.origin}: " + "\n".join(text)
    if unknown:
        raise UnknownOperationException(message, missing)
    raise UnsupportedError(message)


def assign_types(origin: str, graph: Graph, used: Iterable[Ref] = ()) -> None:
    """Infers the type of every node, in order; raises ConversionError where an op's inputs cannot
    be.

    An op without type rule has as many outputs as others, or the values `used`, refer to.
    """
    Typing(graph).run(origin, used)
