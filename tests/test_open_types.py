"""Type rules where little is known: what they promise must come true for every row.

Each row of a family is typed with symbols for the extents of its first input, with symbols for all,
with unknown ranks, and with known shapes but unknown values.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from tests.cases import Case
from tests.test_ops import prepared
from tfdeploy.dtypes import from_numpy
from tfdeploy.graph.types import Dim, ValueType, evaluate
from tfdeploy.ops.infer import infer

FAMILIES = (
    "array",
    "layout",
    "index",
    "bitwise",
    "diag",
    "segment",
    "string",
    "unicode",
    "regex",
    "hashing",
    "sparse",
    "ragged",
    "count",
    "cross",
    "sets",
    "parsing",
    "sequences",
    "messages",
)
KNOWLEDGE = ("symbols in the first input", "symbols in all inputs", "no ranks", "no values")


def opened(flat: list[Any], knowledge: str) -> tuple[list[ValueType], list[Any], dict[str, int]]:
    """Types and known values of the inputs, and the numbers of the symbols in them."""
    types = [ValueType(from_numpy(a.dtype), a.shape) for a in flat]
    values = [a if a.dtype.kind in "iub" and a.size < 100 else None for a in flat]
    binding: dict[str, int] = {}
    for i, array in enumerate(flat):
        if knowledge == "no ranks":
            types[i] = ValueType(types[i].dtype)
        if knowledge.startswith("symbols") and (i == 0 or knowledge == KNOWLEDGE[1]):
            names = {f"n{i}_{axis}": extent for axis, extent in enumerate(array.shape)}
            types[i] = ValueType(types[i].dtype, tuple(map(Dim.symbol, names)))
            binding |= names
        if not knowledge.startswith("symbols") or i == 0 or knowledge == KNOWLEDGE[1]:
            values[i] = None
    return types, values, binding


def check(case: Case, knowledge: str) -> None:
    record, flat, given = prepared(case)
    types, values, binding = opened(flat, knowledge)
    fresh = iter(range(10**6))
    promised, _ = infer(record, given, types, values, lambda: Dim.symbol(f"?{next(fresh)}"))
    with np.errstate(all="ignore"):
        result = record.reference(*flat, **(record.defaults | given))
    results = result if isinstance(result, tuple) else (result,)
    assert len(promised) == len(results), case.op
    for value, kind in zip(results, promised, strict=True):
        if kind.shape is None:
            continue
        assert len(kind.shape) == np.ndim(value), (case.op, kind)
        for extent, real in zip(kind.shape, np.shape(value), strict=True):
            if isinstance(extent, Dim) and extent == Dim.symbol(repr(extent)):
                assert binding.setdefault(repr(extent), real) == real, (case.op, promised)
            elif isinstance(extent, int) or extent.symbols() <= binding.keys():
                assert evaluate(extent, binding) == real, (case.op, kind)


@pytest.mark.parametrize("knowledge", KNOWLEDGE)
@pytest.mark.parametrize("family", FAMILIES)
def test_promises_come_true(family: str, knowledge: str) -> None:
    for case in importlib.import_module(f"tests.cases.{family}").CASES:
        if not case.raises and case.inputs:
            check(case, knowledge)
