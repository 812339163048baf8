"""The graph: a list of nodes in an order in which they can run.

Invariants (checked by `verify`): a node's inputs and control inputs are earlier nodes; node names
are unique; every alias, input and output refers to an existing value.  Effectful nodes run in list
order; `control` names only nodes that have an effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from ..errors import GraphError
from .types import ValueType

T = TypeVar("T", "Node", "Graph")


class Ref(NamedTuple):
    """A value: output `slot` of node number `node`."""

    node: int
    slot: int = 0


class FuncRef(NamedTuple):
    """An attribute that names a function: a subgraph, or before lowering one of the library, with
    the attributes bound there.
    """

    name: str
    attrs: dict[str, Any]


class Settled(NamedTuple):
    """An attribute in the place of a FuncRef to subgraph `name`: that function as one call of it
    needs it, with the constants that it is given.
    """

    name: str
    graph: Graph


def functions(attrs: Mapping[str, Any]) -> Iterator[FuncRef]:
    """The functions that attributes name, those in lists included."""
    for value in attrs.values():
        if isinstance(value, FuncRef):
            yield value
        elif isinstance(value, list):
            yield from (item for item in value if isinstance(item, FuncRef))


class Node:
    """One operation.  `op` is the TensorFlow type, `types` has one entry per output.

    A ``Const`` holds its array in ``attrs["value"]``, a ``Placeholder`` its default, if any, in
    ``attrs["default"]``.
    """

    __slots__ = ("attrs", "control", "inputs", "name", "op", "types")

    def __init__(
        self,
        op: str,
        name: str,
        inputs: tuple[Ref, ...] = (),
        attrs: dict[str, Any] | None = None,
        types: tuple[ValueType, ...] = (),
        control: tuple[int, ...] = (),
    ) -> None:
        self.op = op
        self.name = name
        self.inputs = inputs
        self.attrs = {} if attrs is None else attrs
        self.types = types
        self.control = control


class SignatureDef(NamedTuple):
    """A named way to call a graph: argument and result names to values."""

    inputs: dict[str, Ref]
    outputs: dict[str, Ref]


class Graph:
    """Nodes, and the names by which values are found.

    `aliases` maps tensor names (``a/b:0``) to values for every name that is not simply a node's
    own; `renamed` maps values to the names that a user gave them, which replace their nodes' names.
    `inputs` and `outputs` are those of a subgraph's call, empty for a graph that signatures
    describe.
    """

    __slots__ = ("aliases", "index", "inputs", "nodes", "outputs", "renamed", "subgraphs")

    def __init__(
        self,
        nodes: list[Node] | None = None,
        aliases: dict[str, Ref] | None = None,
        renamed: dict[Ref, str] | None = None,
        subgraphs: dict[str, Graph] | None = None,
        inputs: list[Ref] | None = None,
        outputs: list[Ref] | None = None,
        index: dict[str, int] | None = None,
    ) -> None:
        self.nodes = [] if nodes is None else nodes
        self.aliases = {} if aliases is None else aliases
        self.renamed = {} if renamed is None else renamed
        self.subgraphs = {} if subgraphs is None else subgraphs
        self.inputs = [] if inputs is None else inputs
        self.outputs = [] if outputs is None else outputs
        self.index = {} if index is None else index

    def add(self, node: Node) -> int:
        """Appends `node`, whose name must be new, and returns its number."""
        number = len(self.nodes)
        if self.index.setdefault(node.name, number) != number:
            raise ValueError(f"node name {node.name!r} occurs twice")
        self.nodes.append(node)
        return number

    def find(self, name: str) -> Ref | None:
        """The value called `name`; ``a`` means ``a:0``."""
        node, slot = split_name(name)
        alias = self.aliases.get(f"{node}:{slot}")
        if alias is not None:
            return alias
        number = self.index.get(node)
        if number is None or slot >= len(self.nodes[number].types):
            return None
        ref = Ref(number, slot)
        return None if ref in self.renamed else ref

    def name(self, ref: Ref) -> str:
        """The tensor name of a value: its user's, or its node's."""
        return self.renamed.get(ref) or f"{self.nodes[ref.node].name}:{ref.slot}"

    def rename(self, ref: Ref, name: str) -> None:
        """Calls a value `name` from now on; its name until now finds nothing any more.

        Raises GraphError where another value is called so.
        """
        node, slot = split_name(name)
        name = f"{node}:{slot}"
        if self.find(name) not in (None, ref):
            raise GraphError(f"the graph has another tensor called {name!r}")
        self.aliases.pop(self.renamed.get(ref, ""), None)
        self.renamed[ref] = name
        self.aliases[name] = ref

    def type(self, ref: Ref) -> ValueType:
        """The type of a value."""
        return self.nodes[ref.node].types[ref.slot]

    def fed(self, ref: Ref) -> bool:
        """Whether a value is a placeholder's: there for the caller to give."""
        return self.nodes[ref.node].op == "Placeholder"

    def op_types(self) -> set[str]:
        """The types of all ops, those in subgraphs included."""
        inner = (graph.op_types() for graph in self.subgraphs.values())
        return {node.op for node in self.nodes}.union(*inner)

    def tensor_names(self) -> Iterator[str]:
        """Every name that `find` knows."""
        for node in self.nodes:
            for slot in range(len(node.types)):
                if Ref(self.index[node.name], slot) not in self.renamed:
                    yield f"{node.name}:{slot}"
        yield from self.aliases

    def refs(self) -> Iterator[Ref]:
        """All values; a node without outputs is told by its first one."""
        for number, node in enumerate(self.nodes):
            for slot in range(max(1, len(node.types))):
                yield Ref(number, slot)

    def ancestors(self, roots: Iterable[int], stop: Iterable[Ref] = ()) -> list[int]:
        """Numbers of the nodes that `roots` need, in order; nothing beyond the values in `stop`."""
        cut = set(stop)
        seen: set[int] = set()
        pending = list(roots)
        while pending:
            number = pending.pop()
            if number in seen:
                continue
            seen.add(number)
            node = self.nodes[number]
            pending.extend(ref.node for ref in node.inputs if ref not in cut)
            pending.extend(node.control)
        return sorted(seen)


def replace(item: T, **fields: Any) -> T:
    """A node or graph like `item`, with other values in some fields."""
    kind: Any = Graph if isinstance(item, Graph) else Node
    return kind(**{name: getattr(item, name) for name in kind.__slots__} | fields)  # type: ignore[no-any-return]


def split_name(name: str) -> tuple[str, int]:
    """``a/b:1`` to (``a/b``, 1); ``a/b`` to (``a/b``, 0)."""
    node, colon, slot = name.rpartition(":")
    if colon and slot.isdecimal():
        return node, int(slot)
    return name, 0
