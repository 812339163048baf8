"""Inputs of a rank that they cannot have are refused, as by TensorFlow; some may have two."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.cases import Case, f32
from tests.test_ops import evaluate
from tests.test_ops import rows as all_rows
from tfdeploy.ops import registry


def wrong_ranks() -> dict[str, Case]:
    """The first row of each op whose record states ranks, with one axis more in one of them."""
    found: dict[str, Case] = {}
    for case in (row.values[0] for row in all_rows()):
        record = registry.get(case.op)
        for at, rank in record.ranks if record else ():
            name = f"{case.op}-{at}"
            if name not in found and not case.raises:
                inputs = list(case.inputs)
                assert np.ndim(inputs[at]) == rank
                inputs[at] = np.asarray(inputs[at])[None]
                found[name] = replace(case, inputs=tuple(inputs))
    return found


WRONG = wrong_ranks()


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_rank_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"has rank .* and should have"):
        evaluate(WRONG[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG)
def test_tensorflow_refuses_it_too(name: str) -> None:
    import tensorflow as tf

    from tests.oracle import expected

    with pytest.raises((tf.errors.OpError, ValueError)):
        expected(WRONG[name])


LENIENT = [  # where the rank is open until the graph runs
    ("Fill", {"dims": np.int32(3), "value": f32(1)}, {}),
    ("Range", {n: np.array([v]) for n, v in (("start", 1), ("limit", 9), ("delta", 3))}, {}),
    ("Reshape", {"tensor": f32(2, 3), "shape": np.int32(-1)}, {}),
    ("ConcatV2", {"values": f32(2, 3), "axis": np.array([1], np.int32)}, {}),
    ("Concat", {"concat_dim": np.array([1], np.int32), "values": f32(2, 3)}, {}),
    (
        "QuantizeV2",
        {"input": f32(4), "min_range": f32(1) - 3, "max_range": f32(1) + 3},
        {"T": "quint8"},
    ),
]


@pytest.mark.parametrize(("name", "inputs", "attrs"), LENIENT, ids=lambda value: str(value)[:8])
def test_scalars_and_vectors_of_one(name: str, inputs: dict, attrs: dict) -> None:
    import tensorflow as tf

    import tfdeploy as td

    def call(**given: tf.Tensor) -> list[tf.Tensor]:
        if "values" in given:
            given["values"] = [given["values"]] * 2
        found = getattr(tf.raw_ops, name)(**given, **{n: tf.as_dtype(t) for n, t in attrs.items()})
        return list(found)[1:] if isinstance(found, tuple) else [found]

    specs = {n: tf.TensorSpec(None, tf.as_dtype(v.dtype)) for n, v in inputs.items()}
    traced = tf.function(call).get_concrete_function(**specs)
    want = traced(**{n: tf.constant(v) for n, v in inputs.items()})
    got = next(iter(td.convert(traced).signatures.values()))(**inputs)
    found = [got[n] for n in sorted(got)] if isinstance(got, dict) else [got]
    for g, w in zip(found, want, strict=True):
        assert g.shape == w.shape
        np.testing.assert_array_equal(g, w)
