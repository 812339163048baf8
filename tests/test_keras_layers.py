"""Every layer of Keras, exported, converted and run without TensorFlow, against TensorFlow."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any

import keras
import pytest

import tests.layers
from tests.exported import Row, compare, grouped, parameters

LEFT_OUT = {
    "FlaxLayer": "needs JAX",
    "JaxLayer": "needs JAX",
    "Layer": "has no call of its own",
    "TorchModuleWrapper": "needs PyTorch",
}
TABLES: dict[str, dict[str, dict[str, Row]]] = {
    module.name: importlib.import_module(f"tests.layers.{module.name}").ROWS
    for module in pkgutil.iter_modules(tests.layers.__path__)
}


GROUPS = grouped(TABLES)


@pytest.mark.parametrize(("group", "name"), parameters(GROUPS))
def test_layer(group: str, name: str, answers: Any) -> None:
    want, got = answers(group)
    compare(GROUPS[group][name], want[name], got.get(name))


def test_every_layer_has_a_row() -> None:
    classes = {
        value
        for value in vars(keras.layers).values()
        if inspect.isclass(value) and issubclass(value, keras.layers.Layer)
    }
    names = {
        name
        for table in TABLES.values()
        for name in table
        if inspect.isclass(getattr(keras.layers, name, None))
    }
    covered = {getattr(keras.layers, name) for name in names | set(LEFT_OUT)}
    assert {cls.__name__ for cls in classes - covered} == set()
