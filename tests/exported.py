"""Many small functions as one SavedModel, and what they give in TensorFlow and without it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import tensorflow as tf

ROOT = Path(__file__).parent
TOLERANCE = 2e-5  # of the largest finite magnitude
# Results of few bits round differently where sums of more bits differ in their last one.
COARSE = {"float16": 2**-9, "bfloat16": 2**-6}
Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]


class Given(NamedTuple):
    """An input: its shape without the batch, how its values are drawn, and how many of its leading
    extents the export leaves open beside the batch.
    """

    shape: tuple[int, ...]
    draw: Callable[[np.random.Generator, tuple[int, ...]], Array]
    dtype: str
    open: int = 0
    batch: int | None = None

    def spec(self, name: str) -> Any:
        shape = [self.batch, *(None,) * self.open, *self.shape[self.open :]]
        return tf.TensorSpec(shape, self.dtype, name)

    def array(self, rng: np.random.Generator, batch: int) -> Array:
        shape = (self.batch or batch, *self.shape)
        values = self.draw(rng, shape)
        if self.dtype == "string":
            return values
        return np.asarray(values).astype(tf.as_dtype(self.dtype).as_numpy_dtype)


def floats(*shape: int, dtype: str = "float32", **rest: Any) -> Given:
    """Normally distributed numbers."""
    return Given(shape, lambda rng, shape: rng.normal(size=shape), dtype, **rest)


def between(low: float, high: float, *shape: int, dtype: str = "float32", **rest: Any) -> Given:
    """Uniform numbers."""
    return Given(shape, lambda rng, shape: rng.uniform(low, high, shape), dtype, **rest)


def images(*shape: int, dtype: str = "float32", **rest: Any) -> Given:
    """Colours from 0 to 255."""
    return between(0, 255.99, *shape, dtype=dtype, **rest)


def ids(low: int, high: int, *shape: int, dtype: str = "int32", **rest: Any) -> Given:
    """Whole numbers from `low` to just below `high`."""
    return Given(shape, lambda rng, shape: rng.integers(low, high, shape), dtype, **rest)


def flags(*shape: int, **rest: Any) -> Given:
    """Booleans, two in three true."""
    return Given(shape, lambda rng, shape: rng.uniform(size=shape) < 2 / 3, "bool", **rest)


def texts(choices: list[str], *shape: int, **rest: Any) -> Given:
    """Strings out of `choices`."""
    known = [text.encode() for text in choices]

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        picked = rng.integers(0, len(known), shape)
        return np.array([known[i] for i in picked.ravel()], object).reshape(shape)

    return Given(shape, draw, "string", **rest)


@dataclass(frozen=True)
class Row:
    """A layer, or a function of tensors, and its inputs.

    `call` says how the layer is called where its inputs are not all of it; `prepare` changes the
    layer once it is built.  `batches` are the calls, in this order: the state that a layer keeps
    goes from one to the next.
    """

    make: Callable[[], Any]
    inputs: tuple[Given, ...]
    call: Callable[..., Any] | None = None
    prepare: Callable[[Any], Any] | None = None
    batches: tuple[int, ...] = (3, 1, 0)
    tolerance: float = TOLERANCE
    fixed: bool = False  # leaves the weights as they are


def row(make: Callable[[], Any], *inputs: Given, **options: Any) -> Row:
    """A `Row`."""
    return Row(make, inputs, **options)


def grouped(tables: Mapping[str, Mapping[str, Mapping[str, Row]]]) -> dict[str, dict[str, Row]]:
    """Rows that share a SavedModel, by name: out of families, things and their variants, the first
    variant of everything is in the group ``default``, the rest in that of its family.
    """
    found: dict[str, dict[str, Row]] = {"default": {}}
    seen = set()
    for family, things in tables.items():
        for thing, variants in things.items():
            for variant, row in variants.items():
                rows = found.setdefault(family if thing in seen else "default", {})
                seen.add(thing)
                name = f"{thing} {variant}".rstrip()
                assert name not in rows, f"two rows are called {name}"
                rows[name] = row
    return found


def parameters(groups: Mapping[str, Mapping[str, Row]], fast: str = "default") -> list[Any]:
    """A group and a name for each row; all groups but the `fast` one are slow."""
    return [
        pytest.param(
            group,
            name,
            marks=() if group == fast else pytest.mark.slow,
            id=f"{group}-{name}".replace(" ", "-"),
        )
        for group, rows in groups.items()
        for name in rows
    ]


class Answers(NamedTuple):
    """What calls of one row gave: the outputs of each, or why there are none."""

    calls: list[Arrays]
    error: str = ""


def lively(layer: Any, rng: np.random.Generator) -> None:
    """Random weights, lest a wrong one is hidden by being one or zero."""
    for weight in layer.weights:
        if not keras.backend.is_float_dtype(weight.dtype):
            continue
        if any(part in weight.path for part in ("variance", "scale", "count")):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        else:
            weight.assign(rng.normal(size=weight.shape) * 0.5)


def _flat(value: Any) -> dict[str, Any]:
    """Tensors by name, out of any structure: the parts of ragged and sparse ones apart."""
    leaves = tf.nest.flatten(value, expand_composites=True)
    return {f"y{i}": tf.identity(leaf) for i, leaf in enumerate(x for x in leaves if x is not None)}


def _function(
    archive: Any, row: Row, example: list[Array], rng: np.random.Generator
) -> Callable[..., Any]:
    made = row.make()
    if not isinstance(made, keras.layers.Layer):
        return lambda *tensors: _flat(made(*tensors))
    call = row.call or (lambda layer, *xs: layer(xs[0] if len(xs) == 1 else list(xs)))
    call(made, *map(tf.constant, example))
    if not row.fixed:
        lively(made, rng)
    if row.prepare is not None:
        row.prepare(made)
    archive.track(made)
    return lambda *tensors: _flat(call(made, *tensors))


def _add(archive: Any, name: str, row: Row, seed: int) -> list[Arrays]:
    """Makes `row` an endpoint; gives its feeds."""
    rng = np.random.default_rng(seed)
    feeds = [[given.array(rng, batch) for given in row.inputs] for batch in row.batches]
    function = _function(archive, row, feeds[0], rng)
    specs = [given.spec(f"x{i}") for i, given in enumerate(row.inputs)]
    traced = archive.add_endpoint(name, function, specs)
    traced.get_concrete_function()
    return [{f"x{i}": x for i, x in enumerate(arrays)} for arrays in feeds]


def _array(tensor: Any) -> Array:
    value = tensor.numpy()
    return np.asarray(value, object) if tensor.dtype == tf.string else np.asarray(value)


def export(rows: Mapping[str, Row], folder: Path) -> dict[str, Answers]:
    """Writes all rows as one SavedModel, ``model``; gives TensorFlow's answers.  ``feeds.pkl``
    holds, by row, the name of its signature and its feeds.
    """
    archive = keras.export.ExportArchive()
    feeds: dict[str, tuple[str, list[Arrays]]] = {}
    answers: dict[str, Answers] = {}
    for number, (name, row) in enumerate(rows.items()):
        endpoint = "".join(c if c.isalnum() else "_" for c in f"r{number}_{name}")
        try:
            feeds[name] = endpoint, _add(archive, endpoint, row, zlib.crc32(name.encode()))
        except Exception as error:
            answers[name] = Answers([], f"{type(error).__name__}: {error}")
            archive._tf_trackable.__dict__.pop(endpoint, None)
            if endpoint in archive._endpoint_names:
                archive._endpoint_names.remove(endpoint)
    archive.write_out(str(folder / "model"), verbose=False)
    (folder / "feeds.pkl").write_bytes(pickle.dumps(feeds))
    loaded = tf.saved_model.load(str(folder / "model"))
    for name, (endpoint, calls) in feeds.items():
        answers[name] = _answers(loaded.signatures[endpoint], calls)
    return answers


def _answers(function: Callable[..., Any], calls: list[Arrays]) -> Answers:
    done: list[Arrays] = []
    for feeds in calls:
        try:
            given = function(**{name: tf.constant(x) for name, x in feeds.items()})
        except Exception as error:
            return Answers(done, f"{type(error).__name__}: {error}")
        done.append({name: _array(value) for name, value in given.items()})
    return Answers(done)


def without_tensorflow(folder: Path) -> dict[str, Answers]:
    """tfdeploy's answers to what `export` wrote, from a process that cannot import TensorFlow."""
    path = os.pathsep.join(filter(None, [str(ROOT.parent), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, str(ROOT / "answer_rows.py"), str(folder)],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = pickle.loads((folder / "got.pkl").read_bytes())
    return {name: Answers(*answers) for name, answers in found.items()}


def compare(row: Row, want: Answers, got: Answers | None) -> None:
    """Asserts that both gave the same: all but floats exactly."""
    from tests.oracle import lacks_kernel

    if lacks_kernel(want.error):
        pytest.skip("TensorFlow has no kernel for it on this machine")
    assert got is not None and want.calls, f"TensorFlow itself: {want.error}"
    for number, (expected, batch) in enumerate(zip(want.calls, row.batches, strict=False)):
        where = f"call {number} (batch {batch})"
        assert number < len(got.calls), f"{where}: {got.error}"
        found = got.calls[number]
        assert found.keys() == expected.keys(), where
        for name, value in expected.items():
            same(found[name], value, row.tolerance, f"{where}, {name}")


def same(got: Array, want: Array, tolerance: float, where: str) -> None:
    """Asserts that two arrays are equal: floats within `tolerance` of the scale."""
    kinds = (got.dtype, got.shape), (want.dtype, want.shape)
    assert kinds[0] == kinds[1], f"{where}: {kinds}"
    if got.dtype.kind not in "fcV":
        np.testing.assert_array_equal(got, want, err_msg=where)
        return
    wide = np.complex128 if got.dtype.kind == "c" else np.float64
    close = partial(np.testing.assert_allclose, err_msg=where, rtol=0)
    finite = want.astype(wide)[np.isfinite(want.astype(wide))]
    scale = np.abs(finite).max(initial=0.0)
    limit = max(tolerance, COARSE.get(got.dtype.name, 0.0))
    close(got.astype(wide), want.astype(wide), atol=limit * scale)
