"""Models that TensorFlow 1.0.1, 1.15 and 2.21 wrote, in every form, against its answers then."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

import tfdeploy as td

DATA = Path(__file__).parent / "data" / "tf1"
VERSIONS = ("1.0.1", "1.15", "2.21.0")
MODELS = {
    "1.0.1": "conv rnn bidirectional seq2seq loops maps embeddings lookup layer_norm examples",
    "1.15": "conv rnn bidirectional seq2seq loops maps embeddings lookup layer_norm examples",
    "2.21.0": "conv loops maps embeddings lookup layer_norm examples",
}
TABLES = {"lookup"}
NOT_WRITTEN = {("1.0.1", "seq2seq", "frozen")}  # TensorFlow 1.0 lost the functions of a graph
FORMS = {
    "frozen": "frozen.pb",
    "checkpoint": "ckpt/model.ckpt.meta",
    "checkpoint_v1": "v1",
    "saved_model": "saved_model",
}


def _cases():
    for version in VERSIONS:
        for name in MODELS[version].split():
            for form in FORMS:
                if form == "checkpoint_v1" and version != "1.0.1":
                    continue
                if name in TABLES and form in ("frozen", "checkpoint_v1"):  # no file, no table
                    continue
                if (version, name, form) in NOT_WRITTEN:
                    continue
                yield pytest.param(version, name, form, id=f"{version}-{name}-{form}")


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("tf1")
    for version in VERSIONS:
        with tarfile.open(DATA / f"tf-{version}.tar.xz") as archive:
            archive.extractall(root / version, filter="data")
    return root


def answers(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Feeds and TensorFlow's results."""
    feeds, fetches = {}, {}
    with np.load(folder / "answers.npz") as arrays:
        for name, value in arrays.items():
            kind, _, tensor = name.partition("/")
            if value.dtype.kind == "S":
                strings = [bytes.fromhex(text.decode()) for text in value.ravel()]
                value = np.array([*strings, None], object)[:-1].reshape(value.shape)
            (feeds if kind == "feed" else fetches)[tensor] = value
    return feeds, fetches


def assert_answers(model: td.Model, folder: Path) -> None:
    """Compares all fetches within 1e-5 of their scale, integers exactly."""
    feeds, fetches = answers(folder)
    found = model.eval(list(fetches), feeds)
    for (name, expected), value in zip(fetches.items(), found, strict=True):
        assert value.dtype == expected.dtype and value.shape == expected.shape, name
        if expected.dtype.kind == "f":
            scale = float(np.abs(expected).max())
            np.testing.assert_allclose(value, expected, rtol=0, atol=1e-5 * scale, err_msg=name)
        else:
            np.testing.assert_array_equal(value, expected, name)


@pytest.mark.parametrize(("version", "name", "form"), list(_cases()))
def test_equal_to_the_answers_of_its_day(models, tmp_path, version, name, form):
    folder = models / version / name
    _, fetches = answers(folder)
    outputs = None if form == "saved_model" else list(fetches)
    model = td.convert(folder / FORMS[form], outputs=outputs)
    assert_answers(model, folder)
    model.save(tmp_path / "m.tfd")
    assert_answers(td.Model(tmp_path / "m.tfd"), folder)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("form", ["ckpt/model.ckpt.meta", "saved_model"])
def test_counters_count(models, tmp_path, version, form):
    """A variable of reference type is assigned while the graph runs; a signature may return it."""
    folder = models / version / "counter"
    feeds, fetches = answers(folder)
    model = td.convert(folder / form, outputs=["y"] if form != "saved_model" else None)
    np.testing.assert_array_equal(model.eval("y", feeds), fetches["y"])
    np.testing.assert_array_equal(model.eval("y", feeds), feeds["x"] * 6)
    if form == "saved_model":
        found = model(feeds)
        np.testing.assert_array_equal(found["y"], feeds["x"] * 7)
        assert found["count"] in (6, 7)  # TensorFlow does not say whether it reads before or after
    assert td.convert(folder / form, outputs=["y"]).eval("y", {"x": [1.0]}) == 5


WITHOUT = """
import sys
sys.path.append(sys.argv[1])
from tests.answer import Blocker
sys.meta_path.insert(0, Blocker())
from pathlib import Path
import tfdeploy as td
from tests.test_old_tf import assert_answers
for folder in sorted(Path(sys.argv[2]).glob("*/*")):
    if folder.name != "counter":
        assert_answers(td.convert(folder / "saved_model"), folder)
        print(folder.name)
"""


def test_without_tensorflow(models):
    """Every SavedModel converts and answers in a process where TensorFlow cannot be imported."""
    root = Path(__file__).parents[1]
    command = [sys.executable, "-c", WITHOUT, str(root), str(models)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == sum(len(names.split()) for names in MODELS.values())


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["conv", "loops", "embeddings", "lookup", "layer_norm"])
def test_what_saves_and_trains_is_no_output(models, version, name):
    folder = models / version / name
    with pytest.warns(UserWarning, match="converted to its sinks"):
        model = td.convert(folder / "ckpt" / "model.ckpt.meta")
    _, fetches = answers(folder)
    assert set(model.signatures["default"].outputs) <= set(fetches)
    assert_answers(model, folder)
