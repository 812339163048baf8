"""Inputs of a rank that they cannot have are refused, as by TensorFlow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.cases import Case
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
