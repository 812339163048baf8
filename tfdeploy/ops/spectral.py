"""Fourier transforms."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import FLOAT32, DType
from ..graph.types import Extent, ValueType
from .registry import op
from .rules import Inference, normalize_axis
from .windows import check_size

Array = NDArray[Any]
COMPLEX64 = DType("complex64")


def _lengths(x: Array, fft_length: Array, axes: list[int], halved: bool) -> list[int]:
    """`fft_length` as a list; raises ValueError where the input is too short for it."""
    lengths = [int(n) for n in fft_length]
    if len(lengths) != len(axes) or min(lengths, default=1) < 0:
        raise ValueError(f"{len(axes)} lengths of at least 0 are needed, not {lengths}")
    needed = [*lengths[:-1], _half(lengths[-1])] if halved else lengths
    for axis, length in zip(axes, needed, strict=True):
        if 0 < x.shape[axis] < length:
            raise ValueError(f"axis {axis} of shape {x.shape} is shorter than the {length} needed")
    return lengths


def _half(length: Any) -> Any:
    """How many numbers the spectrum of `length` real ones has; an extent of one of an extent."""
    return 0 if length == 0 else length // 2 + 1


def _nothing(x: Array, lengths: list[int], last: int, dtype: DType) -> Array:
    """Zeros: what a transform of nothing gives here, and TensorFlow leaves open."""
    shape = (*x.shape[: x.ndim - len(lengths)], *lengths[:-1], last)
    check_size(shape)
    return np.zeros(shape, dtype.numpy)


def _last(x: Array, rank: int) -> list[int]:
    if x.ndim < rank:
        raise ValueError(f"rank {rank} at least is needed, not shape {x.shape}")
    return list(range(-rank, 0))


def _at_least(rank: int) -> Any:
    def rule(c: Inference) -> ValueType:
        shape = c.inputs[0].shape
        if shape is not None and len(shape) < rank:
            raise ValueError(f"rank {rank} at least is needed, not {len(shape)}")
        return c.inputs[0]

    return rule


def _real_type(rank: int, attr: str, halved: bool) -> Any:
    """The lengths in input 1 in place of the last axes, the very last one `halved` if so."""

    def rule(c: Inference) -> ValueType:
        shape = _at_least(rank)(c).shape
        if shape is None:
            return ValueType(c.attrs[attr])
        known = c.extents(1)
        lengths: list[Extent] = [c.fresh() for _ in range(rank)] if known is None else known
        if len(lengths) != rank:
            raise ValueError(f"{rank} lengths are needed, not {len(lengths)}")
        last = _half(lengths[-1]) if halved else lengths[-1]
        return ValueType(c.attrs[attr], (*shape[:-rank], *lengths[:-1], last))

    return rule


def _register(rank: int, suffix: str) -> None:
    """The transforms over the last `rank` axes."""

    @op(f"FFT{suffix}", f"BatchFFT{suffix}", type=_at_least(rank))
    def fft(input: Array) -> Any:
        """The discrete Fourier transform over the last one, two or three axes (tf.signal.fft)."""
        axes = _last(input, rank)
        return np.fft.fftn(input, axes=axes).astype(input.dtype) if input.size else input

    @op(f"IFFT{suffix}", f"BatchIFFT{suffix}", type=_at_least(rank))
    def ifft(input: Array) -> Any:
        """The inverse of FFT (tf.signal.ifft)."""
        axes = _last(input, rank)
        return np.fft.ifftn(input, axes=axes).astype(input.dtype) if input.size else input

    @op(f"RFFT{suffix}", type=_real_type(rank, "Tcomplex", True))
    def rfft(input: Array, fft_length: Array, *, Tcomplex: DType = COMPLEX64) -> Any:
        """The transform of real numbers, cut to `fft_length`; the last axis has the first half, its
        middle included (tf.signal.rfft).  Raises ValueError where an axis is too short."""
        axes = _last(input, rank)
        lengths = _lengths(input, fft_length, axes, False)
        if not input.size or 0 in lengths:
            return _nothing(input, lengths, _half(lengths[-1]), Tcomplex)
        return np.fft.rfftn(input, s=lengths, axes=axes).astype(Tcomplex.numpy)

    @op(f"IRFFT{suffix}", type=_real_type(rank, "Treal", False))
    def irfft(input: Array, fft_length: Array, *, Treal: DType = FLOAT32) -> Any:
        """The inverse of RFFT with results of `fft_length` (tf.signal.irfft).

        Raises ValueError where an axis is too short.
        """
        axes = _last(input, rank)
        lengths = _lengths(input, fft_length, axes, True)
        if not input.size or 0 in lengths:
            return _nothing(input, lengths, lengths[-1], Treal)
        return np.fft.irfftn(input, s=lengths, axes=axes).astype(Treal.numpy)


for _rank, _suffix in ((1, ""), (2, "2D"), (3, "3D")):
    _register(_rank, _suffix)


def _over(x: Array, fft_length: Array, axes: Array) -> tuple[list[int], list[int]]:
    """Lengths and axes of a transform over any axes; shorter axes are padded, longer ones cut."""
    chosen = [normalize_axis(int(a), x.ndim) for a in axes]
    lengths = [int(n) for n in fft_length]
    if len(lengths) != len(chosen) or len(set(chosen)) < len(chosen) or min(lengths, default=1) < 1:
        raise ValueError(f"lengths {lengths} do not fit axes {chosen}")
    return lengths, chosen


def _over_type(attr: str, halved: bool) -> Any:
    def rule(c: Inference) -> ValueType:
        shape, axes, lengths = c.inputs[0].shape, c.ints(2), c.extents(1)
        if shape is None:
            return ValueType(c.attrs[attr])
        if axes is None or lengths is None:
            return ValueType(c.attrs[attr], c.unknown(len(shape)))
        result = list(shape)
        for axis, length in zip(axes, lengths, strict=True):
            result[normalize_axis(axis, len(shape))] = length
        if halved and axes:
            result[normalize_axis(axes[-1], len(shape))] = lengths[-1] // 2 + 1
        return ValueType(c.attrs[attr], tuple(result))

    return rule


@op("FFTND", type=_over_type("Tcomplex", False))
def fftnd(input: Array, fft_length: Array, axes: Array, *, Tcomplex: DType = COMPLEX64) -> Any:
    """The Fourier transform over any axes, padded with zeros or cut to `fft_length`
    (tf.raw_ops.FFTND)."""
    lengths, chosen = _over(input, fft_length, axes)
    return np.fft.fftn(input, lengths, chosen).astype(Tcomplex.numpy)


@op("IFFTND", type=_over_type("Tcomplex", False))
def ifftnd(input: Array, fft_length: Array, axes: Array, *, Tcomplex: DType = COMPLEX64) -> Any:
    """The inverse of FFTND (tf.raw_ops.IFFTND)."""
    lengths, chosen = _over(input, fft_length, axes)
    return np.fft.ifftn(input, lengths, chosen).astype(Tcomplex.numpy)


@op("RFFTND", type=_over_type("Tcomplex", True))
def rfftnd(input: Array, fft_length: Array, axes: Array, *, Tcomplex: DType = COMPLEX64) -> Any:
    """As FFTND for real numbers; the last of `axes` has the first half (tf.raw_ops.RFFTND)."""
    lengths, chosen = _over(input, fft_length, axes)
    return np.fft.rfftn(input, lengths, chosen).astype(Tcomplex.numpy)


@op("IRFFTND", type=_over_type("Treal", False))
def irfftnd(input: Array, fft_length: Array, axes: Array, *, Treal: DType = FLOAT32) -> Any:
    """The inverse of RFFTND (tf.raw_ops.IRFFTND)."""
    lengths, chosen = _over(input, fft_length, axes)
    return np.fft.irfftn(input, lengths, chosen).astype(Treal.numpy)
