"""Checkpoints and packed models: where they are found, and what is said of damaged ones."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow as tf

import tfdeploy as td
from tests.damage import mutations, refusals
from tfdeploy.errors import ConversionError, FormatError, TfdeployError
from tfdeploy.importers.checkpoint import read_checkpoint
from tfdeploy.importers.open import read_path
from tfdeploy.importers.slices import SliceTables

v1 = tf.compat.v1
X = np.arange(8, dtype=np.float32).reshape(2, 4)


def build():
    """y = x @ w with w in two slices, and variables of several dtypes."""
    x = v1.placeholder(tf.float32, [None, 4], name="x")
    w = v1.get_variable(
        "w",
        initializer=lambda shape, dtype, partition_info: tf.random.normal(shape, seed=1),
        shape=[4, 6],
        dtype=tf.float32,
        partitioner=v1.fixed_size_partitioner(2, axis=1),
        use_resource=False,
    )
    y = tf.matmul(x, tf.convert_to_tensor(w))
    others = {
        "half": np.array([1.5, -2], np.float16),
        "long": np.array([[2**40, -1]]),
        "bytes": np.array([3, 255], np.uint8),
        "truth": np.array([True, False, True]),
        "complex": np.array([1 + 2j], np.complex64),
        "double": np.array(0.1),
        "words": np.array([b"a", b"", b"\xff\x00b"], object),
        "empty": np.zeros([0, 3], np.float32),
    }
    for name, value in others.items():
        v1.get_variable(name, initializer=tf.constant(value), use_resource=False)
    tf.identity(y, name="y")
    return others


@pytest.fixture(scope="module", params=["V1", "V2", "V1-sharded", "V2-sharded"])
def saved(request, tmp_path_factory):
    """A folder with a checkpoint, TensorFlow's y, and the values of the other variables."""
    folder = tmp_path_factory.mktemp("ckpt")
    version, _, sharded = request.param.partition("-")
    with tf.Graph().as_default() as graph, v1.Session() as session:
        others = build()
        session.run(v1.global_variables_initializer())
        saver = v1.train.Saver(
            write_version=getattr(v1.train.SaverDef, version), sharded=bool(sharded)
        )
        prefix = saver.save(session, str(folder / "model.ckpt"), global_step=7)
        tf.io.write_graph(graph, str(folder), "graph.pbtxt")
        y = session.run("y:0", {"x:0": X})
    assert Path(prefix.replace("?????", "00000")).name.startswith("model.ckpt-7")
    return folder, prefix, y, others


def _check(source, y):
    model = td.convert(source, outputs=["y"])
    np.testing.assert_allclose(model(X), y, rtol=1e-6)


def test_every_way_to_name_a_checkpoint(saved):
    folder, prefix, y, _ = saved
    for source in (folder, folder / "checkpoint", folder / "model.ckpt-7.meta", prefix):
        _check(source, y)
    if os.path.exists(prefix + ".index"):
        _check(prefix + ".index", y)
        _check(next(folder.glob("*.data-00000*")), y)


def test_variables_of_every_dtype(saved):
    folder, _, _, others = saved
    raw = read_path(str(folder))
    for name, value in others.items():
        found = raw.variables[name]
        assert found.dtype == value.dtype and found.shape == value.shape
        np.testing.assert_array_equal(found, value)


@pytest.mark.parametrize("graph", ["graph.pbtxt", "model.ckpt-7.pbtxt", "some.pb"])
def test_the_graph_beside_the_checkpoint(saved, tmp_path, graph):
    folder, _, y, _ = saved
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "model.ckpt-7.meta").unlink()
    (tmp_path / "graph.pbtxt").rename(tmp_path / graph)
    _check(tmp_path, y)


def test_a_checkpoint_without_graph_is_an_error(saved, tmp_path):
    folder, *_ = saved
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "model.ckpt-7.meta").unlink()
    (tmp_path / "graph.pbtxt").unlink()
    with pytest.raises(ConversionError, match=r"graph\.pbtxt"):
        td.convert(tmp_path, outputs=["y"])


def test_a_meta_file_without_checkpoint_is_an_error(saved, tmp_path):
    folder, *_ = saved
    shutil.copy(folder / "model.ckpt-7.meta", tmp_path)
    with pytest.raises(ConversionError, match="no checkpoint"):
        td.convert(tmp_path / "model.ckpt-7.meta", outputs=["y"])


def test_the_state_file_may_name_the_folder_of_another_machine(saved, tmp_path):
    folder, prefix, y, _ = saved
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    state = tmp_path / "checkpoint"
    state.write_text(f'model_checkpoint_path: "/home/ann/run/{os.path.basename(prefix)}"\n')
    _check(tmp_path, y)
    for name in (prefix, "../" + folder.name + "/" + os.path.basename(prefix)):
        state.write_text(f'model_checkpoint_path: "{name}"\n')
        for file in tmp_path.glob("model.ckpt-7*"):
            file.unlink()
        with pytest.raises(FormatError, match="which is not in"):
            td.convert(tmp_path, outputs=["y"])


def test_damaged_checkpoints_are_errors(saved, tmp_path):
    """Whatever byte is wrong: an error of ours, or the right values."""
    folder, _, _, others = saved
    files = sorted(p for p in folder.glob("model.ckpt-7*") if p.suffix != ".meta")
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    expected = {name: value.tolist() for name, value in others.items()}

    for number, path in enumerate(files):
        original = path.read_bytes()

        def read(data, path=path):
            (tmp_path / path.name).write_bytes(data)
            raw = read_path(str(tmp_path))
            found = {name: raw.variables[name].tolist() for name in others}
            assert found == expected

        assert refusals(read, mutations(original, 40, number)) > 5
        (tmp_path / path.name).write_bytes(original)


def test_damaged_metas_are_errors(saved, tmp_path):
    folder, prefix, *_ = saved
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    meta = tmp_path / "model.ckpt-7.meta"

    def read(data):
        meta.write_bytes(data)
        raw = read_checkpoint(str(tmp_path / os.path.basename(prefix)))
        for name in raw.variables:
            with contextlib.suppress(TfdeployError):
                raw.variables[name]

    assert refusals(read, mutations(meta.read_bytes(), 60, 3)) > 10


def test_missing_shards_are_named(saved, tmp_path):
    folder, prefix, *_ = saved
    if "?????" not in prefix:
        pytest.skip("not sharded, or of format V2")
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    first = next(tmp_path.glob("model.ckpt-7-00000-of-*"))
    first.rename(tmp_path / "model.ckpt-7-00000-of-00003")
    with pytest.raises(TfdeployError, match="1 shards are there"):
        td.convert(tmp_path, outputs=["y"])


def test_v1_tables_say_what_is_missing(saved):
    folder, prefix, *_ = saved
    if os.path.exists(prefix + ".index"):
        pytest.skip("of format V2")
    files = [str(p) for p in folder.glob("model.ckpt-7*") if p.suffix != ".meta"]
    tables = SliceTables(prefix, files)
    assert tables["w"].shape == (4, 6) and "half" in tables and len(tables) == 9
    with pytest.raises(ConversionError, match="has no tensor 'hulf'; near: half"):
        tables["hulf"]


@pytest.fixture(scope="module")
def frozen():
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        tf.identity(x * 2 + 1, name="y")
    return graph.as_graph_def()


@pytest.mark.parametrize("text", [False, True])
def test_gzip(frozen, tmp_path, text):
    data = str(frozen).encode() if text else frozen.SerializeToString()
    path = tmp_path / "frozen.pb.gz"
    path.write_bytes(gzip.compress(data))
    _check(path, X * 2 + 1)
    path.write_bytes(gzip.compress(data)[:-20])
    with pytest.raises(FormatError, match="cut short"):
        td.convert(path, outputs=["y"])
    path.write_bytes(gzip.compress(data)[:15] + b"\0\0\0" + gzip.compress(data)[18:])
    with pytest.raises(FormatError, match="gzip"):
        td.convert(path, outputs=["y"])


PACKERS = ("zip", "gztar", "xztar", "tar")


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory):
    """A SavedModel with a table from an asset file."""
    folder = tmp_path_factory.mktemp("packed")
    words = folder / "words.txt"
    words.write_text("a\nb\n")

    class Module(tf.Module):
        def __init__(self):
            self.w = tf.Variable(tf.random.normal([4, 3], seed=2))
            self.table = tf.lookup.StaticHashTable(
                tf.lookup.TextFileInitializer(
                    str(words),
                    tf.string,
                    tf.lookup.TextFileIndex.WHOLE_LINE,
                    tf.int64,
                    tf.lookup.TextFileIndex.LINE_NUMBER,
                ),
                -1,
            )

        @tf.function(input_signature=[tf.TensorSpec([None, 4], name="x")])
        def f(self, x):
            return {"y": x @ self.w}

    module = Module()
    tf.saved_model.save(module, str(folder / "model"), signatures=module.f)
    return folder / "model", module.f(X)["y"].numpy()


@pytest.mark.parametrize("packer", PACKERS)
def test_saved_models_in_archives(saved_model, tmp_path, packer):
    folder, y = saved_model
    for root, base in ((folder, "."), (folder.parent, folder.name)):
        path = shutil.make_archive(str(tmp_path / "model"), packer, root, base)
        model = td.convert(path)
        np.testing.assert_allclose(model(X), y, rtol=1e-6)
        model.save(tmp_path / "m.tfd")
        np.testing.assert_allclose(td.Model(tmp_path / "m.tfd")(X), y, rtol=1e-6)


def test_the_temporary_folder_goes_with_the_model(saved_model, tmp_path, monkeypatch):
    folder, y = saved_model
    path = shutil.make_archive(str(tmp_path / "model"), "zip", folder)
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    model = td.convert(path)
    assert not list((tmp_path / "scratch").iterdir())
    np.testing.assert_allclose(model(X), y, rtol=1e-6)


ESCAPES = ["../evil.pb", "/tmp/evil.pb", "a/../../evil.pb", "..\\evil.pb", "C:/../evil.pb"]


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_that_lead_out_are_refused(frozen, tmp_path, name, kind):
    path = tmp_path / f"model.{kind}"
    data = frozen.SerializeToString()
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, data)
    else:
        with tarfile.open(path, "w") as archive:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    with pytest.raises(FormatError, match="leads out of it"):
        td.convert(path, outputs=["y"])
    assert not list(tmp_path.parent.glob("**/evil.pb"))


def test_links_in_archives_are_left_out(tmp_path):
    (tmp_path / "secret.pb").write_bytes(b"secret")
    path = tmp_path / "model.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("graph.pb")
        info.type, info.linkname = tarfile.SYMTYPE, str(tmp_path / "secret.pb")
        archive.addfile(info)
    with pytest.raises(ConversionError, match="no SavedModel"):
        td.convert(path)


def test_bombs_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("tfdeploy.importers.archive._MOST_BYTES", 1 << 20)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("graph.pb", bytes(8 << 20))
    with pytest.raises(FormatError, match="more than its size allows"):
        td.convert(path)


def test_several_models_are_listed(frozen, tmp_path):
    path = tmp_path / "models.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.pb", frozen.SerializeToString())
        archive.writestr("b/c.pb", frozen.SerializeToString())
    with pytest.raises(ConversionError, match=r"a\.pb, b/c\.pb"):
        td.convert(path)


def test_damaged_archives_are_errors(saved_model, tmp_path):
    folder, _ = saved_model
    for packer in ("zip", "gztar"):
        data = Path(shutil.make_archive(str(tmp_path / "a"), packer, folder)).read_bytes()

        def read(variant, packer=packer):
            path = tmp_path / f"damaged.{packer}"
            path.write_bytes(variant)
            raw = read_path(str(path))
            for name in raw.variables:
                raw.variables[name]

        assert refusals(read, mutations(data, 60, 4)) > 10
