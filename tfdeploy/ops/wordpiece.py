"""Words cut into the pieces of a vocabulary, as BERT does."""

from __future__ import annotations

from collections.abc import Container
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..dtypes import INT64, STRING
from ..graph.types import Extent, ValueType
from .registry import READS, op
from .rules import Inference
from .string import encoded, texts
from .text import bytes_of, text_of

Array = NDArray[Any]


def _vocabulary(table: Any) -> Container[Any]:
    """The keys of a lookup table."""
    if isinstance(table, np.ndarray) and table.ndim == 0:
        table = table.item()
    items = getattr(table, "items", None)
    if not isinstance(items, dict):
        raise ValueError(f"expected a lookup table of the vocabulary, got {table!r}")
    return items


class _Pieces(NamedTuple):
    """How a word is cut: see `wordpiece_tokenize_with_offsets`."""

    known: Container[Any]
    suffix: bytes
    unknown: bytes | None
    most_bytes: int
    most_chars: int
    split_unknown: bool

    def of(self, word: bytes) -> list[tuple[bytes, int, int]]:
        """The pieces of `word`, and where they start and end."""
        if len(word) > self.most_bytes:
            whole = word if self.unknown is None else self.unknown
            return [(whole, 0, len(whole))]
        places = np.cumsum([0, *(len(bytes_of(char)) for char in text_of(word))]).tolist()
        found: list[tuple[bytes, int, int]] = []
        at = 0
        while at < len(places) - 1:
            prefix = self.suffix if at else b""
            last = len(places) - 1
            end = min(last, at + self.most_chars) if self.most_chars > 0 else last
            start = places[at]
            while end > at and prefix + word[start : places[end]] not in self.known:
                end -= 1
            if end > at:
                found.append((prefix + word[start : places[end]], start, places[end]))
            elif self.split_unknown:
                end = at + 1
                piece = word[start : places[end]] if self.unknown is None else self.unknown
                found.append((prefix + piece, start, places[end]))
            else:
                return [(word if self.unknown is None else self.unknown, 0, len(word))]
            at = end
        return found


def _piece_types(c: Inference) -> list[ValueType]:
    shape = c.inputs[0].shape
    found = c.fresh()
    rows: Extent = shape[0] if shape else c.fresh()
    if c.attrs["output_row_partition_type"] == "row_splits":
        rows = rows + 1
    return [
        ValueType(STRING, (found,)),
        ValueType(INT64, (rows,)),
        ValueType(INT64, (found,)),
        ValueType(INT64, (found,)),
    ]


@op(
    "WordpieceTokenizeWithOffsets",
    type=_piece_types,
    effect=READS,
    exact=True,
    outputs=("output_values", "output_row_lengths", "start_values", "limit_values"),
)
def wordpiece_tokenize_with_offsets(
    x: Array,
    table: Any,
    *,
    suffix_indicator: str,
    max_bytes_per_word: int,
    max_chars_per_token: int = 0,
    use_unknown_token: bool,
    unknown_token: str,
    split_unknown_characters: bool = False,
    output_row_partition_type: str = "row_lengths",
) -> tuple[Array, Array, Array, Array]:
    """The longest pieces of each word that are keys of a table, one after the other.

    Pieces that do not start a word have `suffix_indicator` in front; a word with a part that is no
    key is the unknown token, or that part is (tf_text.WordpieceTokenizer).
    """
    if x.ndim != 1:
        raise ValueError(f"a vector is expected, not shape {x.shape}")
    pieces = _Pieces(
        _vocabulary(table),
        encoded(suffix_indicator),
        encoded(unknown_token) if use_unknown_token else None,
        max_bytes_per_word,
        max_chars_per_token,
        split_unknown_characters,
    )
    rows = [pieces.of(word) for word in x.tolist()]
    flat = [piece for row in rows for piece in row]
    counts = np.array([len(row) for row in rows], np.int64)
    if output_row_partition_type == "row_splits":
        counts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return (
        texts([p for p, _, _ in flat], (len(flat),)),
        counts,
        np.array([a for _, a, _ in flat], np.int64),
        np.array([b for _, _, b in flat], np.int64),
    )
