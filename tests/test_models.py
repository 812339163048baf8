"""Whole models: exported by Keras; converted, saved, loaded and run without TensorFlow."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.models import FAMILIES, OTHERS, export, family

ROOT = Path(__file__).parent
TOLERANCE = 1e-5  # of the largest magnitude in the tensor


def assert_same_answers(make: Callable[[], object], folder: Path) -> None:
    """Exports what `make` builds, answers its feeds without TensorFlow, compares every tensor."""
    export(make(), folder)
    want = dict(np.load(folder / "answers.npz"))
    first, second = want["logits"][:2]
    assert np.abs(first - second).max() >= 0.1 * np.abs(want["logits"]).max()
    _answer(folder)
    got = dict(np.load(folder / "got.npz"))
    assert got.keys() == want.keys()
    for name, expected in want.items():
        assert got[name].dtype == expected.dtype, name
        assert got[name].shape == expected.shape, name
        error = np.abs(got[name] - expected).max() / np.abs(expected).max()
        assert error <= TOLERANCE, f"{name}: differs by {error:.2g} of scale"
    shutil.rmtree(folder)  # hundreds of megabytes


def _answer(folder: Path) -> None:
    path = os.pathsep.join(filter(None, [str(ROOT.parent), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, str(ROOT / "answer.py"), str(folder)],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("name", FAMILIES)
def test_family(name: str, tmp_path: Path) -> None:
    """Few blocks, an odd size that is not square."""
    assert_same_answers(lambda: family(name, FAMILIES[name].odd, whole=False), tmp_path)


@pytest.mark.parametrize("name", OTHERS)
def test_other(name: str, tmp_path: Path) -> None:
    assert_same_answers(OTHERS[name], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("size", ["odd", "full"])
@pytest.mark.parametrize("name", FAMILIES)
def test_whole_family(name: str, size: str, tmp_path: Path) -> None:
    assert_same_answers(lambda: family(name, getattr(FAMILIES[name], size), whole=True), tmp_path)
