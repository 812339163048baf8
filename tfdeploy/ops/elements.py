"""What is known of handles before anything is computed; it stands beside known integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..dtypes import RESOURCE, VARIANT, DType
from ..graph.types import Extent, ValueType


class Content(NamedTuple):
    """What is known of a variable: the dtype and shape of its values, None for what may change."""

    kind: DType
    shape: tuple[int | None, ...] | None

    @property
    def size(self) -> int:
        """As arrays have it: there are no integers to follow."""
        return 0

    @property
    def dtype(self) -> DType:
        """As arrays have it."""
        return RESOURCE


OPEN = -1  # an extent that no element has said yet
Shapes = tuple[Extent | None, ...] | None


class Elements(NamedTuple):
    """What is known of a list: its length, and an extent of its elements where all have the same.

    OPEN stands for what no element has said yet, None for what differs or is unknown.  `shape` is
    None for an unknown rank, and `said` tells whether any element may be of another one.
    """

    length: Extent | None
    shape: Shapes
    said: bool = False

    @property
    def size(self) -> int:
        """As arrays have it: there are no integers to follow."""
        return 0

    @property
    def dtype(self) -> DType:
        """As arrays have it."""
        return VARIANT

    def join(self, other: Elements) -> Elements:
        """What holds for both."""
        length = self.length if self.length == other.length else None
        return Elements(length, *_join(self.shape, self.said, other.shape, other.said))

    def with_item(self, kind: ValueType) -> Elements:
        """With an element of a type added in place."""
        return Elements(self.length, *_join(self.shape, self.said, kind.shape, True))

    def rename(self, outside: Callable[[Extent], bool]) -> Elements:
        """Without the extents that mean nothing `outside` of the function that gives the list."""

        def keep(extent: Extent | None) -> Extent | None:
            return extent if extent is None or outside(extent) else None

        shape = None if self.shape is None else tuple(map(keep, self.shape))
        return Elements(keep(self.length), shape, self.said)


def _join(a: Shapes, a_said: bool, b: Shapes, b_said: bool) -> tuple[Shapes, bool]:
    if a is None and not a_said:
        return b, b_said
    if b is None and not b_said:
        return a, a_said
    if a is None or b is None or len(a) != len(b):
        return None, True
    return tuple(
        q if p == OPEN else p if q in (OPEN, p) else None for p, q in zip(a, b, strict=True)
    ), True
