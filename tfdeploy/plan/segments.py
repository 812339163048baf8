"""Cuts what a set of fetches needs into segments for the engine and single references between them.

A segment is a run of nodes that kernels can do, in one plan.  A node joins the segment at hand
unless it depends on a reference that depends on that segment; references run as early as they can.
What a segment hands on (to references, later segments, the caller) is an array of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from types import ModuleType
from typing import Any, NoReturn

import numpy as np

from ..config import get_num_threads
from ..dtypes import Array
from ..errors import EvaluationError
from ..graph.graph import Graph, Node, Ref
from ..graph.types import Dim, Extent, evaluate, product
from ..passes.rewrite import SIZES
from ..runtime.interp import (
    Program,
    Replanned,
    Step,
    Unplanned,
    owner,
    reference_step,
    with_frees,
)
from .builder import (
    ARENA,
    DTYPES,
    MAX_RANK,
    RESULT,
    Builder,
    NoKernel,
    Packed,
    Unbound,
    Value,
    told_by,
)
from .builder import Step as Call
from .lowering import LOWERINGS, read

_LONGEST = 2000  # nodes of one segment at first: laying out an arena takes the square of its values
_SHORTEST = 16  # and those that are cut since more would be fed than a plan takes
_SAMPLES = (97, 24, 5, 2)  # stand for every varying extent where kernels are asked before anything
_VALUE = 2  # is fed, the first that can be; and this for every value that extents depend on


class Segment:
    """Nodes as one plan; callable on the arrays that it is fed."""

    __slots__ = ("_learn", "_refused", "feeds", "nodes", "packed", "plan")

    def __init__(
        self,
        plan: Any,
        nodes: list[Node],
        feeds: list[tuple[Extent, ...]],
        packed: int,
        refused: type[Exception],
        learn: Callable[[int], None] | None = None,
    ) -> None:
        self.plan = plan
        self.nodes = nodes
        """What each step of the plan comes of."""
        self._refused = refused
        self._learn = learn
        """Takes the step that refused, where no kernel was asked when the plan was made."""
        self.feeds = feeds
        """Shapes of what it is fed; a scalar that extents depend on has its symbol there."""
        self.packed = packed
        """Bytes of its weights that are kept packed."""

    def fail(self, error: Exception) -> NoReturn:
        """Makes an error for people of what a run of the plan raises."""
        if isinstance(error, MemoryError):
            node = self.nodes[-1]
            raise EvaluationError(f"up to node {node.name} ({node.op}): {error}") from error
        node = self.nodes[error.args[0]]
        index = isinstance(error, IndexError)
        what = "an index lies outside its axis" if index else "integer division by zero"
        raise EvaluationError(f"node {node.name} ({node.op}) failed: {what}") from None

    def memory(self, shapes: tuple[tuple[int, ...], ...]) -> tuple[int, int]:
        """Bytes of arena and of one thread's scratch for feeds of these shapes; raises as a call
        does.
        """
        try:
            found: tuple[int, int] = self.plan.memory(shapes)
        except self._refused as refused:
            raise self._unplanned(refused) from None
        return found

    def __call__(self, *feeds: Array) -> tuple[Array, ...]:
        """The results for arrays of the right types; Unplanned where the plan does not hold for
        these, Replanned where another one may.
        """
        dense = tuple([f if f.flags.c_contiguous else np.ascontiguousarray(f) for f in feeds])
        try:
            return tuple(self.plan.run(dense, get_num_threads()))
        except (IndexError, ArithmeticError, MemoryError) as error:
            self.fail(error)
        except self._refused as refused:
            raise self._unplanned(refused) from None

    def _unplanned(self, refused: Exception) -> Unplanned:
        """What to raise where the plan does not hold."""
        number = _step(refused)
        if self._learn is None or number < 0:
            return Unplanned(str(refused))
        self._learn(number)
        return Replanned(str(refused))


class _Cut:
    """The plan of one segment while its nodes are collected."""

    def __init__(self, maker: Maker) -> None:
        self.maker = maker
        self.nodes: list[int] = []
        self.made: set[Ref] = set()

    def add(self, number: int) -> None:
        self.nodes.append(number)
        node = self.maker.graph.nodes[number]
        self.made.update(Ref(number, slot) for slot in range(len(node.types)))


class Maker:
    """Makes programs over one prepared graph with one engine."""

    def __init__(
        self,
        engine: ModuleType,
        graph: Graph,
        patient: bool = True,
        refused: frozenset[str] = frozenset(),
    ) -> None:
        if "td.Loop" in graph.op_types():
            from . import loops  # noqa: F401  its lowering registers itself
        self.engine = engine
        self.graph = graph
        self.patient = patient
        """Whether a call may find out what kernels refuse, and be made once more."""
        self.packed = Packed(
            sum(node.attrs["value"].nbytes for node in graph.nodes if node.op == "Const")
        )
        self.unfit: set[str] = set()
        """Names of fused nodes that kernels refused."""
        self._refused = {
            node.name
            for node in graph.nodes
            if node.name in refused and not node.op.startswith("td.")
        }
        self._fixed: set[str] = set()
        self._dense: set[str] = set()
        self._longest = _LONGEST
        self._told: dict[str, Ref] = {}
        self._before = self._learned()
        self._sized: dict[int, list[int]] = {}
        for number, node in enumerate(graph.nodes):
            for ref in node.inputs:
                if graph.nodes[ref.node].op in SIZES:  # which references know as well as kernels
                    self._sized.setdefault(ref.node, []).append(number)

    def program(
        self, fetches: tuple[Ref, ...], fed: frozenset[Ref], also: Sequence[Ref] = ()
    ) -> Program:
        """What computes `fetches` from `fed`, and runs the nodes of `also`; the engine's Refused
        where a node is `unfit`.
        """
        while True:
            self._before = self._learned()
            program = self._attempt(fetches, fed, also)
            if self._before == self._learned():
                break
        if self.unfit:
            raise self.engine.Refused(", ".join(sorted(self.unfit)))
        return program

    def refused(self) -> frozenset[str]:
        """Names of the nodes that are for references."""
        return frozenset(self._refused)

    def _learned(self) -> tuple[int, ...]:
        return len(self._refused), len(self._fixed), len(self._dense), -self._longest

    def _refuse(self, node: Node, error: Exception | None = None) -> None:
        """Sends a node to its reference; a fused one has none.

        What an extent depends on may yet be told by a node that was refused in the same attempt.
        """
        if isinstance(error, Unbound) and self._before != self._learned():
            return
        if node.op.startswith("td."):
            self.unfit.add(node.name)
        self._refused.add(node.name)

    def _refuse_all(self, symbol: str, numbers: list[int]) -> None:
        """Sends those of the nodes to their references whose extents depend on `symbol`, up to the
        one that tells it, if the first was sent.
        """
        if self.graph.nodes[numbers[0]].name not in self._refused:
            return
        for number in numbers:
            node = self.graph.nodes[number]
            extents = [e for kind in node.types for e in kind.shape or () if isinstance(e, Dim)]
            if any(symbol in extent.symbols() for extent in extents):
                self._refuse(node)
            if any(extent.name == symbol for extent in extents):
                return

    def _attempt(
        self, fetches: tuple[Ref, ...], fed: frozenset[Ref], also: Sequence[Ref]
    ) -> Program:
        graph = self.graph
        needed = self._needed([*fetches, *also], fed)
        constants: dict[Ref, Array] = {}
        steps: list[Step] = []
        cut = _Cut(self)
        uses = self._uses_outside(needed)
        wanted = set(fetches)
        self._told = {}
        self._tell(sorted(fed))
        for number in needed:
            node = graph.nodes[number]
            if node.op == "Const":
                constants[Ref(number)] = node.attrs["value"]
            elif self._for_kernels(number):
                if len(cut.nodes) >= self._longest:
                    self._close(cut, steps, wanted, uses)
                    cut = _Cut(self)
                cut.add(number)
            else:
                if cut.made.intersection(node.inputs) or node.control:
                    self._close(cut, steps, wanted, uses)
                    cut = _Cut(self)
                if node.name not in self.unfit:
                    steps.append(self._reference(number))
                self._tell(Ref(number, slot) for slot in range(len(node.types)))
        self._close(cut, steps, wanted, uses)
        read_by_steps = {ref for step in steps for ref in step.inputs}
        needed_constants = {
            ref: a for ref, a in constants.items() if ref in wanted or ref in read_by_steps
        }
        owners = frozenset(id(owner(a)) for a in needed_constants.values())
        freeing = with_frees(steps, fetches, fed | set(needed_constants))
        return Program(freeing, needed_constants, fetches, owners)

    def _reference(self, number: int) -> Step:
        """The call of a node that is not for the kernels."""
        node = self.graph.nodes[number]
        step = reference_step(node, number)
        from .natives import with_native  # which knows many families

        return step._replace(function=with_native(self.engine, node.op, step.function))

    def _tell(self, refs: Iterable[Ref]) -> None:
        """Notes which symbols the shapes of values outside of any plan tell."""
        for ref in refs:
            kind = self.graph.type(ref)
            if kind.shape is not None and len(kind.shape) <= MAX_RANK and kind.dtype in DTYPES:
                for symbol, _, _ in told_by(self.graph, ref):
                    self._told.setdefault(symbol, ref)

    def _for_kernels(self, number: int) -> bool:
        node = self.graph.nodes[number]
        if not all(map(self._for_kernels, self._sized.get(number, ()))):
            return False
        return node.name not in self._refused and node.op in LOWERINGS and not node.control

    def _inputs(self, number: int) -> tuple[Ref, ...]:
        """The inputs that a node reads, shapes left out where kernels know them."""
        node = self.graph.nodes[number]
        return read(node) if self._for_kernels(number) else node.inputs

    def _needed(self, fetches: Iterable[Ref], fed: frozenset[Ref]) -> list[int]:
        seen: set[int] = set()
        pending = [ref for ref in fetches if ref not in fed]
        while pending:
            number = pending.pop().node
            if number in seen:
                continue
            seen.add(number)
            pending += [ref for ref in self._inputs(number) if ref not in fed]
            pending += [Ref(n) for n in self.graph.nodes[number].control]
        return sorted(seen)

    def _uses_outside(self, needed: list[int]) -> dict[Ref, list[int]]:
        uses: dict[Ref, list[int]] = {}
        for number in needed:
            for ref in self._inputs(number):
                uses.setdefault(ref, []).append(number)
        return uses

    def _close(
        self,
        cut: _Cut,
        steps: list[Step],
        wanted: set[Ref],
        uses: dict[Ref, list[int]],
    ) -> None:
        """Makes a step of the segment at hand; its refused nodes are remembered for the next
        attempt.
        """
        if not cut.nodes:
            return
        inside = set(cut.nodes)
        results = [
            ref
            for n in cut.nodes
            for ref in (Ref(n, s) for s in range(len(self.graph.nodes[n].types)))
            if ref in wanted or any(u not in inside for u in uses.get(ref, ()))
        ]
        counts = Counter({ref: len(uses.get(ref, ())) for ref in cut.made})
        counts.update(results)
        b = Builder(
            self.engine,
            self.graph,
            self.packed,
            self._told,
            uses=counts,
            fixed=self._fixed,
            wants_dense=self._dense,
        )
        outer = dict.fromkeys(
            ref
            for n in cut.nodes
            for ref in self._inputs(n)
            if ref not in cut.made and b.constant(ref) is None
        )
        for ref in outer:
            try:
                b.feed(ref)
            except NoKernel as error:
                for n in cut.nodes:
                    if ref in self._inputs(n):
                        self._refuse(self.graph.nodes[n], error)
                return
        for place, number in enumerate(cut.nodes):
            b.node = self.graph.nodes[number]
            try:
                LOWERINGS[b.node.op](b)
            except (NoKernel, ValueError) as error:  # what does not fit the reference can tell
                self._refuse(b.node, error)
                if isinstance(error, Unbound):
                    self._refuse_all(error.symbol, cut.nodes[place:])
                return
        try:
            values = _as_results(b, results)
        except NoKernel as error:
            self._refuse(b.node, error)
            return
        try:
            plan = b.finish([b.values[ref] for ref in b.feeds], values)
        except OverflowError:
            raise self.engine.Refused("extents beyond 64 bits") from None
        except self.engine.Refused:  # too much is fed, or wanted of it
            self._shorten(cut)
            return
        asked, refused = self._ask(b, plan)
        if refused < 0:
            node = self.graph.nodes[cut.nodes[-1]]
            shapes = b.feed_shapes(b.feeds)
            nodes = [s.node for s in b.steps]
            learn = None if asked else partial(self._learn, b)
            segment = Segment(plan, nodes, shapes, b.packed_bytes(), self.engine.Refused, learn)
            steps.append(Step(node, segment, {}, tuple(b.feeds), tuple(results)))
            self._tell(results)
        else:
            self._learn(b, refused)

    def _shorten(self, cut: _Cut) -> None:
        """Makes segments shorter; where they are short, the node that reads most is no part."""
        if len(cut.nodes) > _SHORTEST:
            self._longest = max(len(cut.nodes) // 2, _SHORTEST)
        else:
            nodes = [self.graph.nodes[number] for number in cut.nodes]
            self._refuse(max(nodes, key=lambda node: len(node.inputs)))

    def _ask(self, b: Builder, plan: Any) -> tuple[bool, int]:
        """Whether kernels could be asked to take their steps, for sample extents, and the step
        that is refused, or -1.

        Extents that cannot be together, as those beyond a table of positions, say nothing of those
        that are fed, and neither does a step that reads open ones: it may be that they do not fit
        the weights.
        """
        for size in _SAMPLES:
            sample = _Sample(size, dict.fromkeys(b.value_symbols(), _VALUE))
            shapes = b.feed_shapes(b.feeds)
            try:
                plan.memory(tuple(tuple(evaluate(e, sample) for e in shape) for shape in shapes))
                return True, -1
            except self.engine.Refused as refused:
                number = _step(refused)
            if number >= 0:
                patient = self.patient and self._open(b.steps[number])
                return (False, -1) if patient else (True, number)
        return False, -1

    def _open(self, step: Call) -> bool:
        """Whether a step reads more extents that are not known before a call than the rows."""
        shapes = [self.graph.type(ref).shape or () for ref in step.node.inputs]
        inner = any(isinstance(extent, Dim) for shape in shapes for extent in shape[1:])
        return inner or len({shape[0] for shape in shapes if shape} - {1}) > 1

    def _learn(self, b: Builder, number: int) -> None:
        """Remembers what to do otherwise, step `number` having been refused."""
        step = b.steps[number]
        name = step.node.name
        moved = {b.placed[id(v)] for v in step.outputs if id(v) in b.placed}
        if moved:
            self._fixed |= moved
        elif name not in self._dense and any(v is not None and not v.dense for v in step.inputs):
            self._dense.add(name)
        else:
            self._refuse(step.within or step.node)


def _step(refused: Exception) -> int:
    """The step whose kernel refused, -1 where none did."""
    what, _, number = str(refused).rpartition(" ")
    return int(number) if what == "step" else -1


class _Sample(dict[str, int]):
    """Values of symbols; `size` of those that have none."""

    def __init__(self, size: int, known: dict[str, int]) -> None:
        super().__init__(known)
        self._size = size

    def __missing__(self, key: str) -> int:
        return self._size


def _as_results(b: Builder, results: Sequence[Ref]) -> list[Value]:
    """Values whose memory is the caller's, in the order of `results`; copies where it must be
    so.
    """
    values = []
    for index, ref in enumerate(results):
        b.node = b.graph.nodes[ref.node]
        value = b.values[ref]
        root = value.root()
        whole = value.dense and value.offset == 0 and _same_count(value, root)
        if root.kind != ARENA or not whole:
            copy = b.new(value.dtype, value.shape)
            b.copy(value, copy)
            value = root = copy
        root.kind, root.index = RESULT, index
        values.append(value)
    return values


def _same_count(a: Value, b: Value) -> bool:
    return a is b or product(a.shape) == product(b.shape)
