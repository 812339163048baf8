"""Lists and maps of tensors: values of dtype variant, as TensorArray and tf.map_fn use them.

A list is a value: an op that changes it gives another one.  The newest list of a line of changes
holds the elements, older ones remember what to undo, so that changing the newest takes constant
time and older ones stay what they were.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import BOOL, INT32, INT64, STRING, VARIANT, DType
from ..graph.types import Dim, Extent, ValueType
from .array import zeros_like
from .elements import OPEN, Elements, Shapes
from .handles import Handle
from .registry import READS, op
from .rules import Inference

Array = NDArray[Any]
Item = Any
Partial = tuple[int | None, ...] | None
"""A shape of which extents or the rank may be unknown."""


class _Store:
    """Elements that a line of lists shares, and how many changes the oldest has behind it."""

    __slots__ = ("changes", "items", "oldest")

    def __init__(self, items: list[Item | None]) -> None:
        self.items = items
        self.changes = 0
        self.oldest: weakref.ref[TensorList] | None = None


class TensorList(Handle):
    """Tensors of one dtype whose shapes fit `shape`; None stands for one that is not set.

    `most` is the largest length allowed, -1 for any.
    """

    __slots__ = ("__weakref__", "_next", "_store", "_undo", "dtype", "most", "shape")
    kind = "list of tensors"

    def __init__(
        self, dtype: DType, shape: Partial, items: list[Item | None], most: int = -1
    ) -> None:
        self.dtype, self.shape, self.most = dtype, shape, most
        self._store = _Store(items)
        self._next: TensorList | None = None
        self._undo: tuple[int, int, Item | None] = (0, 0, None)

    def items(self) -> list[Item | None]:
        """The elements; not to be changed."""
        if self._next is not None:
            self._settle()
        return self._store.items

    def zeros(self) -> TensorList:
        """The list with zeros for its elements."""
        items = [None if item is None else zeros_like(item) for item in self.items()]
        return TensorList(self.dtype, self.shape, items, self.most)

    def __add__(self, other: Any) -> TensorList:
        """The list of the sums; an element that is not set is zero."""
        other = _check(other, self.dtype)
        a, b = self.items(), other.items()
        if len(a) != len(b):
            raise ValueError(f"lists of {len(a)} and {len(b)} elements do not add")
        items = [y if x is None else x if y is None else x + y for x, y in zip(a, b, strict=True)]
        return TensorList(self.dtype, merge(self.shape, other.shape), items, self.most)

    def _settle(self) -> None:
        """Gives an older list elements of its own."""
        undo, at = [], self
        while at._next is not None:
            undo.append(at._undo)
            at = at._next
        items = list(at._store.items)
        for length, index, item in reversed(undo):
            if length < len(items):
                items.pop()
            elif length > len(items):
                items.append(item)
            else:
                items[index] = item
        self._store, self._next = _Store(items), None

    def _changed(self, length: int, index: int, item: Item | None) -> TensorList:
        """The list after a change of `_store`, given what undoes it."""
        store = self._store
        after = TensorList.__new__(TensorList)
        after.dtype, after.shape, after.most = self.dtype, self.shape, self.most
        after._store, after._next, after._undo = store, None, (0, 0, None)
        self._next, self._undo = after, (length, index, item)
        if store.changes > 64 + 2 * length or store.oldest is None:
            oldest = store.oldest() if store.oldest else None
            if oldest is not None and oldest._next is not None:
                oldest._settle()  # else it would keep every element that was ever replaced
            store.oldest, store.changes = weakref.ref(self), 0
        store.changes += 1
        return after

    def fit(self, item: Item) -> None:
        """Raises ValueError where an element may not have this shape."""
        shape = _shape_of(item)
        if shape != self.shape and not fits(self.shape, shape):
            raise ValueError(
                f"a list of elements of shape {spell(self.shape)} does not take one of shape "
                f"{list(_shape_of(item))}"
            )

    def set(self, index: int, item: Item) -> TensorList:
        """The list with another element at `index`."""
        items = self.items()
        before, items[index] = items[index], item
        return self._changed(len(items), index, before)

    def push(self, item: Item) -> TensorList:
        """The list with one more element."""
        items = self.items()
        if 0 <= self.most <= len(items):
            raise ValueError(f"a list of at most {self.most} elements is full")
        items.append(item)
        return self._changed(len(items) - 1, 0, None)

    def pop(self) -> TensorList:
        """The list without its last element."""
        items = self.items()
        last = items.pop()
        return self._changed(len(items) + 1, 0, last)

    def like(self, items: list[Item | None]) -> TensorList:
        """A list of other elements."""
        return TensorList(self.dtype, self.shape, items, self.most)


def _shape_of(item: Item) -> tuple[int, ...]:
    return () if isinstance(item, Handle) else item.shape


def spell(shape: Partial) -> str:
    """A partial shape for people."""
    return "?" if shape is None else str(["?" if e is None else e for e in shape])


def fits(partial: Partial, shape: Sequence[int | None]) -> bool:
    """Whether two shapes may be equal."""
    if partial is None:
        return True
    if len(partial) != len(shape):
        return False
    for wanted, extent in zip(partial, shape, strict=True):
        if wanted != extent and wanted is not None and extent is not None:
            return False
    return True


def merge(a: Partial, b: Partial) -> Partial:
    """What both shapes say; raises ValueError where they contradict each other."""
    if a is None or b is None:
        return a if b is None else b
    if not fits(a, b):
        raise ValueError(f"shapes {spell(a)} and {spell(b)} of elements should agree")
    return tuple(p if e is None else e for p, e in zip(a, b, strict=True))


def partial(element_shape: Array) -> Partial:
    """The shape that an input called element_shape spells: -1 is unknown, alone an unknown rank."""
    array = np.asarray(element_shape)
    if array.ndim == 0:
        if array != -1:
            raise ValueError(f"a scalar element_shape should be -1, got {array}")
        return None
    return tuple(None if e < 0 else int(e) for e in array.tolist())


def _full_shape(handle: TensorList, wanted: Partial) -> tuple[int, ...]:
    """The shape that all elements have, those not set included."""
    shape = merge(handle.shape, wanted)
    if shape is None or None in shape:
        for item in handle.items():
            if item is not None:
                shape = merge(shape, _shape_of(item))
    if shape is None or None in shape:
        raise ValueError(f"elements are not set and their shape is not known: {spell(shape)}")
    return tuple(e for e in shape if e is not None)


def zeros(dtype: DType, shape: tuple[int, ...]) -> Item:
    """What TensorFlow reads where no element was set."""
    if dtype == VARIANT:
        raise ValueError("an element that is a variant is not set")
    return np.full(shape, b"" if dtype == STRING else 0, dtype.numpy)


def _check(handle: Any, dtype: DType | None) -> TensorList:
    if isinstance(handle, np.ndarray) and handle.ndim == 0:
        handle = handle.item()
    if not isinstance(handle, TensorList):
        raise ValueError(f"expected a list of tensors, got {handle!r}")
    if dtype is not None and handle.dtype != dtype:
        raise ValueError(f"expected a list of {dtype}, got one of {handle.dtype}")
    return handle


def _index(handle: TensorList, index: Array) -> int:
    number = int(index)
    if not 0 <= number < len(handle.items()):
        raise IndexError(f"element {number} of a list of {len(handle.items())} elements")
    return number


def stack(items: Sequence[Item], dtype: DType, shape: tuple[int, ...]) -> Array:
    """Elements of one shape, one above the other."""
    if dtype == VARIANT:
        if items and all(isinstance(item, np.ndarray) for item in items):
            return np.stack(items)
        found = np.empty(len(items), object)
        found[:] = items
        return found
    result = np.empty((len(items), *shape), dtype.numpy)
    for number, item in enumerate(items):
        if item.shape != shape:
            raise ValueError(f"elements of shapes {shape} and {item.shape} do not stack")
        result[number] = item
    return result


def unstack(tensor: Array, dtype: DType) -> list[Item]:
    """The rows of a tensor."""
    return list(tensor) if dtype == VARIANT else [tensor[i, ...] for i in range(len(tensor))]


# Types: what is known of a list stands where the known values of integers do


def _declared(c: Inference, i: int) -> tuple[Shapes, bool]:
    """What an input called element_shape says."""
    extents = c.extents(i)
    rank = c.inputs[i].rank
    if extents is not None and rank == 1:
        return tuple(OPEN if e == -1 else e for e in extents), True
    shape = c.inputs[i].shape
    if rank == 1 and shape is not None and isinstance(shape[0], int):
        return (OPEN,) * shape[0], True
    return None, False


def _facts(c: Inference, i: int = 0) -> Elements:
    known = c.value(i)
    return known if isinstance(known, Elements) else Elements(None, None, True)


def _element(c: Inference, shape_input: int) -> tuple[Extent, ...] | None:
    """The shape of one element of the list in input 0."""
    shape, facts = _declared(c, shape_input)[0], _facts(c)
    if shape is None:
        shape = facts.shape
    elif facts.shape is not None and len(facts.shape) == len(shape):
        shape = tuple(
            f if e == OPEN and f is not None else e for e, f in zip(shape, facts.shape, strict=True)
        )
    if shape is None:
        return None
    return tuple(c.fresh() if e is None or e == OPEN else e for e in shape)


def _list(c: Inference, facts: Elements) -> ValueType:
    c.know(facts)
    return ValueType(VARIANT, ())


def _scalar(c: Inference, i: int) -> Extent | None:
    extents = c.extents(i)
    return extents[0] if extents else None


def _same_list(c: Inference) -> ValueType:
    return _list(c, _facts(c))


def _item_type(c: Inference) -> ValueType:
    return ValueType(c.attrs["element_dtype"], _element(c, 2))


def _stacked(c: Inference, first: Extent | None, shape_input: int) -> ValueType:
    element = _element(c, shape_input)
    dtype = c.attrs["element_dtype"]
    if element is None:
        return ValueType(dtype)
    return ValueType(dtype, (c.fresh() if first is None else first, *element))


# Ops

FRESH = READS  # a list made once for all calls would be shared by them


@op(
    "EmptyTensorList",
    type=lambda c: _list(c, Elements(0, *_declared(c, 0))),
    effect=FRESH,
    exact=True,
)
def empty(element_shape: Array, max_num_elements: Array, *, element_dtype: DType) -> TensorList:
    """A list without elements, of at most so many where that is not negative."""
    return TensorList(element_dtype, partial(element_shape), [], max(int(max_num_elements), -1))


@op(
    "TensorListReserve",
    type=lambda c: _list(c, Elements(_scalar(c, 1), *_declared(c, 0))),
    effect=FRESH,
    exact=True,
)
def reserve(element_shape: Array, num_elements: Array, *, element_dtype: DType) -> TensorList:
    """A list of elements that are not set."""
    count = int(num_elements)
    if count < 0:
        raise ValueError(f"the number of elements should be at least 0, got {count}")
    return TensorList(element_dtype, partial(element_shape), [None] * count)


def _from_tensor_type(c: Inference) -> ValueType:
    shape = c.inputs[0].shape
    if shape is None:
        return _list(c, Elements(None, *_declared(c, 1)))
    if not shape:
        raise ValueError("a scalar has no rows")
    return _list(c, Elements(shape[0], shape[1:], True))


@op("TensorListFromTensor", type=_from_tensor_type, effect=FRESH, exact=True)
def from_tensor(tensor: Array, element_shape: Array, *, element_dtype: DType) -> TensorList:
    """The rows of a tensor as a list."""
    if not tensor.ndim:
        raise ValueError("a scalar has no rows")
    shape = partial(element_shape)
    if not fits(shape, tensor.shape[1:]):
        raise ValueError(f"rows of shape {list(tensor.shape[1:])}, expected {spell(shape)}")
    return TensorList(element_dtype, merge(shape, tensor.shape[1:]), unstack(tensor, element_dtype))


@op("TensorListGetItem", type=_item_type, exact=True)
def get_item(
    input_handle: Any, index: Array, element_shape: Array, *, element_dtype: DType
) -> Item:
    """One element; zeros where it is not set and the shape is known."""
    handle = _check(input_handle, element_dtype)
    item = handle.items()[_index(handle, index)]
    if item is not None:
        return item
    return zeros(element_dtype, _full_shape(handle, partial(element_shape)))


def _set_item_type(c: Inference) -> ValueType:
    facts = _facts(c).with_item(c.inputs[2])
    return _list(c, facts._replace(length=None) if c.attrs[_RESIZE] else facts)


_RESIZE = "resize_if_index_out_of_bounds"


@op("TensorListSetItem", type=_set_item_type, exact=True)
def set_item(
    input_handle: Any,
    index: Array,
    item: Item,
    *,
    element_dtype: DType,
    resize_if_index_out_of_bounds: bool = False,
) -> TensorList:
    """The list with another element at a place, grown to it where the attribute says so."""
    handle = _check(input_handle, element_dtype)
    number = int(index)
    if resize_if_index_out_of_bounds and number >= len(handle.items()):
        if number > 1 << 30:
            raise IndexError(f"element {number} is too far from the list's end")
        while len(handle.items()) <= number:
            handle = handle.push(None)
    handle.fit(item)
    return handle.set(_index(handle, index), item)


def _push_type(c: Inference) -> ValueType:
    facts = _facts(c).with_item(c.inputs[1])
    return _list(c, facts._replace(length=None if facts.length is None else facts.length + 1))


@op("TensorListPushBack", type=_push_type, exact=True)
def push_back(input_handle: Any, tensor: Item, *, element_dtype: DType) -> TensorList:
    """The list with one more element."""
    handle = _check(input_handle, element_dtype)
    handle.fit(tensor)
    return handle.push(tensor)


@op("TensorListPushBackBatch", type=lambda c: ValueType(VARIANT, c.inputs[0].shape), exact=True)
def push_back_batch(input_handles: Array, tensor: Array, *, element_dtype: DType) -> Array:
    """Lists with one more element each: a row of a tensor."""
    handles = np.asarray(input_handles, object)
    if len(tensor) != handles.size:
        raise ValueError(f"{len(tensor)} rows for {handles.size} lists")
    result = np.empty(handles.shape, object)
    for number, (handle, item) in enumerate(
        zip(handles.flat, unstack(tensor, element_dtype), strict=True)
    ):
        result.flat[number] = push_back(handle, item, element_dtype=element_dtype)
    return result


def _pop_type(c: Inference) -> list[ValueType]:
    facts = _facts(c)
    element = _element(c, 1)
    shorter = None if facts.length is None else facts.length - 1
    c.know(facts._replace(length=shorter), None)
    return [ValueType(VARIANT, ()), ValueType(c.attrs["element_dtype"], element)]


@op("TensorListPopBack", type=_pop_type, exact=True, outputs=("output_handle", "tensor"))
def pop_back(
    input_handle: Any, element_shape: Array, *, element_dtype: DType
) -> tuple[TensorList, Item]:
    """The list without its last element, and that element."""
    handle = _check(input_handle, element_dtype)
    if not handle.items():
        raise ValueError("an empty list has no last element")
    item = handle.items()[-1]
    if item is None:
        item = zeros(element_dtype, _full_shape(handle, partial(element_shape)))
    return handle.pop(), item


def _length_type(c: Inference) -> ValueType:
    length = _facts(c).length
    if length is not None:
        c.know(np.array(length, object if isinstance(length, Dim) else np.int32))
    return ValueType(INT32, ())


@op("TensorListLength", type=_length_type, exact=True)
def length(input_handle: Any) -> Array:
    """The number of elements."""
    return np.asarray(len(_check(input_handle, None).items()), np.int32)


@op(
    "TensorListResize",
    type=lambda c: _list(c, _facts(c)._replace(length=_scalar(c, 1))),
    exact=True,
)
def resize(input_handle: Any, size: Array) -> TensorList:
    """The first `size` elements, followed by ones that are not set where there are fewer."""
    handle, count = _check(input_handle, None), int(size)
    if count < 0:
        raise ValueError(f"the size of a list should be at least 0, got {count}")
    items = handle.items()[:count]
    return handle.like(items + [None] * (count - len(items)))


@op(
    "TensorListElementShape",
    type=lambda c: ValueType(c.attrs["shape_type"]),
    exact=True,
)
def element_shape(input_handle: Any, *, shape_type: DType) -> Array:
    """The shape that elements must have: -1 where it is unknown, alone for an unknown rank."""
    shape = _check(input_handle, None).shape
    extents = -1 if shape is None else [-1 if e is None else e for e in shape]
    return np.asarray(extents, shape_type.numpy)


def _stack_type(c: Inference) -> ValueType:
    count = c.attrs["num_elements"]
    return _stacked(c, _facts(c).length if count < 0 else count, 1)


@op("TensorListStack", type=_stack_type, exact=True)
def stack_list(
    input_handle: Any, element_shape: Array, *, element_dtype: DType, num_elements: int = -1
) -> Array:
    """All elements as one tensor; zeros for those that are not set."""
    handle = _check(input_handle, element_dtype)
    items = handle.items()
    if num_elements not in (-1, len(items)):
        raise ValueError(f"a list of {len(items)} elements, expected {num_elements}")
    return _stack_items(handle, items, partial(element_shape))


def _stack_items(handle: TensorList, items: Sequence[Item | None], wanted: Partial) -> Array:
    if handle.dtype == VARIANT:
        return stack(items, VARIANT, ())
    shape = _full_shape(handle, wanted)
    blank = zeros(handle.dtype, shape) if any(item is None for item in items) else None
    return stack([blank if item is None else item for item in items], handle.dtype, shape)


def _gather_type(c: Inference) -> ValueType:
    shape = c.inputs[1].shape
    return _stacked(c, shape[0] if shape else None, 2)


@op("TensorListGather", type=_gather_type, exact=True)
def gather(
    input_handle: Any, indices: Array, element_shape: Array, *, element_dtype: DType
) -> Array:
    """Some elements as one tensor; zeros for those that are not set."""
    handle = _check(input_handle, element_dtype)
    items = [handle.items()[_index(handle, index)] for index in indices]
    return _stack_items(handle, items, partial(element_shape))


def _row_facts(c: Inference, shape_input: int) -> Elements:
    shape = c.inputs[0].shape
    return Elements(None, *(_declared(c, shape_input) if shape is None else (shape[1:], True)))


@op("TensorListScatter", type=lambda c: _list(c, _row_facts(c, 2)), effect=FRESH, exact=True)
def scatter(
    tensor: Array, indices: Array, element_shape: Array, *, element_dtype: DType
) -> TensorList:
    """A list with rows of a tensor at given places, as long as the largest of them asks for."""
    return scatter_v2(tensor, indices, element_shape, np.asarray(-1), element_dtype=element_dtype)


@op("TensorListScatterV2", type=lambda c: _list(c, _row_facts(c, 2)), effect=FRESH, exact=True)
def scatter_v2(
    tensor: Array,
    indices: Array,
    element_shape: Array,
    num_elements: Array,
    *,
    element_dtype: DType,
) -> TensorList:
    """A list of so many elements (-1: as many as needed) with rows of a tensor at given places."""
    count = int(num_elements)
    if count < -1:
        raise ValueError(f"the number of elements should be at least -1, got {count}")
    if count == -1:
        count = int(indices.max()) + 1 if indices.size else 0
    if count > max(1 << 24, 1024 * indices.size):
        raise ValueError(f"a list of {count} elements for {indices.size} indices is too long")
    handle = TensorList(element_dtype, partial(element_shape), [None] * count)
    return _put(handle, tensor, indices)


def _put(handle: TensorList, tensor: Array, indices: Array) -> TensorList:
    if indices.ndim != 1 or not tensor.ndim or len(tensor) != len(indices):
        raise ValueError(
            f"a tensor of shape {list(tensor.shape)} for indices of shape {list(indices.shape)}"
        )
    items = list(handle.items())
    for index, item in zip(indices.tolist(), unstack(tensor, handle.dtype), strict=True):
        if not 0 <= index < len(items):
            raise IndexError(f"element {index} of a list of {len(items)} elements")
        handle.fit(item)
        items[index] = item
    return handle.like(items)


def _into_existing_type(c: Inference) -> ValueType:
    shape = c.inputs[1].shape
    row = ValueType(c.inputs[1].dtype, None if shape is None else shape[1:])
    return _list(c, _facts(c).with_item(row)._replace(length=None))


@op("TensorListScatterIntoExistingList", type=_into_existing_type, exact=True)
def scatter_into(
    input_handle: Any, tensor: Array, indices: Array, *, element_dtype: DType
) -> TensorList:
    """The list with rows of a tensor at given places, grown where they ask for it."""
    handle = _check(input_handle, element_dtype)
    count = int(indices.max()) + 1 if indices.size else 0
    if count > max(1 << 24, 1024 * indices.size):
        raise ValueError(f"a list of {count} elements for {indices.size} indices is too long")
    items = handle.items()
    longer = handle.like(list(items) + [None] * max(0, count - len(items)))
    return _put(longer, tensor, indices)


def _concat_type(c: Inference) -> list[ValueType]:
    facts = _facts(c)
    element = c.attrs.get("element_shape") if len(c.inputs) == 1 else _element(c, 1)
    shape = element if element is not None else facts.shape
    kind = ValueType(c.attrs["element_dtype"])
    if shape:
        rest = tuple(c.fresh() if e is None or e == OPEN else e for e in shape[1:])
        kind = kind._replace(shape=(c.fresh(), *rest))
    return [kind, ValueType(INT64, (c.fresh() if facts.length is None else facts.length,))]


@op("TensorListConcat", type=_concat_type, exact=True, outputs=("tensor", "lengths"))
def concat(
    input_handle: Any, *, element_dtype: DType, element_shape: Partial = None
) -> tuple[Array, Array]:
    """All elements one after the other along their first axis, and how long each is."""
    return _concat(_check(input_handle, element_dtype), element_shape, [])


@op("TensorListConcatV2", type=_concat_type, exact=True, outputs=("tensor", "lengths"))
def concat_v2(
    input_handle: Any, element_shape: Array, leading_dims: Array, *, element_dtype: DType
) -> tuple[Array, Array]:
    """As `concat`; `leading_dims` says how long elements are that are not set."""
    handle = _check(input_handle, element_dtype)
    return _concat(handle, partial(element_shape), leading_dims.tolist())


def _concat(handle: TensorList, wanted: Partial, leading: list[int]) -> tuple[Array, Array]:
    items = handle.items()
    shape = merge(handle.shape, wanted)
    if shape == () or (shape is None and any(i is not None and not i.ndim for i in items)):
        raise ValueError("elements of a list that is concatenated should be at least vectors")
    rest = None if shape is None else shape[1:]
    for item in items:
        if item is not None:
            rest = merge(rest, item.shape[1:])
    if rest is None or None in rest:
        raise ValueError(f"elements are not set and their shape is not known: {spell(shape)}")
    first = shape[0] if shape is not None else None
    known = {len(item) for item in items if item is not None}
    if first is None and len(known) == 1:
        first = known.pop()
    lengths, parts = [], []
    for number, item in enumerate(items):
        if item is None:
            length = leading[number] if number < len(leading) else first
            if length is None:
                raise ValueError(f"element {number} is not set and its length is not known")
            item = zeros(handle.dtype, (length, *(e for e in rest if e is not None)))
        parts.append(item)
        lengths.append(len(item))
    empty_part = np.empty((0, *(e for e in rest if e is not None)), handle.dtype.numpy)
    return np.concatenate([empty_part, *parts]), np.asarray(lengths, np.int64)


@op("TensorListConcatLists", type=lambda c: c.inputs[0], exact=True)
def concat_lists(input_a: Any, input_b: Any, *, element_dtype: DType) -> Any:
    """The elements of one list followed by those of another, for each of two tensors of lists."""
    first, second = np.asarray(input_a, object), np.asarray(input_b, object)
    if first.shape != second.shape:
        raise ValueError(f"tensors of lists of shapes {first.shape} and {second.shape}")
    result = np.empty(first.shape, object)
    for number, (a, b) in enumerate(zip(first.flat, second.flat, strict=True)):
        a, b = _check(a, element_dtype), _check(b, element_dtype)
        result.flat[number] = TensorList(
            element_dtype, merge(a.shape, b.shape), [*a.items(), *b.items()], a.most
        )
    return result if result.ndim else result.item()


def _split_type(c: Inference) -> ValueType:
    return _list(c, Elements(None, None, True))


@op("TensorListSplit", type=_split_type, effect=FRESH, exact=True)
def split(
    tensor: Array, element_shape: Array, lengths: Array, *, element_dtype: DType
) -> TensorList:
    """Pieces of a tensor along its first axis as a list."""
    shape = partial(element_shape)
    if not tensor.ndim or lengths.ndim != 1:
        raise ValueError("expected a tensor that is no scalar and a vector of lengths")
    if (lengths < 0).any() or lengths.sum() != len(tensor):
        raise ValueError(f"lengths {lengths.tolist()} should add up to {len(tensor)} rows")
    items = np.split(tensor, np.cumsum(lengths)[:-1]) if len(lengths) else []
    handle = TensorList(element_dtype, shape, list(items))
    for item in items:
        handle.fit(item)
    return handle


class TensorMap(Handle):
    """Tensors by tensors; a value, as lists are."""

    __slots__ = ("items",)
    kind = "map of tensors"

    def __init__(self, items: dict[Any, tuple[Array, Item]]) -> None:
        self.items = items

    def zeros(self) -> TensorMap:
        """The map without entries."""
        return TensorMap({})

    def __add__(self, other: Any) -> TensorMap:
        """The entries of both, those of one key added up."""
        items = dict(self.items)
        for name, (key, value) in _map(other).items.items():
            items[name] = (key, items[name][1] + value if name in items else value)
        return TensorMap(items)


def _map(handle: Any) -> TensorMap:
    if not isinstance(handle, TensorMap):
        raise ValueError(f"expected a map of tensors, got {handle!r}")
    return handle


def _key(key: Array) -> Any:
    content = tuple(key.ravel().tolist()) if key.dtype == object else key.tobytes()
    return key.dtype.str, key.shape, content


def _any_map(c: Inference) -> ValueType:
    return ValueType(VARIANT, ())


@op("EmptyTensorMap", type=_any_map, effect=FRESH, exact=True)
def empty_map() -> TensorMap:
    """A map without entries."""
    return TensorMap({})


@op("TensorMapSize", type=lambda c: ValueType(INT32, ()), exact=True)
def map_size(input_handle: Any) -> Array:
    """The number of entries."""
    return np.asarray(len(_map(input_handle).items), np.int32)


@op("TensorMapInsert", type=_any_map, exact=True)
def map_insert(input_handle: Any, key: Array, value: Item) -> TensorMap:
    """The map with one more entry, or another value for a key."""
    return TensorMap(_map(input_handle).items | {_key(key): (key, value)})


@op("TensorMapLookup", type=lambda c: ValueType(c.attrs["value_dtype"]), exact=True)
def map_lookup(input_handle: Any, key: Array, *, value_dtype: DType) -> Item:
    """The value of a key that the map has."""
    found = _map(input_handle).items.get(_key(key))
    if found is None:
        raise ValueError("the map does not have this key")
    return found[1]


@op("TensorMapErase", type=_any_map, exact=True)
def map_erase(input_handle: Any, key: Array) -> TensorMap:
    """The map without a key that it has."""
    items = dict(_map(input_handle).items)
    if items.pop(_key(key), None) is None:
        raise ValueError("the map does not have this key")
    return TensorMap(items)


@op("TensorMapHasKey", type=lambda c: ValueType(BOOL, ()), exact=True)
def map_has_key(input_handle: Any, key: Array) -> Array:
    """Whether the map has a key."""
    return np.asarray(_key(key) in _map(input_handle).items)


@op("TensorMapStackKeys", type=lambda c: ValueType(c.attrs["key_dtype"]), exact=True)
def map_keys(input_handle: Any, *, key_dtype: DType) -> Array:
    """All keys as one tensor, in the order of their insertion (TensorFlow says none)."""
    keys = [key for key, _ in _map(input_handle).items.values()]
    if not keys:
        raise ValueError("an empty map has no keys to stack")
    return stack(keys, key_dtype, keys[0].shape)
