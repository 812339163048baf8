"""Ops of TensorFlow Text: folding, normal forms, splitting with offsets."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import INT64, STRING
from ..graph.types import ValueType
from .index import check_splits
from .re2 import Regex, compiled
from .registry import op
from .rules import Inference
from .string import each, encoded, string_type, texts

Array = NDArray[Any]

# Unicode's Default_Ignorable_Code_Point, which folding drops.
_IGNORED = (
    (0xAD, 0xAD),
    (0x34F, 0x34F),
    (0x61C, 0x61C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)


def _is_ignored(char: str) -> bool:
    return any(first <= ord(char) <= last for first, last in _IGNORED)


@lru_cache(4096)
def _folded(char: str) -> str:
    """Unicode's NFKC_Casefold of one character."""
    if char < "\x80" or 0xDC80 <= ord(char) <= 0xDCFF:
        return char.lower()
    if _is_ignored(char):
        return ""
    once = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", char).casefold())
    return unicodedata.normalize("NFKC", "".join(c for c in once.casefold() if not _is_ignored(c)))


def text_of(data: bytes) -> str:
    """UTF-8 as text; other bytes become lone surrogates."""
    return data.decode(errors="surrogateescape")


def bytes_of(text: str) -> bytes:
    """The inverse of `text_of`."""
    return text.encode(errors="surrogateescape")


@op("CaseFoldUTF8", type=string_type, exact=True)
def case_fold_utf8(x: Array) -> Array:
    """Each string folded by NFKC_Casefold (tf_text.case_fold_utf8); bytes not of UTF-8 stay."""

    def fold(data: bytes) -> bytes:
        return bytes_of(unicodedata.normalize("NFC", "".join(map(_folded, text_of(data)))))

    return each(fold, x)


@op("NormalizeUTF8", type=string_type, exact=True)
def normalize_utf8(x: Array, *, normalization_form: str) -> Array:
    """Each string in normal form NFC, NFD, NFKC or NFKD (tf_text.normalize_utf8)."""
    form: Any = normalization_form.upper()
    if form not in ("NFC", "NFD", "NFKC", "NFKD"):
        raise ValueError(f"unknown normal form {normalization_form!r}")
    return each(lambda s: bytes_of(unicodedata.normalize(form, text_of(s))), x)


def _split_types(c: Inference) -> list[ValueType]:
    shape = c.inputs[0].shape
    found = c.fresh()
    rows = shape[0] + 1 if shape else c.fresh()
    return [
        ValueType(STRING, (found,)),
        ValueType(INT64, (found,)),
        ValueType(INT64, (found,)),
        ValueType(INT64, (rows,)),
    ]


def _tokens(data: bytes, delimiter: Regex, kept: Regex) -> list[tuple[bytes, int]]:
    """Tokens of `data` and where they start; the first group of `delimiter` ends one."""
    found = []
    start = 0
    while delimiter.groups:
        rest = text_of(data[start:])
        spans = delimiter.search(rest)
        if spans is None:
            break
        (_, end), (first, last) = spans[:2]
        if end == 0 or last <= first:
            raise ValueError("a delimiter should not be empty")
        sizes = [start + len(bytes_of(rest[:i])) for i in (first, last, end)]
        if sizes[0] > start:
            found.append((data[start : sizes[0]], start))
        if kept.full(rest[first:last]):
            found.append((data[sizes[0] : sizes[1]], sizes[0]))
        start = sizes[2]
    return [*found, (data[start:], start)] if start < len(data) else found


@op(
    "RegexSplitWithOffsets",
    type=_split_types,
    exact=True,
    outputs=("tokens", "begin_offsets", "end_offsets", "row_splits"),
)
def regex_split_with_offsets(
    x: Array, delimiter: Array, kept: Array
) -> tuple[Array, Array, Array, Array]:
    """The parts of each string between delimiters, and delimiters that `kept` matches in full.

    Offsets count bytes (tf_text.regex_split_with_offsets).  Raises ValueError for a pattern that
    RE2 refuses, and a delimiter without characters.
    """
    if x.ndim != 1:
        raise ValueError(f"a vector is expected, not shape {x.shape}")
    patterns = [compiled(text_of(encoded(p.item()))) for p in (delimiter, kept)]
    rows = [_tokens(s, *patterns) for s in x.ravel()]
    flat = [token for row in rows for token in row]
    starts = np.array([at for _, at in flat], np.int64)
    sizes = np.array([len(token) for token, _ in flat], np.int64)
    return (
        texts([token for token, _ in flat], (len(flat),)),
        starts,
        starts + sizes,
        np.cumsum([0, *map(len, rows)]).astype(np.int64),
    )


def _trim_types(c: Inference) -> list[ValueType]:
    n = c.attrs["N"]
    values, splits = c.inputs[1 : 1 + n], c.inputs[1 + n :]
    return [*(ValueType(kind.dtype, (c.fresh(),)) for kind in values), *splits]


@op(
    "TFText>RoundRobinTrim",
    type=_trim_types,
    exact=True,
    outputs=("values*N", "row_splits*N"),
)
def round_robin_trim(most: Array, *inputs: Array, N: int) -> tuple[Array, ...]:
    """Ragged rows cut so that those of a batch are `most` long together: they take one element
    after the other in turn (tf_text.RoundRobinTrimmer).
    """
    values, splits = inputs[:N], inputs[N:]
    for value, ends in zip(values, splits, strict=True):
        check_splits(ends, min(int(ends[-1]), len(value)) if ends.size else 0)
    if len({len(ends) for ends in splits}) > 1:
        raise ValueError("the segments have different numbers of rows")
    lengths = np.array([np.diff(ends) for ends in splits]).reshape(N, -1)
    kept = _shared_out(lengths, max(int(most), 0))
    results = []
    for value, ends, counts in zip(values, splits, kept, strict=True):
        places = [np.arange(at, at + n) for at, n in zip(ends[:-1], counts, strict=True)]
        results.append(value[np.concatenate([np.arange(0), *places]).astype(np.intp)])
    starts = [np.concatenate([[0], np.cumsum(counts)]) for counts in kept]
    return (*results, *(s.astype(ends.dtype) for s, ends in zip(starts, splits, strict=True)))


def _shared_out(lengths: Array, most: int) -> Array:
    """How much of each row stays: of every segment as much, and one more of the first ones."""
    low, high = np.zeros_like(lengths[:1]), lengths.max(0, keepdims=True)
    while (low < high).any():  # the rounds in which all that are long enough take one
        rounds = (low + high + 1) // 2
        fits = np.minimum(lengths, rounds).sum(0) <= most
        low, high = np.where(fits, rounds, low), np.where(fits, high, rounds - 1)
    kept = np.minimum(lengths, low)
    longer = lengths > kept
    taken: Array = kept + (longer & (np.cumsum(longer, 0) <= most - kept.sum(0)))
    return taken
