"""Values that no array holds: what stands behind TensorFlow's dtypes resource and variant.

A scalar handle is the object itself; a tensor of handles is an object array of them.
"""

from __future__ import annotations

from typing import Any

from ..dtypes import Array


class Handle:
    """Base of all handles; `kind` says to people what it is."""

    __slots__ = ()
    kind = "handle"

    def saved(self) -> dict[str, Any]:
        """What to change in the attributes of a node, so that it makes the handle as it is now."""
        return {}

    def zeros(self) -> Handle:
        """What an addition leaves as it is; raises TypeError where there is no adding."""
        raise TypeError(f"there are no zeros like a {self.kind}")

    def __add__(self, other: Any) -> Handle:
        raise TypeError(f"there is no adding to a {self.kind}")

    def __repr__(self) -> str:
        return f"<{self.kind}>"


class Variable(Handle):
    """A variable: `value` is a read-only array, or None until something is assigned.

    Writers replace the array; those who read it before keep what they read.
    """

    __slots__ = ("name", "value")
    kind = "variable"

    def __init__(self, value: Array | None, name: str = "") -> None:
        self.name = name
        self.value: Array | None = None
        if value is not None:
            self.assign(value)

    def assign(self, value: Array) -> None:
        """Makes a copy of `value` the variable's."""
        self.take(value.copy())

    def take(self, value: Array) -> None:
        """Makes `value`, which nobody else has, the variable's."""
        value.flags.writeable = False
        self.value = value

    def saved(self) -> dict[str, Any]:
        """The attributes of a node that makes it as it is now."""
        return {"value": self.value}

    def read(self) -> Array:
        """The value; raises ValueError where there is none."""
        if self.value is None:
            raise ValueError(f"variable {self.name!r} is not initialised")
        return self.value
