"""Applications: exported as SavedModels; converted, saved, loaded and run without TensorFlow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.applications import APPLICATIONS, export

ROOT = Path(__file__).parent
TOLERANCE = 2e-5  # of the largest magnitude in the tensor
ENGINES = {"as installed": {}, "pure": {"TFDEPLOY_PURE": "1"}}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all small applications."""
    folder = tmp_path_factory.mktemp("applications")
    for name in APPLICATIONS:
        export(name, folder / name, full=False)
    return folder


@pytest.fixture(scope="module", params=ENGINES)
def answered(exported: Path, request: pytest.FixtureRequest) -> Path:
    """The same folder, with the answers of one engine."""
    _answer([exported / name for name in APPLICATIONS], ENGINES[request.param])
    return exported


def _answer(folders: list[Path], environment: dict[str, str]) -> None:
    """Writes ``got.npz`` into each folder, in a process where TensorFlow is blocked."""
    path = os.pathsep.join(filter(None, [str(ROOT.parent), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, str(ROOT / "answer.py"), "--calls", *map(str, folders)],
        env=os.environ | {"PYTHONPATH": path} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _compare(folder: Path) -> None:
    """Every output of every call beside TensorFlow's."""
    want = dict(np.load(folder / "answers.npz"))
    got = dict(np.load(folder / "got.npz"))
    assert got.keys() == want.keys()
    for name, expected in want.items():
        found = got[name]
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape), name
        if found.dtype.kind != "f":
            np.testing.assert_array_equal(found, expected, err_msg=name)
        elif found.size:
            error = np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-30)
            assert error <= TOLERANCE, f"{name} differs by {error:.2g} of scale"
        if name.startswith("0/") and expected.size > 1:
            assert expected.max() > expected.min(), f"{name} is the same all over"
    steps = [int(value) for name, value in want.items() if name.endswith("/steps")]
    assert len(set(steps)) == len(steps), f"loops end after {steps} steps"


@pytest.mark.parametrize("name", APPLICATIONS)
def test_application(name: str, answered: Path) -> None:
    _compare(answered / name)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", APPLICATIONS)
def test_full_application(name: str, engine: str, tmp_path: Path) -> None:
    """At the sizes of the benchmarks."""
    export(name, tmp_path, full=True)
    _answer([tmp_path], ENGINES[engine])
    _compare(tmp_path)
