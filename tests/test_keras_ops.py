"""Every function of keras.ops and keras.random, exported, converted and run without TensorFlow,
against TensorFlow."""

from __future__ import annotations

import inspect
from typing import Any

import keras
import pytest

from tests.exported import compare, grouped, parameters
from tests.keras_ops import TABLES

TRACED = "Keras cannot trace it with TensorFlow"
LEFT_OUT = {
    "bartlett": TRACED,
    "convert_to_numpy": "gives an array, not a tensor",
    "corrcoef": TRACED,
    "isin": TRACED,
    "kron": TRACED,
    "vectorize": TRACED,
}
GROUPS = grouped(TABLES)


@pytest.mark.parametrize(("group", "name"), parameters(GROUPS, fast=""))
def test_function(group: str, name: str, answers: Any) -> None:
    want, got = answers(group)
    compare(GROUPS[group][name], want[name], got.get(name))


@pytest.mark.parametrize("prefix", ["", "image.", "random."])
def test_every_function_has_a_row(prefix: str) -> None:
    module = {"": keras.ops, "image.": keras.ops.image, "random.": keras.random}[prefix]
    functions = {
        prefix + name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and not name.startswith("_")
    }
    covered = {name for table in TABLES.values() for name in table} | set(LEFT_OUT)
    assert functions - covered == set()
