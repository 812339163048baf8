"""Normalisation and softmax beyond rows."""

from __future__ import annotations

import numpy as np
import pytest

from tests.cases import case, f32, f64
from tests.test_ops import compare, evaluate
from tfdeploy.ops import nn

CHANNELS = [f32(3, low=0.5, high=2, seed=s) for s in range(4)]


@pytest.mark.parametrize("is_training", [True, False])
@pytest.mark.parametrize("data_format", ["NDHWC", "NCDHW"])
def test_batch_norm_of_volumes(is_training: bool, data_format: str) -> None:
    """The outputs that serve gradients are left out: TensorFlow does not fill them here."""
    from tests.oracle import expected

    shape = (2, 3, 2, 2, 3) if data_format == "NDHWC" else (2, 3, 3, 2, 2)
    row = case(
        "FusedBatchNormV3",
        f32(*shape),
        *CHANNELS,
        is_training=is_training,
        data_format=data_format,
        exponential_avg_factor=0.5,
    )
    got, want = evaluate(row)[0], expected(row)
    for g, w in zip(got[:3], want[:3], strict=True):
        assert g.dtype == w.dtype and g.shape == w.shape
        compare(g, w, row)


def test_softmax_of_far_numbers() -> None:
    """Neither overflows: the greatest is taken off first."""
    x = np.array([[1e30, 0, -1e30], [-1e30, -1e30, -1e30], [88, 89, 1000]], np.float32)
    want = np.array([[1, 0, 0], [1 / 3] * 3, [0, 0, 1]])
    np.testing.assert_allclose(nn.softmax(x), want, atol=1e-6)
    log = nn.log_softmax(x)
    np.testing.assert_allclose(log[1], np.log(1 / 3), rtol=1e-6)
    np.testing.assert_allclose(log[2], [-912, -911, 0])


def test_cross_entropies_agree() -> None:
    """With labels and with one-hot rows, and the gradient is that of the loss."""
    logits, labels = f64(5, 7), np.array([0, 6, 3, 3, 1])
    sparse, slope = nn.sparse_softmax_cross_entropy(logits, labels)
    dense, same = nn.softmax_cross_entropy(logits, np.eye(7)[labels])
    np.testing.assert_allclose(sparse, dense, rtol=1e-12)
    np.testing.assert_allclose(slope, same, rtol=1e-9, atol=1e-15)
    step = 1e-6
    moved, _ = nn.sparse_softmax_cross_entropy(logits + step * slope, labels)
    np.testing.assert_allclose((moved - sparse) / step, (slope**2).sum(axis=1), rtol=1e-4)


@pytest.mark.parametrize("labels", [[-1], [7]])
def test_labels_out_of_range_are_refused(labels: list[int]) -> None:
    with pytest.raises(ValueError, match="labels"):
        nn.sparse_softmax_cross_entropy(f64(1, 7), np.array(labels))
