"""Ops that no plan holds and that the engine has in C: hashes, tables, boxes, spectra.

A native function takes the engine, then what the op's reference takes.  It does the common case
and gives NotImplemented for anything else, errors among it: then the reference answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import get_num_threads
from ..dtypes import INT64, STRING, DType
from ..ops import hashing
from ..ops.audio import hann, magnitudes
from ..ops.boxes import combined, padded
from ..ops.segment import divided
from ..ops.tables import Table
from .lowering import SEGMENTS

Array = NDArray[Any]
Native = Callable[..., Any]
NATIVES: dict[str, Native] = {}


def native(*ops: str) -> Callable[[Native], Native]:
    """Registers the decorated function for `ops`."""

    def register(function: Native) -> Native:
        NATIVES.update(dict.fromkeys(ops, function))
        return function

    return register


def with_native(engine: ModuleType, op: str, reference: Callable[..., Any]) -> Callable[..., Any]:
    """What runs `op`: its native function where there is one, before `reference`."""
    function = NATIVES.get(op)
    if function is None:
        return reference

    def run(*inputs: Any, **attrs: Any) -> Any:
        result = function(engine, *inputs, **attrs)
        return reference(*inputs, **attrs) if result is NotImplemented else result

    return run


# Strings


def _hashes(engine: ModuleType, x: Array, key: tuple[int, int] | None = None) -> Array:
    """Hashes of strings, or integers as they are, as uint64 of the same shape."""
    if x.dtype != object:
        return x.astype(np.uint64)
    out = np.empty(x.shape, np.uint64)
    engine.hashes(np.ascontiguousarray(x), out, key)
    return out


def _buckets(hashed: Array, count: int) -> Array:
    return (hashed % np.uint64(count)).astype(np.int64)


@native("StringToHashBucketFast")
def _fast(engine: ModuleType, x: Array, *, num_buckets: int) -> Any:
    return _buckets(_hashes(engine, x), num_buckets) if num_buckets > 0 else NotImplemented


@native("StringToHashBucketStrong")
def _strong(engine: ModuleType, x: Array, *, num_buckets: int, key: Sequence[int]) -> Any:
    if num_buckets < 1 or len(key) != 2:
        return NotImplemented
    return _buckets(_hashes(engine, x, _words(key)), num_buckets)


def _words(key: Sequence[int]) -> tuple[int, int]:
    first, second = (int(k) % 2**64 for k in key)
    return first, second


def _single(columns: Sequence[Array]) -> bool:
    """Whether each column is dense with one value a row, so that a row has one cross."""
    return bool(columns) and {c.shape for c in columns} == {(len(columns[0]), 1)}


def _crosses(hashed: Array, buckets: int) -> tuple[Array, Array, Array]:
    rows = len(hashed)
    places = np.zeros((rows, 2), np.int64)
    places[:, 0] = np.arange(rows)
    return places, _buckets(hashed, buckets or 2**63 - 1), np.array([rows, min(rows, 1)], np.int64)


@native("SparseCross")
def _sparse_cross(
    engine: ModuleType,
    *inputs: Array,
    N: int,
    hashed_output: bool,
    num_buckets: int,
    hash_key: int,
    out_type: DType,
) -> Any:
    if N or not hashed_output or not _single(inputs) or out_type != INT64 or num_buckets < 0:
        return NotImplemented
    hashed = np.full(len(inputs[0]), hash_key % 2**64, np.uint64)
    for column in inputs:
        hashed = hashing.chained(hashed, _hashes(engine, column[:, 0]))
    return _crosses(hashed, num_buckets)


@native("SparseCrossHashed")
def _sparse_cross_hashed(engine: ModuleType, *inputs: Array, N: int) -> Any:
    *columns, num_buckets, strong, salt = inputs
    texts = all(c.dtype == object for c in columns)
    if N or not _single(columns) or num_buckets < 0 or (strong.item() and not texts):
        return NotImplemented
    key = _words(salt.tolist()) if strong.item() else None
    first, *others = (_hashes(engine, column[:, 0], key) for column in columns)
    for other in others:
        first = hashing.chained(first, other)
    return _crosses(first, int(num_buckets))


@native("LookupTableFindV2", "LookupTableFind")
def _find(engine: ModuleType, table: Any, keys: Array, default: Array, **_: Any) -> Any:
    plain = isinstance(table, Table) and table.key_dtype == STRING and not table.value_shape
    if not plain or not table.filled or table.mutable or default.ndim or not table.items:
        return NotImplemented
    if table.finder is None:
        names, values = table.contents()
        table.finder = engine.Finder(np.ascontiguousarray(names)), values
    finder, values = table.finder
    numbers = np.empty(keys.shape, np.int64)
    finder.find(np.ascontiguousarray(keys), numbers)
    return np.where(numbers < 0, default, values[numbers])


# Spectra


@lru_cache(16)
def _turns(n: int, dtype: str) -> Array:
    """Cosine and sine of -2 pi k / n for each k below n."""
    angles = np.arange(n) * (-2 * np.pi / n)
    return np.stack([np.cos(angles), np.sin(angles)], 1).astype(dtype)


def _spectra(engine: ModuleType, rows: Array, n: int, window: Array | None = None) -> Array | None:
    """Complex spectra [rows, n / 2 + 1] of rows of float32 or float64, None where `n` has no fast
    transform.
    """
    if n < 2 or n % 2:
        return None
    result = np.empty((len(rows), n // 2 + 1, 2), rows.dtype)
    operands = [rows, _turns(n, rows.dtype.str), window]
    try:
        engine.Call("rfft", operands, [result], threads=get_num_threads()).run_parallel()
    except ValueError:
        return None
    spectra: Array = result.view(np.result_type(rows.dtype, np.complex64))[..., 0]
    return spectra


@native("RFFT")
def _rfft(engine: ModuleType, input: Array, fft_length: Array, *, Tcomplex: DType) -> Any:
    single = input.dtype == np.float32 and Tcomplex.numpy == np.complex64
    if not single or not input.size or not input.ndim or fft_length.shape != (1,):
        return NotImplemented
    n, length = int(fft_length[0]), input.shape[-1]
    if not 0 < n <= length:
        return NotImplemented
    found = _spectra(engine, np.ascontiguousarray(input).reshape(-1, length), n)
    return NotImplemented if found is None else found.reshape(*input.shape[:-1], n // 2 + 1)


@native("AudioSpectrogram")
def _audio_spectrogram(
    engine: ModuleType,
    input: Array,
    *,
    window_size: int,
    stride: int,
    magnitude_squared: bool = False,
) -> Any:
    if window_size < 2 or stride < 1 or input.ndim != 2 or len(input) < window_size:
        return NotImplemented
    sound, (length, window) = input.astype(np.float64), hann(window_size)
    views = np.lib.stride_tricks.sliding_window_view(sound, window_size, axis=0)[::stride]
    found = []
    for channel in range(input.shape[1]):
        spectra = _spectra(engine, views[:, channel], length, window)
        if spectra is None:
            return NotImplemented
        found.append(magnitudes(spectra, magnitude_squared))
    return np.stack(found) if found else NotImplemented


# Boxes


_LOWEST = np.finfo(np.float32).min


class _Unusual(Exception):
    """Some overlap is not a number."""


def _suppressed(
    engine: ModuleType,
    boxes: Array,
    scores: Array,
    most: Array,
    overlap: Any,
    least: Any,
    sigma: Any,
) -> tuple[Array, Array] | None:
    """Numbers and scores of the boxes that are left, None for what the reference should do."""
    places = min(int(most), len(scores))
    chosen, kept = np.empty(places, np.int32), np.empty(places, np.float32)
    corners, ranks = np.ascontiguousarray(boxes), np.ascontiguousarray(scores)
    found = engine.suppress(
        corners, ranks, float(overlap), float(least), float(sigma), chosen, kept
    )
    return None if found < 0 else (chosen[:found], kept[:found])


def _ordinary(boxes: Array, scores: Array, most: Array, overlap: Any) -> bool:
    floats = boxes.dtype == scores.dtype == np.float32 and np.isfinite(boxes).all()
    limits = np.ndim(most) == np.ndim(overlap) == 0 and most >= 0 and 0 <= overlap <= 1
    return bool(floats and limits)


def _chosen(
    engine: ModuleType,
    boxes: Array,
    scores: Array,
    most: Array,
    overlap: Any,
    least: Any = _LOWEST,
    sigma: Any = 0.0,
) -> tuple[Array, Array] | None:
    shaped = boxes.ndim == 2 and boxes.shape[1] == 4 and scores.shape == boxes.shape[:1]
    if not shaped or not _ordinary(boxes, scores, most, overlap):
        return None
    return _suppressed(engine, boxes, scores, most, overlap, least, sigma)


@native("NonMaxSuppressionV2", "NonMaxSuppressionV3")
def _non_max(engine: ModuleType, *inputs: Array) -> Any:
    found = _chosen(engine, *inputs)
    return NotImplemented if found is None else found[0]


@native("NonMaxSuppressionV4", "NonMaxSuppressionV5")
def _non_max_scored(
    engine: ModuleType, *inputs: Array, pad_to_max_output_size: bool = False
) -> Any:
    found = _chosen(engine, *inputs)
    if found is None:
        return NotImplemented
    numbers, scores = (
        padded(part, part.dtype, inputs[2], pad_to_max_output_size) for part in found
    )
    count = np.array(len(found[0]), np.int32)
    return (numbers, scores, count) if len(inputs) == 6 else (numbers, count)


@native("CombinedNonMaxSuppression")
def _combined(
    engine: ModuleType,
    boxes: Array,
    scores: Array,
    per_class: Array,
    total: Array,
    overlap: Array,
    least: Array,
    **attrs: Any,
) -> Any:
    def choose(own: Array, ranks: Array) -> tuple[Array, Array]:
        found = _suppressed(engine, own, ranks, per_class, overlap, least, 0.0)
        if found is None:
            raise _Unusual
        return found

    if not _ordinary(boxes, scores, per_class, overlap):
        return NotImplemented
    try:
        return combined(boxes, scores, (per_class, total), choose, **attrs)
    except _Unusual:
        return NotImplemented


# Segments and sets

_MOST_GAPS = 64  # times as many segments as rows, beyond which the reference looks


def _segments(engine: ModuleType, data: Array, ids: Array, how: str, start: int) -> Any:
    """Rows of the same id together; ids are sorted."""
    kinds = ("float32", "float64", "int32", "int64")
    if ids.ndim != 1 or not data.ndim or len(ids) != len(data) or not data.size:
        return NotImplemented
    if data.dtype.name not in kinds or ids[0] < 0 or (ids[1:] < ids[:-1]).any():
        return NotImplemented
    shape = (int(ids[-1]) + 1, *data.shape[1:])
    if shape[0] > _MOST_GAPS * len(ids):
        return NotImplemented
    rows = np.ascontiguousarray(data).reshape(len(ids), -1)
    out = np.empty((shape[0], rows.shape[1]), data.dtype)
    operands = [rows, np.ascontiguousarray(ids), np.full(1, start, data.dtype)]
    ints = [SEGMENTS.index(how), 0]
    engine.Call("segment", operands, [out], ints, isa=engine.isa()).run()
    return out.reshape(shape)


for _how, _start in {"Sum": 0, "Prod": 1, "Max": 0, "Min": 0}.items():
    native(f"Segment{_how}")(partial(_segments, how=_how.lower(), start=_start))


@native("SegmentMean")
def _segment_mean(engine: ModuleType, data: Array, ids: Array) -> Any:
    sums = _segments(engine, data, ids, "sum", 0)
    return sums if sums is NotImplemented else divided(sums, np.bincount(ids, minlength=len(sums)))


@native("Unique")
def _unique(engine: ModuleType, x: Array, *, out_idx: DType) -> Any:
    """Integers that lie close together are found by their places in a table."""
    if x.ndim != 1 or x.dtype.kind != "i" or not x.size:
        return NotImplemented
    low = int(x.min())
    span = int(x.max()) - low + 1
    if span > 8 * x.size + 1024:
        return NotImplemented
    at = x.astype(np.int64) - low
    first = np.full(span, x.size)
    first[at[::-1]] = np.arange(x.size)[::-1]
    places = np.sort(first[first < x.size])
    rank = np.empty(span, out_idx.numpy)
    rank[at[places]] = np.arange(places.size)
    return x[places], rank[at]
