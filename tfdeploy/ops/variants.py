"""Ragged tensors as values of dtype variant, as tf.map_fn and datasets hold them."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import INT64, VARIANT, DType
from ..graph.types import ValueType
from .handles import Handle
from .index import check_splits
from .registry import op
from .rules import Inference

Array = NDArray[Any]


class Ragged(Handle):
    """A ragged tensor: row splits, the outermost first, and values."""

    __slots__ = ("splits", "values")
    kind = "ragged tensor"

    def __init__(self, splits: Sequence[Array], values: Array) -> None:
        self.splits = tuple(splits)
        self.values = values

    def __len__(self) -> int:
        return len(self.splits[0]) - 1 if self.splits else len(self.values)

    def row(self, i: int) -> Ragged:
        """The part that row `i` of the outermost axis is."""
        if not self.splits:
            return Ragged((), self.values[i, ...])
        first, last = (int(v) for v in self.splits[0][i : i + 2])
        splits = []
        for level in self.splits[1:]:
            cut = level[first : last + 1]
            splits.append(cut - cut[0])
            first, last = int(cut[0]), int(cut[-1])
        return Ragged(splits, self.values[first:last])


def _encode_type(c: Inference) -> ValueType:
    first = c.inputs[0].shape
    if not c.attrs["batched_input"]:
        return ValueType(VARIANT, ())
    if not first:
        return ValueType(VARIANT, (c.fresh(),))
    return ValueType(VARIANT, (first[0] - 1 if len(c.inputs) > 1 else first[0],))


@op("RaggedTensorToVariant", type=_encode_type, exact=True)
def ragged_tensor_to_variant(*inputs: Array, batched_input: bool) -> Any:
    """The ragged tensor of splits and values as a variant, or each of its rows as one."""
    *splits, values = inputs
    total = len(values) if values.ndim else 0
    for level in reversed(splits):
        check_splits(level, total)
        total = len(level) - 1
    whole = Ragged(splits, values)
    if not batched_input:
        return whole
    rows = np.empty(len(whole), object)
    for i in range(len(whole)):
        rows[i] = whole.row(i)
    return rows


def _decode_types(c: Inference) -> list[ValueType]:
    splits = [
        ValueType(c.attrs["Tsplits"], (c.fresh(),)) for _ in range(c.attrs["output_ragged_rank"])
    ]
    return [*splits, ValueType(c.attrs["Tvalues"])]


def _stacked(parts: Sequence[Ragged], rank: int, dtype: DType) -> tuple[list[Array], Array]:
    """Splits, counted from 0, and values of ragged tensors of `rank` side by side."""
    if any(len(part.splits) != rank for part in parts):
        raise ValueError(f"ragged tensors of rank {rank} are expected in the variants")
    levels = [np.cumsum([0, *map(len, parts)])]
    for i in range(rank):
        lengths = [np.diff(part.splits[i]) for part in parts]
        levels.append(np.cumsum(np.concatenate([[0], *lengths])))
    values = [part.values for part in parts]
    return levels, np.concatenate(values) if values else np.zeros(0, dtype.numpy)


@op(
    "RaggedTensorFromVariant",
    type=_decode_types,
    exact=True,
    outputs=("output_nested_splits*output_ragged_rank", "output_dense_values"),
)
def ragged_tensor_from_variant(
    encoded: Any,
    *,
    input_ragged_rank: int,
    output_ragged_rank: int,
    Tvalues: DType,
    Tsplits: DType = INT64,
) -> tuple[Array, ...]:
    """Splits and values of the ragged tensor in a variant, or of those in a tensor stacked.

    Raises ValueError where their ranks and dtypes are not those that the attributes say.
    """
    shape = encoded.shape if isinstance(encoded, np.ndarray) else ()
    parts = list(encoded.ravel()) if isinstance(encoded, np.ndarray) else [encoded]
    rank = output_ragged_rank - len(shape) if input_ragged_rank == -1 else input_ragged_rank
    if rank < 0 or rank + len(shape) != output_ragged_rank:
        raise ValueError(
            f"variants of shape {shape} and rank {rank} make no rank of {output_ragged_rank}"
        )
    if not all(isinstance(p, Ragged) and p.values.dtype == Tvalues.numpy for p in parts):
        raise ValueError(f"ragged tensors of {Tvalues} are expected in the variants")
    levels, values = _stacked(parts, rank, Tvalues)
    if not shape:
        levels = list(parts[0].splits)
        values = parts[0].values
    outer = [np.arange(prod(shape[:i]) + 1) * shape[i] for i in range(1, len(shape))]
    return (*(level.astype(Tsplits.numpy) for level in [*outer, *levels]), values)
