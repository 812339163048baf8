"""Strings as code points."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from functools import cache, partial
from importlib.resources import files
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import INT32, INT64, STRING, DType
from ..graph.types import Extent, ValueType
from .index import check_splits
from .registry import op
from .rules import Inference
from .string import string_type, texts

Array = NDArray[Any]


def _codec(encoding: str) -> str:
    """Python's name of a text encoding; ValueError for an unknown one."""
    try:
        found = codecs.lookup(encoding)
    except LookupError:
        found = None
    if found is None or not getattr(found, "_is_text_encoding", True):
        raise ValueError(f"unknown input encoding {encoding!r}")
    return found.name


_MARKS = {
    "utf-16": (codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE),
    "utf-32": (codecs.BOM_UTF32_BE, codecs.BOM_UTF32_LE),
}
"""Byte order marks of the encodings that go by them, big-endian first, which holds without one."""
_NO_CHARACTER = 0xFFFF  # what TensorFlow finds behind a mark that stands alone


def _ordered(strings: Iterable[bytes], codec: str) -> Iterator[tuple[bytes, str, int]]:
    """Each string, its encoding with the byte order, and the length of the mark that told it.

    As in TensorFlow, an order of UTF-16 once found holds for the strings after it too, until one
    ends within a character or is a mark alone.
    """
    if codec not in _MARKS:
        for data in strings:
            yield data, codec, 0
        return
    big, little = _MARKS[codec]
    order = ""
    for data in strings:
        found, mark = not order, 0
        if found:
            order = "le" if data.startswith(little) else "be"
            mark = len(big) if data.startswith((big, little)) else 0
        yield data, f"{codec}-{order}", mark
        within = len(data) % 2 or data[-1 if order == "le" else -2 :][:1] in _HIGH_SURROGATES
        if codec == "utf-32" or within or (found and len(data) == mark):
            order = ""


_HIGH_SURROGATES = [bytes([byte]) for byte in range(0xD8, 0xDC)]


def _pieces(data: bytes, codec: str, mark: int) -> Iterator[tuple[int | None, int]]:
    """Each code point of `data` and the byte where it starts; None for bytes that are none.

    A byte order mark of `mark` bytes belongs to the first of them.
    """
    if mark and len(data) == mark:
        yield _NO_CHARACTER, 0
    for point, at in _characters(data[mark:], codec):
        yield point, at + mark if at else 0


def _characters(data: bytes, codec: str) -> Iterator[tuple[int | None, int]]:
    at = 0
    while at < len(data):
        bad: tuple[int, int] | None = None
        try:
            text = data[at:].decode(codec)
        except UnicodeDecodeError as error:
            bad = at + error.start, at + error.end
            text = data[at : bad[0]].decode(codec)
        for char in text:
            yield ord(char), at
            at += len(char.encode(codec))
        if bad is None:
            return
        yield None, bad[0]
        at = bad[1]


def _decoded(
    strings: Iterable[bytes], encoding: str, errors: str, replacement: int, control: bool
) -> Iterator[list[tuple[int, int]]]:
    """Code points of each string and their places, with what is no character replaced, left out,
    or an error."""
    for data, codec, mark in _ordered(strings, _codec(encoding)):
        result = []
        for point, at in _pieces(data, codec, mark):
            if point is None and errors == "strict":
                raise ValueError(f"{data!r} is not valid {codec} at byte {at}")
            if point is not None and not (control and point < 32):
                result.append((point, at))
            elif errors != "ignore":
                result.append((replacement, at))
        yield result


def _decode_types(c: Inference) -> list[ValueType]:
    shape = c.inputs[0].shape
    rows: Extent = c.fresh()
    if shape is not None:
        rows = 1
        for extent in shape:
            rows = rows * extent
        rows = rows + 1
    found = c.fresh()
    return [
        ValueType(c.attrs["Tsplits"], (rows,)),
        ValueType(INT32, (found,)),
        ValueType(INT64, (found,)),
    ]


@op(
    "UnicodeDecodeWithOffsets",
    exact=True,
    type=_decode_types,
    outputs=("row_splits", "char_values", "char_to_byte_starts"),
)
def unicode_decode_with_offsets(
    x: Array,
    *,
    input_encoding: str,
    errors: str = "replace",
    replacement_char: int = 0xFFFD,
    replace_control_characters: bool = False,
    Tsplits: DType = INT64,
) -> tuple[Array, Array, Array]:
    """The code points of each string as a ragged matrix, and where they start.

    This is tf.strings.unicode_decode_with_offsets; `errors` is strict (raises ValueError), replace
    or ignore; `replace_control_characters` takes code points below 32 for errors too.
    """
    given = input_encoding, errors, replacement_char, replace_control_characters
    rows = list(_decoded(x.ravel(), *given))
    flat = [pair for row in rows for pair in row]
    splits = np.cumsum([0, *map(len, rows)])
    return (
        splits.astype(Tsplits.numpy),
        np.array([p for p, _ in flat], np.int32),
        np.array([at for _, at in flat], np.int64),
    )


@op(
    "UnicodeDecode",
    exact=True,
    type=lambda c: _decode_types(c)[:2],
    outputs=("row_splits", "char_values"),
)
def unicode_decode(
    x: Array,
    *,
    input_encoding: str,
    errors: str = "replace",
    replacement_char: int = 0xFFFD,
    replace_control_characters: bool = False,
    Tsplits: DType = INT64,
) -> tuple[Array, Array]:
    """The code points of each string as a ragged matrix (tf.strings.unicode_decode)."""
    return unicode_decode_with_offsets(
        x,
        input_encoding=input_encoding,
        errors=errors,
        replacement_char=replacement_char,
        replace_control_characters=replace_control_characters,
        Tsplits=Tsplits,
    )[:2]


def _encoded(points: list[int], encoding: str, errors: str, replacement: int) -> bytes:
    text = []
    for point in points:
        if 0 <= point <= 0x10FFFF and not 0xD800 <= point < 0xE000:
            text.append(chr(point))
        elif errors == "strict":
            raise ValueError(f"{point} is not a Unicode code point")
        elif errors == "replace":
            text.append(chr(replacement))
    return "".join(text).encode(encoding)


def _encode_type(c: Inference) -> ValueType:
    splits = c.inputs[1].shape
    return ValueType(STRING, (splits[0] - 1 if splits else c.fresh(),))


@op("UnicodeEncode", type=_encode_type, exact=True, ranks="11")
def unicode_encode(
    values: Array,
    splits: Array,
    *,
    output_encoding: str,
    errors: str = "replace",
    replacement_char: int = 0xFFFD,
) -> Array:
    """The string of each row of code points (tf.strings.unicode_encode)."""
    check_splits(splits, len(values))
    rows = [values[a:b].tolist() for a, b in pairwise(splits.tolist())]
    found = (_encoded(row, output_encoding, errors, replacement_char) for row in rows)
    return texts(found, (len(rows),))


@op("UnicodeTranscode", type=string_type, exact=True)
def unicode_transcode(
    x: Array,
    *,
    input_encoding: str,
    output_encoding: str,
    errors: str = "replace",
    replacement_char: int = 0xFFFD,
    replace_control_characters: bool = False,
) -> Array:
    """Each string in another encoding (tf.strings.unicode_transcode)."""
    given = input_encoding, errors, replacement_char, replace_control_characters
    rows = ([point for point, _ in row] for row in _decoded(x.ravel(), *given))
    return texts((_encoded(r, output_encoding, errors, replacement_char) for r in rows), x.shape)


_UNKNOWN_SCRIPT = 103


@cache
def _scripts() -> tuple[Array, Array]:
    """Where runs of code points of one script begin, and the script of each.

    A line of the table has a script's number, and from one run to the next how far it is, and how
    long the run.
    """
    text = files(__package__).joinpath("scripts.txt").read_text()
    runs = []
    for line in text.splitlines():
        script, *rest = line.split()
        end = 0
        for away, length in (map(partial(int, base=16), run.split("+")) for run in rest):
            start = end + away
            end = start + length
            runs.append((start, end, int(script)))
    starts, found = [0], [_UNKNOWN_SCRIPT]  # where two runs meet, the last of the two counts
    for start, end, number in sorted(runs):
        starts += [start, end]
        found += [number, _UNKNOWN_SCRIPT]
    return np.array(starts), np.array(found, np.int32)


@op("UnicodeScript", type=lambda c: c.inputs[0], exact=True)
def unicode_script(x: Array) -> Array:
    """The number that ICU gives the script of each code point (tf.strings.unicode_script): -1 for
    what is no character, 103 where the script is unknown."""
    starts, scripts = _scripts()
    known = scripts[np.searchsorted(starts, np.maximum(x, 0), side="right") - 1]
    return np.where((x < 0) | (x > 0x10FFFF), np.int32(-1), known).astype(np.int32)
