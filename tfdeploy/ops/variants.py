"""Ragged tensors, and tensors that may be missing, as values of dtype variant."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import BOOL, INT64, VARIANT, DType
from ..graph.types import Shape, ValueType
from .array import check_size, zeros_like
from .handles import Handle
from .index import check_splits
from .registry import op
from .rules import Inference, shape_vector

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

    def zeros(self) -> Ragged:
        """The same rows with zeros in them."""
        return Ragged(self.splits, zeros_like(self.values))

    def __add__(self, other: Any) -> Ragged:
        """The sums of the values of the same rows."""
        if not isinstance(other, Ragged) or len(self.splits) != len(other.splits):
            raise ValueError("only ragged tensors of one rank add")
        if not all(map(np.array_equal, self.splits, other.splits)):
            raise ValueError("ragged tensors of other rows do not add")
        return Ragged(self.splits, self.values + other.values)

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


@op(
    "RaggedTensorToVariantGradient",
    type=lambda c: ValueType(c.attrs["Tvalues"], shape_vector(c, 2)),
    exact=True,
)
def ragged_tensor_to_variant_gradient(
    encoded_ragged_grad: Any, row_splits: Array, dense_values_shape: Array, *, Tvalues: DType
) -> Array:
    """The gradient of RaggedTensorToVariant by the values: those of the variants, one after the
    other."""
    check_size(dense_values_shape.tolist())
    parts = list(np.ravel(np.asarray(encoded_ragged_grad, object)))
    if not all(isinstance(part, Ragged) and part.values.dtype == Tvalues.numpy for part in parts):
        raise ValueError(f"ragged tensors of {Tvalues} are expected in the variants")
    tail = dense_values_shape.tolist()[1:]
    blocks = [part.values.reshape(-1, *tail) for part in parts]
    values = np.concatenate([np.zeros((0, *tail), Tvalues.numpy), *blocks])
    return values.reshape(dense_values_shape.tolist())


class Optional(Handle):
    """Values, or None for none: what a branch hands to the gradient of a conditional."""

    __slots__ = ("values",)
    kind = "optional"

    def __init__(self, values: tuple[Any, ...] | None) -> None:
        self.values = values

    def zeros(self) -> Optional:
        """Zeros like the values."""
        return Optional(self.values and tuple(map(zeros_like, self.values)))

    def __add__(self, other: Any) -> Optional:
        """The sums of the values; none where neither has any."""
        if not isinstance(other, Optional) or (self.values is None) != (other.values is None):
            raise ValueError("only one of two optionals has values, so they do not add")
        if self.values is None or other.values is None:
            return self
        return Optional(tuple(a + b for a, b in zip(self.values, other.values, strict=True)))


@op("OptionalFromValue", type=lambda c: ValueType(VARIANT, ()), exact=True)
def optional_from_value(*components: Any) -> Optional:
    """An optional that has values (tf.experimental.Optional.from_value)."""
    return Optional(components)


@op("OptionalNone", type=lambda c: ValueType(VARIANT, ()), exact=True)
def optional_none() -> Optional:
    """An optional without values (tf.experimental.Optional.empty)."""
    return Optional(None)


@op("OptionalHasValue", type=lambda c: ValueType(BOOL, ()), exact=True)
def optional_has_value(optional: Any) -> Array:
    """Whether an optional has values (tf.experimental.Optional.has_value)."""
    return np.asarray(optional.values is not None)


def _value_types(c: Inference) -> list[ValueType]:
    kinds = zip(c.attrs["output_types"], c.attrs["output_shapes"], strict=True)
    return [
        ValueType(t, None if s is None else tuple(c.fresh() if e in (None, -1) else e for e in s))
        for t, s in kinds
    ]


@op("OptionalGetValue", type=_value_types, exact=True, outputs=("components*output_types",))
def optional_get_value(
    optional: Any, *, output_types: Sequence[DType], output_shapes: Sequence[Shape]
) -> tuple[Any, ...]:
    """The values of an optional (tf.experimental.Optional.get_value); ValueError for none."""
    if optional.values is None:
        raise ValueError("the optional has no value")
    values: tuple[Any, ...] = optional.values
    return values
