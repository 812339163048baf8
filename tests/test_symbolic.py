"""Type rules where extents of the first input are symbols: what they promise must come true."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests import goldens
from tests.cases import Case
from tests.test_ops import prepared


@pytest.mark.parametrize("every", [False, True], ids=["first input", "every input"])
@pytest.mark.parametrize("family", goldens.FAMILIES)
def test_symbols_come_true(family: str, every: bool) -> None:
    for i, row in enumerate(goldens.cases(family)):
        if not row.raises:
            try:
                comes_true(row, every)
            except Exception as error:
                raise AssertionError(f"row {i}: {row.op}") from error


def comes_true(case: Case, every: bool) -> None:
    """Types of a row whose first input, or every one, has symbols for extents."""
    from tfdeploy.dtypes import from_numpy
    from tfdeploy.graph.types import Dim, ValueType, evaluate
    from tfdeploy.ops.infer import infer

    record, flat, given = prepared(case)
    types, known, binding = [], [], {}
    for i, array in enumerate(flat):
        shape: Any = array.shape
        value = array if i and array.dtype.kind in "iub" and array.size < 100 else None
        if i == 0 or (every and value is None):
            names = {f"n{i}.{axis}": extent for axis, extent in enumerate(shape)}
            binding |= names
            shape = tuple(map(Dim.symbol, names))
        types.append(ValueType(from_numpy(array.dtype), shape))
        known.append(value)
    fresh = iter(range(10**6))
    promised, _ = infer(record, given, types, known, lambda: Dim.symbol(f"?{next(fresh)}"))
    with np.errstate(all="ignore"):
        result = record.reference(*flat, **(record.defaults | given))
    results = result if isinstance(result, tuple) else (result,)
    for value, kind in zip(results, promised, strict=True):
        if kind.shape is None:
            continue
        assert len(kind.shape) == np.ndim(value)
        for extent, real in zip(kind.shape, np.shape(value), strict=True):
            if isinstance(extent, int) or not any(s.startswith("?") for s in extent.symbols()):
                assert evaluate(extent, binding) == real


@pytest.mark.parametrize(
    ("over", "under", "text"),
    [
        ("n*t*5", "10*n", "(t//2)"),
        ("n*t*6", "n*3", "2*t"),
        ("4*n+2", "2", "2*n+1"),
        ("2*n+2*n*t", "2*n*t", "(t+1//t)"),
        ("-2*n", "-2", "n"),
        ("2*n", "-4", "(-1*n//2)"),
        ("n*t", "n*t", "1"),
        ("n", "t", "(n//t)"),
    ],
)
def test_quotients_lose_shared_factors(over: str, under: str, text: str) -> None:
    """So they hold where a factor is 0: an empty batch keeps what -1 means in a reshape."""
    from tfdeploy.graph.types import Dim

    known = {name: Dim.symbol(name) for name in "nt"}
    quotient = eval(over, known) // eval(under, known)
    assert repr(quotient) == text


def test_broadcasts_do_not_pile_up() -> None:
    from tfdeploy.graph.types import Dim

    n, t = Dim.symbol("n"), Dim.symbol("t")
    both = Dim.broadcast(n, t)
    assert Dim.broadcast(both, n) == Dim.broadcast(t, both) == Dim.broadcast(t, n) == both
    assert Dim.broadcast(Dim.broadcast(n, Dim.symbol("m")), t) == Dim.broadcast(
        both, Dim.symbol("m")
    )


@pytest.mark.parametrize(
    ("left", "right", "shape"),
    [
        (("n",), (), ("n",)),
        (("n", 3), (3,), ("n", 3)),
        (("n", 1), (1, "n"), ("n", "n")),
        (("n",), ("m",), None),
        (("n",), (3,), None),
        ((2,), (3,), ()),
    ],
)
def test_equality_of_shapes_that_may_differ(left: Any, right: Any, shape: Any) -> None:
    """``x == y`` is False where shapes do not broadcast: only then its shape is open."""
    from tfdeploy.dtypes import INT32
    from tfdeploy.graph.types import Dim, ValueType
    from tfdeploy.ops.math import _equal_type
    from tfdeploy.ops.rules import Inference

    def extents(names: Any) -> Any:
        return names and tuple(Dim.symbol(n) if isinstance(n, str) else n for n in names)

    kinds = [ValueType(INT32, extents(names)) for names in (left, right)]
    context = Inference(kinds, {"incompatible_shape_error": False}, [None] * 2, lambda: Dim({}))
    assert _equal_type(context).shape == extents(shape)
