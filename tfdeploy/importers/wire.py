"""Protocol buffers: schemas as data, and a reader of the binary wire format that needs no protobuf.

A `Schema` names the fields that tfdeploy looks at; every other field is skipped.  `parse` makes
`Message` objects of them.  The format is https://protobuf.dev/programming-guides/encoding/.

A damaged input of n bytes costs O(n) time and memory and ends in FormatError: lengths are checked
against what is there, and nesting is bounded as protobuf's own readers bound it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..errors import FormatError

MAX_DEPTH = 100

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIRE_NAMES = {0: "a varint", 1: "8 bytes", 2: "length and bytes", 5: "4 bytes"}
_LONG_RUN = 128  # bytes of packed values from which numpy beats a loop


class Message:
    """A decoded message: `__dict__` holds the fields that were there, others read as defaults.

    A repeated field is a list (a packed run of numbers may be an array), a map is a dict, an absent
    message reads as an empty one.
    """

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def has(self, name: str) -> bool:
        """Whether the field `name` was there, default value or not."""
        return name in self.__dict__


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """A scalar type: how the wire carries it, how a varint becomes it, what it is when absent."""

    name: str
    wire: int
    default: Any
    convert: Callable[[int], Any] = int
    unpack: Callable[..., Any] | None = None
    numpy: str = ""
    enum: Mapping[str, int] = field(default_factory=dict)


def _signed64(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _signed32(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def _unsigned32(value: int) -> int:
    return value & 0xFFFFFFFF


def _fixed(name: str, code: str, default: float) -> Scalar:
    form = struct.Struct(code)
    wire = _FIXED32 if form.size == 4 else _FIXED64
    return Scalar(name, wire, default, unpack=form.unpack_from, numpy=np.dtype(code).str)


INT32 = Scalar("int32", _VARINT, 0, _signed32, numpy="i4")
INT64 = Scalar("int64", _VARINT, 0, _signed64, numpy="i8")
UINT32 = Scalar("uint32", _VARINT, 0, _unsigned32, numpy="u4")
UINT64 = Scalar("uint64", _VARINT, 0, int, numpy="u8")
BOOL = Scalar("bool", _VARINT, False, bool, numpy="?")
FLOAT = _fixed("float", "<f", 0.0)
DOUBLE = _fixed("double", "<d", 0.0)
FIXED32 = _fixed("fixed32", "<I", 0)
STRING = Scalar("string", _BYTES, "")
BYTES = Scalar("bytes", _BYTES, b"")
VIEW = Scalar("bytes", _BYTES, memoryview(b""))  # bytes that may be large: not copied
PUBLIC = Scalar("string", _BYTES, "")  # a map's key: those that begin with "_" are passed over


def enum(names: Mapping[str, int]) -> Scalar:
    """An enumeration; the names serve the text format only."""
    return Scalar("enum", _VARINT, 0, _signed32, numpy="i4", enum=names)


@dataclass(frozen=True, slots=True)
class Field:
    """A field: `type` is a Scalar or a Schema, that of the entries where it is a map."""

    name: str
    number: int
    type: Scalar | Schema
    repeated: bool = False
    map: bool = False


# What the reader does with a field; those below _LENGTHS are followed by a length.
_DO_STRING, _DO_MESSAGE, _DO_PUBLIC, _DO_MAP, _DO_BYTES, _DO_VIEW, _DO_PACKED, _LENGTHS = range(8)
_DO_VARINT, _DO_FIXED = 10, 11
_PRIVATE = b"\n_"  # around a length: how an entry with a key that begins with "_" begins
_REPEATED = 20


class Schema:
    """A message type: its fields by wire tag and by name, and the class of its messages.

    A field is written ``name=(number, type)``, where the type is a Scalar or a Schema, ``[type]``
    for a repeated field and ``{STRING: type}`` for a map.  Types that refer to each other are made
    empty first and filled by `define`.
    """

    def __init__(self, name: str, /, **fields: tuple[int, Any]) -> None:
        self.name = name
        self.fields: dict[str, Field] = {}
        self.by_tag: dict[int, tuple[int, str, Any]] = {}
        self.new: type[Message] = type(name, (Message,), {})
        self.empty = self.new()
        self.define(**fields)

    def define(self, /, **fields: tuple[int, Any]) -> Schema:
        """Adds fields."""
        for name, (number, type_) in fields.items():
            if isinstance(type_, list):
                found = Field(name, number, type_[0], repeated=True)
            elif isinstance(type_, dict):
                ((key, value),) = type_.items()
                entry = Schema(f"{self.name}.{name}", key=(1, key), value=(2, value))
                found = Field(name, number, entry, map=True)
            else:
                found = Field(name, number, type_)
            self.fields[name] = found
            self._add_tags(found)
            setattr(self.new, name, _default(found))
        return self

    def _add_tags(self, found: Field) -> None:
        type_, tag, name = found.type, found.number << 3, found.name
        repeated = _REPEATED if found.repeated else 0
        if isinstance(type_, Schema):
            action = _DO_MESSAGE + repeated
            if found.map:
                action = _DO_PUBLIC if type_.fields["key"].type is PUBLIC else _DO_MAP
            self.by_tag[tag | _BYTES] = action, name, type_
        elif type_ is STRING or type_ is PUBLIC:
            self.by_tag[tag | _BYTES] = _DO_STRING + repeated, name, None
        elif type_.wire == _BYTES:
            action = _DO_VIEW if type_ is VIEW else _DO_BYTES
            self.by_tag[tag | _BYTES] = action + repeated, name, None
        else:
            if type_.wire == _VARINT:
                self.by_tag[tag | _VARINT] = _DO_VARINT + repeated, name, type_.convert
            else:
                self.by_tag[tag | type_.wire] = _DO_FIXED + repeated, name, type_
            if repeated:
                self.by_tag[tag | _BYTES] = _DO_PACKED, name, type_


def _default(found: Field) -> Any:
    if found.map:
        return MappingProxyType({})
    if found.repeated:
        return ()
    return found.type.empty if isinstance(found.type, Schema) else found.type.default


class _Damage(Exception):
    """Where and why reading stopped; `parse` adds the file."""


def parse(data: bytes | memoryview, schema: Schema, origin: str) -> Message:
    """The message of type `schema` that `data` holds; `origin` names the file in errors.

    Fields of type VIEW refer to `data`.  Raises FormatError with byte offset and field.
    """
    message = schema.new()
    try:
        _fill(message, schema, data, 0, len(data), 0)
    except _Damage as damage:
        raise FormatError(f"{origin}: {damage}") from None
    except (IndexError, struct.error):
        raise FormatError(
            f"{origin}: the data end after {len(data)} bytes in the middle of a field; "
            f"expected a whole {schema.name} message"
        ) from None
    return message


def _fill(
    message: Message, schema: Schema, data: bytes | memoryview, pos: int, end: int, depth: int
) -> None:
    """Reads the fields in data[pos:end] into `message`.

    One loop for speed: a graph has hundreds of thousands of fields.
    """
    if depth > MAX_DEPTH:
        raise _Damage(f"byte {pos}: messages nested deeper than {MAX_DEPTH} ({schema.name})")
    values = message.__dict__
    by_tag = schema.by_tag
    while pos < end:
        start = pos
        tag = data[pos]
        pos += 1
        if tag > 127:
            tag, pos = _varint(data, start)
        found = by_tag.get(tag)
        if found is None:
            pos = _skip(schema, tag, data, start, pos, end)
            continue
        action, name, arg = found
        repeated = action >= _REPEATED
        if repeated:
            action -= _REPEATED
        value: Any
        if action < _LENGTHS:
            size = data[pos]
            pos += 1
            if size > 127:
                size, pos = _varint(data, pos - 1)
            stop = pos + size
            if stop > end:
                raise _Damage(
                    f"byte {start}: {schema.name}.{name} claims {size} bytes, "
                    f"where its message has {max(end - pos, 0)} left"
                )
            if action == _DO_STRING:
                try:
                    value = str(data[pos:stop], "utf-8")
                except UnicodeDecodeError:
                    raise _Damage(f"byte {pos}: {schema.name}.{name} is not UTF-8") from None
            elif action in (_DO_MAP, _DO_PUBLIC):
                if action == _DO_PUBLIC and data[pos : pos + 3 : 2] == _PRIVATE:
                    pos = stop
                    continue
                entry = arg.new()
                _fill(entry, arg, data, pos, stop, depth + 1)
                values.setdefault(name, {})[entry.key] = entry.value
                pos = stop
                continue
            elif action == _DO_MESSAGE:
                # a single message that comes twice is one message in two parts
                value = values[name] if name in values and not repeated else arg.new()
                _fill(value, arg, data, pos, stop, depth + 1)
            elif action == _DO_PACKED:
                try:
                    _packed(values, name, arg, data, pos, stop)
                except ValueError:
                    raise _Damage(
                        f"byte {pos}: {schema.name}.{name}: {size} bytes are no run of {arg.name}"
                    ) from None
                pos = stop
                continue
            elif action == _DO_BYTES:
                value = bytes(data[pos:stop])
            else:
                value = memoryview(data)[pos:stop]
            pos = stop
        elif action == _DO_VARINT:
            value = data[pos]
            pos += 1
            if value > 127:
                value, pos = _varint(data, pos - 1)
            value = arg(value)
        else:
            (value,) = arg.unpack(data, pos)
            pos += 4 if arg.wire == _FIXED32 else 8
        if repeated:
            if name in values:
                _as_list(values, name).append(value)
            else:
                values[name] = [value]
        else:
            values[name] = value
    if pos > end:
        raise _Damage(f"byte {end}: {schema.name} ends in the middle of a field")


def _varint(data: bytes | memoryview, pos: int) -> tuple[int, int]:
    """The variable-length number at `pos` and where it ends."""
    value = shift = 0
    start = pos
    while True:
        byte = data[pos]
        pos += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & 0xFFFFFFFFFFFFFFFF, pos
        shift += 7
        if shift > 63:
            raise _Damage(f"byte {start}: a number of more than ten bytes")


def _skip(
    schema: Schema, tag: int, data: bytes | memoryview, start: int, pos: int, end: int
) -> int:
    """Where the field of an unknown `tag` ends; a known field of the wrong kind is damage."""
    number, wire = tag >> 3, tag & 7
    for known in schema.fields.values():
        if known.number == number:
            raise _Damage(
                f"byte {start}: {schema.name}.{known.name} comes as "
                f"{_WIRE_NAMES.get(wire, 'nonsense')}, which does not fit its type"
            )
    if number == 0 or wire not in (_VARINT, _FIXED64, _BYTES, _FIXED32):
        raise _Damage(f"byte {start}: tag {tag} starts no field of {schema.name}")
    if wire == _VARINT:
        return _varint(data, pos)[1]
    size = 8 if wire == _FIXED64 else 4
    if wire == _BYTES:
        size, pos = _varint(data, pos)
    if pos + size > end:
        raise _Damage(
            f"byte {start}: field {number} of {schema.name} claims {size} bytes, "
            f"where its message has {max(end - pos, 0)} left"
        )
    return pos + size


def _packed(
    values: dict[str, Any], name: str, type_: Scalar, data: bytes | memoryview, pos: int, stop: int
) -> None:
    """Adds a packed run; the first of a field becomes an array where it is long."""
    run: Any
    if type_.wire != _VARINT:
        run = np.frombuffer(bytes(data[pos:stop]), type_.numpy)  # copied, and so aligned
        if run.nbytes < _LONG_RUN:
            run = run.tolist()
    elif stop - pos >= _LONG_RUN:
        run = varints(np.frombuffer(data, np.uint8, stop - pos, pos))
        run = run != 0 if type_ is BOOL else run.astype(type_.numpy)
    else:
        run = []
        while pos < stop:
            value, pos = _varint(data, pos)
            run.append(type_.convert(value))
        if pos > stop:
            raise ValueError
    if name not in values:
        values[name] = run
    else:
        _as_list(values, name).extend(run if isinstance(run, list) else run.tolist())


def _as_list(values: dict[str, Any], name: str) -> list[Any]:
    """The list under `name`: adding to it, unlike to an array, costs no copy each time."""
    found: Any = values[name]
    found = values[name] = found if isinstance(found, list) else found.tolist()
    return cast("list[Any]", found)


def varints(data: np.ndarray) -> np.ndarray:
    """The numbers in a run of varints, as uint64; ValueError where the run is not whole."""
    last = data < 128
    if not last[-1]:
        raise ValueError
    starts = np.concatenate(([0], np.flatnonzero(last)[:-1] + 1))
    sizes = np.diff(starts, append=len(data))
    if sizes.max() > 10:
        raise ValueError
    place = np.arange(len(data)) - np.repeat(starts, sizes)
    parts = (data & 127).astype(np.uint64) << (7 * place).astype(np.uint64)
    return np.bitwise_or.reduceat(parts, starts)
