"""Rows that say on which inputs each op must equal TensorFlow; one module a family.

A module's `CASES` is a list of `case(op, *inputs, **attributes)`.  An input that is a list is a
list input of the op (``case("ConcatV2", [a, b], 1)``); Python numbers take the dtype that the op's
definition asks for. Attributes that follow from the inputs (dtypes, counts) are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np


@dataclass
class Case:
    """One row.  `check` says how close: "exact", "close" (a few float ulps of the output's scale,
    the default for floats), "shape" (dtype and shape alone, for random ops).  Of outputs after the
    first `filled` TensorFlow leaves the contents open.
    """

    op: str
    inputs: tuple[Any, ...]
    attrs: dict[str, Any] = field(default_factory=dict)
    check: str = "close"
    ulp: float = 8.0
    note: str = ""
    raises: bool = False
    filled: int = 99

    def compared(self, output: int) -> bool:
        """Whether the values of an output are compared, not its dtype and shape alone."""
        return self.check != "shape" and output < self.filled


def case(
    op: str,
    *inputs: Any,
    check: str = "close",
    ulp: float = 8.0,
    note: str = "",
    raises: bool = False,
    filled: int = 99,
    **attrs: Any,
) -> Case:
    """A row: `raises` says that TensorFlow refuses these inputs and tfdeploy must too."""
    return Case(op, inputs, attrs, check, ulp, note, raises, filled)


def rng(seed: int = 0) -> np.random.Generator:
    """The generator from which a module draws its inputs."""
    return np.random.default_rng(seed)


def f32(*shape: int, seed: int = 0, low: float = -2.0, high: float = 2.0) -> Any:
    """A float32 array of uniform numbers."""
    return rng(seed + sum(shape)).uniform(low, high, shape).astype(np.float32)


def f64(*shape: int, seed: int = 0, low: float = -2.0, high: float = 2.0) -> Any:
    """A float64 array of uniform numbers."""
    return rng(seed + sum(shape)).uniform(low, high, shape)


def ints(*shape: int, seed: int = 0, low: int = -9, high: int = 10, dtype: Any = np.int32) -> Any:
    """An integer array of uniform numbers in [low, high)."""
    return rng(seed + sum(shape)).integers(low, high, shape).astype(dtype)


def coarse(x: Any) -> Any:
    """`x` in steps of 1/64: products and short sums of such numbers are the same everywhere."""
    return np.round(x * 64) / 64


def as_types(
    x: Any, types: str = "float32 float64 float16 bfloat16 int32 complex64 bool string"
) -> list[Any]:
    """A float array `x` as one array of each type; what is no number becomes 0 in integers."""
    as_type = {
        "bool": lambda: x > 0,
        "string": lambda: np.array([b"%g" % v for v in x.ravel()], object).reshape(x.shape),
        "bfloat16": lambda: x.astype(ml_dtypes.bfloat16),
        "complex64": lambda: (x + 1j * x[..., ::-1]).astype(np.complex64),
        "complex128": lambda: x + 1j * x[..., ::-1].astype(np.float64),
    }
    return [
        as_type[t]() if t in as_type else (np.nan_to_num(x) if "int" in t else x).astype(t)
        for t in types.split()
    ]


def with_nan(x: Any) -> Any:
    """A copy of `x` whose second element is NaN."""
    x = x.copy()
    x.flat[1] = np.nan
    return x
