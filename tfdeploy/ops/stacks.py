"""Stacks of TensorFlow 1: what a loop leaves for the loop that computes its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import RESOURCE, DType
from ..graph.types import ValueType
from .handles import Handle
from .registry import READS, WRITES, op

Array = NDArray[Any]


class Stack(Handle):
    """Tensors, the last one first; lives as long as a call of the model."""

    __slots__ = ("items", "most")
    kind = "stack of tensors"

    def __init__(self, most: int) -> None:
        self.items: list[Array] = []
        self.most = most


def _stack(handle: Any) -> Stack:
    if isinstance(handle, np.ndarray) and handle.ndim == 0:
        handle = handle.item()
    if not isinstance(handle, Stack):
        raise ValueError(f"expected a stack, got {handle!r}")
    return handle


@op("StackV2", type=lambda c: ValueType(RESOURCE, ()), effect=READS, exact=True)
def stack_v2(max_size: Array, *, elem_type: DType | None = None) -> Stack:
    """An empty stack of at most so many tensors, of any number where that is negative."""
    return Stack(int(max_size))


@op("Stack", type=lambda c: ValueType(RESOURCE, ()), effect=READS, exact=True)
def stack(*, elem_type: DType | None = None) -> Stack:
    """An empty stack of any number of tensors."""
    return Stack(-1)


@op("StackPush", "StackPushV2", type=lambda c: c.inputs[1], effect=WRITES, exact=True)
def push(handle: Any, elem: Array) -> Array:
    """The tensor, which is on top of the stack from now on."""
    found = _stack(handle)
    if 0 <= found.most <= len(found.items):
        raise ValueError(f"a stack of at most {found.most} tensors is full")
    found.items.append(elem)
    return elem


@op(
    "StackPop",
    "StackPopV2",
    type=lambda c: ValueType(c.attrs["elem_type"]),
    effect=WRITES,
    exact=True,
)
def pop(handle: Any, *, elem_type: DType) -> Array:
    """The tensor on top of the stack, which is taken off."""
    found = _stack(handle)
    if not found.items:
        raise ValueError("the stack is empty")
    return found.items.pop()


@op("StackClose", "StackCloseV2", type=lambda c: [], effect=WRITES, exact=True)
def close(handle: Any) -> tuple[Array, ...]:
    """Nothing; the stack goes with the call."""
    return ()
