"""The passes in their order: from the canonical graph to the prepared one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..graph.graph import Graph, Node, Ref
from ..ops.effects import happening
from . import (
    VERSION,
    Prepared,
    elementwise,
    epilogue,
    extents,
    fold,
    halves,
    layout,
    loops,
    own,
    patterns,
    waits,
)
from .rewrite import Mapping, Rewriter, Rules, compose

Pass = Callable[[Graph, list[Ref]], tuple[Graph, Mapping]]


def rules(table: Rules) -> Pass:
    """The pass that applies a table of rules."""

    def run(graph: Graph, roots: list[Ref]) -> tuple[Graph, Mapping]:
        return Rewriter(graph, roots).run(table)

    return run


def _loops(graph: Graph, roots: list[Ref]) -> tuple[Graph, Mapping]:
    return loops.fuse(graph, roots, prepare)


PASSES: tuple[tuple[str, Pass], ...] = (
    ("own", own.mark),
    ("waits", waits.free),
    ("fold", rules(fold.RULES)),
    ("halves", rules(halves.RULES)),
    ("loops", _loops),
    ("extents", extents.name),
    ("layout", rules(layout.RULES)),
    ("patterns", rules(patterns.RULES)),
    ("epilogue", rules(epilogue.RULES)),
    ("narrow", rules(epilogue.NARROW | elementwise.POWERS)),
    ("elementwise", elementwise.group),
)


def prepared(graph: Graph, roots: Sequence[Ref]) -> Prepared | None:
    """What a file may hold beside `graph`, None where it is better made when it is needed."""
    if graph.subgraphs or not roots or any(node.control for node in graph.nodes):
        return None
    if own.mark(graph, [])[0] is not graph:  # what somebody chose holds for this process alone
        return None
    whole, mapping = prepare(graph, roots)
    feeds = [Ref(i) for i, node in enumerate(graph.nodes) if node.op == "Placeholder"]
    kept = [*dict.fromkeys([*roots, *feeds])]
    live = whole.ancestors(mapping[ref].node for ref in kept)
    numbers = {number: i for i, number in enumerate(live)}
    small = Graph()
    for number in live:
        node = whole.nodes[number]
        inputs = tuple(Ref(numbers[ref.node], ref.slot) for ref in node.inputs)
        small.add(Node(node.op, node.name, inputs, node.attrs, node.types))
    values = {ref: Ref(numbers[mapping[ref].node], mapping[ref].slot) for ref in kept}
    return Prepared(VERSION, small, values, graph.op_types(), set(feeds))


def prepare(graph: Graph, roots: Sequence[Ref], until: str = "") -> tuple[Graph, Mapping]:
    """The prepared graph, and the value in it that stands for each value of `graph`.

    `roots` are what the model is made for: results of signatures and roots.  Everything else may be
    fetched too, and is then computed beside them.  `until` stops after the pass of that name.
    """
    roots = [*roots, *happening(graph, roots)]
    mapping = {ref: ref for ref in graph.refs()}
    for name, step in PASSES:
        graph, after = step(graph, [mapping[ref] for ref in roots])
        mapping = compose(mapping, after)
        if name == until:
            break
    return graph, mapping
