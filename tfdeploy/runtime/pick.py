"""Picks how a call is run: the compiled engine on the prepared graph, or the references."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import config
from ..graph.graph import Graph, Ref
from ..ops import registry
from .interp import Interpreter, Program, call, owner, release

Array = NDArray[Any]


class Executor:
    """Runs one graph; `roots` are the results that it is made for (`forget` after a change).

    Placeholders may be fed on either way.  Feeding anything else, which a fusion may have absorbed, runs the
    canonical graph.
    """

    def __init__(self, graph: Graph, roots: Sequence[Ref]) -> None:
        self._graph = graph
        self._roots = roots
        self._references = Interpreter(graph)
        self._compiled: _Compiled | None = None
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Drops everything that was made from the graph, since it was edited."""
        self._references.forget()
        self._compiled = None

    def run(self, fetches: Sequence[Ref], feeds: Mapping[Ref, Array]) -> list[Array]:
        """Values of `fetches`, owned by the caller; see `Interpreter.run`."""
        engine = config.engine()
        if engine is None or not self._plain(feeds):
            return self._references.run(fetches, feeds)
        compiled = self._compiled
        if compiled is None or compiled.version != registry.version:
            with self._lock:
                compiled = self._compiled = _Compiled(engine, self._graph, list(self._roots))
        try:
            return compiled.run(fetches, feeds)
        except engine.Refused:
            return self._references.run(fetches, feeds)

    def _plain(self, feeds: Mapping[Ref, Array]) -> bool:
        return all(self._graph.nodes[ref.node].op == "Placeholder" for ref in feeds)


class _Compiled:
    """The prepared graph with its programs, for one state of the registry."""

    def __init__(self, engine: Any, graph: Graph, roots: list[Ref]) -> None:
        from ..passes.pipeline import prepare
        from ..plan.segments import Maker

        self.version = registry.version
        prepared, self._map = prepare(graph, roots)
        self._maker = Maker(engine, prepared)
        self._programs: dict[tuple[tuple[Ref, ...], frozenset[Ref]], Program] = {}
        self._lock = threading.Lock()

    def run(self, fetches: Sequence[Ref], feeds: Mapping[Ref, Array]) -> list[Array]:
        key = tuple(fetches), frozenset(feeds)
        program = self._programs.get(key)
        if program is None:
            with self._lock:
                program = self._maker.program(
                    tuple(self._map[ref] for ref in fetches),
                    frozenset(self._map[ref] for ref in feeds))
                self._programs[key] = program
        values = dict(program.constants)
        for ref, array in feeds.items():
            view = np.ascontiguousarray(array).view()
            view.flags.writeable = False
            values[self._map[ref]] = view.reshape(array.shape)
        with np.errstate(all="ignore"):
            for step in program.steps:
                call(step, values)
        taken = program.owners | {id(owner(values[self._map[ref]])) for ref in feeds
                                  if self._map[ref] in values}
        return release(program.fetches, values, taken)
