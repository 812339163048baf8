"""How a loop whose rounds are counted becomes steps that a plan repeats: see passes/loops.py for
what ``td.Loop`` means.

Each value that goes from round to round has a buffer of its own; what is read or written round by
round is a view that moves on.
"""

from __future__ import annotations

from collections import Counter

from ..graph.graph import Graph, Ref
from ..graph.types import Dim, Extent, product
from .builder import ARENA, VIEW, Builder, Loop, NoKernel, Value
from .lowering import LOWERINGS, lowers, read


@lowers("td.Loop")
def _loop(b: Builder) -> None:
    if b.within is not None:
        raise NoKernel("a loop in a loop")
    a = b.node.attrs
    body: Graph = a["body"]
    states, rows = a["states"], a["rows"]
    for symbol, extent in a["same"].items():
        b.settle(Dim.symbol(symbol), extent)
    number = b.graph.index[b.node.name]
    wanted = [slot for slot in range(len(b.node.types)) if b.uses[Ref(number, slot)]]
    live, needed = _live(body, states, wanted)
    pending = [slot for slot in wanted if slot >= states]
    inner = b.inside(body)
    inner.uses = Counter(ref for n in needed for ref in read(body.nodes[n]))
    inner.uses.update(body.outputs[i] for i in (*live, *pending))
    for i in live:
        state = b.new(b.node.types[i].dtype, b.node.types[i].shape or ())
        b.copy(b.input(i), state)
        inner.values[body.inputs[i]] = state
    used = set(needed)
    for i, ref in enumerate(body.inputs[states:], states):
        if ref.node in used:
            whole = b.input(i)
            steps = b.strides(whole)
            inner.values[ref] = (
                b.view(whole, whole.shape[1:], steps[1:], 0, steps[0])
                if i < states + rows
                else whole
            )
    for value in inner.values.values():
        value.viewed = True  # the next round needs it, so nobody may work in its memory
    first = len(b.steps)
    for n in needed:
        inner.node = body.nodes[n]
        if inner.node.op in ("Const", "Placeholder"):
            continue
        if inner.node.op not in LOWERINGS or inner.node.control:
            raise NoKernel(inner.node.op)
        LOWERINGS[inner.node.op](inner)
    for slot in pending:
        _stack(b, inner, slot, body.outputs[slot], a["rounds"])
    _next(inner, live)
    b.loops.append(Loop(first, len(b.steps), b.extent(a["rounds"])))
    for i in live:
        b.set(i, inner.values[body.inputs[i]])


def _live(body: Graph, states: int, wanted: list[int]) -> tuple[list[int], list[int]]:
    """The states, and the nodes of the body, that the outputs `wanted` need."""
    live = {slot for slot in wanted if slot < states}
    while True:
        roots = [body.outputs[slot].node for slot in (*live, *wanted)]
        needed = _ancestors(body, roots)
        found = {i for i in range(states) if body.inputs[i].node in needed}
        if found <= live:
            return sorted(live), sorted(needed)
        live |= found


def _ancestors(body: Graph, roots: list[int]) -> set[int]:
    seen: set[int] = set()
    while roots:
        number = roots.pop()
        if number not in seen:
            seen.add(number)
            roots += [ref.node for ref in read(body.nodes[number])]
    return seen


def _stack(b: Builder, inner: Builder, slot: int, ref: Ref, rounds: Extent) -> None:
    """One more row of an output for each round: made in its place where that can be."""
    value = inner.value(ref)
    target = b.new(value.dtype, (rounds, *value.shape))
    b.set(slot, target)
    moves = product(value.shape)
    made = value.kind == ARENA and not value.viewed and id(value) not in inner.placed
    if made:
        inner.extent(moves)
        value.kind, value.base, value.moves, value.loop = VIEW, target, moves, len(b.loops)
        target.viewed = True
    else:
        inner.copy(value, b.view(target, value.shape, None, 0, moves))


def _next(inner: Builder, live: list[int]) -> None:
    """Takes the states to the next round, all at once."""
    body = inner.graph
    buffers = {id(inner.values[body.inputs[i]]) for i in live}
    moves: list[tuple[Value, Value]] = []
    for i in live:
        state, value = inner.values[body.inputs[i]], inner.value(body.outputs[i])
        if value is state:
            continue
        if id(value.root()) in buffers:  # another state, which may change first
            copy = inner.new(value.dtype, value.shape)
            inner.copy(value, copy)
            value = copy
        moves.append((value, state))
    for value, state in moves:
        if value.shape != state.shape or value.dtype != state.dtype:
            raise NoKernel("a state changes its type")
        inner.copy(value, state)
