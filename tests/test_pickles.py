"""Model files that tfdeploy 0.4.2 wrote, and pickles that want something else."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

import tfdeploy as td
from tests.damage import mutations, refusals
from tfdeploy.cli import main
from tfdeploy.errors import FormatError
from tfdeploy.storage.legacy import read
from tfdeploy.storage.unpickle import load

DATA = Path(__file__).parent / "data" / "pickles"
PYTHONS = ("py27", "py36")
NAMES = [
    *("before", "before-0", "before-1", "before-2", "after", "after-0", "after-2"),
    *("image", "many", "keys"),
]


def define_user_ops():
    """The ops of ``make_pickles.py``."""

    class LRN(td.Operation):
        types = ("LRN",)
        attrs = ("depth_radius", "bias", "alpha", "beta")

        @staticmethod
        def func(a, radius, bias, alpha, beta):
            squares = np.pad(np.square(a), [(0, 0)] * 3 + [(radius, radius)])
            total = sum(squares[..., i : i + a.shape[-1]] for i in range(2 * radius + 1))
            return (a / (bias + alpha * total) ** beta,)

    class Floor2(td.Operation):
        types = ("Softsign",)

        @staticmethod
        def func(a):
            return (np.floor(a / 2),)


def check(model, python, name):
    with np.load(DATA / python / "answers.npz") as answers:
        feed, expected = answers[f"{name}/feed/input"], answers[f"{name}/fetch/output"]
    inp, out = model.get("input", "output")
    found = out.eval({inp: feed})
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", NAMES)
def test_equal_to_the_answers_of_0_4(tmp_path, python, name):
    model = td.Model(DATA / python / f"{name}.pkl")
    assert list(model.roots) == [0, "below" if name == "keys" else 5]
    check(model, python, name.partition("-")[0])
    model.save(tmp_path / "m.tfd")
    check(td.Model(tmp_path / "m.tfd"), python, name.partition("-")[0])


@pytest.mark.usefixtures("own_ops")
@pytest.mark.parametrize("python", PYTHONS)
def test_users_ops(python):
    with pytest.raises(td.UnknownOperationException, match=r"__main__\.(LRN|Floor2)"):
        td.Model(DATA / python / "custom.pkl")
    define_user_ops()
    check(td.Model(DATA / python / "custom.pkl"), python, "custom")


@pytest.mark.parametrize("python", PYTHONS)
def test_ensembles_of_old_and_new_files(tmp_path, python):
    old = [DATA / python / "before.pkl", DATA / python / "after.pkl"]
    assert main(["convert", str(old[1]), str(tmp_path / "new.tfd")]) == 0
    with np.load(DATA / python / "answers.npz") as answers:
        feed, expected = answers["ensemble/feed/input"], answers["ensemble/fetch/output"]
    for paths in (old, [old[0], tmp_path / "new.tfd"]):
        inp, out = td.Ensemble(paths).get("input", "output")
        np.testing.assert_allclose(out.eval({inp: feed}), expected, atol=1e-6)


@pytest.mark.parametrize("python", PYTHONS)
def test_the_last_feed_is_the_default(python):
    model = td.Model(DATA / python / "after.pkl")
    tensor = model.get("input")
    assert tensor.op is None and tensor.value.shape == (5, 10)
    assert model.get("output").eval().shape == (5, 4)
    assert model.get("output").eval({tensor: np.zeros((3, 10), np.float32)}).shape == (3, 4)
    assert td.Model(DATA / python / "before.pkl").get("input").value is None


class Calls:
    """Pickles as the call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def _roots(payload):
    return pickle.dumps({0: payload}, 2)


def _os_system():
    import os

    return _roots(Calls(os.system, "touch hacked"))


def _nested():
    return _roots([{"a": (Calls(eval, "open('hacked', 'w')"),)}])


def _array(shape, data=b"", dtype=b"f4", item=b""):
    """A pickled array that claims `shape`."""
    return (
        b"\x80\x02}K\x00cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01" + shape + b"cnumpy\ndtype\nU\x02" + dtype + b"K\x00K\x01\x87R"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        + (item or b"T" + struct.pack("<i", len(data)) + data)
        + b"tbs."
    )


HOSTILE = {
    "os.system": (_os_system, r"posix\.system|nt\.system"),
    "eval": (lambda: b"\x80\x02}K\x00c__builtin__\neval\nU\x03a+b\x85Rs.", r"builtins\.eval"),
    "nested reduce": (_nested, r"builtins\.eval"),
    "getattr": (lambda: b"\x80\x02c__builtin__\ngetattr\n.", r"builtins\.getattr"),
    "python 2 commands": (lambda: b"(dp0\nccommands\ngetoutput\n(S'id'\ntR.", "commands"),
    "old-style class": (lambda: b"(dp0\n(S'id'\nios\nsystem\n.", "instruction"),
    "a called class": (
        lambda: b"\x80\x02}K\x00ctfdeploy\nModel\nU\x01/\x85Rs.",
        r"calls tfdeploy\.Model",
    ),
    "a called stranger": (
        lambda: b"\x80\x02}K\x00cevil\nrun\n)Rs.",
        r"calls evil\.run",
    ),
    "an object of arguments": (
        lambda: b"\x80\x02}K\x00csite\naddsitedir\nU\x01/\x85\x81s.",
        r"site\.addsitedir",
    ),
    "dotted name": (
        lambda: b"\x80\x04\x8c\x08tfdeploy\x8c\x0aconfig.sys\x93.",
        r"tfdeploy\.config\.sys",
    ),
    "numpy.load": (lambda: b"\x80\x02cnumpy\nload\n.", r"numpy\.load"),
    "numpy's runner": (
        lambda: b"\x80\x02cnumpy.testing._private.utils\nrunstring\n.",
        "runstring",
    ),
    "extension registry": (lambda: b"\x80\x02\x82\x01.", "instruction"),
    "persistent id": (lambda: b"(dp0\nPid\n.", "instruction"),
    "state of a name": (
        lambda: b"\x80\x02ctfdeploy\nTensor\n}U\x01aK\x01sb.",
        r"state of tfdeploy\.Tensor",
    ),
    "huge array": (lambda: _array(b"\x8a\x06" + b"\xff" * 5 + b"\x00\x85"), "without its"),
    "array of empty strings": (
        lambda: _array(b"\x8a\x06" + b"\xff" * 5 + b"\x00\x85", dtype=b"S0"),
        "dtype of -1 bytes",
    ),
    "array of objects": (lambda: _array(b"K\x01\x85", b"", b"O8", b"]}a"), "holds a dict"),
    "multiplied array": (
        lambda: (
            b"\x80\x02T" + struct.pack("<i", 1 << 16) + b"a" * (1 << 16) + b"q\x01"
            b"c_codecs\nencode\nq\x02X\x06\0\0\0latin1q\x03" + b"h\x02h\x01h\x03\x86R" * 1000 + b"."
        ),
        "more data than the stream has",
    ),
    "far memo": (lambda: b"\x80\x02}r\xff\xff\xff\xff0j\xfe\xff\xff\xff.", "damaged"),
    "long text": (lambda: b"\x80\x02X\xff\xff\xff\x7fabc.", "bytes expected"),
    "long number": (lambda: b"(dL" + b"9" * 100_000 + b"L\n.", "digits"),
    "deep tuple as a key": (
        lambda: b"\x80\x02})" + b"\x85" * 200_000 + b"K\x01s.",
        "key that is a tuple",
    ),
    "deep tuple as a shape": (lambda: _array(b")" + b"\x85" * 100_000), "without a shape"),
    "doubled lists": (
        lambda: b"\x80\x02}K\x00]" + b"q\x010]h\x01ah\x01a" * 200 + b"s.",
        "root 0 is no tensor",
    ),
    "circle": (
        lambda: (
            b"\x80\x02}K\x00ctfdeploy\nTensor\n)\x81q\x01}(U\x04nameU\x01aU\x0bvalue_index"
            b"K\x00U\x02opctfdeploy\nAdd\n)\x81}(U\x04nameU\x01bU\x06inputsh\x01h\x01\x86U\x06kwargs]"
            b"U\x0doutput_dtypes]cnumpy\nfloat32\naububs."
        ),
        "depends on itself",
    ),
    "protocol 5": (lambda: b"\x80\x05}.", "protocol 5"),
    "no dict": (lambda: b"\x80\x02]K\x01a.", "list"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    make, reason = HOSTILE[name]
    path = tmp_path / "hostile.pkl"
    path.write_bytes(make())
    with pytest.raises(FormatError, match=reason):
        read(str(path))
    assert list(tmp_path.iterdir()) == [path]


def test_deep_models_are_read_without_recursion(tmp_path):
    """A chain of 20,000 ops, as 0.4 could not even write it."""
    data = bytearray(b"\x80\x02}K\x00")
    data += b"ctfdeploy\nTensor\n)\x81}(U\x04nameU\x01aU\x0bvalue_indexK\x00U\x02opN"
    data += b"U\x05valueNub"
    for i in range(20_000):
        name = b"U\x06n%05d" % i
        data += b"q\x010ctfdeploy\nIdentity\n)\x81}(U\x04name" + name
        data += b"U\x06inputsh\x01\x85U\x06kwargs]U\x0doutput_dtypes]cnumpy\nfloat32\naubq\x02"
        data += b"0ctfdeploy\nTensor\n)\x81}(U\x04name" + name.replace(b"U\x06", b"U\x08") + b":0"
        data += b"U\x0bvalue_indexK\x00U\x02oph\x02U\x05valueNub"
    path = tmp_path / "deep.pkl"
    path.write_bytes(data + b"s.")
    model = td.Model(path)
    assert model.get("n19999").eval({"a": [1.0, 2.0]}).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("path", ["py27/after.pkl", "py36/after.pkl", "py36/many.pkl"])
def test_damaged_pickles_are_errors(tmp_path, path):
    data = (DATA / path).read_bytes()
    assert refusals(lambda d: load(d, "damaged"), mutations(data, 500, 1)) > 100
    target = tmp_path / "damaged.pkl"

    def model(variant):
        target.write_bytes(variant)
        read(str(target))

    assert refusals(model, mutations(data, 100, 2)) > 20
