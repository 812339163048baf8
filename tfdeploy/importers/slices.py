"""Checkpoints of format V1: one table per shard that holds slices of tensors, values included.

The format is that of tensorflow/core/util/tensor_slice_writer: under the empty key the list of
tensors and their slices, then each slice under the key that the format V2 uses too.
"""

from __future__ import annotations

import glob
import math
import os
import re

import numpy as np

from ..dtypes import STRING
from ..errors import FormatError, TfdeployError, UnsupportedError
from . import protos, table, tensorproto, wire
from .bundle import Bundle, Entry, Slice, map_file, slice_and_key, spell

_SHARD = re.compile(r"-(?:\d{5}|\?{5})-of-\d{5}\Z")


class SliceTables(Bundle):
    """The tensors of a V1 checkpoint, read when asked for; behaves as `Bundle` does."""

    def __init__(self, prefix: str, files: list[str]) -> None:
        self.prefix, self.origin = prefix, files[0]
        self.num_shards = len(files)
        self.entries: dict[str, Entry] = {}
        self._places: dict[bytes, tuple[memoryview, str]] = {}
        for path in files:
            self._add(path)

    def _add(self, path: str) -> None:
        """The tensors and slices that one shard lists."""
        found = dict(table.entries(map_file(path), path))
        meta = wire.parse(found.pop(b"", b""), protos.SAVED_SLICES, f"{path}: its list of tensors")
        for key, data in found.items():
            self._places[key] = data, path
        for message in meta.meta.tensor:
            where = f"{path}: the entry of {message.name!r}"
            try:
                dtype = tensorproto.dtype(message.type)
                shape = tensorproto.known_shape(message.shape)
                name = message.name.encode()
                slices = dict(slice_and_key(name, part, shape) for part in message.slice)
            except TfdeployError as error:
                raise type(error)(f"{where}: {error}") from None
            if dtype is None or not slices:
                raise FormatError(f"{where}: dtype {dtype}, {len(slices)} slices")
            known = self.entries.get(message.name)
            if known is not None and (known.dtype, known.shape) != (dtype, shape):
                raise FormatError(f"{where}: {dtype} of {shape}, in another shard {known.shape}")
            slices = {**(known.slices if known else {}), **slices}
            self.entries[message.name] = Entry(dtype, shape, 0, 0, 0, 0, slices)

    def _load_slice(self, entry: Entry, piece: Slice) -> np.ndarray:
        place = self._places.get(entry.slices[piece])
        if place is None:
            raise FormatError(f"its slice {spell(piece)} is in no file of the checkpoint")
        data, path = place
        message = wire.parse(data, protos.SAVED_SLICES, f"{path}: its slice {spell(piece)}")
        values = message.data.data
        shape = tuple(size for _, size in piece)
        count = math.prod(shape)
        if entry.dtype == STRING:
            found = np.empty(len(values.string_val), object)
            found[:] = values.string_val
        else:
            found = tensorproto.numbers(values, entry.dtype, entry.dtype.numpy)
        if len(found) != count:
            raise FormatError(f"{path}: its slice {spell(piece)} holds {len(found)} values")
        found = found.reshape(shape)
        found.flags.writeable = False
        return found


def open_checkpoint(prefix: str) -> Bundle | None:
    """The checkpoint called `prefix`, of either format; None where there is no such file."""
    if os.path.isfile(prefix + ".index"):
        return Bundle(prefix)
    files = _files(prefix)
    return SliceTables(prefix, files) if files else None


def exists(prefix: str) -> bool:
    """Whether a checkpoint is called `prefix`."""
    return os.path.isfile(prefix + ".index") or bool(_files(prefix))


def whole(prefix: str) -> str:
    """The prefix of all shards, where `prefix` is the name of one or a pattern for all of them."""
    base = _SHARD.sub("", prefix)
    return base if exists(base) else prefix


def _files(prefix: str) -> list[str]:
    """The files of a V1 checkpoint: the prefix itself, or shards named after it."""
    if os.path.isfile(prefix):
        return [prefix]
    base = _SHARD.sub("", prefix)
    files = sorted(glob.glob(glob.escape(base) + "-?????-of-?????"))
    totals = {int(path[-5:]) for path in files if path[-5:].isdecimal()}
    if files and totals != {len(files)}:
        raise UnsupportedError(
            f"{prefix}: {len(files)} shards are there, where their names count {sorted(totals)}"
        )
    return files


def is_table(path: str) -> bool:
    """Whether the file is a table, as the single file of a V1 checkpoint is."""
    with open(path, "rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(file.tell() - len(table.MAGIC), 0))
        return file.read() == table.MAGIC
