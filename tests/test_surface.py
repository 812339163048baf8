"""The public surface is a list; importing it is cheap and quiet."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import tfdeploy as td
from tfdeploy import errors

SURFACE = """
    HAS_SCIPY IMPLS IMPL_NUMPY IMPL_SCIPY METHODS METHOD_CUSTOM METHOD_MAX METHOD_MEAN METHOD_MIN
    ConfigError ConversionError DType Ensemble EnsembleMismatchException EvaluationError FeedError
    FetchError FormatError GraphError InvalidImplementationException Model Operation
    OperationMismatchException OperationRegister ScipyOperationException Signature Spec Tensor
    TensorEnsemble TfdeployError UnknownEnsembleMethodException UnknownImplementationException
    UnknownOperationException UnsupportedError __version__ convert get_num_threads optimize
    print_op print_tensor print_tf_op print_tf_tensor reset set_num_threads setup show_config
""".split()  # noqa: SIM905

MEMBERS = {
    td.Model: "add eval get load memory reset_state roots save signatures summary",
    td.Signature: "bits inputs memory name outputs",
    td.Spec: "dtype shape",
    td.Tensor: "dtype eval get name op shape value value_index",
    td.Operation: "add_impl attrs eval factory func get impl impls inputs kwargs name new "
    "output_dtypes outputs set_attr type types unpack use_impl",
    td.Ensemble: "get load method models",
    td.TensorEnsemble: "eval func func_custom method name tensors",
}

HEAVY = ("tensorflow", "keras", "scipy", "google.protobuf", "ml_dtypes")
MOST_MILLISECONDS = 15  # beyond numpy's own import


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs code in a process of its own, with warnings as errors."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_surface_is_this_list():
    assert sorted(td.__all__) == sorted(SURFACE)
    assert len(set(td.__all__)) == len(td.__all__)
    assert dir(td) == sorted(SURFACE)
    for name in SURFACE:
        assert getattr(td, name) is not None, name
    namespace: dict[str, object] = {}
    exec("from tfdeploy import *", namespace)
    assert set(SURFACE) <= namespace.keys()


def test_members_are_these():
    instances = {td.Model: td.Model(), td.Ensemble: td.Ensemble(), td.TensorEnsemble: None}
    for cls, names in MEMBERS.items():
        found = {name for name in dir(cls) if not name.startswith("_")}
        if cls is td.TensorEnsemble:
            found |= set(vars(td.TensorEnsemble([])))
        elif cls is td.Spec:
            found -= set(dir(tuple))
        elif cls is td.Operation:
            found |= {name for name in dir(type(cls)) if name in ("impl", "impls")}
        elif instances.get(cls) is not None:
            found |= {n for n in vars(instances[cls]) if not n.startswith("_")}
        assert found == set(names.split()) - {"self"}, cls


def test_every_public_thing_is_documented():
    for name in SURFACE:
        value = getattr(td, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), name
            assert value.__module__.startswith("tfdeploy."), name
    for cls, names in MEMBERS.items():
        for name in names.split():
            value = inspect.getattr_static(cls, name, None)
            if isinstance(value, (property, classmethod, staticmethod)) or inspect.isfunction(
                value
            ):
                assert inspect.getdoc(value), f"{cls.__name__}.{name}"


def test_signatures_of_the_main_entries():
    assert str(inspect.signature(td.convert)).startswith(
        "(source: 'Any', inputs: 'Sequence[Any] | Any' = None, outputs:"
    )
    assert list(inspect.signature(td.convert).parameters) == [
        "source", "inputs", "outputs", "signature", "session",
    ]  # fmt: skip
    assert list(inspect.signature(td.Model.add).parameters)[1:] == [
        "tensor", "tf_sess", "key", "tf_feed_dict",
    ]  # fmt: skip
    feeds = inspect.signature(td.Model.__call__).parameters["feeds"]
    assert feeds.kind is inspect.Parameter.POSITIONAL_ONLY


def test_every_error_of_the_package_is_public():
    for name, value in vars(errors).items():
        if inspect.isclass(value) and issubclass(value, Exception):
            assert name in SURFACE, name


def test_types_are_for_type_checkers_too():
    assert (Path(td.__file__).parent / "py.typed").exists()


def test_importing_is_quiet_and_light():
    code = (
        "import sys, tfdeploy\n"
        f"heavy = [m for m in {HEAVY} if m in sys.modules]\n"
        "assert not heavy, heavy\n"
        "own = [m for m in sys.modules if m.startswith('tfdeploy.')]\n"
        "assert not any('ops' in m or 'importers' in m for m in own), own\n"
    )
    result = python(code)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_using_it_needs_numpy_alone(tmp_path):
    """Converting, saving, loading and running, with everything else blocked."""
    code = (
        "import sys\n"
        f"for name in {(*HEAVY, 'google', 'tf_keras', 'safetensors', 'h5py')}:\n"
        "    sys.modules[name] = None\n"
        "import numpy as np, tfdeploy as td\n"
        "from tfdeploy import demo\n"
        "td.convert(demo.SAVED_MODEL).save(sys.argv[1] if len(sys.argv) > 1 else 'x.tfd')\n"
        "model = td.Model('x.tfd')\n"
        "data = np.load(demo.TEST_DATA)\n"
        "y = model(data['images'].astype('f'))\n"
        "assert np.abs(y - data['logits']).max() < 1e-5 * np.abs(y).max()\n"
        "assert 'serving_default' in model.summary()\n"
    )
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, sys.path))},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""


def milliseconds(code: str) -> float:
    """The processor time that `code` takes after `import numpy`, at best."""
    timed = (
        "import numpy, time\n"
        "start = time.process_time()\n"
        f"{code}\n"
        "print(1000 * (time.process_time() - start))"
    )
    return min(float(python(timed).stdout) for _ in range(5))


def test_import_time(record_property):
    bare = milliseconds("import tfdeploy")
    used = milliseconds("import tfdeploy; tfdeploy.Model, tfdeploy.convert")
    record_property("import_milliseconds", bare)
    record_property("import_and_use_milliseconds", used)
    print(f"import tfdeploy: {bare:.1f} ms beyond numpy, {used:.1f} ms with Model and convert")
    assert bare <= MOST_MILLISECONDS
