"""Control flow of TensorFlow 1 made structured: loops and conditionals as calls of functions.

A loop of TensorFlow 1 is a frame: `Enter` leads into it, `Merge` takes the first or the next value,
`Switch` hands it on to the body or to `Exit`, `NextIteration` leads back.  It becomes one `While`.
A conditional is a set of `Switch` and `Merge` nodes with one predicate between them; it becomes one
`If`.  Frames and conditionals nest; a function is structured after it was cut out, so what is
inside comes after what is outside.  (Yu et al., Dynamic Control Flow in Large-Scale Machine
Learning, 2018.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from ..dtypes import FLOAT32, DType
from ..errors import FormatError, UnsupportedError
from ..graph.graph import FuncRef, split_name
from ..ops import registry
from ..ops.effects import ORDERED
from .arrays import as_lists, is_tensor_array, least_inputs
from .raw import RawArg, RawFunction, RawGraph, RawNode

Nodes = dict[str, RawNode]
Tensor = tuple[str, int]
Context = frozenset[tuple[Tensor, int]]
"""Which way each predicate has gone where a value exists; both ways: it never does."""

_SWITCH, _MERGE, _ENTER, _EXIT = "Switch", "Merge", "Enter", "Exit"
_NEXT, _LOOP_COND = "NextIteration", "LoopCond"
_LEAST = {_SWITCH: 2, _MERGE: 1, _ENTER: 1, _EXIT: 1, _NEXT: 1, _LOOP_COND: 1, "Identity": 1}
_MOST_CLONED = 256  # elements of a constant that a function gets a copy of
_DEEPEST = 60
_NEVER: Context = frozenset({(("", 0), 0), (("", 0), 1)})


def structured(graph: RawGraph, roots: Iterable[str], cut: Iterable[str], origin: str) -> RawGraph:
    """The graph without control flow of TensorFlow 1 in what the nodes `roots` need.

    Nothing beyond the tensors `cut` is looked at.  Raises UnsupportedError, naming the node, where
    the control flow is not that of conditionals and loops, FormatError where inputs are missing.
    """
    if not any(_is_old(node) for node in graph.nodes):
        return graph
    stops = {split_name(name) for name in cut}
    nodes = needed({node.name: node for node in graph.nodes}, roots, stops)
    for node in nodes.values():
        _check(node, origin)
    builder = _Structurer(graph, origin)
    done = builder.scope(as_lists(nodes, origin), list(roots), 0)
    others = [node for node in graph.nodes if node.name not in nodes and node.name not in done]
    return replace(graph, nodes=[*done.values(), *others], functions=builder.functions)


def _is_old(node: RawNode) -> bool:
    return _kind(node) in (_SWITCH, _MERGE, _ENTER) or is_tensor_array(node)


def _check(node: RawNode, origin: str) -> None:
    """Raises FormatError where a node of control flow has too few inputs."""
    count = len(_data(node))
    least = _LEAST.get(_kind(node), 0) or least_inputs(node)
    if count < least:
        raise FormatError(
            f"{origin}: node {node.name} ({node.op}) has {count} inputs, expected {least}"
        )


def _kind(node: RawNode) -> str:
    return node.op.removeprefix("Ref")


def _data(node: RawNode) -> list[Tensor]:
    return [split_name(spelled) for spelled in node.inputs if not spelled.startswith("^")]


def _controls(node: RawNode) -> list[str]:
    return [spelled[1:] for spelled in node.inputs if spelled.startswith("^")]


def _sources(node: RawNode) -> list[str]:
    return [source for source, _ in _data(node)] + _controls(node)


def _spell(tensor: Tensor) -> str:
    return tensor[0] if tensor[1] == 0 else f"{tensor[0]}:{tensor[1]}"


def needed(nodes: Nodes, roots: Iterable[str], stops: Iterable[Tensor] = ()) -> Nodes:
    """What the nodes `roots` need, in the order of `nodes`."""
    stopped = set(stops)
    seen: set[str] = set()
    pending = list(roots)
    while pending:
        name = pending.pop()
        if name in seen or name not in nodes:
            continue
        seen.add(name)
        node = nodes[name]
        pending += [source for source, slot in _data(node) if (source, slot) not in stopped]
        pending += _controls(node)
    return {name: node for name, node in nodes.items() if name in seen}


def _ordered(nodes: Nodes) -> list[str]:
    """Names of the nodes, inputs first; the way back in a loop does not count."""
    done: dict[str, None] = {}
    opened: set[str] = set()
    for root in nodes:
        stack = [root]
        while stack:
            name = stack[-1]
            if name in done:
                stack.pop()
                continue
            sources = _sources(nodes[name])
            missing = [
                source
                for source in sources
                if source in nodes and source not in done and _kind(nodes[source]) != _NEXT
            ]
            if missing and name not in opened:
                opened.add(name)
                stack.extend(missing)
                continue
            done[name] = None
            stack.pop()
    return list(done)


class _Cut:
    """A function in the making: nodes cut out of a scope, and what they take from outside.

    `resolve` says what a tensor means there: an argument's name, or a tensor, itself or another.
    """

    def __init__(
        self, nodes: Nodes, arguments: dict[Tensor, str], inside: Callable[[str], bool]
    ) -> None:
        self.outer, self.arguments, self.inside = nodes, arguments, inside
        self.nodes: Nodes = {}
        self.waits: set[str] = set()
        self.held: list[str] = []
        self._pending: list[str] = []

    def tensor(self, tensor: Tensor, resolve: Callable[[Tensor], Tensor | str]) -> str:
        """How the function spells a tensor of the scope; takes over all that it needs."""
        spelled = self._use(resolve(tensor))
        self._take(resolve)
        return spelled

    def hold(self, control: str, resolve: Callable[[Tensor], Tensor | str]) -> None:
        """Makes the function run a node whose results it does not need."""
        if self.inside(control) and isinstance(resolve((control, 0)), tuple):
            self.held.append(control)
            self._pending.append(control)
            self._take(resolve)

    def _take(self, resolve: Callable[[Tensor], Tensor | str]) -> None:
        """Takes over the nodes that are waiting, with all that they need."""
        while self._pending:
            name = self._pending.pop()
            if name in self.nodes:
                continue
            node = self.outer[name]
            inputs = [self._use(resolve(each)) for each in _data(node)]
            for control in _controls(node):
                if control not in self.outer:
                    continue
                if not self.inside(control):
                    self.waits.add(control)
                elif isinstance(resolve((control, 0)), tuple):
                    inputs.append(f"^{control}")
                    self._pending.append(control)
            self.nodes[name] = RawNode(name, node.op, inputs, node.attrs)

    def _use(self, found: Tensor | str) -> str:
        if isinstance(found, str):
            return found
        name, _ = found
        node = self.outer.get(name)
        if node is not None and self.inside(name):
            if name not in self.nodes:
                self._pending.append(name)
        elif node is not None and _is_small(node):
            self.nodes[name] = RawNode(name, node.op, [], node.attrs)
        else:
            return self.arguments.setdefault(found, f"argument~{len(self.arguments)}")
        return _spell(found)


def _is_small(node: RawNode) -> bool:
    value = node.attrs.get("value")
    return node.op == "Const" and isinstance(value, np.ndarray) and value.size <= _MOST_CLONED


class _Loop:
    """A frame: `merges` are its values, each with its `Enter` and with what the next one is."""

    def __init__(
        self, nodes: Nodes, frame: str, paths: dict[str, tuple[str, ...]], origin: str
    ) -> None:
        self.frame, self.origin, self._paths = frame, origin, paths
        self.level = {n: nodes[n] for n, path in paths.items() if path == (frame,)}
        conditions = [n for n, node in self.level.items() if _kind(node) == _LOOP_COND]
        if len(conditions) != 1:
            raise UnsupportedError(
                f"{origin}: loop {frame!r} has {len(conditions)} conditions, not one"
            )
        self.condition = conditions[0]
        self.merges: dict[str, tuple[RawNode, Tensor]] = {}
        self.held: list[str] = []
        for name, node in self.level.items():
            back = [t for t in _data(node) if t[0] in nodes and _kind(nodes[t[0]]) == _NEXT]
            if _kind(node) == _MERGE and back:
                enters = [t[0] for t in _data(node) if _kind(nodes.get(t[0], node)) == _ENTER]
                if len(enters) != 1:
                    raise UnsupportedError(
                        f"{origin}: node {name} (Merge) of loop {frame!r} has {len(enters)} first "
                        "values, not one"
                    )
                self.merges[name] = nodes[enters[0]], _data(nodes[back[0][0]])[0]
                self.held += _controls(nodes[back[0][0]])
        self.own = {name: f"argument~{i}" for i, name in enumerate(self.merges)}
        self._switches = {
            name: _data(node)[0]
            for name, node in self.level.items()
            if _kind(node) == _SWITCH and _through(nodes, _data(node)[1])[0] == self.condition
        }

    def resolve(self, tensor: Tensor) -> Tensor | str:
        """A value of the loop as its argument, others past what leads into the body."""
        for _ in self.level:  # switches may stand behind each other
            if tensor[0] not in self._switches:
                break
            tensor = self._switches[tensor[0]]
        node = self.level.get(tensor[0])
        if node is not None and _kind(node) == _ENTER:
            return _data(node)[0]
        return self.own.get(tensor[0], tensor)

    def inside(self, name: str) -> bool:
        """Whether a node is in the frame or in one inside of it."""
        return self._paths.get(name, ())[:1] == (self.frame,)

    def exits(self, nodes: Nodes, call: str) -> Nodes:
        """The exits as identities of results of the node `call`."""
        numbers = {(merge, 0): i for i, merge in enumerate(self.merges)}
        found = {}
        for name, node in nodes.items():
            source = _data(node)[0][0] if _kind(node) == _EXIT else ""
            if source not in self.level:
                continue
            number = numbers.get(self._switches.get(source, ("", 0)))
            if number is None:
                raise UnsupportedError(
                    f"{self.origin}: node {name} leaves loop {self.frame!r} with no value of it"
                )
            held = [f"^{control}" for control in _controls(node)]
            found[name] = RawNode(name, "Identity", [_spell((call, number)), *held], node.attrs)
        return found


class _Structurer:
    """Structures scopes: the top graph, then the functions that were cut out of it."""

    def __init__(self, graph: RawGraph, origin: str) -> None:
        self.functions = dict(graph.functions)
        self.origin = origin

    def scope(self, nodes: Nodes, roots: list[str], depth: int) -> Nodes:
        """The nodes that `roots` need, structured; names that are no nodes are arguments."""
        if depth > _DEEPEST:
            raise UnsupportedError(f"{self.origin}: control flow nested deeper than {_DEEPEST}")
        nodes = needed(nodes, roots)
        if any(_kind(node) == _ENTER for node in nodes.values()):
            nodes = _without_idle_frames(nodes)
            paths = _paths(nodes)
            for frame in dict.fromkeys(path[0] for path in paths.values() if path):
                self._loop(nodes, frame, paths, depth)
        nodes = needed(nodes, roots)
        while any(_kind(node) in (_SWITCH, _MERGE) for node in nodes.values()):
            self._conditionals(nodes, depth)
            nodes = needed(nodes, roots)
        return nodes

    def _function(
        self, name: str, cut: _Cut, results: list[str], dtypes: list[DType], depth: int
    ) -> FuncRef:
        """Adds a function to the library."""
        while name in self.functions:
            name += "_"
        self.functions[name] = RawFunction(name, [], [], [], {})  # the name is taken
        arguments = list(cut.arguments.values())
        roots = [split_name(result)[0] for result in results] + cut.held
        nodes = self.scope(cut.nodes, roots, depth + 1)
        outputs = [RawArg(f"result~{i}", dtype) for i, dtype in enumerate(dtypes)]
        inputs = [RawArg(each, FLOAT32) for each in arguments]  # the call decides on the dtype
        ret = {arg.name: result for arg, result in zip(outputs, results, strict=True)}
        held = {control: control for control in cut.held}
        self.functions[name] = RawFunction(name, inputs, outputs, list(nodes.values()), ret, held)
        return FuncRef(name, {})

    def _loop(
        self, nodes: Nodes, frame: str, paths: dict[str, tuple[str, ...]], depth: int
    ) -> None:
        """Makes one `While` of a frame at the outermost level of a scope."""
        loop = _Loop(nodes, frame, paths, self.origin)
        arguments: dict[Tensor, str] = {(merge, -1): own for merge, own in loop.own.items()}
        cond, body = (_Cut(nodes, arguments, loop.inside) for _ in range(2))
        test = cond.tensor(_data(nodes[loop.condition])[0], loop.resolve)
        results = [body.tensor(after, loop.resolve) for _, after in loop.merges.values()]
        for control in dict.fromkeys(loop.held):
            body.hold(control, loop.resolve)
        captured = [tensor for tensor in arguments if tensor[1] >= 0]
        results += [arguments[tensor] for tensor in captured]
        dtypes = [_dtype(enter) for enter, _ in loop.merges.values()] + [FLOAT32] * len(captured)
        name = _free(frame, nodes)
        enters = [enter for enter, _ in loop.merges.values()]
        inputs = [_spell(_data(enter)[0]) for enter in enters] + [_spell(t) for t in captured]
        waits = {f"^{control}" for enter in enters for control in _controls(enter)}
        attrs = {
            "cond": self._function(f"{name}/cond", cond, [test], [DType("bool")], depth),
            "body": self._function(f"{name}/body", body, results, dtypes, depth),
        }
        nodes.update(loop.exits(nodes, name))
        for member in [n for n in nodes if loop.inside(n)]:
            del nodes[member]
        nodes[name] = RawNode(name, "While", inputs + sorted(waits), attrs)

    def _conditionals(self, nodes: Nodes, depth: int) -> None:
        """Makes an `If` of each outermost conditional; where there is none, opens the branches."""
        contexts = _Contexts(nodes, self.origin)
        for group in contexts.groups():
            self._conditional(nodes, group, contexts, depth)
        if not contexts.changed:
            contexts.open()

    def _conditional(
        self, nodes: Nodes, merges: list[str], contexts: _Contexts, depth: int
    ) -> None:
        predicate = contexts.predicates[merges[0]]
        arguments: dict[Tensor, str] = {}
        scope = merges[0].rpartition("/")[0]
        name = _free(f"{scope}/If" if scope else "If", nodes)
        dtypes = [_dtype(nodes[merge]) for merge in merges]
        cuts, waits = [], set()
        for way in (1, 0):
            cut = _Cut(nodes, arguments, contexts.inside(predicate, way))
            results = []
            for merge in merges:
                sides = [t for t in _data(nodes[merge]) if (predicate, way) in contexts.at(t)]
                results.append(cut.tensor(sides[0], contexts.resolver(predicate)))
            cuts.append((cut, results))
            waits |= cut.waits
        branches = [
            self._function(f"{name}/{branch}", cut, results, dtypes, depth)
            for branch, (cut, results) in zip(("then", "else"), cuts, strict=True)
        ]
        inputs = [_spell(predicate), *map(_spell, arguments)]
        inputs += sorted(f"^{wait}" for wait in waits)
        attrs = {"then_branch": branches[0], "else_branch": branches[1]}
        nodes[name] = RawNode(name, "If", inputs, attrs)
        for i, merge in enumerate(merges):
            nodes[merge] = RawNode(merge, "Identity", [_spell((name, i))], nodes[merge].attrs)


def _paths(nodes: Nodes) -> dict[str, tuple[str, ...]]:
    """The frames around each node, from the outside in."""
    paths: dict[str, tuple[str, ...]] = {}
    for name in _ordered(nodes):
        node = nodes[name]
        sources = _sources(node)
        around = max((paths.get(source, ()) for source in sources), key=len, default=())
        if _kind(node) == _ENTER:
            around = (*paths.get(_data(node)[0][0], ()), str(node.attrs.get("frame_name")))
        elif _kind(node) == _EXIT:
            around = around[:-1]
        paths[name] = around
    return paths


def _without_idle_frames(nodes: Nodes) -> Nodes:
    """The nodes without the frames that nothing comes back in: what leads in and out is passed on
    once."""
    paths = _paths(nodes)
    turning = {paths[n] for n, node in nodes.items() if _kind(node) in (_NEXT, _LOOP_COND)}

    def idle(name: str, node: RawNode) -> bool:
        if _kind(node) == _ENTER:
            return paths[name] not in turning
        return _kind(node) == _EXIT and paths.get(_data(node)[0][0], ()) not in turning

    return {
        name: replace(node, op="Identity") if idle(name, node) else node
        for name, node in nodes.items()
    }


def _dtype(node: RawNode) -> DType:
    found = node.attrs.get("T")
    return found if isinstance(found, DType) else FLOAT32


def _through(nodes: Nodes, tensor: Tensor) -> Tensor:
    """The tensor that a predicate is, past what only hands it on."""
    for _ in nodes:
        node = nodes.get(tensor[0])
        if node is None or _kind(node) not in ("Identity", _SWITCH):
            break
        tensor = _data(node)[0]
    return tensor


def _free(name: str, nodes: Nodes) -> str:
    while name in nodes:
        name += "_"
    return name


class _Contexts:
    """Which predicates decide whether the values of a scope without loops exist.

    A merge of which all sides but one can never exist becomes an identity.
    """

    def __init__(self, nodes: Nodes, origin: str) -> None:
        self.nodes, self.origin = nodes, origin
        self.of: dict[str, Context] = {}
        self.predicates: dict[str, Tensor] = {}
        self.changed = False
        self._switches: dict[str, Tensor | None] = {}
        self._order = _ordered(nodes)
        self._places = {name: i for i, name in enumerate(self._order)}
        for name in self._order:
            node = nodes[name]
            if _kind(node) == _MERGE:
                self.of[name] = self._merge(name, node)
            else:
                found = [self.at(tensor) for tensor in _data(node)]
                found += [self.of.get(control, frozenset()) for control in _controls(node)]
                self.of[name] = frozenset().union(*found)

    def switch(self, name: str) -> Tensor | None:
        """The predicate of a switch; None for other nodes."""
        if name not in self._switches:
            node = self.nodes.get(name)
            is_switch = node is not None and _kind(node) == _SWITCH
            self._switches[name] = (
                _through(self.nodes, _data(node)[1]) if node is not None and is_switch else None
            )
        return self._switches[name]

    def at(self, tensor: Tensor) -> Context:
        """The context of a value."""
        around = self.of.get(tensor[0], frozenset())
        predicate = self.switch(tensor[0])
        if predicate is None:
            return around
        source = self.nodes.get(predicate[0])
        value = source.attrs.get("value") if source is not None and source.op == "Const" else None
        if isinstance(value, np.ndarray) and value.size == 1:
            return around if bool(value.item()) == bool(tensor[1]) else around | _NEVER
        return around | {(predicate, tensor[1])}

    def inside(self, predicate: Tensor, way: int) -> Callable[[str], bool]:
        """Whether a node runs only where the predicate has gone this way."""
        return lambda name: (predicate, way) in self.of.get(name, ())

    def resolver(self, predicate: Tensor) -> Callable[[Tensor], Tensor]:
        """Tensors past the switches of a predicate."""

        def resolve(tensor: Tensor) -> Tensor:
            for _ in self.nodes:
                if self.switch(tensor[0]) != predicate:
                    break
                tensor = _data(self.nodes[tensor[0]])[0]
            return tensor

        return resolve

    def _merge(self, name: str, node: RawNode) -> Context:
        found = [(tensor, self.at(tensor)) for tensor in _data(node)]
        alive = [(tensor, context) for tensor, context in found if not _contradicts(context)]
        if len(alive) < 2:
            tensor, context = (alive or found)[0]
            self.nodes[name] = RawNode(name, "Identity", [_spell(tensor)], node.attrs)
            self.changed = True
            return context
        (_, first), (_, second) = alive[:2]
        decides = [predicate for predicate, way in sorted(first) if (predicate, 1 - way) in second]
        if len(alive) > 2 or not decides:
            raise UnsupportedError(
                f"{self.origin}: node {name} (Merge) joins values that no common predicate tells "
                "apart"
            )
        self.predicates[name] = decides[-1] if len(decides) == 1 else self._inner(decides)
        return first & second

    def _inner(self, predicates: list[Tensor]) -> Tensor:
        """Of several predicates the one that is computed last."""
        return max(predicates, key=lambda p: self._places.get(p[0], -1))

    def groups(self) -> list[list[str]]:
        """Merges of outermost conditionals: those of one `tf.cond` together."""
        groups: dict[tuple[Tensor, str, int], list[str]] = {}
        for name, predicate in self.predicates.items():
            if self.of[name]:
                continue
            scope, number = name.rpartition("/")[0], 0
            while self._needs(name, groups.get((predicate, scope, number), [])):
                number += 1
            groups.setdefault((predicate, scope, number), []).append(name)
            self.changed = True
        self._refuse_indices()
        return list(groups.values())

    def _needs(self, name: str, others: list[str]) -> bool:
        """Whether a node needs one of the others."""
        first = min((self._places[other] for other in others), default=len(self._places))
        seen: set[str] = set()
        pending = [name]
        while pending:
            for source in _sources(self.nodes[pending.pop()]):
                if source in others:
                    return True
                if source not in seen and self._places.get(source, -1) > first:
                    seen.add(source)
                    pending.append(source)
        return False

    def open(self) -> None:
        """Makes identities of outermost switches: what is in their branches was asked for."""
        found = [n for n in self._order if self.switch(n) is not None and not self.of[n]]
        for name, node in self.nodes.items():
            record = registry.get(node.op)
            if self.of[name] and record is not None and record.effect in ORDERED:
                raise UnsupportedError(
                    f"{self.origin}: node {name} ({node.op}) acts in a branch that no Merge ends"
                )
        for name in found:
            node = self.nodes[name]
            self.nodes[name] = RawNode(name, "IdentityN", [node.inputs[0]] * 2, node.attrs)
        if not found:
            left = next(n for n, node in self.nodes.items() if _kind(node) in (_SWITCH, _MERGE))
            raise UnsupportedError(
                f"{self.origin}: node {left} ({self.nodes[left].op}) is part of no conditional"
            )

    def _refuse_indices(self) -> None:
        indices = {(name, 1) for name in self.predicates}
        for node in self.nodes.values():
            for asked in indices.intersection(_data(node)):
                raise UnsupportedError(
                    f"{self.origin}: node {node.name} asks which way node {asked[0]} (Merge) took"
                )


def _contradicts(context: Context) -> bool:
    return any((predicate, 1 - way) in context for predicate, way in context)
