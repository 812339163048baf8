"""LSTM ops over fewer steps than there are: TensorFlow sets the states alone after the last one."""

from __future__ import annotations

import numpy as np
import pytest

from tests.cases import case, f32
from tests.cases.rnn import STATE, WEIGHTS, D, N, T
from tests.oracle import expected
from tfdeploy.ops import registry

CELL, HIDDEN = 1, 6


@pytest.mark.parametrize("op", ["BlockLSTM", "BlockLSTMV2"])
@pytest.mark.parametrize("steps", [0, 3])
def test_fewer_steps(op: str, steps: int) -> None:
    inputs = (np.int64(steps), f32(T, N, D), *STATE, *WEIGHTS)
    record = registry.get(op)
    assert record is not None
    found = record.func()(*map(np.asarray, inputs), **record.defaults)
    wanted = expected(case(op, *inputs))
    for i, (ours, theirs) in enumerate(zip(found, wanted, strict=True)):
        np.testing.assert_allclose(ours[:steps], theirs[:steps], rtol=1e-5, atol=1e-6)
        if i in (CELL, HIDDEN):
            np.testing.assert_allclose(ours[steps:], theirs[steps:])
        assert not ours[steps:].any()


def test_more_steps_than_there_are() -> None:
    record = registry.get("BlockLSTM")
    assert record is not None
    inputs = (np.int64(T + 1), f32(T, N, D), *STATE, *WEIGHTS)
    with pytest.raises(ValueError, match="6 of 5 steps"):
        record.func()(*map(np.asarray, inputs), **record.defaults)
