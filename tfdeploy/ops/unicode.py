"""Strings as code points."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import INT32, INT64, STRING, DType
from ..graph.types import Extent, ValueType
from .index import check_splits
from .registry import op
from .rules import Inference
from .string import each, string_type, texts

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


def _pieces(data: bytes, codec: str) -> Iterator[tuple[int | None, int]]:
    """Each code point of `data` and the byte where it starts; None for bytes that are none."""
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
    data: bytes, codec: str, errors: str, replacement: int, control: bool
) -> list[tuple[int, int]]:
    """Code points and their places, with what is no character replaced, left out, or an error."""
    result = []
    for point, at in _pieces(data, codec):
        if point is None and errors == "strict":
            raise ValueError(f"{data!r} is not valid {codec} at byte {at}")
        if point is not None and not (control and point < 32):
            result.append((point, at))
        elif errors != "ignore":
            result.append((replacement, at))
    return result


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
    codec = _codec(input_encoding)
    rows = [
        _decoded(s, codec, errors, replacement_char, replace_control_characters) for s in x.ravel()
    ]
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
    codec = _codec(input_encoding)

    def transcoded(data: bytes) -> bytes:
        found = _decoded(data, codec, errors, replacement_char, replace_control_characters)
        return _encoded([p for p, _ in found], output_encoding, errors, replacement_char)

    return each(transcoded, x)
