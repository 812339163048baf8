"""Every layer of Keras, exported, converted and run without TensorFlow, against TensorFlow."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from typing import Any

import keras
import pytest

import tests.layers
from tests.exported import Answers, Row, compare, export, without_tensorflow

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


def groups() -> dict[str, dict[str, Row]]:
    """Rows that share a SavedModel: the first of every layer, and the rest of every family."""
    found: dict[str, dict[str, Row]] = {"default": {}}
    seen = set()
    for family, layers in TABLES.items():
        for layer, variants in layers.items():
            for variant, row in variants.items():
                group = family if layer in seen else "default"
                seen.add(layer)
                name = f"{layer} {variant}".rstrip()
                rows = found.setdefault(group, {})
                assert name not in rows, f"two rows are called {name}"
                rows[name] = row
    return found


GROUPS = groups()


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The answers of TensorFlow and of tfdeploy to a group."""

    @functools.cache
    def find(group: str) -> tuple[dict[str, Answers], dict[str, Answers]]:
        folder = tmp_path_factory.mktemp(group)
        return export(GROUPS[group], folder), without_tensorflow(folder)

    return find


PARAMETERS = [
    pytest.param(
        group,
        name,
        marks=() if group == "default" else pytest.mark.slow,
        id=f"{group}-{name}".replace(" ", "-"),
    )
    for group, rows in GROUPS.items()
    for name in rows
]


@pytest.mark.parametrize(("group", "name"), PARAMETERS)
def test_layer(group: str, name: str, answers: Any) -> None:
    want, got = answers(group)
    compare(GROUPS[group][name], want[name], got.get(name, Answers([])))


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
