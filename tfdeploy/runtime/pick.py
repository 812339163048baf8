"""Picks how a call is run: the compiled engine on the prepared graph, or the references."""

from __future__ import annotations

import warnings
from _thread import allocate_lock
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import config
from ..dtypes import Array
from ..errors import EvaluationError, TfdeployError
from ..graph.graph import Graph, Ref
from ..ops import registry
from ..ops.effects import happening, lasting, ordered
from .context import Context, State
from .interp import (
    Interpreter,
    Program,
    Replanned,
    Routine,
    Unplanned,
    call,
    owner,
    references,
    release,
)

if TYPE_CHECKING:
    from ..passes import Prepared
    from ..plan.segments import Segment


class Executor:
    """Runs one graph; `roots` are the results that it is made for (`forget` after a change).

    `stored` gives the prepared graph that a file holds, if any.

    Placeholders may be fed on either way.  Feeding anything else, which a fusion may have absorbed,
    runs the canonical graph.
    """

    def __init__(
        self,
        graph: Graph,
        roots: Sequence[Ref],
        state: State | None = None,
        stored: Callable[[], Prepared | None] | None = None,
    ) -> None:
        self._graph = graph
        self._roots = roots
        self._context = Context(graph, state, Body)
        self._references = Interpreter(graph, self._context)
        self._compiled: _Compiled | None = None
        self._stored = stored
        self._foreign = stored is not None
        self._lock = allocate_lock()
        self.edits = 0
        """Rises whenever what was made from the graph is void."""

    def forget(self) -> None:
        """Drops everything that was made from the graph, since it was edited."""
        self.edits += 1
        self._context.forget()
        self._references.forget()
        self._compiled = None
        self._stored = None

    def aim(self) -> None:
        """Drops what was made for other roots."""
        self.edits += 1
        self._compiled = None

    def renew(self) -> None:
        """Lets plans be made anew, one of which was Replanned."""
        self.edits += 1
        if self._compiled is not None:
            self._compiled.renew()

    def program(self, fetches: Sequence[Ref], feeds: Iterable[Ref]) -> Program:
        """The steps by which `fetches` are computed from `feeds`."""
        engine = config.engine()
        if engine is None or not self._plain(feeds):
            return self._references.program(tuple(fetches), frozenset(feeds))
        try:
            return self._made(engine)._program(tuple(fetches), frozenset(feeds))[0]
        except engine.Refused:
            return self._references.program(tuple(fetches), frozenset(feeds))

    def prepared(self) -> Prepared | None:
        """What a file should hold beside the graph."""
        from ..passes.pipeline import prepared

        return prepared(self._graph, self._roots)

    def run(self, fetches: Sequence[Ref], feeds: Mapping[Ref, Array]) -> list[Array]:
        """Values of `fetches`, owned by the caller; see `Interpreter.run`."""
        with self._context.guard():
            return self._run(fetches, feeds)

    def _run(self, fetches: Sequence[Ref], feeds: Mapping[Ref, Array]) -> list[Array]:
        engine = config.engine()
        if engine is None or not self._plain(feeds):
            return self._references.run(fetches, feeds)
        while True:
            try:
                return self._made(engine).run(fetches, feeds)
            except engine.Refused:
                return self._references.run(fetches, feeds)
            except Unplanned as error:
                again = isinstance(error, Replanned)
                if again:
                    self.renew()
                if lasting(self._graph):  # nothing may happen twice
                    raise EvaluationError(
                        f"a plan does not hold for what it was given: {error}"
                    ) from None
                if not again:
                    return self._references.run(fetches, feeds)

    def direct(self, outputs: Mapping[str, Ref], inputs: Mapping[str, Ref]) -> Any:
        """The engine's `Direct`, the shortest way to `outputs` where all of `inputs` are fed; None
        where there is none.
        """
        engine = config.engine()
        if engine is None or not self._plain(inputs.values()):
            return None
        try:
            found = self._made(engine).direct(tuple(outputs.values()), tuple(inputs.values()))
        except engine.Refused:
            return None
        if found is None:
            return None
        segment, order = found
        names = tuple(inputs), order, tuple(outputs)
        return engine.Direct(segment.plan, *names, self, registry, config, segment.fail)

    def _made(self, engine: Any) -> _Compiled:
        compiled = self._compiled
        if compiled is None or compiled.version != registry.version:
            with self._lock:
                compiled = self._compiled = _Compiled(
                    engine,
                    self._graph,
                    list(self._roots),
                    self._context,
                    self._stored,
                    self._foreign,
                )
        return compiled

    def _plain(self, feeds: Iterable[Ref]) -> bool:
        return all(map(self._graph.fed, feeds))


class Body:
    """Runs a subgraph: compiled where no node of it must run for its effect, else op by op."""

    def __init__(self, graph: Graph, context: Context) -> None:
        self._graph = graph
        self._context = context
        self._references = references(graph, context)
        self._compiled: _Compiled | None = None
        self._plain = not ordered(graph)

    def __call__(self, *arguments: Any) -> tuple[Any, ...]:
        engine = config.engine()
        if engine is None or not self._plain:
            return self._references(*arguments)
        compiled = self._compiled
        if compiled is None or compiled.version != registry.version:
            roots = list(self._graph.outputs)
            compiled = self._compiled = _Compiled(engine, self._graph, roots, self._context, None)
        try:
            return compiled.apply(arguments)
        except (engine.Refused, Unplanned):
            return self._references(*arguments)


_Placed = tuple[Program, Mapping[Ref, Ref]]
"""A program, and where values of the canonical graph are in its prepared one."""


class _Compiled:
    """The prepared graph with its programs, for one state of the registry."""

    def __init__(
        self,
        engine: Any,
        graph: Graph,
        roots: list[Ref],
        context: Context,
        stored: Callable[[], Prepared | None] | None,
        foreign: bool = False,
    ) -> None:
        self.version = registry.version
        self._engine, self._graph, self._roots = engine, graph, roots
        self._context, self._foreign = context, foreign
        self._programs: dict[tuple[tuple[Ref, ...], frozenset[Ref]], _Placed] = {}
        self._lock = allocate_lock()
        self._unfit: set[str] = set()
        self._routine: Routine | None = None
        self._maker: Any = None
        self._waits = False  # as in every graph that a file holds prepared
        found = stored() if stored is not None else None
        if found is None or not self._usable(found):
            self._prepare()
        else:
            self._set(found.graph, found.values)

    def _usable(self, found: Prepared) -> bool:
        from ..passes import VERSION

        records = map(registry.known, self._graph.op_types())
        settled = any(record is not None and record.settled() for record in records)
        return found.version == VERSION and not settled and set(self._roots) <= set(found.values)

    def _prepare(self) -> None:
        """Runs the passes: every value of the graph has its place then."""
        from ..passes.own import apart
        from ..passes.pipeline import prepare

        graph = apart(self._graph, self._unfit) if self._unfit else self._graph
        self._waits = any(node.control for node in graph.nodes)
        self._set(*prepare(graph, self._roots))

    def _set(self, prepared: Graph, values: dict[Ref, Ref]) -> None:
        from ..plan.segments import Maker

        self._map = values
        patient = not lasting(prepared)
        before = self._maker.refused() if self._maker is not None else frozenset()
        self._maker = Maker(self._engine, self._context.named(prepared), patient, before)

    def _program(self, fetches: tuple[Ref, ...], feeds: frozenset[Ref]) -> _Placed:
        found = self._programs.get((fetches, feeds))
        if found is None:
            with self._lock:
                if not all(ref in self._map for ref in (*fetches, *feeds)):
                    self._prepare()
                program, places = self._fitted(fetches, feeds)
                program = program._replace(steps=tuple(map(self._context.bind, program.steps)))
                found = self._programs[fetches, feeds] = program, places
        return found

    def _fitted(self, fetches: tuple[Ref, ...], feeds: frozenset[Ref]) -> _Placed:
        """A program over a prepared graph in which no node is fused that the kernels refuse."""
        while True:
            places = self._map
            try:
                program = self._planned(
                    tuple(places[ref] for ref in fetches),
                    frozenset(places[ref] for ref in feeds),
                    [places[ref] for ref in happening(self._graph, fetches)] if self._waits else [],
                )
                return program, places
            except self._engine.Refused:
                names = {self._context.name(n.partition("~")[0]) for n in self._maker.unfit}
                if not names or not names.isdisjoint(self._unfit):
                    raise
                self._unfit |= names
                self._prepare()

    def _planned(self, fetches: tuple[Ref, ...], feeds: frozenset[Ref], also: list[Ref]) -> Program:
        """A program over the prepared graph; what a file says of types may make no sense."""
        try:
            program: Program = self._maker.program(fetches, feeds, also)
            return program
        except (self._engine.Refused, TfdeployError):
            raise
        except Exception as error:
            if not self._foreign:
                raise
            said = f"the graph in the file makes no plan ({type(error).__name__}: {error})"
            warnings.warn(
                f"{said}: it runs op by op, which is slow; convert the model anew",
                RuntimeWarning,
                stacklevel=2,
            )
            raise self._engine.Refused(said) from error

    def apply(self, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        """The results of a subgraph for its arguments; they may share memory with these."""
        while True:
            routine = self._routine
            if routine is None:
                inputs = self._graph.inputs
                program, places = self._program(tuple(self._graph.outputs), frozenset(inputs))
                routine = self._routine = Routine(program, [places[ref] for ref in inputs])
            try:
                return routine(arguments)
            except Replanned:
                self.renew()

    def renew(self) -> None:
        """Lets programs be made anew, with what their plans have learned."""
        self._programs.clear()
        self._routine = None

    def direct(
        self, fetches: tuple[Ref, ...], feeds: tuple[Ref, ...]
    ) -> tuple[Segment, tuple[int, ...]] | None:
        """The segment that gives `fetches`, where it is all of the program, and the places among
        `feeds` of what it takes.
        """
        from ..plan.segments import Segment

        program, places = self._program(fetches, frozenset(feeds))
        if len(program.steps) != 1 or program.steps[0].outputs != program.fetches:
            return None
        step = program.steps[0]
        mapped = [places[ref] for ref in feeds]
        if not isinstance(step.function, Segment) or not set(step.inputs) <= set(mapped):
            return None
        return step.function, tuple([mapped.index(ref) for ref in step.inputs])

    def run(self, fetches: Sequence[Ref], feeds: Mapping[Ref, Array]) -> list[Array]:
        program, places = self._program(tuple(fetches), frozenset(feeds))
        values = dict(program.constants)
        for ref, array in feeds.items():
            view = np.ascontiguousarray(array).view()
            view.flags.writeable = False
            values[places[ref]] = view.reshape(array.shape)
        with np.errstate(all="ignore"):
            for step in program.steps:
                call(step, values)
        taken = program.owners | {
            id(owner(values[places[ref]])) for ref in feeds if places[ref] in values
        }
        return release(program, values, taken)
