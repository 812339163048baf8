"""Every row of tests/cases against TensorFlow's answers in tests/goldens: dtype, shape, value; and
the type rule against both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests import goldens
from tests.cases import Case


def rows() -> list[Any]:
    return [
        pytest.param(row, id=f"{family}-{i}-{row.op}{'-' + row.note if row.note else ''}")
        for family in goldens.FAMILIES
        for i, row in enumerate(goldens.cases(family))
    ]


def prepared(case: Case) -> tuple[Any, list[np.ndarray], dict[str, Any]]:
    """The record of the case's op, its inputs, and the attributes that the record knows.

    TensorFlow is asked what a row leaves out where tests/goldens does not say.
    """
    from tfdeploy.dtypes import DType
    from tfdeploy.ops import registry

    def attribute(value: Any) -> Any:
        if isinstance(value, bytes):
            return value.decode()
        if isinstance(value, (list, tuple)):
            return [attribute(v) for v in value]
        return value

    def deduced(value: Any) -> Any:
        if isinstance(value, list):
            return [deduced(v) for v in value]
        return DType(value) if isinstance(value, str) else value

    kept = goldens.find(case)
    if kept is not None:
        types, more = kept.types, kept.attrs
    else:
        from tests.oracle import signature

        types, more = signature(case)
    record = registry.get(case.op)
    assert record is not None, f"{case.op} is not registered"
    attrs = {n: attribute(v) for n, v in case.attrs.items()}
    attrs |= {n: deduced(v) for n, v in more.items()}
    given = {n: v for n, v in attrs.items() if n in record.attrs}
    return record, goldens.flattened(case, types), given


def evaluate(case: Case) -> tuple[list[np.ndarray], list[Any]]:
    """tfdeploy's answer, and the types that its rule promised."""
    from tfdeploy.dtypes import from_numpy
    from tfdeploy.graph.types import Dim, ValueType
    from tfdeploy.ops.infer import infer

    record, flat, given = prepared(case)
    counter = iter(range(10**6))
    types, _ = infer(
        record,
        given,
        [ValueType(from_numpy(a.dtype), a.shape) for a in flat],
        [a if a.dtype.kind in "iub" and a.size < 100 else None for a in flat],
        lambda: Dim.symbol(f"?{next(counter)}"),
    )
    for array in flat:
        array.flags.writeable = False
    with np.errstate(all="ignore"):
        result = record.func()(*flat, **(record.defaults | given))
    results = [np.asarray(r) for r in (result if isinstance(result, tuple) else (result,))]
    return results, types


@pytest.mark.parametrize("case", rows())
def test_equals_tensorflow(case: Case) -> None:
    agree(case, goldens.answer(case))


def agree(case: Case, answer: goldens.Answer) -> None:
    """tfdeploy gives what TensorFlow gave, or refuses what it refused."""
    if answer.outputs is None:
        with pytest.raises((ValueError, IndexError, TypeError, ArithmeticError, LookupError)):
            evaluate(case)
        return
    got, types = evaluate(case)
    assert len(got) == len(answer.outputs) == len(types)
    for i, (g, w, t) in enumerate(zip(got, answer.outputs, types, strict=True)):
        assert g.dtype == w.dtype and g.shape == w.shape
        assert t.dtype.numpy == w.dtype
        assert t.shape is None or len(t.shape) == w.ndim
        assert t.shape is None or all(
            e == s for e, s in zip(t.shape, w.shape, strict=True) if isinstance(e, int)
        )
        if case.compared(i):
            compare(g, w, case)


@pytest.mark.parametrize("family", goldens.FAMILIES)
def test_no_golden_is_left_over(family: str) -> None:
    stale = goldens.read(family).keys() - set(map(goldens.digest, goldens.cases(family)))
    assert not stale, f"run: python -m tests.goldens {family}"


ONEDNN = {
    **dict.fromkeys(("conv", "fused", "nn", "pool"), True),
    **dict.fromkeys(("conv_grad", "norm_grad", "pool_grad"), False),
}
"""Families of which some answers hang on whether TensorFlow uses oneDNN, and whether it did."""


@pytest.mark.slow
@pytest.mark.parametrize("family", goldens.FAMILIES)
def test_goldens_are_what_tensorflow_answers(family: str) -> None:
    from tests.oracle import ask, has_onednn, op_def

    if ONEDNN.get(family, has_onednn()) != has_onednn():
        pytest.skip("TensorFlow is asked where it uses oneDNN, or does not, as for these answers")
    for case in goldens.cases(family):
        if op_def(case.op, required=False) is None:
            continue
        kept, now = goldens.answer(case), ask(case)
        assert (kept.types, kept.attrs) == (now.types, now.attrs)
        assert (kept.outputs is None) == (now.outputs is None)
        for i, (a, b) in enumerate(zip(kept.outputs or (), now.outputs or (), strict=True)):
            assert a.dtype == b.dtype and a.shape == b.shape
            if case.compared(i):
                compare(a, b, case)


def compare(got: np.ndarray, want: np.ndarray, case: Case) -> None:
    """Values: exact where asked or not floating, else within `ulp` of the output's scale."""
    if case.check == "exact" or want.dtype.kind not in "fcV":
        np.testing.assert_array_equal(got, want)
        return
    wide = np.complex128 if want.dtype.kind == "c" else np.float64
    g, w = got.astype(wide), want.astype(wide)
    finite = np.isfinite(w)
    np.testing.assert_array_equal(g[~finite], w[~finite])
    assert np.isfinite(g[finite]).all()
    scale = np.abs(w[finite]).max(initial=0.0)
    eps = {
        2: 2.0**-10,
        4: 2.0**-23,
        8: 2.0**-23 if want.dtype.kind == "c" else 2.0**-52,
        16: 2.0**-52,
    }[want.dtype.itemsize]
    np.testing.assert_allclose(
        g[finite], w[finite], rtol=case.ulp * eps, atol=case.ulp * eps * scale
    )
