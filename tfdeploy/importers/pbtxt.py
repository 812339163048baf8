"""Protocol buffers in text form (``.pbtxt``), read into the same messages as the binary form.

The language is https://protobuf.dev/reference/protobuf/textformat-spec/; fields that the schema
does not have are skipped, whatever they hold.  An explicit stack stands in for recursion.
"""

from __future__ import annotations

import codecs
import re
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from ..errors import FormatError
from .wire import (
    BOOL,
    BYTES,
    FLOAT,
    INT32,
    INT64,
    MAX_DEPTH,
    PUBLIC,
    STRING,
    UINT32,
    UINT64,
    VIEW,
    Field,
    Message,
    Scalar,
    Schema,
)

_SPACE = re.compile(rb"(?>\s+|#[^\n]*+)*+")
_TOKEN = re.compile(
    rb"""
    (?P<string> "(?>[^"\\\n]+|\\[^\n])*+" | '(?>[^'\\\n]+|\\[^\n])*+' )
  | (?P<word>   [A-Za-z_][A-Za-z0-9_]*+ )
  | (?P<number> 0[xX][0-9a-fA-F]++ | (?>\d++\.?\d*+|\.\d++)(?>[eE][+-]?\d++)?+[fF]?+ )
  | (?P<mark>   [][{}<>:,;/.-] )
    """,
    re.VERBOSE,
)
# text whose escapes are Python's too
_COMMON_ESCAPES = re.compile(
    rb"""(?>[^\\]++|\\(?:[abfnrtv'"\\]|[0-3][0-7]{0,2}|[4-7][0-7]?(?![0-7])|x[0-9a-fA-F]{2}))*+\Z"""
)
_ESCAPE = re.compile(
    rb"\\(?:[xX](?P<hex>[0-9a-fA-F]{1,2})|(?P<octal>[0-7]{1,3})"
    rb"|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})|(?P<other>.))",
    re.DOTALL,
)
_LETTERS = {b"a": 7, b"b": 8, b"f": 12, b"n": 10, b"r": 13, b"t": 9, b"v": 11}
_LETTERS |= {mark: mark[0] for mark in (b"\\", b"'", b'"', b"?")}
_CLOSER = {b"{": b"}", b"<": b">"}
_BOOLS = {b"true": True, b"True": True, b"t": True, b"1": True}
_BOOLS |= {b"false": False, b"False": False, b"f": False, b"0": False}
_RANGES = {INT32: (-(1 << 31), 1 << 31), INT64: (-(1 << 63), 1 << 63)}
_RANGES |= {UINT32: (0, 1 << 32), UINT64: (0, 1 << 64)}


class _Open(NamedTuple):
    """A message that is being read, or a list of messages within it (`items`).

    `schema` is None where fields are skipped; `found` is the field that this is the value of.
    """

    message: Message
    schema: Schema | None
    closer: bytes
    finish: Callable[[], None]
    items: bool = False
    found: Field | None = None


class _Reader:
    """The tokens of a text: `kind` and `token` are the current one, kind "" at the end."""

    def __init__(self, data: bytes, origin: str) -> None:
        self.data, self.origin = data, origin
        self.kind, self.token = "", b""
        self.start = self.end = 0
        self.advance()

    def advance(self) -> None:
        space = _SPACE.match(self.data, self.end)
        self.start = space.end() if space else self.end
        found = _TOKEN.match(self.data, self.start)
        if found:
            self.kind, self.token, self.end = str(found.lastgroup), found.group(), found.end()
        elif self.start == len(self.data):
            self.kind, self.token, self.end = "", b"", self.start
        else:
            raise self.error("a name, a value or a bracket")

    def take(self, mark: bytes) -> bool:
        """Passes `mark` where it stands here."""
        if self.token == mark and self.kind == "mark":
            self.advance()
            return True
        return False

    def take_separator(self) -> None:
        if not self.take(b","):
            self.take(b";")

    def at_message(self) -> bool:
        return self.kind == "mark" and self.token in _CLOSER

    def error(self, expected: str) -> FormatError:
        line = self.data.count(b"\n", 0, self.start) + 1
        seen = self.data[self.start : self.start + 20].decode("utf-8", "replace")
        found = repr(seen) if seen else "the end of the text"
        return FormatError(
            f"{self.origin}: line {line} (byte {self.start}): expected {expected}, found {found}"
        )


def parse(data: bytes, schema: Schema, origin: str) -> Message:
    """The message of type `schema` that the text `data` holds; `origin` names the file in errors.

    Raises FormatError with line and byte offset.
    """
    reader = _Reader(data, origin)
    root = schema.new()
    stack = [_Open(root, schema, b"", _nothing)]
    while reader.kind or len(stack) > 1:
        top = stack[-1]
        if top.closer and reader.take(top.closer):
            stack.pop().finish()
            reader.take_separator()
            continue
        opened = _open(reader, top, top.found) if top.items else _field(reader, top)
        if opened is None:
            reader.take_separator()
        elif len(stack) > MAX_DEPTH:
            raise reader.error(f"messages nested at most {MAX_DEPTH} deep")
        else:
            stack.append(opened)
    return root


def _nothing() -> None:
    pass


def _field(reader: _Reader, top: _Open) -> _Open | None:
    """Reads a field's name and value; where that is one message or more, what to go on with."""
    found = _field_name(reader, top)
    colon = reader.take(b":")
    if reader.at_message():
        return _open(reader, top, found)
    listed = reader.take(b"[")
    if listed and reader.at_message():
        return _Open(top.message, top.schema, b"]", _nothing, items=True, found=found)
    if not colon:
        raise reader.error("':' or a message")
    if listed:
        _scalars(reader, top, found)
    else:
        _put(top.message, found, _scalar(reader, found))
    return None


def _field_name(reader: _Reader, top: _Open) -> Field | None:
    if reader.take(b"["):  # the name of an extension, or of the type in an Any
        while not reader.take(b"]"):
            if reader.kind not in ("word", "number") and reader.token not in (b".", b"/", b"-"):
                raise reader.error("']' after the name of a type")
            reader.advance()
        return None
    if reader.kind != "word":
        raise reader.error(f"a field's name or '{top.closer.decode()}'")
    name = reader.token.decode()
    reader.advance()
    return top.schema.fields.get(name) if top.schema else None


def _open(reader: _Reader, top: _Open, found: Field | None) -> _Open:
    """Starts the message that is the field's value, and says what to do with it at its end."""
    if not reader.at_message():
        raise reader.error("a message or ']'")
    closer = _CLOSER[reader.token]
    if found is None:
        reader.advance()
        return _Open(Message(), None, closer, _nothing)
    schema = found.type
    if isinstance(schema, Scalar):
        raise reader.error(f"a {schema.name} for {found.name}")
    reader.advance()
    message = schema.new()
    values = top.message.__dict__
    if found.map:

        def put() -> None:
            values.setdefault(found.name, {})[message.key] = message.value

        return _Open(message, schema, closer, put)
    if not found.repeated and found.name in values:  # one message in two parts
        message = values[found.name]
    else:
        _put(top.message, found, message)
    return _Open(message, schema, closer, _nothing)


def _scalars(reader: _Reader, top: _Open, found: Field | None) -> None:
    """Reads the values of ``[value, ...]`` and its end."""
    if found is not None and not found.repeated:
        raise reader.error(f"one value, as {found.name} is not repeated")
    if reader.take(b"]"):
        return
    while True:
        _put(top.message, found, _scalar(reader, found))
        if reader.take(b"]"):
            return
        if not reader.take(b","):
            raise reader.error("',' or ']'")


def _put(message: Message, found: Field | None, value: Any) -> None:
    if found is None:
        return
    if found.repeated:
        message.__dict__.setdefault(found.name, []).append(value)
    else:
        message.__dict__[found.name] = value


def _scalar(reader: _Reader, found: Field | None) -> Any:
    """Reads one value of the field's type."""
    if reader.kind == "string":
        text = _string(reader)
        if found is None:
            return None
        if found.type in (STRING, PUBLIC):
            try:
                return text.decode()
            except UnicodeDecodeError:
                raise reader.error(f"UTF-8 in {found.name} before this") from None
        if found.type is BYTES:
            return text
        if found.type is VIEW:
            return memoryview(text)
        raise reader.error(f"a {found.type.name} for {found.name} before this")
    sign = reader.take(b"-")
    if reader.kind not in ("word", "number"):
        raise reader.error("a value")
    value = None
    if found is not None:
        try:
            value = _convert(reader.token, sign, found.type)
        except (ValueError, KeyError):
            raise reader.error(f"a {found.type.name} for {found.name}") from None
    reader.advance()
    return value


def _convert(token: bytes, sign: bool, type_: Scalar | Schema) -> Any:
    """The number, truth value or enum that `token` spells; ValueError or KeyError if none."""
    if isinstance(type_, Schema) or type_ in (STRING, PUBLIC, BYTES, VIEW):
        raise ValueError
    if type_ is BOOL:
        return _BOOLS[token]
    if type_.wire != INT32.wire:  # float and double: fixed-width on the wire
        value = _float(token)
        value = -value if sign else value
        return _round_to_float(value) if type_ is FLOAT else value
    if token.decode() in type_.enum:
        return type_.enum[token.decode()]
    octal = len(token) > 1 and token[:1] == b"0" and token[1:].isdigit()
    number = int(token, 8 if octal else 0)
    number = -number if sign else number
    low, high = _RANGES.get(type_, _RANGES[INT32])
    if not low <= number < high:
        raise ValueError
    return number


def _float(token: bytes) -> float:
    if token[:2] in (b"0x", b"0X"):
        return float(int(token, 16))
    if token[-1:] in (b"f", b"F") and token.lower() != b"inf":
        token = token[:-1]
    return float(token)


def _round_to_float(value: float) -> float:
    """`value` rounded to single precision; beyond its range infinite."""
    try:
        (rounded,) = struct.unpack("<f", struct.pack("<f", value))
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
    return float(rounded)


def _string(reader: _Reader) -> bytes:
    """Reads adjacent string literals, which are one string."""
    parts = []
    while reader.kind == "string":
        text = reader.token[1:-1]
        if b"\\" in text:
            text = _unescape(reader, text)
        parts.append(text)
        reader.advance()
    return b"".join(parts)


def _unescape(reader: _Reader, text: bytes) -> bytes:
    if _COMMON_ESCAPES.match(text):
        return codecs.escape_decode(text)[0]

    def one(found: re.Match[bytes]) -> bytes:
        if found["hex"]:
            return bytes([int(found["hex"], 16)])
        if found["octal"]:
            return bytes([int(found["octal"], 8)])
        if found["u"] or found["U"]:
            return chr(int(found["u"] or found["U"], 16)).encode()
        return bytes([_LETTERS[found["other"]]])

    try:
        return _ESCAPE.sub(one, text)
    except (ValueError, OverflowError, KeyError):
        raise reader.error("a string whose escapes are bytes or characters") from None
