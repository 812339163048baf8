"""Shape and dtype rules, and the context in which they run.

A rule takes an `Inference` and returns the ValueType of the single output, or a list with one per
output. It raises ValueError with a sentence where the inputs cannot be (ranks, extents, dtypes
that never fit); what it cannot know it leaves open: shape None, or fresh extents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, Protocol

import numpy as np

from ..dtypes import BOOL, INT32, DType
from ..graph.graph import FuncRef, Graph
from ..graph.types import Dim, Extent, Shape, ValueType

Known = Any
"""What is known of an integer value, or of floats that are whole: an ndarray of ints, or an object
array that holds Dims.
"""


EXACT = 1 << 24
"""Whole numbers up to here are float32, and so are their sums."""


class Calls(Protocol):
    """The functions that a node may call."""

    def graph(self, function: FuncRef) -> Graph:
        """The subgraph that a function is."""

    def types(
        self, function: FuncRef, inputs: Sequence[ValueType], values: Sequence[Known | None]
    ) -> tuple[list[ValueType], list[Known | None]]:
        """Types a subgraph for arguments of these types and values; gives those of its results."""


class Inference:
    """What a rule may ask about the node at hand.

    `inputs` are the types of the inputs, `attrs` the attributes with defaults filled in, `calls`
    what types the functions that attributes name.
    """

    __slots__ = ("attrs", "calls", "inputs", "result_values", "values", "_fresh")

    def __init__(
        self,
        inputs: Sequence[ValueType],
        attrs: dict[str, Any],
        values: Sequence[Known | None],
        fresh: Callable[[], Dim],
        calls: Calls | None = None,
    ) -> None:
        self.calls = calls
        self.inputs = inputs
        self.attrs = attrs
        self.values = values
        self.result_values: list[Known | None] = []
        self._fresh = fresh

    def fresh(self) -> Dim:
        """An extent that nothing is known of."""
        return self._fresh()

    def value(self, i: int) -> Known | None:
        """The value of input `i` where it is a known array of ints and extents (rank 0 or 1), else
        None.
        """
        return self.values[i] if i < len(self.values) else None

    def ints(self, i: int) -> list[int] | None:
        """The value of input `i` as numbers, flattened; None where any of it is unknown."""
        known = self.value(i)
        if known is None:
            return None
        flat = list(np.ravel(known))
        return None if any(isinstance(v, Dim) for v in flat) else [int(v) for v in flat]

    def extents(self, i: int) -> list[Extent] | None:
        """The value of input `i` as extents, flattened; None where it is unknown."""
        known = self.value(i)
        if known is None:
            return None
        return [v if isinstance(v, Dim) else int(v) for v in np.ravel(known)]

    def unknown(self, rank: int | None) -> Shape:
        """A shape of `rank` fresh extents; None for an unknown rank."""
        return None if rank is None else tuple(self.fresh() for _ in range(rank))

    def know(self, *values: Known | None) -> None:
        """Says what the outputs' values are, for rules of shape arithmetic."""
        self.result_values = list(values)

    def know_whole(self, value: Known) -> None:
        """Says that the output is floats which are these integers; large ones may not be."""
        if isinstance(value, np.ndarray) and (
            value.dtype == object or (np.abs(value) <= EXACT).all()
        ):
            self.know(value)


def same(c: Inference) -> ValueType:
    """Type of the first input."""
    return c.inputs[0]


def to_bool(c: Inference) -> ValueType:
    """Shape of the first input, bool."""
    return ValueType(BOOL, c.inputs[0].shape)


def attr_dtype(attr: str) -> Callable[[Inference], ValueType]:
    """Shape of the first input, dtype of attribute `attr`."""

    def rule(c: Inference) -> ValueType:
        return ValueType(c.attrs[attr], c.inputs[0].shape)

    return rule


def broadcast_shapes(c: Inference, *shapes: Shape) -> Shape:
    """numpy's and TensorFlow's broadcast; raises ValueError where extents can never agree."""
    if any(s is None for s in shapes):
        return None
    known = [s for s in shapes if s is not None]
    rank = max((len(s) for s in known), default=0)
    result: list[Extent] = []
    one: Extent = 1
    for axis in range(-rank, 0):
        extents = {s[axis] for s in known if len(s) >= -axis} - {1}
        numbers = {e for e in extents if isinstance(e, int)}
        if len(numbers) > 1:
            raise ValueError(f"shapes {', '.join(map(str, known))} do not broadcast")
        if numbers:
            result.append(numbers.pop())
        else:
            result.append(reduce(Dim.broadcast, sorted(extents, key=repr), one))
    return tuple(result)


def broadcast(c: Inference) -> ValueType:
    """All inputs broadcast together; dtype of the first."""
    return ValueType(c.inputs[0].dtype, broadcast_shapes(c, *(t.shape for t in c.inputs)))


def broadcast_bool(c: Inference) -> ValueType:
    """All inputs broadcast together; bool."""
    return ValueType(BOOL, broadcast_shapes(c, *(t.shape for t in c.inputs)))


def scalar(dtype: DType | str) -> Callable[[Inference], ValueType]:
    """One scalar of `dtype`, which is a DType or the name of the attribute that gives it."""

    def rule(c: Inference) -> ValueType:
        return ValueType(dtype if isinstance(dtype, DType) else c.attrs[dtype], ())

    return rule


def fixed(
    dtype: DType | str | None = None, rank: int | None = None
) -> Callable[[Inference], ValueType]:
    """Fresh extents of a fixed `rank`; dtype given, named by an attribute, or the first input's."""

    def rule(c: Inference) -> ValueType:
        kind = (
            c.inputs[0].dtype
            if dtype is None
            else (dtype if isinstance(dtype, DType) else c.attrs[dtype])
        )
        return ValueType(kind, c.unknown(rank))

    return rule


def normalize_axis(axis: int, rank: int, what: str = "axis") -> int:
    """`axis` counted from the front; raises ValueError outside [-rank, rank)."""
    if not -rank <= axis < rank:
        raise ValueError(f"{what} {axis} is outside a rank of {rank}")
    return axis + rank if axis < 0 else axis


def merge_extents(a: Extent, b: Extent) -> Extent:
    """The extent that is equal to both; raises ValueError where two numbers differ."""
    if isinstance(a, int) and isinstance(b, int):
        if a != b:
            raise ValueError(f"extents {a} and {b} should be equal")
        return a
    return a if isinstance(a, int) else b if isinstance(b, int) else a


def merge_shapes(c: Inference, *shapes: Shape) -> Shape:
    """The shape that is equal to all of them, as far as known."""
    result: Shape = None
    for shape in shapes:
        if shape is None:
            continue
        if result is None:
            result = shape
        elif len(result) != len(shape):
            raise ValueError(f"ranks {len(result)} and {len(shape)} should be equal")
        else:
            result = tuple(map(merge_extents, result, shape))
    return result


def reduction(c: Inference) -> ValueType:
    """Input 0 reduced over the axes that input 1 lists; attribute ``keep_dims``."""
    return ValueType(c.inputs[0].dtype, reduced_shape(c))


def reduction_bool(c: Inference) -> ValueType:
    """As `reduction`, for All and Any."""
    return ValueType(BOOL, reduced_shape(c))


def reduced_shape(c: Inference) -> Shape:
    """Shape of input 0 without the axes that input 1 lists, or with 1 in their places."""
    shape, axes = c.inputs[0].shape, c.ints(1)
    keep = c.attrs.get("keep_dims", False)
    if shape is None:
        return None
    if axes is None:
        return c.unknown(len(shape)) if keep else None
    gone = {normalize_axis(a, len(shape)) for a in axes}
    if keep:
        return tuple(1 if i in gone else e for i, e in enumerate(shape))
    return tuple(e for i, e in enumerate(shape) if i not in gone)


def arg_reduction(attr: str = "output_type") -> Callable[[Inference], ValueType]:
    """Input 0 without the axis that scalar input 1 gives; dtype of attribute `attr`."""

    def rule(c: Inference) -> ValueType:
        shape, axes = c.inputs[0].shape, c.ints(1)
        if shape is None or axes is None:
            rank = None if shape is None else len(shape) - 1
            return ValueType(c.attrs[attr], c.unknown(rank))
        axis = normalize_axis(axes[0], len(shape))
        return ValueType(c.attrs[attr], shape[:axis] + shape[axis + 1 :])

    return rule


def shape_vector(c: Inference, i: int, dtype: DType = INT32) -> Shape:
    """The shape that the integer vector in input `i` spells; -1 stands for an unknown extent."""
    extents = c.extents(i)
    if extents is not None:
        return tuple(c.fresh() if e == -1 else e for e in extents)
    length = c.inputs[i].shape
    if length is not None and len(length) == 1 and isinstance(length[0], int):
        return c.unknown(length[0])
    return None
