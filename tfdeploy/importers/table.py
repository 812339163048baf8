"""Sorted string tables: the file format in which TensorFlow's checkpoints keep their index.

It is LevelDB's (https://github.com/google/leveldb/blob/main/doc/table_format.md): blocks of sorted
entries whose keys share prefixes, an index block, and a footer; each block has a CRC-32C.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from ..errors import FormatError, UnsupportedError
from .crc32c import masked

MAGIC = bytes.fromhex("57fb808b247547db")
_FOOTER = 48
_TRAILER = 5  # one byte of compression and four of checksum behind each block
_NONE, _SNAPPY, _ZLIB = 0, 1, 2
_MAX_RATIO = 1100  # beyond what deflate reaches
_MAX_KEYS = 64  # bytes of keys per byte of block, where entries share prefixes


def entries(data: memoryview, origin: str) -> Iterator[tuple[bytes, memoryview]]:
    """Keys and values of a table in order; uncompressed values refer to `data`.

    `origin` names the file in errors.  Raises FormatError where the table is damaged.
    """
    if len(data) < _FOOTER or data[-8:] != MAGIC:
        raise FormatError(
            f"{origin}: no table of a checkpoint: expected {_FOOTER} bytes or more that end in "
            f"{MAGIC.hex()}, found {len(data)} that end in {bytes(data[-8:]).hex()}"
        )
    try:
        footer = data[-_FOOTER:-8]
        start, size, pos = _handle(footer, 0)
        _block(data, start, size, origin)  # the meta index, empty in checkpoints
        start, size, _ = _handle(footer, pos)
        index = _block(data, start, size, origin)
        last = b""
        for _, handle in _entries(index, start, origin):
            start, size, _ = _handle(handle, 0)
            for key, value in _entries(_block(data, start, size, origin), start, origin):
                if last and key <= last:
                    raise FormatError(f"{origin}: key {key!r} does not follow {last!r}")
                yield key, value
                last = key
    except IndexError:
        raise FormatError(f"{origin}: the place of a block is cut off") from None


def _varint(data: memoryview, pos: int) -> tuple[int, int]:
    """The variable-length number at `pos`, of at most ten bytes, and where it ends."""
    value = shift = 0
    while shift < 70:
        byte = data[pos]
        pos += 1
        value |= (byte & 127) << shift
        if byte < 128:
            break
        shift += 7
    return value, pos


def _handle(data: memoryview, pos: int) -> tuple[int, int, int]:
    """Offset and size of a block, and where this ends."""
    start, pos = _varint(data, pos)
    size, pos = _varint(data, pos)
    return start, size, pos


def _block(data: memoryview, start: int, size: int, origin: str) -> memoryview:
    """The content of the block at `start`, checked and decompressed."""
    end = start + size
    if end + _TRAILER > len(data) - _FOOTER:
        raise FormatError(
            f"{origin}: a block of {size} bytes at byte {start} of a file of {len(data)} bytes"
        )
    block, kind = data[start:end], data[end]
    stored = int.from_bytes(data[end + 1 : end + _TRAILER], "little")
    found = masked(data[start : end + 1])
    if stored != found:
        raise FormatError(
            f"{origin}: the block at byte {start} is damaged: "
            f"checksum {found:#010x} instead of {stored:#010x}"
        )
    if kind == _NONE:
        return block
    try:
        if kind == _SNAPPY:
            return memoryview(_unsnap(block))
        if kind == _ZLIB:
            inflater = zlib.decompressobj()
            return memoryview(inflater.decompress(block, _MAX_RATIO * size))
    except (ValueError, IndexError, zlib.error) as error:
        raise FormatError(f"{origin}: the block at byte {start} does not unpack: {error}") from None
    raise UnsupportedError(
        f"{origin}: the block at byte {start} has compression {kind}; known are "
        f"{_NONE} (none), {_SNAPPY} (snappy) and {_ZLIB} (zlib)"
    )


def _entries(block: memoryview, start: int, origin: str) -> Iterator[tuple[bytes, memoryview]]:
    """Keys and values of a block."""
    damage = f"{origin}: the block at byte {start} "
    restarts = int.from_bytes(block[-4:], "little") if len(block) >= 4 else len(block)
    end = len(block) - 4 * (restarts + 1)
    if end < 0:
        raise FormatError(damage + f"has {len(block)} bytes, too few for its restart points")
    key, pos, budget = b"", 0, _MAX_KEYS * len(block)
    while pos < end:
        shared, pos = _varint(block, pos)
        own, pos = _varint(block, pos)
        size, pos = _varint(block, pos)
        budget -= shared + own
        if shared > len(key) or pos + own + size > end or budget < 0:
            raise FormatError(damage + f"has an entry at its byte {pos} that does not fit it")
        key = key[:shared] + bytes(block[pos : pos + own])
        pos += own
        yield key, block[pos : pos + size]
        pos += size


def _unsnap(data: memoryview) -> bytes:
    """Decompresses snappy (google/snappy, format_description.txt); ValueError where damaged."""
    total, pos = _varint(data, 0)
    if total > 64 * len(data):  # a copy makes at most 64 bytes of two
        raise ValueError(f"{total} bytes out of {len(data)}")
    out = bytearray()
    while pos < len(data):
        tag = data[pos]
        pos += 1
        kind, size = tag & 3, (tag >> 2) + 1
        if kind == 0:  # bytes as they are
            if size > 60:
                width = size - 60
                size = int.from_bytes(data[pos : pos + width], "little") + 1
                pos += width
            piece = data[pos : pos + size]
            if len(piece) != size:
                raise ValueError("cut off")
            out += piece
            pos += size
            continue
        if kind == 1:  # a copy of 4 to 11 bytes from up to 2 KiB back
            size = (tag >> 2 & 7) + 4
            back = (tag >> 5) << 8 | data[pos]
            pos += 1
        else:
            width = 2 if kind == 2 else 4
            back = int.from_bytes(data[pos : pos + width], "little")
            pos += width
        if not 0 < back <= len(out):
            raise ValueError(f"a copy from {back} bytes back at byte {len(out)}")
        source = bytes(out[-back:][:size])
        out += (source * (size // len(source) + 1))[:size]
        if len(out) > total:
            raise ValueError("more bytes than announced")
    if len(out) != total:
        raise ValueError(f"{len(out)} bytes instead of {total}")
    return bytes(out)
