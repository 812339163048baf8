"""Which ops tfdeploy has, rewrites and refuses: the facts for machines, as text and as a page."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

from .importers.pipelines import SOURCES
from .ops import refused, registry

_FLOW = ("Switch", "Merge", "Enter", "Exit", "NextIteration")
_ARRAYS = ("", "Write", "Read", "Scatter", "Gather", "Size", "Concat", "Split")

REWRITTEN: tuple[tuple[tuple[str, ...], str], ...] = (
    (("PartitionedCall", "StatefulPartitionedCall"), "Calls of functions are inlined."),
    (("BatchFunction",), "A call of its own is a batch: the function is inlined."),
    (
        ("LoopCond", *_FLOW, *(f"Ref{name}" for name in _FLOW)),
        "Control flow of TensorFlow 1 becomes If and While.",
    ),
    (
        tuple(f"TensorArray{name}{version}" for name in _ARRAYS for version in ("", "V2", "V3")),
        "TensorArrays become lists of tensors.",
    ),
    (tuple(sorted(SOURCES)), "What an input pipeline delivers becomes inputs of the model."),
)
"""Op types that conversion takes out of a graph, and what becomes of them."""

_COLUMNS = ["op", "since", "family", "effect", "engine", "exact", "types", "about"]
_HEAD = """# Ops

Made by `tfdeploy ops --markdown`; `tfdeploy ops` prints the same as text, `--json` as JSON.

*Compiled* ops have kernels or become part of one, for the types and shapes that kernels take; else,
and for *reference* ops, numpy computes them. *Exact* results are the same to the bit whatever the
numpy. The effect says what an op does besides giving its outputs. The types are classes of those
for which tests hold an op's results against TensorFlow 2.21: *half* stands for float16 and
bfloat16, *integer* for all of int8 to uint64. An op without any is tested in graphs of several ops.
*Since* is the first release of TensorFlow whose Python wrappers have the op; 2.21 has all of them
still. Ops without a release are TensorFlow Text's.

Random ops draw TensorFlow's numbers with Philox. ThreeFry (algorithm 2), for which TensorFlow has
no kernel on a CPU, is refused here as there.

JPEG files decode to TensorFlow's pixels, with three exceptions: `dct_method="INTEGER_ACCURATE"`
smooths colours whatever `fancy_upscaling` says, and at the edges of a window with its neighbours;
an image of fewer pixels along an axis than `ratio` is not reduced as far; and files of four inks
whose colours are sparse differ by a few levels.

Where many numbers are drawn, TensorFlow's truncated normal numbers of given parameters hang on its
number of threads; here they are those of one. An `ExtractGlimpse` whose noise nobody seeds gives
other noise. What TensorFlow leaves open, such as transforms of nothing, is zero.

`Round` keeps integers, as `tf.round` does; TensorFlow's own kernel for int32 gives 0.
"""
_LISTS = (
    ("Rewritten at conversion", "rewritten"),
    ("Refused where an output needs them", "refused"),
)


def facts() -> dict[str, Any]:
    """Every op with what its record says, the rewritten and the refused ones, and their counts."""
    compiled, dtypes, since = _compiled(), _dtypes(), _since()
    ops = [
        {
            "op": name,
            "since": since.get(name),
            "family": record.family,
            "effect": record.effect,
            "engine": "compiled" if name in compiled else "reference",
            "exact": record.exact,
            "dtypes": dtypes.get(name, []),
            "about": _sentence(record.doc),
        }
        for record in registry.all_ops()
        if not record.user
        for name in record.names
    ]
    return {
        "ops": sorted(ops, key=lambda row: row["op"].lower()),
        "rewritten": [{"ops": list(names), "why": sentence} for names, sentence in REWRITTEN],
        "refused": [
            {"ops": names.split(), "why": sentence} for names, sentence in refused.REFUSED.items()
        ],
        "counts": {
            "ops": len(ops),
            "compiled": sum(row["engine"] == "compiled" for row in ops),
            "exact": sum(row["exact"] for row in ops),
            "rewritten": sum(len(names) for names, _ in REWRITTEN),
        },
    }


def _compiled() -> set[str]:
    """Op types that kernels compute, where types and shapes suit them."""
    from .passes import elementwise, epilogue
    from .plan.lowering import LOWERINGS
    from .plan.natives import NATIVES

    return {*LOWERINGS, *NATIVES, *elementwise.OPS, *epilogue.RULES}


def _dtypes() -> dict[str, list[str]]:
    """Classes of types by op, for which tests compare its results with TensorFlow's."""
    return {op: classes.split() for op, classes in _lines("dtypes.txt")}


def _since() -> dict[str, str]:
    """The first release of TensorFlow by op."""
    return {op: release for release, ops in _lines("releases.txt") for op in ops.split()}


def _lines(name: str) -> list[list[str]]:
    """What stands before and after the colons of a table beside the ops."""
    text = files(__package__).joinpath("ops", name).read_text("ascii")
    return [line.split(": ") for line in text.splitlines()]


def _sentence(doc: str) -> str:
    """The first sentence of a docstring, on one line."""
    return re.split(r"(?<=\.)\s", " ".join(doc.split()), maxsplit=1)[0]


def count_line(facts: dict[str, Any]) -> str:
    """How many ops there are, and how many of them are compiled."""
    counts = facts["counts"]
    return (
        f"{counts['ops']} ops, {counts['compiled']} of them compiled and {counts['exact']} exact; "
        f"{counts['rewritten']} more are rewritten at conversion"
    )


def _cells(row: dict[str, Any]) -> list[str]:
    exact = "exact" if row["exact"] else ""
    types = " ".join(row["dtypes"])
    keys = ("op", "since", "family", "effect", "engine")
    return [*(row[key] or "" for key in keys), exact, types, row["about"]]


def text(facts: dict[str, Any]) -> str:
    """The facts as a table for people."""
    rows = [_cells(row) for row in facts["ops"]]
    rows = [_COLUMNS, *rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    for title, key in _LISTS:
        lines += ["", f"{title}:"]
        for each in facts[key]:
            lines += [f"  {' '.join(each['ops'])}", f"    {each['why']}"]
    return "\n".join([*lines, "", count_line(facts)])


def markdown(facts: dict[str, Any]) -> str:
    """The facts as the page docs/ops.md."""
    lines = [_HEAD, count_line(facts) + ".", ""]
    lines += _table(_COLUMNS)
    for row in facts["ops"]:
        op, *others, about = _cells(row)
        lines.append(_row([f"`{op}`", *others, about]))
    for title, key in _LISTS:
        lines += ["", f"## {title}", "", *_table(["ops", "why, or what becomes of them"])]
        for each in facts[key]:
            lines.append(_row([" ".join(f"`{op}`" for op in each["ops"]), each["why"]]))
    return "\n".join(lines) + "\n"


def _table(heads: list[str]) -> list[str]:
    return [_row(heads), _row(["---"] * len(heads))]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
