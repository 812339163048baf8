"""Ops that print, and the clock."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import FLOAT64
from ..graph.types import ValueType
from .registry import READS, WRITES, op
from .rules import same

Array = NDArray[Any]


@op("PrintV2", type=lambda c: [], effect=WRITES, exact=True)
def print_v2(input: Array, *, output_stream: str = "stderr", end: str = "\n") -> tuple[Array, ...]:
    """Writes a text to stderr or stdout, what is meant for a log too (tf.print)."""
    if output_stream.startswith("file:"):
        raise ValueError(f"printing to {output_stream} is refused: models do not write files")
    stream = sys.stdout if output_stream == "stdout" else sys.stderr
    print(input.item().decode(errors="backslashreplace"), end=end, file=stream)
    return ()


@op("Print", type=same, effect=WRITES, exact=True)
def print_(
    input: Array, *data: Array, message: str = "", first_n: int = -1, summarize: int = 3
) -> Array:
    """Writes `data` to stderr and gives the input (tf.compat.v1.Print); always, whatever
    `first_n`.
    """
    shown = "".join(f"[{_summary(array, summarize)}]" for array in data)
    print(f"{message}{shown}", file=sys.stderr)
    return input


def _summary(array: Array, most: int) -> str:
    items = array.ravel().tolist()
    texts = [i.decode(errors="backslashreplace") if isinstance(i, bytes) else str(i) for i in items]
    return " ".join(texts[:most]) + ("..." if len(texts) > most else "")


@op("Timestamp", type=lambda c: ValueType(FLOAT64, ()), effect=READS)
def timestamp() -> Array:
    """Seconds since 1970 (tf.timestamp)."""
    return np.asarray(time.time())
