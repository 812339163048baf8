"""Runs a graph op by op through the references.

A `Program` is the list of calls that a set of fetches needs, given which values are fed; it frees
each value after its last use.  Values that depend on constants alone are computed when the program
is made.
"""

from __future__ import annotations

from _thread import allocate_lock
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..dtypes import Array
from ..errors import (
    EvaluationError,
    FeedError,
    FetchError,
    TfdeployError,
    UnknownOperationException,
)
from ..graph.graph import Graph, Node, Ref
from ..ops import registry
from ..ops.effects import ordered
from ..ops.handles import Handle
from ..passes.own import unmarked
from .context import Context

_MOST_FOLDED = 1 << 24  # bytes that a folded value may have beyond those of its inputs


class Unplanned(Exception):
    """A plan does not hold for the values that a step was given; the references do."""


class Replanned(Unplanned):
    """The plan was made without asking the kernels; it comes out as another one now."""


class Step(NamedTuple):
    """One call: where its inputs stand, where its outputs go, what nobody needs afterwards.

    `node` is the one that errors name.
    """

    node: Node
    function: Callable[..., Any]
    attrs: dict[str, Any]
    inputs: tuple[Ref, ...]
    outputs: tuple[Ref, ...]
    free: tuple[Ref, ...] = ()


class Program(NamedTuple):
    """What to run for certain fetches; constant and folded values are there from the start."""

    steps: tuple[Step, ...]
    constants: dict[Ref, Array]
    fetches: tuple[Ref, ...]
    owners: frozenset[int]
    """Identities of the memory that the constants live in."""


class Interpreter:
    """Programs of one graph, made when first asked for; safe to share between threads."""

    def __init__(self, graph: Graph, context: Context | None = None) -> None:
        self._graph = graph
        self._context = context or Context(graph, None, references)
        self._lock = allocate_lock()
        self._version = -1
        self._programs: dict[tuple[tuple[Ref, ...], frozenset[Ref]], Program] = {}
        self._folded: dict[Ref, Array] = {}
        self._own: tuple[int, Routine] | None = None

    def forget(self) -> None:
        """Drops everything that was made from the graph, since it was edited."""
        with self._lock:
            self._programs.clear()
            self._folded.clear()
            self._own = None

    def run(self, fetches: Sequence[Ref], feeds: Mapping[Ref, Array]) -> list[Array]:
        """Values of `fetches`, owned by the caller: no result shares memory with anything else.

        Raises FeedError where a placeholder is needed and neither fed nor defaulted,
        EvaluationError where an op fails.
        """
        program = self.program(tuple(fetches), frozenset(feeds))
        values = dict(program.constants)
        for ref, array in feeds.items():
            view = array.view()
            view.flags.writeable = False
            values[ref] = view
        with np.errstate(all="ignore"):
            for step in program.steps:
                call(step, values)
        taken = program.owners | {id(owner(array)) for array in feeds.values()}
        return release(program, values, taken)

    def apply(self, *arguments: Any) -> tuple[Any, ...]:
        """The results of a subgraph for its arguments; nodes with an effect run whether needed or
        not.  Results may be arguments or share memory with them.
        """
        if self._own is None or self._own[0] != registry.version:
            graph = self._graph
            with self._lock:
                self._renew()
                program = self._compile(
                    tuple(graph.outputs), frozenset(graph.inputs), ordered(graph)
                )
                self._own = registry.version, Routine(program, graph.inputs)
        return self._own[1](arguments)

    def program(self, fetches: tuple[Ref, ...], fed: frozenset[Ref]) -> Program:
        """The steps by which `fetches` are computed from what is fed."""
        key = fetches, fed
        program = self._programs.get(key)
        if program is None or self._version != registry.version:
            with self._lock, np.errstate(all="ignore"):
                self._renew()
                program = self._programs[key] = self._compile(fetches, fed)
        return program

    def _renew(self) -> None:
        """Drops what was made before ops changed."""
        if self._version != registry.version:
            self._programs.clear()
            self._folded.clear()
            self._version = registry.version

    def _compile(
        self, fetches: tuple[Ref, ...], fed: frozenset[Ref], also: Iterable[int] = ()
    ) -> Program:
        graph = self._graph
        constants: dict[Ref, Array] = {}
        varying = set(fed)
        steps: list[Step] = []
        roots = [*(r.node for r in fetches if r not in fed), *also]
        for number in graph.ancestors(roots, fed):
            node = graph.nodes[number]
            step = self._context.bind(reference_step(node, number))
            if step.outputs and fed.issuperset(step.outputs):
                continue
            pure = _pure(node) and not node.control and not varying.intersection(node.inputs)
            if pure and self._fold(step, constants):
                continue
            varying.update(step.outputs)
            steps.append(step)
        owners = frozenset(id(owner(array)) for array in constants.values())
        freeing = with_frees(steps, fetches, fed | set(constants))
        return Program(freeing, constants, fetches, owners)

    def _fold(self, step: Step, constants: dict[Ref, Array]) -> bool:
        """Computes a step of constants; False where its result is not worth keeping."""
        if not all(ref in self._folded for ref in step.outputs):
            values = {ref: constants[ref] for ref in step.inputs}
            call(step, values)
            if any(isinstance(values[ref], Handle) for ref in step.outputs):
                return False
            made = sum(values[ref].nbytes for ref in step.outputs)
            taken = sum(constants[ref].nbytes for ref in step.inputs)
            if step.inputs and made > taken + _MOST_FOLDED:
                return False
            for ref in step.outputs:
                values[ref].flags.writeable = False
                self._folded[ref] = values[ref]
        constants.update((ref, self._folded[ref]) for ref in step.outputs)
        return True


def references(graph: Graph, context: Context) -> Callable[..., tuple[Any, ...]]:
    """Runs a subgraph op by op."""
    return Interpreter(graph, context).apply


def _pure(node: Node) -> bool:
    """Whether a node gives the same whenever it runs; of what a user wrote nobody knows."""
    record = registry.get(node.op)
    if record is None or record.chosen() in record.users or node.op == "Placeholder":
        return False
    return record.effect == registry.PURE


def reference_step(node: Node, number: int) -> Step:
    """The call of a node's implementation; UnknownOperationException where it has none."""
    node = unmarked(node)
    record = registry.get(node.op)
    if record is None:
        raise UnknownOperationException(
            f"node {node.name}: op {node.op} is not registered; define a tfdeploy.Operation of "
            "that type before running the model",
            {node.op: [node.name]},
        )
    attrs = record.defaults | {k: v for k, v in node.attrs.items() if k in record.attrs}
    if record.chosen() in record.users:
        attrs[registry.OUTPUT_DTYPES] = [t.dtype.numpy for t in node.types if not t.dtype.is_handle]
    outputs = tuple(Ref(number, slot) for slot in range(len(node.types)))
    return Step(node, record.checked(), attrs, node.inputs, outputs)


def with_frees(
    steps: list[Step], fetches: tuple[Ref, ...], keep: frozenset[Ref] | set[Ref]
) -> tuple[Step, ...]:
    """The steps, each with the values that no later step needs."""
    alive = set(fetches) | set(keep)
    result = []
    for step in reversed(steps):
        last = {*step.inputs, *step.outputs} - alive
        alive |= last
        result.append(step._replace(free=tuple(last)))
    return tuple(reversed(result))


def call(step: Step, values: dict[Ref, Array]) -> None:
    """Runs a step on `values`, and drops what nobody needs afterwards."""
    results = _answers(step, [values[ref] for ref in step.inputs])
    for ref, value in zip(step.outputs, results, strict=False):
        if ref not in values:  # an output that was fed stays as fed
            values[ref] = _value(value)
    for ref in step.free:
        values.pop(ref, None)


def _value(result: Any) -> Any:
    return result if isinstance(result, (np.ndarray, Handle)) else np.asarray(result)


def _answers(step: Step, arguments: list[Any]) -> tuple[Any, ...]:
    """What a step's function gives, at least one value an output."""
    try:
        result = step.function(*arguments, **step.attrs)
    except (TfdeployError, Unplanned):
        raise
    except Exception as error:
        if step.node.op == "Placeholder":
            raise FeedError(
                f"input {step.node.name!r} ({step.node.types[0]}) was not fed and has no "
                "default value"
            ) from None
        shapes = ", ".join(map(_spell, arguments))
        raise EvaluationError(
            f"node {step.node.name} ({step.node.op}) failed on inputs {shapes}: {error}"
        ) from error
    results = result if isinstance(result, tuple) else (result,)
    if len(results) < len(step.outputs):
        raise EvaluationError(
            f"node {step.node.name} ({step.node.op}) has {len(step.outputs)} outputs, its "
            f"implementation returned {len(results)}"
        )
    return results


class Routine:
    """A program as a function of the values `inputs`, none of which a step gives.

    Loops call it again and again, so values have numbers instead of names.
    """

    def __init__(self, program: Program, inputs: Sequence[Ref]) -> None:
        places: dict[Ref, int] = {}

        def place(refs: Iterable[Ref]) -> list[int]:
            return [places.setdefault(ref, len(places)) for ref in refs]

        constants = place(program.constants), program.constants.values()
        self._inputs = place(inputs)
        self._steps = [
            (step, place(step.inputs), place(step.outputs), place(step.free))
            for step in program.steps
        ]
        self._results = place(program.fetches)
        self._start: list[Any] = [None] * len(places)
        for number, value in zip(*constants, strict=True):
            self._start[number] = value

    def __call__(self, arguments: Sequence[Any]) -> tuple[Any, ...]:
        """The results; they may be arguments or share memory with them."""
        values = self._start.copy()
        for number, value in zip(self._inputs, arguments, strict=True):
            values[number] = value
        for step, inputs, outputs, free in self._steps:
            results = _answers(step, [values[i] for i in inputs])
            for number, value in zip(outputs, results, strict=False):
                values[number] = _value(value)
            for number in free:
                values[number] = None
        return tuple([values[i] for i in self._results])


def _spell(value: Any) -> str:
    return repr(value) if isinstance(value, Handle) else f"{value.dtype}{list(value.shape)}"


def release(program: Program, values: dict[Ref, Array], foreign: Iterable[int]) -> list[Array]:
    """The fetched arrays, copied where they share memory with anything that outlives the call:
    each other, or what `foreign` identifies.
    """
    taken = set(foreign)
    results = []
    for ref in program.fetches:
        array = values[ref]
        if isinstance(array, Handle):
            raise FetchError(f"a {array.kind} cannot be fetched: no array holds it")
        home = owner(array)
        if id(home) in taken or not (array.flags.c_contiguous and array.flags.writeable):
            array = _copied(program, ref, array)
        else:
            taken.add(id(home))
        results.append(array)
    return results


def _copied(program: Program, ref: Ref, array: Array) -> Array:
    try:
        return np.array(array, order="C")
    except MemoryError as error:
        nodes = (step.node for step in program.steps if ref in step.outputs)
        place = next((f"node {node.name} ({node.op})" for node in nodes), "a fetched value")
        raise EvaluationError(f"{place} cannot be given to the caller: {error}") from error


def owner(array: Array) -> Any:
    """The object at the end of a chain of views."""
    base: Any = array
    while isinstance(base, np.ndarray) and base.base is not None:
        base = base.base
    return base
