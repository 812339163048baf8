"""Transforms for which TensorFlow has no CPU kernel, against the sum that defines them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.cases import f32
from tests.cases.linalg import c64
from tfdeploy.dtypes import DType
from tfdeploy.ops import registry


def run(op: str, *inputs: Any, **attrs: Any) -> Any:
    """The implementation of `op` with its defaults."""
    record = registry.get(op)
    assert record is not None
    return record.func()(*map(np.asarray, inputs), **(record.defaults | attrs))


def transform(x: np.ndarray, lengths: list[int], axes: list[int], sign: int = -1) -> np.ndarray:
    """The Fourier sum over `axes`, the input padded or cut to `lengths`."""
    x = x.astype(np.complex128)
    for length, axis in zip(lengths, axes, strict=True):
        moved = np.moveaxis(x, axis, -1)[..., :length]
        moved = np.concatenate([moved, np.zeros((*moved.shape[:-1], length - moved.shape[-1]))], -1)
        k = np.arange(length)
        turned = moved @ np.exp(sign * 2j * np.pi * np.outer(k, k) / length)
        x = np.moveaxis(turned / (length if sign > 0 else 1), -1, axis)
    return x


def close(found: np.ndarray, wanted: np.ndarray) -> None:
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-6 * np.abs(wanted).max(initial=1))


CASES = [([4, 6], [1, 2]), ([2, 6], [0, -1]), ([5], [1]), ([2], [2]), ([7, 3, 2], [2, 0, 1])]


@pytest.mark.parametrize(("lengths", "axes"), CASES)
def test_over_any_axes(lengths: list[int], axes: list[int]) -> None:
    x, real = c64(3, 4, 6), f32(3, 4, 6)
    found = run("FFTND", x, lengths, axes)
    assert found.dtype == np.complex64
    close(found, transform(x, lengths, axes))
    close(run("IFFTND", x, lengths, axes), transform(x, lengths, axes, 1))
    half = np.arange(lengths[-1] // 2 + 1)
    wanted = np.take(transform(real, lengths, axes), half, axis=axes[-1])
    found = run("RFFTND", real, lengths, axes)
    assert found.dtype == np.complex64
    close(found, wanted)
    back = run("IRFFTND", found, lengths, axes)
    assert back.dtype == np.float32
    padded = transform(transform(real, lengths, axes), lengths, axes, 1).real
    close(back, padded)


def test_double_precision_and_bad_axes() -> None:
    x = c64(3, 4).astype(np.complex128)
    assert run("FFTND", x, [3], [0], Tcomplex=DType("complex128")).dtype == np.complex128
    with pytest.raises(ValueError, match="axes"):
        run("FFTND", x, [3, 3], [0, 0])
    with pytest.raises(ValueError, match="outside"):
        run("FFTND", x, [3], [2])


@pytest.mark.parametrize(("op", "rank"), [("FFT", 1), ("FFT2D", 2), ("FFT3D", 3)])
def test_retired_spellings(op: str, rank: int) -> None:
    x = c64(2, 3, 4)
    lengths, axes = list(x.shape[-rank:]), list(range(-rank, 0))
    close(run("Batch" + op, x), transform(x, lengths, axes))
    close(run("BatchI" + op, x), transform(x, lengths, axes, 1))
