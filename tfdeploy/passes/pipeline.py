"""The passes in their order: from the canonical graph to the prepared one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..graph.graph import Graph, Ref
from . import elementwise, epilogue, fold, layout, own, patterns
from .rewrite import Mapping, Rewriter, Rule, compose

VERSION = 1
"""Rises with every change of what a pass does; a stored prepared graph of another version is remade."""

Pass = Callable[[Graph, list[Ref]], tuple[Graph, Mapping]]


def rules(table: dict[str, list[Rule]]) -> Pass:
    """The pass that applies a table of rules."""

    def run(graph: Graph, roots: list[Ref]) -> tuple[Graph, Mapping]:
        return Rewriter(graph, roots).run(table)

    return run


PASSES: tuple[tuple[str, Pass], ...] = (
    ("own", own.mark),
    ("fold", rules(fold.RULES)),
    ("layout", rules(layout.RULES)),
    ("patterns", rules(patterns.RULES)),
    ("epilogue", rules(epilogue.RULES)),
    ("elementwise", elementwise.group),
)


def prepare(graph: Graph, roots: Sequence[Ref], until: str = "") -> tuple[Graph, Mapping]:
    """The prepared graph, and the value in it that stands for each value of `graph`.

    `roots` are what the model is made for: results of signatures and roots.  Everything else may be
    fetched too, and is then computed beside them.  `until` stops after the pass of that name.
    """
    mapping = {
        Ref(n, slot): Ref(n, slot)
        for n, node in enumerate(graph.nodes)
        for slot in range(len(node.types))
    }
    for name, step in PASSES:
        graph, after = step(graph, [mapping[ref] for ref in roots])
        mapping = compose(mapping, after)
        if name == until:
            break
    return graph, mapping
