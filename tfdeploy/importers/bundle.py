"""TensorBundle, the checkpoint format V2: ``prefix.index`` and ``prefix.data-00000-of-00001`` ...

The index is a table from tensor names to BundleEntryProto; the values lie in the data files
(shards), each with a CRC-32C.  The format is that of tensorflow/core/util/tensor_bundle.
"""

from __future__ import annotations

import math
import mmap
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..dtypes import STRING, DType
from ..errors import ConversionError, FormatError, TfdeployError, UnsupportedError, near
from . import protos, table, tensorproto, wire
from .crc32c import crc32c, mask, masked
from .wire import Message

Slice = tuple[tuple[int, int], ...]
"""Start and length along each axis."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index says of a tensor: where its value lies, or the slices that make it up.

    `slices` maps each slice to its own key in the index.
    """

    dtype: DType
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc: int
    slices: Mapping[Slice, bytes]


class Bundle(Mapping[str, np.ndarray]):
    """The tensors of a checkpoint, read when asked for.

    `entries` maps their names to dtype, shape and place without reading data.  Values are read-only
    views of the mapped file where their alignment allows; strings are object arrays of bytes.
    Raises FormatError where files are missing or damaged, ConversionError (from ``bundle[name]``
    too, which says what names are near) for a tensor that is not there.
    """

    def __init__(self, prefix: str | os.PathLike[str]) -> None:
        self.prefix = os.fspath(prefix)
        self.origin = self.prefix + ".index"
        self._shards: dict[int, memoryview] = {}
        self._raw: dict[bytes, bytes] = {}
        for key, value in table.entries(map_file(self.origin), self.origin):
            self._raw[key] = bytes(value)
        if b"" not in self._raw:
            raise FormatError(f"{self.origin}: no header among its {len(self._raw)} entries")
        header = wire.parse(self._raw.pop(b""), protos.BUNDLE_HEADER, f"{self.origin}: its header")
        if header.endianness:
            raise UnsupportedError(f"{self.origin}: written on a big-endian machine")
        self.num_shards: int = header.num_shards
        self.entries: dict[str, Entry] = {}
        for key in self._raw:
            if key[:1] != b"\0":  # which begins the key of a slice
                self.entries[key.decode("utf-8", "backslashreplace")] = self._entry(key)

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def __getitem__(self, name: str) -> np.ndarray:
        return self.read(name)

    def read(self, name: str, part: Slice | None = None) -> np.ndarray:
        """The tensor `name`, or the `part` of it, without reading more slices than it needs."""
        entry = self.entries.get(name)
        if entry is None:
            hint = near(name, self.entries)
            raise ConversionError(f"checkpoint {self.prefix} has no tensor {name!r}{hint}")
        where = f"{self.prefix}: tensor {name!r}"
        try:
            whole = tuple((0, size) for size in entry.shape)
            part = _checked(whole if part is None else part, entry.shape)
            if entry.slices:
                return self._assemble(entry, part)
            value = self._load(entry)
            if part != whole:
                value = value[tuple(slice(start, start + size) for start, size in part)]
            return value
        except TfdeployError as error:
            raise type(error)(f"{where}: {error}") from None
        except MemoryError:
            raise FormatError(f"{where}: shape {entry.shape} is more than memory holds") from None

    def _entry(self, key: bytes) -> Entry:
        """The entry under a key of the index."""
        where = f"{self.origin}: the entry of {key!r}"
        message = wire.parse(self._raw[key], protos.BUNDLE_ENTRY, where)
        try:
            dtype = tensorproto.dtype(message.dtype)
            shape = tensorproto.known_shape(message.shape)
            slices = dict(slice_and_key(key, part, shape) for part in message.slices)
        except TfdeployError as error:
            raise type(error)(f"{where}: {error}") from None
        if dtype is None or message.offset < 0 or message.size < 0:
            raise FormatError(f"{where}: dtype {dtype}, {message.size} bytes at {message.offset}")
        return Entry(
            dtype, shape, message.shard_id, message.offset, message.size, message.crc32c, slices
        )

    def _assemble(self, entry: Entry, part: Slice) -> np.ndarray:
        """`part` of a tensor stored in slices."""
        if part in entry.slices:
            return self._load_slice(entry, part)
        shape = tuple(size for _, size in part)
        pieces = []
        for piece in entry.slices:
            common = _overlap(part, piece)
            if common is not None:
                source = self._load_slice(entry, piece)[_within(common, piece)]
                pieces.append((_within(common, part), source))
        if sum(source.size for _, source in pieces) < math.prod(shape):  # before memory is taken
            raise FormatError(f"its slices leave holes in shape {entry.shape}")
        value = np.empty(shape, entry.dtype.numpy)
        covered = np.zeros(shape, np.bool_)
        for to, source in pieces:
            value[to] = source
            covered[to] = True
        if not covered.all():
            raise FormatError(f"its slices leave holes in shape {entry.shape}")
        value.flags.writeable = False
        return value

    def _load_slice(self, entry: Entry, piece: Slice) -> np.ndarray:
        key = entry.slices[piece]
        if key not in self._raw:
            raise FormatError(f"its slice {spell(piece)} is not in {self.origin}")
        found = self._entry(key)
        if found.dtype != entry.dtype or found.shape != tuple(size for _, size in piece):
            raise FormatError(f"its slice {spell(piece)} is {found.dtype} of {found.shape}")
        return self._load(found)

    def _load(self, entry: Entry) -> np.ndarray:
        """The value of an entry without slices, its checksum checked."""
        if not 0 <= entry.shard < self.num_shards:
            raise FormatError(f"in shard {entry.shard} of {self.num_shards}")
        shard, path = self._shard(entry.shard)
        data = shard[entry.offset : entry.offset + entry.size]
        place = f"{path}, byte {entry.offset}"
        if len(data) != entry.size:
            raise FormatError(
                f"{entry.size} bytes from {place}, but the file ends at {len(shard)}: cut short?"
            )
        if entry.dtype == STRING:
            return _strings(data, entry, place)
        carrier = entry.dtype.numpy
        if entry.size != math.prod(entry.shape) * carrier.itemsize:
            raise FormatError(f"{entry.size} bytes for {entry.dtype} of shape {entry.shape}")
        _check(masked(data), entry.crc, place)
        return tensorproto.aligned(np.frombuffer(data, np.uint8), carrier).reshape(entry.shape)

    def _shard(self, number: int) -> tuple[memoryview, str]:
        path = f"{self.prefix}.data-{number:05d}-of-{self.num_shards:05d}"
        if number not in self._shards:
            self._shards[number] = map_file(path)
        return self._shards[number], path


def map_file(path: str) -> memoryview:
    """The file's bytes, mapped; FormatError where it cannot be opened."""
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:  # which cannot be mapped
                return memoryview(b"")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise FormatError(f"{path}: cannot be opened: {error.strerror}") from error


def _check(found: int, stored: int, place: str) -> None:
    if found != stored:
        raise FormatError(
            f"damaged: {place} has checksum {found:#010x}, the index says {stored:#010x}"
        )


def _strings(data: memoryview, entry: Entry, place: str) -> np.ndarray:
    """Strings: lengths, the checksum of the lengths, then bytes.

    Checksums are over lengths as 4 bytes each (8 where that is too few), not as stored.
    """
    values, sizes = tensorproto.strings(data, entry.shape, gap=4)
    if len(sizes) == 0 or sizes.max() < 1 << 32:
        lengths = sizes.astype("<u4").tobytes()
    else:
        lengths = b"".join(n.to_bytes(4 if n < 1 << 32 else 8, "little") for n in sizes.tolist())
    start = len(data) - int(sizes.sum()) - 4
    crc = crc32c(lengths)
    _check(mask(crc), int.from_bytes(data[start : start + 4], "little"), f"{place}, lengths")
    _check(mask(crc32c(data[start:], crc)), entry.crc, place)
    return values


def slice_and_key(name: bytes, message: Message, shape: tuple[int, ...]) -> tuple[Slice, bytes]:
    """A TensorSliceProto within `shape`, and the key of its entry in the index.

    The key is 0, the name, the rank, then start and length along each axis, in the encoding of
    tensorflow/core/lib/strings/ordered_code; the whole of an axis may be no length, which is -1.
    """
    if len(message.extent) != len(shape):
        raise FormatError(f"a slice of {len(message.extent)} axes in shape {shape}")
    piece = []
    key = b"\0" + name.replace(b"\0", b"\0\xff") + b"\0\1" + _unsigned(len(shape))
    for extent, size in zip(message.extent, shape, strict=True):
        length = extent.length if extent.has("length") else -1
        key += _signed(extent.start) + _signed(length)
        piece.append((extent.start, size if length == -1 else length))
    return _checked(tuple(piece), shape), key


def parse_slice(spec: str) -> Slice | None:
    """The slice in a restore op's ``shape_and_slices``: ``"8 4 0,8:2,2"``; None where it is empty.

    Raises FormatError where it is none.
    """
    if not spec:
        return None
    *sizes, extents = spec.split(" ")
    parts = extents.split(":")
    try:
        shape = tuple(int(size) for size in sizes)
        if len(parts) != len(shape):
            raise ValueError
        pairs = [(0, n) if p == "-" else p.split(",") for p, n in zip(parts, shape, strict=True)]
        return _checked(tuple((int(start), int(size)) for start, size in pairs), shape)
    except ValueError:
        raise FormatError(f"{spec!r} is no shape and slice") from None


def _checked(piece: Slice, shape: Sequence[int]) -> Slice:
    """`piece`, if it lies within `shape`."""
    if len(piece) != len(shape) or any(
        start < 0 or length < 0 or start + length > size
        for (start, length), size in zip(piece, shape, strict=True)
    ):
        raise FormatError(f"slice {spell(piece)} does not lie in shape {tuple(shape)}")
    return piece


def _overlap(first: Slice, second: Slice) -> Slice | None:
    """What two slices have in common."""
    ends = [(max(a, b), min(a + n, b + m)) for (a, n), (b, m) in zip(first, second, strict=True)]
    if any(start >= stop for start, stop in ends):
        return None
    return tuple((start, stop - start) for start, stop in ends)


def _within(inner: Slice, outer: Slice) -> tuple[slice, ...]:
    """The index of `inner` in an array that holds `outer`."""
    starts = [(a - b, n) for (a, n), (b, _) in zip(inner, outer, strict=True)]
    return tuple(slice(start, start + size) for start, size in starts)


def spell(piece: Slice) -> str:
    return "[" + ", ".join(f"{start}:{start + length}" for start, length in piece) + "]"


def _unsigned(value: int) -> bytes:
    size = (value.bit_length() + 7) // 8
    return bytes([size]) + value.to_bytes(size, "big")


def _signed(value: int) -> bytes:
    """A number of n bytes begins with n one bits in front of its sign's complement."""
    size = (value if value >= 0 else ~value).bit_length() // 7 + 1
    prefix = ((1 << size) - 1) << (7 * size)
    number = value & ((1 << 8 * size) - 1)
    return (number ^ prefix).to_bytes(size, "big")
