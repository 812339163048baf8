"""What a graph computes, where nobody says so: the tensors that nothing consumes.

What TensorFlow puts beside a model does not count: saving and restoring, summaries, initialisers,
variables that only training uses.
"""

from __future__ import annotations

from ..errors import ConversionError
from .raw import RawModel, RawNode
from .variables import VARIABLE_OPS

_SILENT = frozenset({"NoOp", "Const", "Assert", "Placeholder", "PlaceholderWithDefault"})
_SILENT |= VARIABLE_OPS | {"ReadVariableOp", "VarIsInitializedOp", "IsVariableInitialized"}
ASSIGNS = (
    "Assign",
    "ResourceScatter",
    "ResourceApply",
    "ResourceStridedSliceAssign",
    "Scatter",
    "ResourceCountUpTo",
    "CountUpTo",
)
"""How the names of ops start that change variables."""

_ASIDE = (
    "Save",
    "Restore",
    "MergeV2Checkpoints",
    "ShardedFilename",
    "InitializeTable",
    "Apply",
    "ResourceApply",
)
_FLOW = frozenset({"Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond"})


def sinks(raw: RawModel) -> list[str]:
    """Names of the tensors that nothing consumes, in the order of the file.

    Raises ConversionError where there are none.
    """
    nodes = {node.name: node for node in raw.graph.nodes}
    aside = _aside(nodes)
    used = {
        source for node in raw.graph.nodes if "Summary" not in node.op for source in _sources(node)
    }
    found = [
        node.name
        for node in raw.graph.nodes
        if node.name not in used | aside
        and node.op not in _SILENT
        and not node.op.startswith(ASSIGNS)
        and not _only_hands_on(node, nodes)
    ]
    flow = {name for name in found if _kind(nodes[name]) in _FLOW}
    found = [name for name in found if name not in flow] or found  # counters of loops, and the like
    if not found:
        raise ConversionError(f"{raw.origin}: the graph has no outputs; name them with outputs=")
    return found


def _sources(node: RawNode) -> list[str]:
    return [spelled.lstrip("^").partition(":")[0] for spelled in node.inputs]


def _aside(nodes: dict[str, RawNode]) -> set[str]:
    """Nodes that save, restore, summarise or train, and all that waits for them."""
    consumers: dict[str, list[str]] = {}
    for node in nodes.values():
        for source in _sources(node):
            consumers.setdefault(source, []).append(node.name)
    pending = [
        name for name, node in nodes.items() if node.op.startswith(_ASIDE) or "Summary" in node.op
    ]
    found: set[str] = set()
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += consumers.get(name, ())
    return found


def _kind(node: RawNode) -> str:
    return node.op.removeprefix("Ref")


def _only_hands_on(node: RawNode, nodes: dict[str, RawNode]) -> bool:
    """Whether a node gives the value of a variable or of a switch, which nobody takes."""
    source = nodes.get(_sources(node)[0]) if node.inputs else None
    if node.op != "Identity" or source is None:
        return False
    return source.op in VARIABLE_OPS or _kind(source) == "Switch"
