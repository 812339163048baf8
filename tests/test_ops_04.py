"""Every op case of the tests of tfdeploy 0.4.2, frozen by TensorFlow 1.0.1, with its answers."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

import tfdeploy as td

ARCHIVE = Path(__file__).parent / "data" / "ops_04.tar.xz"
RANDOM = {
    "RandomStandardNormal",
    "TruncatedNormal",
    "RandomUniform",
    "RandomShuffle",
    "random_crop",
}
SIGNS_ARE_FREE = {"SelfAdjointEig", "SelfAdjointEigV2", "Svd"}  # of eigenvectors


def _names() -> list[str]:
    with tarfile.open(ARCHIVE) as archive:
        return [name.removesuffix(".pb") for name in archive.getnames() if name.endswith(".pb")]


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    with tarfile.open(ARCHIVE) as archive:
        return {m.name: archive.extractfile(m).read() for m in archive.getmembers()}


@pytest.mark.filterwarnings("ignore:.*converted to its sinks")
@pytest.mark.parametrize("name", _names())
def test_case_of_0_4(files, tmp_path, name):
    (tmp_path / "frozen.pb").write_bytes(files[f"{name}.pb"])
    model = td.convert(tmp_path / "frozen.pb")
    expected = np.load(io.BytesIO(files[f"{name}.npy"]))
    found = model()
    case = name.rpartition("-")[0]
    if expected.dtype.kind == "S":
        expected = expected.astype(object)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    if case in RANDOM:
        return
    if case in SIGNS_ARE_FREE:
        found, expected = abs(found), abs(expected)
    if expected.dtype.kind in "fc":
        scale = float(np.abs(expected).max()) if expected.size else 1.0
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6 * scale)
    else:
        np.testing.assert_array_equal(found, expected)
