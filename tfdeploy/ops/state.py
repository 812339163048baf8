"""Sources, constants and the ops that only pass values on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import INT32, DType, from_numpy
from ..graph.types import VALUE, Extent, ValueType
from .array import check_size, zero
from .registry import RAISES, op
from .rules import EXACT, Inference

Array = NDArray[Any]


def _is_whole(number: float) -> bool:
    return abs(number) <= EXACT and number.is_integer()


def _const_type(c: Inference) -> ValueType:
    value = c.attrs["value"]
    if value.dtype.kind == "f" and value.shape == () and _is_whole(float(value)):
        c.know(value.astype(np.int64))
    return ValueType(c.attrs["dtype"] or from_numpy(value.dtype), value.shape)


@op("Const", type=_const_type, exact=True)
def const(*, value: Array, dtype: DType | None = None) -> Array:
    """The array that the graph holds (tf.constant)."""
    return value


def _placeholder_type(c: Inference) -> ValueType:
    if VALUE in c.attrs:
        c.know(np.array(c.attrs[VALUE], object))
    shape = c.attrs["shape"]
    if shape is None:
        return ValueType(c.attrs["dtype"])
    return ValueType(c.attrs["dtype"], tuple(c.fresh() if e is None else e for e in shape))


@op("Placeholder", "PlaceholderV2", type=_placeholder_type, exact=True)
def placeholder(
    *, dtype: DType, shape: tuple[Extent | None, ...] | None = None, default: Array | None = None
) -> Array:
    """A value that the caller feeds (tf.compat.v1.placeholder); its default where nobody does."""
    if default is None:
        raise ValueError("nothing was fed and there is no default")
    return default


def _identity_type(c: Inference) -> ValueType:
    c.know(c.value(0))
    return c.inputs[0]


@op(
    "Identity",
    "StopGradient",
    "PreventGradient",
    "Snapshot",
    "RefIdentity",
    "DeepCopy",
    "GuaranteeConst",
    "PlaceholderWithDefault",
    "DisableCopyOnRead",
    type=_identity_type,
    exact=True,
)
def identity(x: Array) -> Array:
    """The input (tf.identity and its relatives)."""
    return x


@op("IdentityN", type=lambda c: list(c.inputs), exact=True, outputs=("output*T",))
def identity_n(*values: Array) -> tuple[Array, ...]:
    """The inputs (tf.identity_n)."""
    return values


@op("NoOp", "ControlTrigger", type=lambda c: [], exact=True)
def no_op() -> tuple[Array, ...]:
    """Nothing; a place for control inputs (tf.no_op)."""
    return ()


@op("Assert", type=lambda c: [], effect=RAISES, exact=True)
def assert_(condition: Array, *data: Array, summarize: int = 3) -> tuple[Array, ...]:
    """Raises ValueError where `condition` is false (tf.debugging.Assert)."""
    if not np.all(condition):
        shown = [" ".join(f"[{v}]" for v in np.ravel(d)[:summarize]) for d in data]
        raise ValueError("assertion failed: " + " ".join(shown))
    return ()


@op(
    "FakeParam",
    type=lambda c: ValueType(
        c.attrs["dtype"], tuple(e if isinstance(e, int) else 0 for e in c.attrs["shape"] or ())
    ),
    exact=True,
)
def fake_param(*, dtype: DType, shape: tuple[int | None, ...] | None = None) -> Array:
    """What stands for a value that a branch lacks: zeros, an extent that is open being 0."""
    extents = [0 if e is None or e < 0 else e for e in shape or ()]
    check_size(extents)
    return np.full(extents, zero(dtype.numpy), dtype.numpy)


@op("DeviceIndex", type=lambda c: ValueType(INT32, ()), exact=True)
def device_index(*, device_names: Sequence[str]) -> Array:
    """Where a CPU is among names of devices; behind them where it is not."""
    names = list(device_names)
    return np.array(names.index("CPU") if "CPU" in names else len(names), np.int32)
