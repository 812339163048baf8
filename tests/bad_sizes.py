"""Rows with one number so large, or below zero, that a result of that size cannot be, or that an
index lies outside of everything.  TensorFlow is not asked: it hangs on some and dies of others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests import goldens
from tests.cases import Case

FAR = (2**31 - 1, 2**40, 2**63 - 1, -1, -(2**63))
MOST = 24  # numbers in an input that is changed


def chosen(family: str) -> dict[str, Case]:
    """The first row of each op of a family that TensorFlow takes."""
    found: dict[str, Case] = {}
    for case in goldens.cases(family):
        if not case.raises:
            found.setdefault(case.op, case)
    return found


def changed(case: Case) -> Iterator[tuple[str, Case]]:
    """The row with a number of an attribute or an input changed, and what was changed."""
    from tests.oracle import op_def

    try:
        definition = op_def(case.op)
    except pytest.skip.Exception:
        return
    counted = {argument.number_attr for argument in definition.input_arg}
    counts = {argument.number_attr for argument in definition.output_arg}
    for attr in definition.attr:
        if attr.name not in counted:
            for value in _values(attr.type, case.attrs.get(attr.name)):
                if attr.name in counts and value < 0:
                    continue  # no output could be fetched
                attrs = case.attrs | {attr.name: value}
                yield f"{attr.name}={value}", replace(case, attrs=attrs)
    for i, (given, kind) in enumerate(zip(case.inputs, goldens.answer(case).types, strict=True)):
        if kind in ("int32", "int64") and 0 < np.size(given) <= MOST:
            for at, far in ((at, far) for at in {0, np.size(given) - 1} for far in FAR):
                if np.iinfo(kind).min <= far <= np.iinfo(kind).max:
                    array = np.array(given, kind)
                    array.flat[at] = far
                    inputs = (*case.inputs[:i], array, *case.inputs[i + 1 :])
                    yield f"input {i}[{at}]={far}", replace(case, inputs=inputs)


def _values(kind: str, value: Any) -> Iterator[Any]:
    """What an attribute may be instead."""
    if kind == "int":
        yield from FAR
    elif kind == "list(int)" and value:
        for at in {0, len(value) // 2, len(value) - 1}:
            yield from ([*value[:at], far, *value[at + 1 :]] for far in FAR)
    elif kind == "shape" and value and value != -1:
        yield from ([far, *value[1:]] for far in FAR)
