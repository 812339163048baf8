"""What the engine has in C beside kernels, against TensorFlow's answers and the references."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests import goldens
from tests.cases import Case
from tests.test_ops import compare, prepared
from tfdeploy import config
from tfdeploy.dtypes import DType
from tfdeploy.ops import boxes, hashing
from tfdeploy.ops.tables import hash_table
from tfdeploy.plan.natives import NATIVES, with_native

engine = config.engine()
pytestmark = pytest.mark.skipif(engine is None, reason="no compiled engine")

ROWS = [
    pytest.param(row, id=f"{family}-{i}-{row.op}")
    for family in ("audio", "boxes", "cross", "hashing", "index", "segment", "spectral")
    for i, row in enumerate(goldens.cases(family))
    if row.op in NATIVES
]


@pytest.mark.parametrize("case", ROWS)
def test_equals_tensorflow(case: Case) -> None:
    record, inputs, given = prepared(case)
    run = with_native(engine, case.op, record.reference)
    wanted = goldens.answer(case).outputs
    if wanted is None:
        with pytest.raises((ValueError, IndexError, TypeError, ArithmeticError, LookupError)):
            run(*inputs, **(record.defaults | given))
        return
    result = run(*inputs, **(record.defaults | given))
    results = result if isinstance(result, tuple) else (result,)
    for got, want in zip(map(np.asarray, results), wanted, strict=True):
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        compare(got, want, case)


@pytest.mark.parametrize("op", sorted({row.values[0].op for row in ROWS}))
def test_some_row_is_not_left_to_the_reference(op: str) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise NotImplementedError

    done = 0
    for row in ROWS:
        if row.values[0].op == op and goldens.answer(row.values[0]).outputs is not None:
            record, inputs, given = prepared(row.values[0])
            try:
                with_native(engine, op, refuse)(*inputs, **(record.defaults | given))
            except NotImplementedError:
                continue
            done += 1
    assert done


def test_every_native_has_rows() -> None:
    without = {"LookupTableFindV2", "LookupTableFind"}  # tables are no arrays
    assert {row.values[0].op for row in ROWS} == NATIVES.keys() - without


def texts(values: list[bytes]) -> np.ndarray:
    found = np.empty(len(values), object)
    found[:] = values
    return found


def test_hashes_of_every_length() -> None:
    rng = np.random.default_rng(0)
    strings = [rng.bytes(n) for n in (*range(300), 4096, 100_001)]
    out = np.empty(len(strings), np.uint64)
    engine.hashes(texts(strings), out)
    assert out.tolist() == [hashing.fingerprint64(s) for s in strings]
    engine.hashes(texts(strings), out, (2**64 - 3, 5))
    assert out.tolist() == [hashing.siphash(s, (2**64 - 3, 5)) for s in strings]


def test_only_bytes_are_hashed() -> None:
    with pytest.raises(TypeError):
        engine.hashes(texts([b"a", "b"]), np.empty(2, np.uint64))
    with pytest.raises(ValueError, match="as many"):
        engine.hashes(texts([b"a"]), np.empty(2, np.uint64))
    with pytest.raises(ValueError, match="element type"):
        engine.hashes(np.zeros(2), np.empty(2, np.uint64))


@pytest.mark.parametrize("count", [1, 7, 8, 9, 5000])
def test_lookups(count: int) -> None:
    rng = np.random.default_rng(count)
    known = list({rng.bytes(int(n)) for n in rng.integers(0, 12, 2 * count)})[:count]
    numbers = dict(zip(known, rng.integers(0, 2**40, len(known)).tolist(), strict=True))
    table = hash_table(
        key_dtype=DType("string"),
        value_dtype=DType("int64"),
        keys=texts(known),
        values=np.array(list(numbers.values()), np.int64),
    )
    asked = [rng.bytes(int(n)) for n in rng.integers(0, 12, 300)] + known
    rng.shuffle(asked)
    keys = texts(asked).reshape(-1, 1)
    found = NATIVES["LookupTableFindV2"](engine, table, keys, np.array(-7, np.int64))
    assert found.dtype == np.int64 and found.shape == keys.shape
    assert found.ravel().tolist() == [numbers.get(key, -7) for key in asked]


@pytest.mark.parametrize("sigma", [0.0, 0.5])
@pytest.mark.parametrize("count", [0, 1, 17, 400])
def test_suppression_of_crowds(count: int, sigma: float) -> None:
    """Scores that are equal, boxes that are empty or turned around."""
    rng = np.random.default_rng(count)
    centre, size = rng.uniform(0, 1, (count, 2)), rng.uniform(-0.1, 0.3, (count, 2))
    corners = np.concatenate([centre, centre + size], 1).astype(np.float32)
    corners[::7, 2:] = corners[::7, :2]
    scores = (rng.integers(0, 40, count) / 40).astype(np.float32)
    limits = (np.int32(50), np.float32(0.3), np.float32(0.2), np.float32(sigma))
    got = NATIVES["NonMaxSuppressionV5"](engine, corners, scores, *limits)
    want = boxes.non_max_suppression_v5(corners, scores, *limits)
    np.testing.assert_array_equal(got[0], want[0])
    np.testing.assert_allclose(got[1], want[1], rtol=1e-6)
    assert got[2] == want[2]


def test_overlaps_that_are_no_numbers_are_left_to_the_reference() -> None:
    corners = np.array([[0, 0, 3e38, 3e38], [0, 0, 3e38, 3e38]], np.float32)
    scores = np.array([0.9, 0.8], np.float32)
    found = np.empty(2, np.int32), np.empty(2, np.float32)
    assert engine.suppress(corners, scores, 0.5, 0.0, 0.0, *found) == -1
