"""Every row of tests/cases against TensorFlow: dtype, shape, value; and the type rule against
both.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import numpy as np
import pytest

import tests.cases
from tests.cases import Case

FAMILIES = sorted(m.name for m in pkgutil.iter_modules(tests.cases.__path__))


def rows() -> list[Any]:
    found = []
    for family in FAMILIES:
        module = importlib.import_module(f"tests.cases.{family}")
        for i, row in enumerate(module.CASES):
            found.append(
                pytest.param(row, id=f"{family}-{i}-{row.op}{'-' + row.note if row.note else ''}")
            )
    return found


def prepared(case: Case) -> tuple[Any, list[np.ndarray], dict[str, Any]]:
    """The record of the case's op, its inputs, and the attributes that the record knows."""
    import tensorflow as tf

    from tests.oracle import prepare
    from tfdeploy.dtypes import from_enum
    from tfdeploy.ops import registry

    def attribute(value: Any) -> Any:
        if isinstance(value, tf.DType):
            return from_enum(value.as_datatype_enum)
        if isinstance(value, bytes):
            return value.decode()
        if isinstance(value, (list, tuple)):
            return [attribute(v) for v in value]
        return value

    flat, attrs = prepare(case)
    record = registry.get(case.op)
    assert record is not None, f"{case.op} is not registered"
    return record, flat, {n: attribute(v) for n, v in attrs.items() if n in record.attrs}


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
    import tensorflow as tf

    from tests.oracle import expected

    if case.raises:
        with pytest.raises((tf.errors.OpError, ValueError, TypeError)):
            expected(case)
        with pytest.raises((ValueError, IndexError, TypeError, ArithmeticError, LookupError)):
            evaluate(case)
        return
    want = expected(case)
    got, types = evaluate(case)
    assert len(got) == len(want) == len(types)
    for g, w, t in zip(got, want, types, strict=True):
        w = np.asarray(w, object if isinstance(w, bytes) else None)
        assert g.dtype == w.dtype and g.shape == w.shape
        assert t.dtype.numpy == w.dtype
        assert t.shape is None or len(t.shape) == w.ndim
        assert t.shape is None or all(
            e == s for e, s in zip(t.shape, w.shape, strict=True) if isinstance(e, int)
        )
        compare(g, w, case)


def compare(got: np.ndarray, want: np.ndarray, case: Case) -> None:
    """Values: exact where asked or not floating, else within `ulp` of the output's scale."""
    if case.check == "shape":
        return
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
