"""Loops that count become ``td.Loop``, which the engine runs without coming back to Python.

``td.Loop`` repeats `body` `rounds` times (an extent).  Its inputs are the first values of its
`states` states, then `rows` tensors of which each round sees one row, then what stays the same; the
body's arguments are these, its results the next states and a row each of the further outputs.  A
list of tensors that is read in order is such a tensor, one that is filled in order such an output.

What does not depend on the states is computed once before the loop, for all rounds together: the
product of a row with weights, above all.

Other loops stay, but their functions are `Settled`: they know the constants that they are given,
and each argument that is one integer has a symbol for its value.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Table
from typing import Any, NamedTuple

import numpy as np

from ..dtypes import INT32, INT64, VARIANT
from ..errors import ConversionError
from ..graph.graph import Graph, Node, Ref, Settled, replace
from ..graph.types import VALUE, Dim, Extent, ValueType, parts, replaced, symbols_told
from ..ops import registry
from ..ops.control import invariant
from ..ops.effects import ORDERED, effect, ordered
from ..ops.infer import Typing, known
from ..ops.rules import Known
from . import fold, own
from .elementwise import OPS as ELEMENTWISE
from .rewrite import Mapping, Rewriter

LOOP = "td.Loop"
_COUNTS = frozenset(ValueType(dtype, ()) for dtype in (INT32, INT64))
_WIDEST = 64  # times as large a hoisted product may be as the rows that it is made of

Prepare = Callable[[Graph, list[Ref]], tuple[Graph, Mapping]]


class _Plain(Exception):
    """This loop stays as it is."""


def _require(condition: Any) -> None:
    if not condition:
        raise _Plain


class _Loop(NamedTuple):
    """What is known of a ``While``: its body, how often it runs, and what it does with each of its
    values, by their numbers.

    `fixed` never change, `counters` count the rounds from 0; lists in `read` are read in order,
    `filled` tells what is put into those that are filled in order, `last` into those of one
    element.  The body's types hold where each symbol of `same` is the extent that it has there.
    """

    node: Node
    body: Graph
    same: dict[str, Extent]
    rounds: Extent
    fixed: set[int]
    counters: set[int]
    read: set[int]
    filled: dict[int, Ref]
    last: dict[int, Ref]


def fuse(graph: Graph, roots: list[Ref], prepare: Prepare) -> tuple[Graph, Mapping]:
    """The graph with its counted loops as ``td.Loop``; `prepare` runs the passes on a body."""

    def rule(rw: Rewriter, node: Node) -> list[Ref] | None:
        if node.control or effect(graph, node) in ORDERED:
            return None
        try:
            return _Writer(rw, _look(rw, node)).write(prepare)
        except _Plain:
            return _settle(rw, node)

    def apart(rw: Rewriter, node: Node) -> list[Ref] | None:  # a loop that kernels refused
        ordered = node.control or effect(graph, own.unmarked(node)) in ORDERED
        return None if ordered else _settle(rw, own.unmarked(node))

    table = {"While": [rule], "StatelessWhile": [rule], "TensorListStack": [_stacked]}
    table |= {own.MARK + op: [apart] for op in ("While", "StatelessWhile")}
    return Rewriter(graph, roots).run(table)


def _stacked(rw: Rewriter, node: Node) -> list[Ref] | None:
    """The rows of a list that a loop has filled; of a list of one element, that is what is left."""
    (source, *_), (want,) = node.inputs, node.types
    found = rw.type(source)
    if found.dtype == VARIANT or found.shape is None:
        return None
    if found.rank != want.rank:
        kind = found._replace(shape=(1, *found.shape))
        source = rw.emit("td.Reshape", [source], {}, [kind], f"{node.name}~row")[0]
    return [_named(rw, source, want, node.name)]


# What a loop does


def _look(rw: Rewriter, node: Node) -> _Loop:
    fixed = _fixed(rw, node)
    body = _settled(rw, node, "body", fixed)
    counters = {
        i
        for i, ref in enumerate(body.outputs)
        if _counts(body, i, ref) and rw.scalar(node.inputs[i]) == 0
    }
    rounds = _rounds(rw, node, _settled(rw, node, "cond", fixed), fixed, counters)
    same = _agree(rw, node, body, fixed)
    found = _Loop(node, body, same, rounds, fixed, counters, set(), {}, {})
    uses: dict[Ref, list[Node]] = {}
    for each in body.nodes:
        for ref in each.inputs:
            uses.setdefault(ref, []).append(each)
    for i, ref in enumerate(body.inputs):
        if body.type(ref).dtype == VARIANT:
            _look_at_list(rw, found, i, uses)
    return found


def _fixed(rw: Rewriter, node: Node) -> set[int]:
    """Numbers of the values that never change, of a loop whose functions fit it."""
    called = [rw.old.subgraphs[node.attrs[which].name] for which in ("body", "cond")]
    arguments = [len(g.inputs) for g in called] + [len(called[0].outputs), len(node.types)]
    _require(set(arguments) == {len(node.inputs)} and len(called[1].outputs) == 1)
    return invariant(called[0])


def _settled(rw: Rewriter, node: Node, which: str, fixed: set[int]) -> Graph:
    """A function of the loop, with the constants that it is given, folded."""
    called = node.attrs[which]
    function = rw.old.subgraphs[called.name]
    given = Graph(subgraphs=function.subgraphs)
    constants = {
        function.inputs[i]: (rw.constant(node.inputs[i]), rw.type(node.inputs[i])) for i in fixed
    }
    for number, each in enumerate(function.nodes):
        _require(not each.control and effect(function, each) not in ORDERED)
        value, kind = constants.get(Ref(number), (None, None))
        name = f"{called.name}/{each.name}"
        if value is not None and kind is not None:
            given.add(Node("Const", name, (), {"value": value, "dtype": kind.dtype}, (kind,)))
        else:
            given.add(Node(each.op, name, each.inputs, each.attrs, each.types))
    given = own.mark(given, function.outputs)[0]
    folded, mapping = Rewriter(given, function.outputs).run(fold.RULES)
    folded.inputs = [mapping[ref] for ref in function.inputs]
    folded.outputs = [mapping[ref] for ref in function.outputs]
    return folded


def _agree(rw: Rewriter, node: Node, body: Graph, fixed: set[int]) -> dict[str, Extent]:
    """Types the body for states that keep the shapes of their first values.

    Where that takes symbols to be equal, as those of two batches that meet in a state, they are
    told: such a loop holds for no others.
    """
    firsts = {
        i: rw.type(node.inputs[i]).shape
        for i, ref in enumerate(body.inputs)
        if i not in fixed and body.type(ref).dtype != VARIANT
    }
    same: dict[str, Extent] = {}

    def take(extent: Extent, first: Extent) -> None:
        first = replaced(first, same)
        for part in parts(replaced(extent, same)):
            name = part.name if isinstance(part, Dim) else None
            depends = isinstance(first, Dim) and name in first.symbols()
            if name is not None and not depends:
                by = {name: first}
                same.update({symbol: replaced(e, by) for symbol, e in same.items()} | by)

    # Where nothing may happen twice, there is no other way to run: nothing is asked of batches.
    for side in [body.inputs] if ordered(rw.old) else [body.inputs, body.outputs]:
        for i, first in firsts.items():
            shape = body.type(side[i]).shape
            _require(first is not None and shape is not None)
            for extent, e in zip(shape or (), first or (), strict=False):
                take(extent, e)
    for each in body.nodes:
        each.types = tuple(_retyped(kind, same) for kind in each.types)
    return same


def _retyped(kind: ValueType, same: Table[str, Extent]) -> ValueType:
    if kind.shape is None or not same:
        return kind
    return kind._replace(shape=tuple(replaced(e, same) for e in kind.shape))


def _counts(body: Graph, i: int, ref: Ref) -> bool:
    """Whether value `i`, an integer, is one more after a round."""
    node = body.nodes[ref.node]
    if node.op not in ("Add", "AddV2") or body.type(ref) != body.type(body.inputs[i]):
        return False
    others = [other for other in node.inputs if other != body.inputs[i]]
    return (
        body.type(ref).dtype in ("int32", "int64")
        and body.type(ref).shape == ()
        and len(others) == 1
        and _number(body, others[0]) == 1
    )


def _number(graph: Graph, ref: Ref) -> int | None:
    """The integer in a constant scalar, None for anything else."""
    node = graph.nodes[ref.node]
    if node.op != "Const" or node.attrs["value"].shape or node.attrs["value"].dtype.kind != "i":
        return None
    return int(node.attrs["value"])


def _rounds(rw: Rewriter, node: Node, cond: Graph, fixed: set[int], counters: set[int]) -> Extent:
    """How often the loop runs: until one of its counters reaches its limit."""
    limits: list[Extent] = []
    pending = [cond.outputs[0]]
    while pending:
        test = cond.nodes[pending.pop().node]
        if test.op == "LogicalAnd":
            pending += test.inputs
            continue
        _require(test.op in ("Less", "Greater"))
        counter, limit = test.inputs if test.op == "Less" else test.inputs[::-1]
        _require(counter in cond.inputs and cond.inputs.index(counter) in counters)
        at = cond.inputs.index(limit) if limit in cond.inputs else -1
        value = known(rw.graph, node.inputs[at]) if at in fixed else known(cond, limit)
        _require(value is not None and not value.shape)
        assert value is not None
        limits.append(value.item())
    numbers = [n for n in limits if isinstance(n, int)]
    if len(numbers) == len(limits):
        return max(min(numbers), 0)
    _require(len(set(limits)) == 1)
    return limits[0]


def _look_at_list(rw: Rewriter, found: _Loop, i: int, uses: dict[Ref, list[Node]]) -> None:
    body, outer = found.body, rw.source(found.node.inputs[i])
    users = uses.get(body.inputs[i], [])
    index = {body.inputs[c] for c in found.counters}
    if i in found.fixed:
        _require(outer.op == "TensorListFromTensor")
        shape = rw.type(outer.inputs[0]).shape
        _require(shape and _lasts(rw, found, shape[0]))
        _require(all(u.op == "TensorListGetItem" and u.inputs[1] in index for u in users))
        found.read.add(i)
        return
    result = body.outputs[i]
    put = body.nodes[result.node]
    _require(users == [put] and put.op == "TensorListSetItem" and put.inputs[0] == body.inputs[i])
    _require(result not in uses and body.outputs.count(result) == 1)
    _require(outer.op == "TensorListReserve")
    length = known(rw.graph, outer.inputs[1])
    _require(length is not None)
    assert length is not None
    if put.inputs[1] in index:
        _require(length.item() == found.rounds)
        found.filled[i] = put.inputs[2]
    else:
        _require(_number(body, put.inputs[1]) == 0 and length.item() == 1)
        found.last[i] = put.inputs[2]
    kind = body.type(put.inputs[2])
    _require(kind.shape is not None and kind.dtype != VARIANT)
    want = ValueType(kind.dtype, (length.item(), *(kind.shape or ())))
    after = Ref(rw.old.index[found.node.name], i)
    readers = [each for each in rw.old.nodes if after in each.inputs]
    _require(all(r.op == "TensorListStack" and _fits(want, r.types[0]) for r in readers))


def _lasts(rw: Rewriter, found: _Loop, length: Extent) -> bool:
    """Whether a list has a row for each round, and no more: of two symbols that is taken as given,
    and the loop holds for no others.
    """
    rounds = found.rounds
    symbols = [e.name for e in (length, rounds) if isinstance(e, Dim) and e.name is not None]
    if length != rounds and len(symbols) == 2 and not ordered(rw.old):
        found.same[symbols[0]] = rounds
        return True
    return length == rounds


def _fits(kind: ValueType, named: ValueType) -> bool:
    """Whether a value's type may be another one in which extents have other names."""
    if kind.dtype != named.dtype or kind.shape is None or named.shape is None:
        return False
    pairs = zip(kind.shape, named.shape, strict=False)
    alike = all(a == b or isinstance(b, Dim) for a, b in pairs)
    return len(kind.shape) == len(named.shape) and alike


def _named(rw: Rewriter, ref: Ref, kind: ValueType, name: str) -> Ref:
    """A value whose extents are called as in `kind`."""
    if rw.type(ref) == kind or not _fits(rw.type(ref), kind):
        return ref
    return rw.emit("td.Named", [ref], {}, [kind], name)[0]


def _row_taken(body: Graph, node: Node) -> Ref | None:
    """The number of the row, along the first axis of its input, that a node takes."""
    if node.op in ("GatherV2", "Gather"):
        first = len(node.inputs) < 3 or _number(body, node.inputs[2]) == 0
        return node.inputs[1] if first and body.type(node.inputs[1]).shape == () else None
    if node.op != "StridedSlice" or node.attrs.get("shrink_axis_mask") != 1:
        return None
    begin = body.nodes[node.inputs[1].node]
    masks = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask")
    plain = not any(node.attrs.get(mask) for mask in masks)
    return begin.inputs[0] if plain and begin.op == "Pack" and len(begin.inputs) == 1 else None


# What it becomes


class _Writer:
    """Emits the ``td.Loop`` of a loop: a value of its body is fixed (`_outside`), a row of what is
    computed before the loop (`_rows`), or made in each round (`_inside`).
    """

    def __init__(self, rw: Rewriter, found: _Loop) -> None:
        self._rw, self._loop = rw, found
        self._graph = Graph(subgraphs=found.body.subgraphs)
        self._inside: dict[Ref, Ref] = {}
        self._rows: dict[Ref, Ref] = {}
        self._outside: dict[Ref, Ref] = {}
        self._given: dict[str, list[tuple[Ref, Ref]]] = {"state": [], "row": [], "fixed": []}

    def write(self, prepare: Prepare) -> list[Ref]:
        rw, found = self._rw, self._loop
        node, body = found.node, found.body
        states = []
        for i, ref in enumerate(body.inputs):
            if i in found.fixed and i not in found.read:
                self._outside[ref] = node.inputs[i]
            elif i in found.last:
                states.append(i)
                value = rw.const(
                    np.zeros((), body.type(found.last[i]).dtype.numpy), f"{node.name}~{i}"
                )
                self._argument("state", ref, value, body.type(found.last[i]))
            elif i not in found.read and i not in found.filled:
                kind, first = body.type(ref), _retyped(rw.type(node.inputs[i]), found.same)
                _require(kind == first == body.type(body.outputs[i]))
                _require(kind.shape is not None)
                states.append(i)
                self._argument("state", ref, node.inputs[i], kind)
        needed = [found.last.get(i, body.outputs[i]) for i in states]
        needed += found.filled.values()
        for number in body.ancestors(ref.node for ref in needed):
            self._node(number)
        results = [self._in(ref) for ref in needed]
        whole, mapping = prepare(self._graph, results)
        arguments = [pair for pairs in self._given.values() for pair in pairs]
        whole.inputs = [mapping[inner] for inner, _ in arguments]
        whole.outputs = [mapping[ref] for ref in results]
        kinds = [body.type(ref) for ref in needed]
        types = [
            kind if s < len(states) else ValueType(kind.dtype, (found.rounds, *(kind.shape or ())))
            for s, kind in enumerate(kinds)
        ]
        attrs = {
            "body": whole,
            "rounds": found.rounds,
            "states": len(states),
            "rows": len(self._given["row"]),
            "same": found.same,
        }
        made = rw.emit(LOOP, [outer for _, outer in arguments], attrs, types, node.name)
        for slot, i in enumerate(states):
            made[slot] = _named(rw, made[slot], node.types[i], f"{node.name}~{i}")
        after = dict(zip([*states, *found.filled], made, strict=True))
        return [after.get(i, ref) for i, ref in enumerate(node.inputs)]

    def _argument(self, kind: str, ref: Ref, outer: Ref, type: ValueType) -> Ref:
        name = f"{self._loop.node.name}~{kind}{len(self._given[kind])}"
        number = self._graph.add(Node("Placeholder", name, (), {"dtype": type.dtype}, (type,)))
        self._inside[ref] = Ref(number)
        self._given[kind].append((Ref(number), outer))
        return Ref(number)

    def _in(self, ref: Ref) -> Ref:
        """A value of the body as each round has it."""
        if ref in self._inside:
            return self._inside[ref]
        if ref in self._rows:
            return self._argument("row", ref, self._rows[ref], self._loop.body.type(ref))
        outer = self._outside[ref]
        value, kind = self._rw.constant(outer), self._rw.type(outer)
        if value is None:
            return self._argument("fixed", ref, outer, kind)
        name = f"{self._loop.node.name}~const{len(self._graph.nodes)}"
        attrs = {"value": value, "dtype": kind.dtype}
        self._inside[ref] = Ref(self._graph.add(Node("Const", name, (), attrs, (kind,))))
        return self._inside[ref]

    def _node(self, number: int) -> None:
        """Places one node of the body."""
        found, rw = self._loop, self._rw
        node = found.body.nodes[number]
        refs = [Ref(number, slot) for slot in range(len(node.types))]
        before = f"{found.node.name}~{node.name}"
        if refs and (refs[0] in self._outside or refs[0] in found.body.inputs):
            return
        rows = self._read_in_order(node)
        if rows is not None:
            self._rows[refs[0]] = rows
        elif all(ref in self._outside for ref in node.inputs) and _is_pure(node):
            inputs = [self._outside[ref] for ref in node.inputs]
            made = rw.emit(node.op, inputs, node.attrs, node.types, before)
            self._outside.update(zip(refs, made, strict=True))
        elif self._hoists(node):
            inputs = [self._rows.get(ref) or self._outside[ref] for ref in node.inputs]
            kind = node.types[0]
            whole = ValueType(kind.dtype, (found.rounds, *(kind.shape or ())))
            self._rows[refs[0]] = rw.emit(node.op, inputs, node.attrs, [whole], before)[0]
        else:
            inputs = [self._in(ref) for ref in node.inputs]
            copy = Node(node.op, node.name, tuple(inputs), node.attrs, node.types)
            added = self._graph.add(copy)
            self._inside.update((ref, Ref(added, ref.slot)) for ref in refs)

    def _read_in_order(self, node: Node) -> Ref | None:
        """The tensor, as long as there are rounds, of which a node takes the row of each round."""
        found, body = self._loop, self._loop.body
        if not node.inputs or node.types[0].dtype == VARIANT:
            return None
        source = node.inputs[0]
        if node.op == "TensorListGetItem" and source in body.inputs:
            listed = self._rw.source(found.node.inputs[body.inputs.index(source)])
            return listed.inputs[0]
        whole = self._outside.get(source)
        at = _row_taken(body, node)
        counts = at in body.inputs and body.inputs.index(at) in found.counters
        shape = None if whole is None else self._rw.type(whole).shape
        return whole if shape and counts and shape[0] == found.rounds else None

    def _hoists(self, node: Node) -> bool:
        """Whether a node is better done for all rows together."""
        rows = [ref in self._rows for ref in node.inputs]
        if not any(rows) or not all(r in self._rows or r in self._outside for r in node.inputs):
            return False
        shapes = [self._loop.body.type(ref).shape for ref in node.inputs]
        out = node.types[0].shape
        if out is None or any(shape is None for shape in shapes):
            return False
        if node.op == "MatMul":
            plain = rows == [True, False] and not node.attrs.get("transpose_a")
            if not plain or self._rw.constant(self._outside[node.inputs[1]]) is None:
                return False
            k, n = (shapes[0] or ())[-1], out[-1]
            narrow = isinstance(k, int) and isinstance(n, int) and n <= _WIDEST * k
            return narrow and node.types[0].dtype == "float32"
        aligned = all(len(s or ()) == len(out) for s, row in zip(shapes, rows, strict=True) if row)
        return node.op in ELEMENTWISE and aligned and node.attrs.get("data_format") != "NCHW"


def _is_pure(node: Node) -> bool:
    record = registry.get(node.op)
    return record is not None and record.effect == registry.PURE


# Loops that stay


def _copy(function: Graph) -> Graph:
    """A function whose types may change."""
    subgraphs = {name: _copy(graph) for name, graph in function.subgraphs.items()}
    nodes = [replace(node) for node in function.nodes]
    return replace(function, nodes=nodes, subgraphs=subgraphs)


def _told(function: Graph) -> list[ValueType]:
    """The types of the arguments; an extent of symbols that nothing tells is a symbol itself."""
    kinds = [function.type(ref) for ref in function.inputs]
    told = {s for kind in kinds if kind.shape is not None for s, _, _ in symbols_told(kind.shape)}
    own: dict[Extent, Dim] = {}

    def tell(extent: Extent, name: str) -> Extent:
        if isinstance(extent, int) or extent.symbols() <= told:
            return extent
        for whole, symbol in own.items():
            times = extent // whole
            if isinstance(times, int) and times * whole == extent:
                return times * symbol
        own[extent] = Dim.symbol(name)
        return own[extent]

    found = []
    for ref, kind in zip(function.inputs, kinds, strict=True):
        if kind.shape is not None:
            name = function.nodes[ref.node].name
            shape = tuple(tell(e, f"{name}.{axis}") for axis, e in enumerate(kind.shape))
            kind = kind._replace(shape=shape)
        found.append(kind)
    return found


def _with_symbols(function: Graph, given: Table[int, Known | None]) -> None:
    """Says what the value of each argument is that is one integer, and types the function anew: a
    symbol of its own, or what is `given` where the shapes of other arguments tell that.
    """
    kinds = _told(function)
    told = {s for kind in kinds if kind.shape is not None for s, _, _ in symbols_told(kind.shape)}
    for i, (ref, kind) in enumerate(zip(function.inputs, kinds, strict=True)):
        node = function.nodes[ref.node]
        node.types = (kind,)
        if node.op == "Placeholder" and kind in _COUNTS:
            value = given.get(i)
            extent = Dim.symbol(f"{node.name}.value") if value is None else value.item()
            if isinstance(extent, Dim) and not extent.symbols() <= told:
                extent = Dim.symbol(f"{node.name}.value")
            node.attrs = node.attrs | {VALUE: extent}
    function.subgraphs = {name: _copy(graph) for name, graph in function.subgraphs.items()}
    before = [node.types for node in function.nodes]
    try:
        Typing(function).run("")
    except (ConversionError, ValueError):  # the run itself reports it
        for node, types in zip(function.nodes, before, strict=True):
            node.types = types


def _settle(rw: Rewriter, node: Node) -> list[Ref] | None:
    """A ``While`` whose functions know the constants that it gives them, which they get no more.

    What else is one integer has a symbol, so that extents that depend on it are known.
    """
    record = registry.known(node.op)
    if record is None or record.settled():
        return None
    try:
        fixed = _fixed(rw, node)
        graphs = {which: _settled(rw, node, which, fixed) for which in ("body", "cond")}
    except _Plain:
        return None
    given = {i: known(rw.graph, node.inputs[i]) for i in fixed if node.types[i] in _COUNTS}
    for graph in graphs.values():
        _with_symbols(graph, given)
    gone = {i for i in fixed if rw.constant(node.inputs[i]) is not None}
    kept = [i for i in range(len(node.inputs)) if i not in gone]
    for graph in graphs.values():
        graph.inputs = [graph.inputs[i] for i in kept]
    graphs["body"].outputs = [graphs["body"].outputs[i] for i in kept]
    functions = {w: Settled(node.attrs[w].name, graph) for w, graph in graphs.items()}
    inputs, types = [node.inputs[i] for i in kept], [node.types[i] for i in kept]
    made = rw.emit(node.op, inputs, node.attrs | functions, types, node.name)
    after = dict(zip(kept, made, strict=True))
    return [after.get(i, ref) for i, ref in enumerate(node.inputs)]
