"""Ragged tensors in variants, against TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

from tfdeploy.dtypes import INT64, DType, from_numpy
from tfdeploy.ops.variants import Ragged, ragged_tensor_from_variant, ragged_tensor_to_variant

OUTER = np.array([0, 1, 3, 3, 4], np.int64)
SPLITS = np.array([0, 2, 2, 5, 6], np.int64)
VALUES = np.arange(12, dtype=np.float32).reshape(6, 2)


def answers(splits, values, batched, rank_in, rank_out, shape=None):
    """What both make of a ragged tensor put into variants and taken out again."""
    import tensorflow as tf

    encoded = tf.raw_ops.RaggedTensorToVariant(
        rt_nested_splits=splits, rt_dense_values=values, batched_input=batched
    )
    mine = ragged_tensor_to_variant(*splits, values, batched_input=batched)
    if shape is not None:
        encoded, mine = tf.reshape(encoded, shape), mine.reshape(shape)
    assert np.shape(mine) == tuple(encoded.shape)
    want = tf.raw_ops.RaggedTensorFromVariant(
        encoded_ragged=encoded,
        input_ragged_rank=rank_in,
        output_ragged_rank=rank_out,
        Tvalues=values.dtype,
    )
    got = ragged_tensor_from_variant(
        mine,
        input_ragged_rank=rank_in,
        output_ragged_rank=rank_out,
        Tvalues=from_numpy(values.dtype),
        Tsplits=INT64,
    )
    return got, [*(s.numpy() for s in want[0]), want[1].numpy()]


@pytest.mark.parametrize(
    ("splits", "values", "batched", "rank_in", "rank_out", "shape"),
    [
        ([SPLITS], VALUES, False, 1, 1, None),
        ([SPLITS], VALUES, False, -1, 1, None),
        ([OUTER, SPLITS], VALUES, False, 2, 2, None),
        ([SPLITS], VALUES, True, 0, 1, None),
        ([SPLITS], VALUES, True, -1, 1, None),
        ([SPLITS], VALUES, True, 0, 2, (2, 2)),
        ([OUTER, SPLITS], VALUES, True, 1, 2, None),
        ([OUTER, SPLITS], VALUES, True, 1, 3, (2, 2)),
        ([], VALUES, True, 0, 1, None),
        ([SPLITS], np.array([b"a", b"b", b"", b"d", b"e", b"f"], object), True, 0, 1, None),
    ],
)
def test_round_trips(splits, values, batched, rank_in, rank_out, shape):
    got, want = answers(splits, values, batched, rank_in, rank_out, shape)
    assert len(got) == len(want)
    for g, w in zip(got, want, strict=True):
        assert g.dtype == w.dtype
        np.testing.assert_array_equal(g, w)


def test_wrong_variants_are_refused():
    with pytest.raises(ValueError, match="splits"):
        ragged_tensor_to_variant(SPLITS, VALUES[:3], batched_input=False)
    whole = Ragged((SPLITS,), VALUES)
    for attrs in (
        {"input_ragged_rank": 2, "output_ragged_rank": 2},
        {"input_ragged_rank": 1, "output_ragged_rank": 2},
    ):
        with pytest.raises(ValueError, match="rank"):
            ragged_tensor_from_variant(whole, Tvalues=DType("float32"), **attrs)
    with pytest.raises(ValueError, match="int32"):
        ragged_tensor_from_variant(
            whole, input_ragged_rank=1, output_ragged_rank=1, Tvalues=DType("int32")
        )
