"""Feature crosses: every combination of one value from each column, row by row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import INT64, STRING, DType
from ..graph.types import ValueType
from .array import LIST, MOST, check_size, scalar_int
from .hashing import chained, fingerprint64, siphash
from .ragged import rows_of
from .registry import op
from .rules import Inference
from .sparse import check_sparse
from .string import texts

Array = NDArray[Any]
Column = list[list[Any]]
Crossing = Callable[[Sequence[Any]], Any]
_OUTPUTS = ("output_indices", "output_values", "output_shape")


def _dense_column(x: Array) -> Column:
    if x.ndim != 2:
        raise ValueError(f"a matrix is expected for a column, not shape {x.shape}")
    return [list(row) for row in x.tolist()]


def _sparse_column(indices: Array, values: Array, shape: Array) -> Column:
    if len(shape) != 2:
        raise ValueError(f"a matrix is expected for a column, not shape {shape.tolist()}")
    check_sparse(indices, values, shape)
    check_size([int(shape[0]), LIST])
    rows: Column = [[] for _ in range(int(shape[0]))]
    for i, value in zip(indices[:, 0].tolist(), values.tolist(), strict=True):
        rows[i].append(value)
    return rows


def _crossed(columns: list[Column], crossing: Crossing) -> list[list[Any]]:
    """What `crossing` makes of each combination, the last column fastest, for each row."""
    if len({len(c) for c in columns}) > 1:
        raise ValueError(f"columns of {[len(c) for c in columns]} rows should have as many")
    rows = list(zip(*columns, strict=True))
    if sum(prod(map(len, row)) for row in rows) > MOST:
        raise ValueError("these columns have too many combinations")
    return [[crossing(features) for features in product(*row)] for row in rows]


def _text(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _number(value: Any) -> int:
    return fingerprint64(value) if isinstance(value, bytes) else int(value)


def _joining(separator: bytes) -> Crossing:
    return lambda features: separator.join(map(_text, features))


def _hashing(key: int, buckets: int) -> Crossing:
    """Fingerprints chained from `key` on, modulo `buckets` or, for 0 buckets, the largest int64."""

    def crossing(features: Sequence[Any]) -> int:
        hashed = key
        for value in features:
            hashed = chained(hashed, _number(value))
        return hashed % (buckets or 2**63 - 1)

    return crossing


def _values(rows: list[list[Any]], hashed: bool) -> Array:
    flat = [value for row in rows for value in row]
    return np.array(flat, np.int64) if hashed else texts(flat, (len(flat),))


def _sparse(rows: list[list[Any]], hashed: bool) -> tuple[Array, Array, Array]:
    places = [(i, j) for i, row in enumerate(rows) for j in range(len(row))]
    widest = max(map(len, rows), default=0)
    return (
        np.array(places, np.int64).reshape(-1, 2),
        _values(rows, hashed),
        np.array([len(rows), widest], np.int64),
    )


def _columns(inputs: Sequence[Array], n: int) -> list[Column]:
    """Columns of all indices, values and shapes of `n` sparse inputs, then dense ones."""
    sparse = zip(inputs[:n], inputs[n : 2 * n], inputs[2 * n : 3 * n], strict=True)
    return [*(_sparse_column(*s) for s in sparse), *map(_dense_column, inputs[3 * n :])]


def _types(dtype: DType | None) -> Callable[[Inference], list[ValueType]]:
    def rule(c: Inference) -> list[ValueType]:
        found = c.fresh()
        return [
            ValueType(INT64, (found, 2)),
            ValueType(dtype or c.attrs["out_type"], (found,)),
            ValueType(INT64, (2,)),
        ]

    return rule


@op("SparseCross", type=_types(None), exact=True, outputs=_OUTPUTS)
def sparse_cross(
    *inputs: Array, N: int, hashed_output: bool, num_buckets: int, hash_key: int, out_type: DType
) -> tuple[Array, Array, Array]:
    """Combinations of sparse and dense columns, joined by ``_X_`` or hashed (tf.sparse.cross).

    Inputs are all indices, values and shapes of N sparse matrices, then the dense ones.
    """
    crossing = _hashing(hash_key, num_buckets) if hashed_output else _joining(b"_X_")
    return _sparse(_crossed(_columns(inputs, N), crossing), out_type != STRING)


@op("SparseCrossV2", type=_types(STRING), exact=True, outputs=_OUTPUTS)
def sparse_cross_v2(*inputs: Array, N: int) -> tuple[Array, Array, Array]:
    """As `sparse_cross`, joined by the last input."""
    return _sparse(_crossed(_columns(inputs[:-1], N), _joining(inputs[-1].item())), False)


@op("SparseCrossHashed", type=_types(INT64), exact=True, outputs=_OUTPUTS)
def sparse_cross_hashed(*inputs: Array, N: int) -> tuple[Array, Array, Array]:
    """As `sparse_cross`, hashed.

    The last three inputs are the number of buckets, whether to use SipHash, and its key.  Of
    numbers in sparse columns the low four bytes are hashed; those in dense ones stand for
    themselves, and SipHash does not take them: ValueError.
    """
    *columns, num_buckets, strong, salt = inputs
    buckets = scalar_int(num_buckets, "num_buckets")
    key = salt.tolist()

    def number(value: Any) -> int:
        if not strong.item():
            return _number(value)
        if not isinstance(value, bytes):
            raise ValueError("strong_hash is for columns of strings")
        return siphash(value, key)

    def crossing(features: Sequence[Any]) -> int:
        hashed = number(features[0]) % 2**64
        for value in features[1:]:
            hashed = chained(hashed, number(value))
        return hashed % (buckets or 2**63 - 1)

    def low(value: Any) -> bytes:
        return value if isinstance(value, bytes) else (value % 2**32).to_bytes(4, "little")

    found = _columns(columns, N)
    found[:N] = [[list(map(low, row)) for row in column] for column in found[:N]]
    return _sparse(_crossed(found, crossing), True)


def _ragged_types(c: Inference) -> list[ValueType]:
    found = c.fresh()
    return [
        ValueType(c.attrs["out_values_type"], (found,)),
        ValueType(c.attrs["out_row_splits_type"], (c.fresh(),)),
    ]


@op("RaggedCross", type=_ragged_types, exact=True, outputs=("output_values", "output_row_splits"))
def ragged_cross(
    *inputs: Array,
    Nsparse: int,
    ragged_values_types: Sequence[DType],
    input_order: str,
    hashed_output: bool,
    num_buckets: int,
    hash_key: int,
    out_values_type: DType,
    out_row_splits_type: DType,
) -> tuple[Array, Array]:
    """Combinations of ragged, sparse and dense columns (tf.ragged.cross).

    `input_order` has an R, S or D for each column.
    """
    n = len(ragged_values_types)
    ragged = [rows_of(s, v) for v, s in zip(inputs[:n], inputs[n : 2 * n], strict=True)]
    others = _columns(inputs[2 * n :], Nsparse)
    queues = {"R": iter(ragged), "S": iter(others[:Nsparse]), "D": iter(others[Nsparse:])}
    columns = [next(queues[kind]) for kind in input_order]
    crossing = _hashing(hash_key, num_buckets) if hashed_output else _joining(b"_X_")
    rows = _crossed(columns, crossing)
    splits = np.cumsum([0, *map(len, rows)]).astype(out_row_splits_type.numpy)
    return _values(rows, out_values_type != STRING), splits
