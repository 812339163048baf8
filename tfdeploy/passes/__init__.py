"""From the canonical graph to the prepared one; `pipeline` has the passes in their order."""

from __future__ import annotations

from ..graph.graph import Graph, Ref

VERSION = 9
"""Rises with every change of what a pass does; a stored prepared graph of another version is
remade.
"""


class Prepared:
    """A prepared graph as files hold it: what `values` (roots and placeholders) need, made by the
    passes of `version`.

    Of the canonical graph it also tells the types of its ops and the values of its placeholders,
    so that a call needs nothing else.
    """

    __slots__ = ("feeds", "graph", "ops", "values", "version")

    def __init__(
        self,
        version: int,
        graph: Graph,
        values: dict[Ref, Ref],
        ops: set[str],
        feeds: set[Ref],
    ) -> None:
        self.version = version
        self.graph = graph
        self.values = values
        self.ops = ops
        self.feeds = feeds
