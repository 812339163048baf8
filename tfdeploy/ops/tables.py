"""Lookup tables: dictionaries that live as long as the model.

What an initialiser puts into a table at conversion becomes the attributes `keys` and `values` of
the node that makes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import INT64, RESOURCE, STRING, DType
from ..graph.types import ValueType
from .elements import Content
from .handles import Handle
from .registry import READS, WRITES, op
from .registry import RESOURCE as OWNED
from .rules import Inference

Array = NDArray[Any]
Nothing = tuple[Array, ...]
Shape = tuple[int, ...]

ASSET = b"\0asset\0"
"""Stands before the contents of a file where TensorFlow has the file's name."""

_WHOLE_LINE, _LINE_NUMBER = -2, -1


class Table(Handle):
    """Values by keys; `mutable` ones may change after they were filled.

    Keys and values are scalars, or tensors of one shape (rows of `keys` and `values`); `empty` and
    `deleted` are keys that a dense table does not take.
    """

    __slots__ = (
        "_keys",
        "_values",
        "filled",
        "finder",
        "forbidden",
        "items",
        "key_dtype",
        "mutable",
        "value_dtype",
        "value_shape",
    )
    kind = "lookup table"

    def __init__(
        self, key_dtype: DType, value_dtype: DType, value_shape: Shape = (), mutable: bool = False
    ) -> None:
        self.key_dtype, self.value_dtype = key_dtype, value_dtype
        self.value_shape = value_shape
        self.mutable = mutable
        self.filled = mutable
        self.items: dict[Any, Any] = {}
        self.forbidden: tuple[Any, ...] = ()
        self.finder: Any = None  # what the engine looks strings up with, made when first needed
        self._keys: Array | None = None
        self._values: Array | None = None

    def put(self, keys: Array, values: Array, fresh: bool = False) -> None:
        """Adds entries or replaces their values.

        `fresh` is without those of before, and leaves out what a saved table has for empty places.
        """
        shape = keys.shape[: keys.ndim - self._key_rank(keys)] + self.value_shape
        if values.shape != shape:
            raise ValueError(
                f"keys of shape {keys.shape} take values of shape {shape}, not {values.shape}"
            )
        new = list(_entries(keys, keys.ndim - self._key_rank(keys)))
        found = list(_entries(values, values.ndim - len(self.value_shape)))
        if any(key in self.forbidden for key in new):
            if not fresh:
                raise ValueError("a key is the one that stands for empty or deleted places")
            taken = [i for i, key in enumerate(new) if key not in self.forbidden]
            new, found = [new[i] for i in taken], [found[i] for i in taken]
        before = {} if fresh else self.items
        if not self.mutable:
            before = _without_conflicts(before, new, found)
        else:
            before.update(zip(new, found, strict=True))
        self.items, self.filled = before, True
        self._keys = self._values = self.finder = None

    def remove(self, keys: Array) -> None:
        """Removes entries where they are there."""
        for key in _entries(keys, keys.ndim - self._key_rank(keys)):
            self.items.pop(key, None)
        self._keys = self._values = self.finder = None

    def find(self, keys: Array, default: Array) -> Array:
        """The values of keys; `default` for keys that are not there, or the row of it for each."""
        self._check(keys)
        rank = keys.ndim - self._key_rank(keys)
        shape = keys.shape[:rank] + self.value_shape
        if default.shape == shape and default.shape != self.value_shape:
            blanks: Iterable[Any] = _entries(default, rank)
        elif default.shape == self.value_shape:
            blanks = repeat(next(iter(_entries(default[None], 1))))
        else:
            raise ValueError(
                f"a default of shape {default.shape} for values of shape {self.value_shape}"
            )
        found = list(map(self.items.get, _entries(keys, rank), blanks))
        return _array(found, self.value_dtype).reshape(shape)

    def _check(self, keys: Array) -> None:
        if not self.filled:
            raise ValueError("the table is not initialised")
        if self.forbidden and any(k in self.forbidden for k in _entries(keys, keys.ndim)):
            raise ValueError("a key is the one that stands for empty or deleted places")

    def _key_rank(self, keys: Array) -> int:
        """How many axes of `keys` belong to one key."""
        key = next(iter(self.items or self.forbidden), None)
        return 1 if isinstance(key, tuple) else 0

    def contents(self) -> tuple[Array, Array]:
        """All keys, and the values in the same order."""
        if self._keys is None or self._values is None:
            self._keys = _array(list(self.items), self.key_dtype)
            values = _array(list(self.items.values()), self.value_dtype)
            self._values = values.reshape(len(self.items), *self.value_shape)
            self._keys.flags.writeable = self._values.flags.writeable = False
        return self._keys, self._values

    def saved(self) -> dict[str, Any]:
        """The attributes of a node that makes it as it is now."""
        return dict(zip(("keys", "values"), self.contents(), strict=True)) if self.filled else {}


def _entries(array: Array, rank: int) -> Iterable[Any]:
    """What an array holds along its first `rank` axes: scalars, or tuples for rows."""
    if rank >= array.ndim:
        return array.ravel().tolist()
    rows = array.reshape(-1, int(np.prod(array.shape[rank:], dtype=np.int64)))
    return list(map(tuple, rows.tolist()))


def _array(items: list[Any], dtype: DType) -> Array:
    if dtype == STRING and not (items and isinstance(items[0], tuple)):
        result = np.empty(len(items), object)
        result[:] = items
        return result
    return np.array(items, dtype.numpy)


def _without_conflicts(
    before: dict[Any, Any], keys: list[Any], values: list[Any]
) -> dict[Any, Any]:
    """The entries of a table that is filled once: no key may have two values."""
    items = dict(before)
    for key, value in zip(keys, values, strict=True):
        if items.setdefault(key, value) != value:
            raise ValueError(f"key {key!r} has the values {items[key]!r} and {value!r}")
    return items


def _table(handle: Any, key_dtype: DType | None = None) -> Table:
    if not isinstance(handle, Table):
        raise ValueError(f"expected a lookup table, got {handle!r}")
    if key_dtype is not None and handle.key_dtype != key_dtype:
        raise ValueError(f"a table of {handle.key_dtype} keys, asked for {key_dtype}")
    return handle


def _made(table: Table, keys: Array | None, values: Array | None) -> Table:
    if keys is not None and values is not None:
        table.put(keys, values, fresh=True)
        if len(table.items) == len(keys):
            table._keys, table._values = keys, values
    return table


# Tables


def _table_type(c: Inference) -> ValueType:
    shape = c.attrs.get("value_shape", ())
    c.know(Content(c.attrs["value_dtype"], shape))
    return ValueType(RESOURCE, ())


@op("HashTableV2", "HashTable", type=_table_type, effect=OWNED, exact=True)
def hash_table(
    *,
    key_dtype: DType,
    value_dtype: DType,
    keys: Array | None = None,
    values: Array | None = None,
) -> Table:
    """A table that is filled once (tf.lookup.StaticHashTable)."""
    return _made(Table(key_dtype, value_dtype), keys, values)


@op("MutableHashTableV2", "MutableHashTable", type=_table_type, effect=OWNED, exact=True)
def mutable_hash_table(
    *,
    key_dtype: DType,
    value_dtype: DType,
    keys: Array | None = None,
    values: Array | None = None,
) -> Table:
    """A table of scalars that may change (tf.lookup.experimental.MutableHashTable)."""
    return _made(Table(key_dtype, value_dtype, mutable=True), keys, values)


@op(
    "MutableHashTableOfTensorsV2",
    "MutableHashTableOfTensors",
    type=_table_type,
    effect=OWNED,
    exact=True,
)
def mutable_hash_table_of_tensors(
    *,
    key_dtype: DType,
    value_dtype: DType,
    value_shape: Shape = (),
    keys: Array | None = None,
    values: Array | None = None,
) -> Table:
    """A table of tensors that may change (tf.lookup.experimental.MutableHashTable)."""
    return _made(Table(key_dtype, value_dtype, value_shape, mutable=True), keys, values)


@op("MutableDenseHashTableV2", "MutableDenseHashTable", type=_table_type, effect=OWNED, exact=True)
def dense_hash_table(
    empty_key: Array,
    deleted_key: Array | None = None,
    *,
    key_dtype: DType,
    value_dtype: DType,
    value_shape: Shape = (),
    initial_num_buckets: int = 131072,
    max_load_factor: float = 0.8,
    keys: Array | None = None,
    values: Array | None = None,
) -> Table:
    """A table that may change and has keys of its own (tf.lookup.experimental.DenseHashTable)."""
    if initial_num_buckets < 4 or initial_num_buckets & (initial_num_buckets - 1):
        raise ValueError(f"initial_num_buckets {initial_num_buckets} is no power of 2 from 4 up")
    if not 0 < max_load_factor < 1:
        raise ValueError(f"max_load_factor {max_load_factor} should lie between 0 and 1")
    table = Table(key_dtype, value_dtype, value_shape, mutable=True)
    own = [empty_key] if deleted_key is None else [empty_key, deleted_key]
    table.forbidden = tuple(next(iter(_entries(key[None], 1))) for key in own)
    if len(set(table.forbidden)) < len(own):
        raise ValueError("the empty and the deleted key should differ")
    return _made(table, keys, values)


def _fresh_type(c: Inference) -> ValueType:
    return _table_type(c)


@op("AnonymousHashTable", type=_fresh_type, effect=WRITES, exact=True)
def anonymous_hash_table(*, key_dtype: DType, value_dtype: DType) -> Table:
    """A table of this call alone, filled once."""
    return Table(key_dtype, value_dtype)


@op("AnonymousMutableHashTable", type=_fresh_type, effect=WRITES, exact=True)
def anonymous_mutable_hash_table(*, key_dtype: DType, value_dtype: DType) -> Table:
    """A table of scalars, of this call alone."""
    return Table(key_dtype, value_dtype, mutable=True)


@op("AnonymousMutableHashTableOfTensors", type=_fresh_type, effect=WRITES, exact=True)
def anonymous_mutable_hash_table_of_tensors(
    *, key_dtype: DType, value_dtype: DType, value_shape: Shape = ()
) -> Table:
    """A table of tensors, of this call alone."""
    return Table(key_dtype, value_dtype, value_shape, mutable=True)


@op("AnonymousMutableDenseHashTable", type=_fresh_type, effect=WRITES, exact=True)
def anonymous_dense_hash_table(
    empty_key: Array,
    deleted_key: Array,
    *,
    key_dtype: DType,
    value_dtype: DType,
    value_shape: Shape = (),
    initial_num_buckets: int = 131072,
    max_load_factor: float = 0.8,
) -> Table:
    """A table with keys of its own, of this call alone."""
    return dense_hash_table(
        empty_key,
        deleted_key,
        key_dtype=key_dtype,
        value_dtype=value_dtype,
        value_shape=value_shape,
        initial_num_buckets=initial_num_buckets,
        max_load_factor=max_load_factor,
    )


# What is done with them


def _nothing(c: Inference) -> list[ValueType]:
    return []


def _find_type(c: Inference) -> ValueType:
    keys, known = c.inputs[1].shape, c.value(0)
    dtype = c.inputs[2].dtype
    if not isinstance(known, Content) or keys is None or known.shape:
        return ValueType(dtype)
    return ValueType(dtype, keys)


@op("LookupTableFindV2", "LookupTableFind", type=_find_type, effect=READS, exact=True)
def find(table_handle: Any, keys: Array, default_value: Array) -> Array:
    """The values of keys, `default_value` for those that the table does not have."""
    return _table(table_handle).find(keys, default_value)


@op("LookupTableSizeV2", "LookupTableSize", type=lambda c: ValueType(INT64, ()), effect=READS)
def size(table_handle: Any) -> Array:
    """The number of entries."""
    return np.asarray(len(_table(table_handle).items), np.int64)


def _export_type(c: Inference) -> list[ValueType]:
    count, known = c.fresh(), c.value(0)
    plain = isinstance(known, Content) and known.shape == ()
    return [
        ValueType(c.attrs["Tkeys"], (count,) if plain else None),
        ValueType(c.attrs["Tvalues"], (count,) if plain else None),
    ]


@op(
    "LookupTableExportV2",
    "LookupTableExport",
    type=_export_type,
    effect=READS,
    exact=True,
    outputs=("keys", "values"),
)
def export(
    table_handle: Any, *, Tkeys: DType | None = None, Tvalues: DType | None = None
) -> tuple[Array, Array]:
    """All keys, and their values, in the order in which they came (TensorFlow says none)."""
    return _table(table_handle).contents()


@op(
    "InitializeTableV2",
    "InitializeTable",
    "LookupTableInsertV2",
    "LookupTableInsert",
    type=_nothing,
    effect=WRITES,
    exact=True,
)
def insert(table_handle: Any, keys: Array, values: Array) -> Nothing:
    """Adds entries, or replaces their values where the table may change."""
    _table(table_handle).put(keys, values)
    return ()


@op("LookupTableImportV2", "LookupTableImport", type=_nothing, effect=WRITES, exact=True)
def import_(table_handle: Any, keys: Array, values: Array) -> Nothing:
    """Makes the table hold these entries and no others."""
    table = _table(table_handle)
    table.put(keys, values, fresh=table.mutable)
    return ()


@op("LookupTableRemoveV2", type=_nothing, effect=WRITES, exact=True)
def remove(table_handle: Any, keys: Array) -> Nothing:
    """Removes entries where they are there."""
    _table(table_handle).remove(keys)
    return ()


@op(
    "InitializeTableFromTextFileV2",
    "InitializeTableFromTextFile",
    type=_nothing,
    effect=WRITES,
    exact=True,
)
def initialize_from_text_file(
    table_handle: Any,
    filename: Array,
    *,
    key_index: int,
    value_index: int,
    vocab_size: int = -1,
    delimiter: str = "\t",
    offset: int = 0,
) -> Nothing:
    """Fills a table from the lines of an asset: an index is a column, -1 the line's number plus
    `offset`, and -2 the whole line.
    """
    table, content = _table(table_handle), filename.item()
    if not content.startswith(ASSET):
        raise ValueError(
            f"the table is filled from the file {content.decode(errors='replace')!r}, which is no "
            "asset of the model"
        )
    lines = content[len(ASSET) :].replace(b"\r", b"").split(b"\n")
    if not lines[-1]:
        lines.pop()
    if vocab_size > len(lines):
        raise ValueError(f"{len(lines)} lines in the file, expected {vocab_size}")
    lines = lines[:vocab_size] if vocab_size >= 0 else lines
    split = delimiter.encode("latin-1") if delimiter else b"\t"
    keys, values = (
        _column(lines, number, split, dtype, offset)
        for number, dtype in ((key_index, table.key_dtype), (value_index, table.value_dtype))
    )
    table.put(keys, values)
    return ()


def _column(lines: list[bytes], number: int, delimiter: bytes, dtype: DType, first: int) -> Array:
    if number == _LINE_NUMBER:
        return np.arange(first, first + len(lines)).astype(dtype.numpy)
    if number == _WHOLE_LINE:
        return _parsed(lines, dtype)
    parts = [line.split(delimiter) for line in lines]
    for at, part in enumerate(parts):
        if len(part) <= number:
            raise ValueError(f"line {at} has {len(part)} columns, column {number} is asked for")
    return _parsed([part[number] for part in parts], dtype)


def _parsed(texts: list[bytes], dtype: DType) -> Array:
    if dtype == STRING:
        return _array(texts, dtype)
    return np.array([t.decode() for t in texts]).astype(dtype.numpy)
