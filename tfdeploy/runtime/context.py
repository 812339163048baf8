"""What references need besides arrays: what a model keeps between calls, and its subgraphs."""

from __future__ import annotations

from _thread import RLock
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..graph.graph import FuncRef, Graph, Settled, replace
from ..ops import registry
from ..ops.handles import Handle

if TYPE_CHECKING:
    from .interp import Step

T = TypeVar("T")
Function = Callable[..., tuple[Any, ...]]
Body = Callable[[Graph, "Context"], Function]


class State:
    """What lives as long as a model: its variables, tables and random streams, by node."""

    def __init__(self) -> None:
        self.lock = RLock()
        self._kept: dict[str, Any] = {}

    def keep(self, path: str, make: Callable[[], T]) -> T:
        """What the node at `path` has made, now or before."""
        found = self._kept.get(path)
        if found is None:
            with self.lock:
                if path not in self._kept:
                    self._kept[path] = make()
                found = self._kept[path]
        return found  # type: ignore[no-any-return]

    def get(self, path: str) -> Any:
        """What the node at `path` has made, or None."""
        return self._kept.get(path)

    def clear(self) -> None:
        """Forgets everything: the next call starts from the model's initial values."""
        with self.lock:
            self._kept.clear()

    def saved(self, graph: Graph, path: str = "") -> Graph:
        """The graph with the state as it is now for initial values; the same where nothing is."""
        with self.lock:
            kept = {n: self._kept.get(path + node.name) for n, node in enumerate(graph.nodes)}
            attrs = {n: h.saved() for n, h in kept.items() if isinstance(h, Handle)}
            inner = {
                name: self.saved(each, f"{path}{name}/") for name, each in graph.subgraphs.items()
            }
        if not any(attrs.values()) and all(g is graph.subgraphs[n] for n, g in inner.items()):
            return graph
        nodes = [
            replace(node, attrs=node.attrs | attrs.get(n, {})) for n, node in enumerate(graph.nodes)
        ]
        return replace(graph, nodes=nodes, subgraphs=inner)


class Context:
    """The surroundings of one graph; `path` stands before its nodes' names, in errors too.

    `body` makes of a subgraph, in its own surroundings, what runs it.
    """

    def __init__(self, graph: Graph, state: State | None, body: Body, path: str = "") -> None:
        self._graph = graph
        self._path = path
        self._body = body
        self._exclusive: bool | None = None
        self.state = state or State()

    def forget(self) -> None:
        """Drops what was found out about the graph, since it was edited."""
        self._exclusive = None

    def guard(self) -> AbstractContextManager[Any]:
        """What a call holds, so that calls of a graph that changes its state take turns."""
        if self._exclusive is None:
            effects = map(registry.effect, self._graph.op_types())
            self._exclusive = registry.WRITES in effects
        return self.state.lock if self._exclusive else nullcontext()

    def named(self, graph: Graph) -> Graph:
        """A graph made of this one, with the path before its nodes' names."""
        if not self._path:
            return graph
        nodes = [replace(node, name=self._path + node.name) for node in graph.nodes]
        return replace(graph, nodes=nodes, index={n.name: i for i, n in enumerate(nodes)})

    def name(self, name: str) -> str:
        """The name in the graph itself of a node of a `named` graph."""
        return name.removeprefix(self._path)

    def bind(self, step: Step) -> Step:
        """The step with what its node needs of the surroundings; a node of a `named` graph or of
        the graph itself.
        """
        node, attrs, function = step.node, step.attrs, step.function
        path = node.name if node.name.startswith(self._path) else self._path + node.name
        if "state" in attrs:
            from ..ops.generators import State as Stream  # only graphs that draw numbers load it

            attrs = attrs | {"state": self.state.keep(path, Stream)}
        if registry.effect(node.op) == registry.RESOURCE:
            function = partial(self._resource, path, function)
        if self._graph.subgraphs:  # without them there is nothing to call
            attrs = {name: self._bound(value) for name, value in attrs.items()}
        if node.name != path:
            node = replace(node, name=path)
        return step._replace(node=node, attrs=attrs, function=function)

    def _resource(self, path: str, function: Callable[..., Any], *inputs: Any, **attrs: Any) -> Any:
        return self.state.keep(path, partial(function, *inputs, **attrs))

    def _bound(self, value: Any) -> Any:
        """An attribute with functions made callable."""
        if isinstance(value, list):
            return [self._bound(item) for item in value]
        if isinstance(value, Settled):
            graph = value.graph
        elif isinstance(value, FuncRef):
            graph = self._graph.subgraphs[value.name]
        else:
            return value
        path = f"{self._path}{value.name}/"
        return self._body(graph, Context(graph, self.state, self._body, path))
