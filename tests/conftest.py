"""What holds for the whole test run, and fixtures that several test modules use."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# Python processes started by tests import the package under test, not the tree they stand in.
os.environ["PYTHONSAFEPATH"] = "1"


@pytest.fixture
def own_ops() -> Iterator[None]:
    """Forgets what a test registers, chooses or adds: the ops of the next test are tfdeploy's."""
    from tfdeploy.ops import registry
    from tfdeploy.tensor import OperationRegister

    records = {id(record): record for record in registry.all_ops()}.values()
    state = [(record, dict(record.impls), record.impl, record.users) for record in records]
    known, preferred = dict(registry._records), registry._preferred
    classes = dict(OperationRegister.classes)
    yield
    OperationRegister.classes.clear()
    OperationRegister.classes.update(classes)
    registry._records.clear()
    registry._records.update(known)
    registry._preferred = preferred
    for record, impls, impl, users in state:
        record.impls, record.impl, record.users = impls, impl, users
    registry.changed()


@pytest.fixture(scope="module")
def answers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Any]:
    """What TensorFlow and tfdeploy answer to one of the `GROUPS` of a module."""
    from tests.exported import export, without_tensorflow

    @functools.cache
    def find(group: str) -> Any:
        folder = tmp_path_factory.mktemp(group)
        return export(request.module.GROUPS[group], folder), without_tensorflow(folder)

    return find
