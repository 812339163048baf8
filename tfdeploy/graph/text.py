"""A graph as text: one line a node, stable, made to be read and compared."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import DType
from .graph import Graph


def text(graph: Graph) -> str:
    """One line a node: ``%3 = Op(%1, %2:1) {attrs} : type  # name``."""
    lines = []
    for number, node in enumerate(graph.nodes):
        inputs = ", ".join(f"%{r.node}" + (f":{r.slot}" if r.slot else "") for r in node.inputs)
        attrs = ", ".join(f"{k}={_spell(v)}" for k, v in sorted(node.attrs.items()))
        types = ", ".join(map(repr, node.types)) or "-"
        waits = f" after {', '.join(f'%{n}' for n in node.control)}" if node.control else ""
        body = f" {{{attrs}}}" if attrs else ""
        lines.append(f"%{number} = {node.op}({inputs}){body}{waits} : {types}  # {node.name}")
    for name, subgraph in sorted(graph.subgraphs.items()):
        lines.append(f"subgraph {name}:")
        lines += ["  " + line for line in text(subgraph).splitlines()]
    return "\n".join(lines)


def _spell(value: Any) -> str:
    if isinstance(value, np.ndarray):
        if value.size <= 8:
            return str(value.tolist())
        return f"<{value.dtype}{list(value.shape)}>"
    if isinstance(value, DType):
        return str(value)
    return repr(value)
