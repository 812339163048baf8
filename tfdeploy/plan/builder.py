"""Builds one plan: extents, values and steps as the lists that `_engine.Plan` takes.

Lowerings (lowering.py) describe a node to a `Builder` as calls of kernels and as views; what they
cannot describe they refuse with `NoKernel`, and the node runs through its reference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from ..dtypes import Array, DType, from_numpy
from ..graph.graph import Graph, Node, Ref
from ..graph.types import VALUE, Dim, Extent, product, symbols_told

DTYPES = {"float32": 1, "float64": 2, "int32": 3, "uint8": 4, "int64": 9, "bool": 10}
"""The element types that kernels know, by TensorFlow's numbers."""

_NUMBER, _FEED, _ADD, _MUL, _DIV, _BROADCAST, _MAX, _EQUAL, _MIN = range(9)
FEED, CONST, ARENA, RESULT, VIEW = range(5)
MAX_RANK = 8
_LOOP = 7  # where the row of a value has its loop


_LINE = 64
_LARGE_PAGE = 1 << 21
_LARGEST_PIECE = 1 << 26


class NoKernel(Exception):
    """This node is not for the kernels."""


class Unbound(NoKernel):
    """An extent depends on `symbol`, which nothing tells that is fed."""

    def __init__(self, symbol: str) -> None:
        super().__init__(f"nothing binds {symbol}")
        self.symbol = symbol


def told_by(graph: Graph, ref: Ref) -> Iterator[tuple[str, int, int]]:
    """Symbols that a value tells: see `symbols_told`.  A scalar that is a symbol itself tells it
    in axis 0.
    """
    own = graph.nodes[ref.node].attrs.get(VALUE)
    if isinstance(own, Dim) and own.name is not None:
        yield own.name, 0, 0
    yield from symbols_told(graph.type(ref).shape or ())


class Packed(dict[Any, Array]):
    """Packed weights by key, kept between plans; some `expected` bytes in all.

    Each begins at a cache line, so that no vector of a panel spans two; they share large pieces of
    memory, which numpy asks to have in large pages: these cost less to fill and to read.
    """

    _free: Array = np.empty(0, np.uint8)

    def __init__(self, expected: int) -> None:
        self._expected = expected

    def add(self, key: Any, size: int) -> Array:
        """Room for so many floats under `key`."""
        needed = -(-4 * size // _LINE) * _LINE
        if len(self._free) < needed:
            total = sum(array.nbytes for array in self.values())
            piece = max(needed, min(max(4 * total, self._expected), _LARGEST_PIECE))
            line = _LARGE_PAGE if piece >= 2 * _LARGE_PAGE else _LINE
            memory = np.empty(piece + line, np.uint8)
            self._free = memory[-memory.__array_interface__["data"][0] % line :]
        found = self[key] = self._free[: 4 * size].view(np.float32)
        self._free = self._free[needed:]
        return found


class Value:
    """Where a tensor lies while a plan runs; see td_value in plan.h.

    `strides` are in elements, None for a dense value; `base` is what a view looks into.  A view
    with `moves` goes on by so many elements with every round of its `loop`.
    """

    __slots__ = (
        "array",
        "base",
        "dtype",
        "first",
        "index",
        "kind",
        "last",
        "loop",
        "moves",
        "offset",
        "shape",
        "strides",
        "viewed",
    )

    def __init__(
        self,
        kind: int,
        dtype: DType,
        shape: tuple[Extent, ...],
        strides: tuple[Extent, ...] | None = None,
        offset: Extent = 0,
        base: Value | None = None,
        array: Array | None = None,
        index: int = 0,
        moves: Extent | None = None,
        loop: int = -1,
    ) -> None:
        self.kind = kind
        self.dtype = dtype
        self.shape = shape
        self.strides = strides
        self.offset = offset
        self.base = base
        self.array = array
        self.index = index
        self.moves = moves
        self.loop = loop
        self.first = self.last = -1
        self.viewed = False

    @property
    def rank(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def dense(self) -> bool:
        """Whether elements lie in a row."""
        return self.strides is None

    def root(self) -> Value:
        """The value whose memory this is."""
        value = self
        while value.base is not None:
            value = value.base
        return value


class Step:
    """A call of a kernel; `node` is named in errors, `within` is the loop that it is part of."""

    __slots__ = ("floats", "inputs", "ints", "kernel", "node", "outputs", "within")

    def __init__(
        self,
        kernel: str,
        inputs: list[Value | None],
        outputs: list[Value],
        ints: list[int],
        floats: list[float],
        node: Node,
        within: Node | None = None,
    ) -> None:
        self.kernel = kernel
        self.inputs = inputs
        self.outputs = outputs
        self.ints = ints
        self.floats = floats
        self.node = node
        self.within = within


class Loop(NamedTuple):
    """Steps [first, last), done `rounds` (the number of an extent) times."""

    first: int
    last: int
    rounds: int


class Builder:
    """A plan in the making over `graph`.

    `packed` keeps packed weights between plans.  `told` has, for symbols that no input of the plan
    may tell, a value that can be fed for its shape.  `uses` counts what reads a value.  `placed`
    maps the identity of a value that was moved into a larger one to the name of its node; `fixed`
    are the names of nodes whose results must stay dense, `wants_dense` of those that take dense
    inputs alone.  `within` is the loop of the plan `outer` whose body `graph`
    is.
    """

    node: Node
    """What is being lowered."""

    def __init__(
        self,
        engine: ModuleType,
        graph: Graph,
        packed: Packed,
        told: Mapping[str, Ref],
        uses: Counter[Ref],
        fixed: set[str],
        wants_dense: set[str],
    ) -> None:
        self.engine = engine
        self.activations: dict[str, int] = engine.activations()
        self.graph = graph
        self.packed = packed
        self.told = told
        self.uses = uses
        self.fixed = fixed
        self.wants_dense = wants_dense
        self.extents: list[tuple[int, int, int, int]] = []
        self.steps: list[Step] = []
        self.values: dict[Ref, Value] = {}
        self.feeds: list[Ref] = []
        self.placed: dict[int, str] = {}
        self.loops: list[Loop] = []
        self.outer: Builder | None = None
        self.within: Node | None = None
        self._symbols: dict[str, tuple[int, int, int]] = {}
        self._defined: dict[str, int] = {}
        self._memo: dict[Any, int] = {}

    def inside(self, body: Graph) -> Builder:
        """What describes one round of the loop at hand, as part of this plan."""
        inner = Builder.__new__(Builder)
        inner.__dict__ |= self.__dict__
        inner.graph, inner.outer, inner.within = body, self, self.node
        inner.values, inner.feeds, inner.uses = {}, [], Counter()
        return inner

    # Extents

    def extent(self, extent: Extent) -> int:
        """The number under which the plan computes `extent`; Unbound for a symbol nobody feeds."""
        if isinstance(extent, int):
            return self._row((_NUMBER, 0, 0, extent))
        known = self._memo.get(extent)
        if known is None:
            total: int | None = None
            for atoms, factor in extent.terms.items():
                term: int | None = None if factor == 1 and atoms else self.extent(factor)
                for atom in atoms:
                    number = self._atom(atom)
                    term = number if term is None else self._row((_MUL, term, number, 0))
                assert term is not None
                total = term if total is None else self._row((_ADD, total, term, 0))
            assert total is not None
            known = self._memo[extent] = total
        return known

    def _atom(self, atom: Any) -> int:
        if not isinstance(atom, str):
            kind = _DIV if atom[0] == "//" else _BROADCAST
            return self._row((kind, self.extent(atom[1]), self.extent(atom[2]), 0))
        if atom in self._defined:
            return self._defined[atom]
        if atom not in self._symbols:
            if self.outer is not None:
                return self.outer._atom(atom)
            if atom not in self.told:
                raise Unbound(atom)
            self.feed(self.told[atom])
        index, axis, more = self._symbols[atom]
        fed = self._row((_FEED, index, axis, 0))
        return self._row((_ADD, fed, self.extent(-more), 0)) if more else fed

    def value_symbols(self) -> list[str]:
        """The symbols that stand for values of scalars that are fed."""
        owns = (self.graph.nodes[ref.node].attrs.get(VALUE) for ref in self.feeds)
        return [own.name for own in owns if isinstance(own, Dim) and own.name is not None]

    def feed_shapes(self, feeds: Sequence[Ref]) -> list[tuple[Extent, ...]]:
        """What `_engine.Plan.memory` takes: shapes, and values that extents depend on."""
        valued = {index for op, index, axis, _ in self.extents if op == _FEED and axis == 0}
        shapes = []
        for index, ref in enumerate(feeds):
            shape = self.values[ref].shape
            if not shape and index in valued:
                shape = (self.graph.nodes[ref.node].attrs[VALUE],)
            shapes.append(shape)
        return shapes

    def at_least_zero(self, extent: Extent) -> int:
        """The number of max(extent, 0)."""
        return self.extent(self.larger(extent, 0))

    def larger(self, a: Extent, b: Extent) -> Extent:
        """The larger of two extents."""
        return self._chosen(_MAX, a, b, max)

    def smaller(self, a: Extent, b: Extent) -> Extent:
        """The smaller of two extents."""
        return self._chosen(_MIN, a, b, min)

    def _chosen(self, kind: int, a: Extent, b: Extent, known: Callable[[int, int], int]) -> Extent:
        if isinstance(a, int) and isinstance(b, int):
            return known(a, b)
        row = self._row((kind, self.extent(a), self.extent(b), 0))
        self._defined[f"~{row}"] = row
        return Dim.symbol(f"~{row}")

    def at_most(self, a: Extent, b: Extent) -> None:
        """Makes the plan hold only where `a` is not larger than `b`."""
        self.equal(self.smaller(a, b), a)

    def settle(self, extent: Extent, found: Extent) -> None:
        """Says what an extent turns out to be: what it stands for from now on where nothing else
        tells, else the plan holds only where both are equal.
        """
        symbol = extent.name if isinstance(extent, Dim) else None
        tells: list[Mapping[str, Any]] = [self._defined, self._symbols, self.told]
        if symbol is not None and not any(symbol in each for each in tells):
            self._defined[symbol] = self.extent(found)
            return
        self.equal(extent, found)

    def equal(self, a: Extent, b: Extent) -> None:
        """Makes the plan hold only where both are equal; NoKernel where they never are."""
        if a == b:
            return
        if isinstance(a, int) and isinstance(b, int):
            raise NoKernel(f"extents {a} and {b}")
        self._row((_EQUAL, self.extent(a), self.extent(b), 0))

    def half(self, number: int) -> int:
        """The number of half an extent, rounded down."""
        return self._row((_DIV, number, self.extent(2), 0))

    def _row(self, row: tuple[int, int, int, int]) -> int:
        known = self._memo.get(row)
        if known is None:
            known = self._memo[row] = len(self.extents)
            self.extents.append(row)
        return known

    # Values

    def feed(self, ref: Ref) -> Value:
        """The value that the caller hands in; symbols become known that its shape tells."""
        kind = self.graph.type(ref)
        if kind.shape is None or len(kind.shape) > MAX_RANK:
            raise NoKernel(f"rank of {self.graph.name(ref)}")
        index = len(self.feeds)
        for symbol, axis, more in told_by(self.graph, ref):
            self._symbols.setdefault(symbol, (index, axis, more))
        value = Value(FEED, self._dtype(kind.dtype), kind.shape, index=index)
        self.feeds.append(ref)
        self.values[ref] = value
        return value

    def _dtype(self, dtype: DType) -> DType:
        if dtype not in DTYPES:
            raise NoKernel(f"dtype {dtype}")
        return dtype

    def input(self, i: int) -> Value:
        """Input `i` of the node at hand."""
        return self.operand(self.node.inputs[i])

    def operand(self, ref: Ref) -> Value:
        """The value of an input of the node at hand, copied where the node takes dense ones
        alone.
        """
        value = self.value(ref)
        return self.dense(value) if self.node.name in self.wants_dense else value

    def value(self, ref: Ref) -> Value:
        """The value of `ref`, which was described before or is a constant."""
        found = self.values.get(ref)
        if found is None:
            array = self.constant(ref)
            if array is None:
                raise NoKernel(f"{self.graph.name(ref)} is not in this plan")
            found = self.values[ref] = self.const(array)
        return found

    def constant(self, ref: Ref) -> Array | None:
        """The array of a constant, None for anything else."""
        node = self.graph.nodes[ref.node]
        found: Array | None = node.attrs["value"] if node.op == "Const" else None
        return found

    def array(self, ref: Ref) -> Array:
        """The array of a constant; NoKernel for anything else."""
        found = self.constant(ref)
        if found is None:
            raise NoKernel(f"{self.graph.name(ref)} is not constant")
        return found

    def const(self, array: Array) -> Value:
        """A value that the model holds."""
        if not (array.flags.c_contiguous and array.flags.aligned):
            array = np.require(array, requirements=["C", "A"])
        if array.ndim > MAX_RANK:
            raise NoKernel("rank")
        return Value(CONST, self._dtype(from_numpy(array.dtype)), array.shape, array=array)

    def numbers(self, ref: Ref) -> list[Extent]:
        """What an operand says that spells extents or places, flat; NoKernel where nobody knows."""
        array = self.constant(ref)
        if array is not None:
            found: list[Extent] = array.reshape(-1).tolist()
            return found
        node = self.graph.nodes[ref.node]
        if node.op == "td.Extents":
            return list(node.attrs["extents"])
        from ..ops.infer import known  # only graphs whose operands depend on shapes pay for it

        value = known(self.graph, ref)
        if value is None:
            raise NoKernel(f"nobody knows {self.graph.name(ref)}")
        flat: list[Extent] = np.ravel(np.asarray(value)).tolist()
        return flat

    def floats(self, numbers: Any) -> Value | None:
        """A float32 constant, None for None."""
        return None if numbers is None else self.const(np.asarray(numbers, np.float32))

    def new(self, dtype: DType, shape: Sequence[Extent]) -> Value:
        """A dense value in the arena."""
        if len(shape) > MAX_RANK:
            raise NoKernel("rank")
        for extent in shape:
            self.extent(extent)
        return Value(ARENA, self._dtype(dtype), tuple(shape))

    def output(self, slot: int = 0) -> Value:
        """A new dense value for an output of the node at hand."""
        kind = self.type(slot)
        return self.set(slot, self.new(kind.dtype, kind.shape))

    def type(self, slot: int = 0) -> Any:
        """The type of an output of the node at hand; NoKernel where its rank is unknown."""
        kind = self.node.types[slot]
        if kind.shape is None:
            raise NoKernel("unknown rank")
        return kind

    def set(self, slot: int, value: Value) -> Value:
        """Says where an output of the node at hand lies."""
        self.values[Ref(self.graph.index[self.node.name], slot)] = value
        return value

    def view(
        self,
        base: Value,
        shape: Sequence[Extent],
        strides: Sequence[Extent] | None = None,
        offset: Extent = 0,
        moves: Extent | None = None,
    ) -> Value:
        """A look into `base`; without `strides` a dense one.  With `moves` it goes on by so many
        elements with every round of the loop at hand.
        """
        if len(shape) > MAX_RANK:
            raise NoKernel("rank")
        for extent in (*shape, *(strides or ()), offset, moves or 0):
            self.extent(extent)
        if base.kind == VIEW and base.base is not None:
            moves = base.moves if moves is None else moves
            offset, base = offset + base.offset, base.base
        base.viewed = True
        return Value(
            VIEW,
            base.dtype,
            tuple(shape),
            None if strides is None else tuple(strides),
            offset,
            base,
            moves=moves,
            loop=-1 if moves is None else len(self.loops),
        )

    def strides(self, value: Value) -> tuple[Extent, ...]:
        """Steps between neighbours along each axis, in elements."""
        if value.strides is not None:
            return value.strides
        return tuple(product(value.shape[i + 1 :]) for i in range(value.rank))

    def dense(self, value: Value) -> Value:
        """`value` itself where its elements lie in a row, else a copy."""
        if value.dense:
            return value
        copy = self.new(value.dtype, value.shape)
        self.copy(value, copy)
        return copy

    def copy(self, source: Value, target: Value) -> None:
        """Copies elements; `source` broadcasts to the shape of `target`."""
        self.call("copy", [source], [target])

    def own(self, ref: Ref) -> Value | None:
        """The value of `ref` where its memory is free for other uses once the node at hand is
        done: in the arena, read by this node alone.
        """
        value = self.values.get(ref)
        if value is None or value.kind != ARENA or value.viewed or self.uses[ref] != 1:
            return None
        return value

    def place(self, ref: Ref, target: Value, strides: Sequence[Extent], offset: Extent) -> bool:
        """Moves the value of `ref` into `target`, so that it is made where it is wanted; False
        where it must stay.
        """
        value = self.own(ref)
        name = self.graph.nodes[ref.node].name
        if value is None or name in self.fixed or id(value) in self.placed:
            return False
        for extent in (*strides, offset):
            self.extent(extent)
        value.kind, value.base, value.offset = VIEW, target, offset
        value.strides = tuple(strides)
        target.viewed = True
        self.placed[id(value)] = name
        return True

    # Steps

    def call(
        self,
        kernel: str,
        inputs: Sequence[Value | None],
        outputs: Sequence[Value],
        ints: Iterable[Extent] = (),
        floats: Iterable[float] = (),
    ) -> None:
        """Adds a step; `ints` are numbers or extents."""
        self.call_with(kernel, inputs, outputs, [self.extent(i) for i in ints], floats)

    def call_with(
        self,
        kernel: str,
        inputs: Sequence[Value | None],
        outputs: Sequence[Value],
        ints: list[int],
        floats: Iterable[float] = (),
    ) -> None:
        """Adds a step whose ints are numbers of extents."""
        self.steps.append(
            Step(kernel, list(inputs), list(outputs), ints, list(floats), self.node, self.within)
        )

    def pack(self, weights: Array, key: Any, points: int = 0) -> Value:
        """Weights in the form that kernels read, made by kernel `pack` (from [groups, taps,
        len, n]) or, where there are points, by `pack_winograd` (from [3, 3, len, n]).  The same
        `key` gives the same array.
        """
        found = self.packed.get(key)
        if found is None:
            weights = np.asarray(weights, np.float32)
            first, second, length, n = weights.shape
            size = -(-n // 16) * 16 * length * (points or first * second)
            found = self.packed.add(key, size)
            kernel = "pack_winograd" if points else "pack"
            self.engine.Call(kernel, [weights], [found], isa=self.engine.isa()).run()
        return self.const(found)

    def packed_bytes(self) -> int:
        """Bytes of the packed weights that the steps read."""
        kept = {id(array) for array in self.packed.values()}
        used = {
            id(v.array): v.array for s in self.steps for v in s.inputs if v and v.array is not None
        }
        return sum(array.nbytes for key, array in used.items() if key in kept)

    def finish(self, feeds: Sequence[Value], results: Sequence[Value]) -> Any:
        """The engine's plan.  `results` are values whose memory is a RESULT, by their order."""
        self.told = {}  # what is fed is settled
        rows, order = self._value_rows(feeds, results)
        kernels = self.engine.kernels()
        steps = [
            (
                kernels[s.kernel],
                [-1 if v is None else order[id(v)] for v in s.inputs],
                [order[id(v)] for v in s.outputs],
                s.ints,
                s.floats,
            )
            for s in self.steps
        ]
        formats = [np.empty(0, v.dtype.numpy).data.format.encode() for v in feeds]
        outputs = [(order[id(v)], v.dtype.numpy) for v in results]
        loops = []
        for number, loop in enumerate(self.loops):
            moving = [i for i, row in enumerate(rows) if row[_LOOP] == number] or [0]
            loops.append((*loop, moving[0], moving[-1] + 1))
        return self.engine.Plan(self.extents, rows, steps, loops, formats, outputs, np.empty)

    def _value_rows(
        self, feeds: Sequence[Value], results: Sequence[Value]
    ) -> tuple[list[Any], dict[int, int]]:
        used: dict[int, Value] = {}
        moving: dict[int, set[int]] = {}

        def use(value: Value, step: int) -> None:
            chain = [value]
            while chain[-1].base is not None:
                chain.append(chain[-1].base)
            root = chain[-1]
            for v in reversed(chain):
                used.setdefault(id(v), v)
                if v.moves is not None:
                    moving.setdefault(id(root), set()).add(v.loop)
            if root.first < 0:
                root.first = step
            root.last = step

        for value in feeds:
            use(value, 0)
        for number, step in enumerate(self.steps):
            for operand in (*step.inputs, *step.outputs):
                if operand is not None:
                    use(operand, number)
        for value in results:
            use(value, len(self.steps))
        for key, value in used.items():
            for number, loop in enumerate(self.loops):
                self._keep(value, loop, number in moving.get(key, ()))
        order = {key: number for number, key in enumerate(used)}
        return [self._value_row(v, order) for v in used.values()], order

    def _keep(self, value: Value, loop: Loop, moving: bool) -> None:
        """Keeps what outlives a round of `loop` from its beginning to its end."""
        inside = value.first < loop.last and value.last >= loop.first
        if inside and (moving or value.first < loop.first or value.last >= loop.last):
            value.first = min(value.first, loop.first)
            value.last = max(value.last, loop.last - 1)

    def _extent_of(self, v: Value, axis: int) -> int:
        """The number of an extent; of a feed the one that it brings, where nothing else tells."""
        try:
            return self.extent(v.shape[axis])
        except Unbound:
            if v.kind != FEED:
                raise
            return self._row((_FEED, v.index, axis, 0))

    def _value_row(self, v: Value, order: dict[int, int]) -> Any:
        strides = None if v.strides is None else [self.extent(s) for s in v.strides]
        offset = -1 if v.kind != VIEW or v.offset == 0 else self.extent(v.offset)
        index = order[id(v.base)] if v.base is not None else v.index
        shape = [self._extent_of(v, axis) for axis in range(v.rank)]
        move = -1 if v.moves is None else self.extent(v.moves)
        code = DTYPES[v.dtype]
        lives = (v.first, v.last)
        return (v.kind, index, code, shape, strides, offset, move, v.loop, *lives, v.array)
