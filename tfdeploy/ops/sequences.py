"""tf.train.SequenceExample: features of a context, and lists of features, one a step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..dtypes import INT64, DType
from ..graph.types import Extent, ValueType
from .parsing import (
    Features,
    Shape,
    array_of,
    dense_feature,
    field_map,
    flat_lists,
    sparse_lists,
    submessages,
    value_lists,
    values_of,
)
from .registry import op
from .rules import Inference
from .string import encoded

Array = NDArray[Any]
Steps = list[list[Any]]


class _Asked(NamedTuple):
    """Keys and dtypes of features.

    A dense one has its default, or whether a list may be missing, and its shape between the two.
    """

    sparse: list[tuple[bytes, DType]]
    dense: list[tuple[bytes, Any, Shape, DType]]
    ragged: Sequence[tuple[bytes, DType, DType]] = ()


def _read(serialized: Array) -> tuple[list[Features], list[dict[bytes, list[bytes]]]]:
    """Contexts and feature lists of each SequenceExample."""
    contexts, lists = [], []
    for data in serialized.ravel():
        contexts.append(field_map(b"".join(submessages(data, 1))))
        found = field_map(b"".join(submessages(data, 2)))
        lists.append({key: submessages(value, 1) for key, value in found.items()})
    return contexts, lists


def _steps(rows: list[dict[bytes, list[bytes]]], key: bytes, dtype: DType) -> list[Steps]:
    return [[values_of(f, dtype, key) or [] for f in row.get(key, [])] for row in rows]


def _sparse(rows: list[Steps], dtype: DType, scalar: bool) -> tuple[Array, Array, Array]:
    places = [
        (i, t, j)
        for i, steps in enumerate(rows)
        for t, step in enumerate(steps)
        for j in range(len(step))
    ]
    shape = np.array(
        [
            len(rows),
            max(map(len, rows), default=0),
            max((len(step) for steps in rows for step in steps), default=0),
        ],
        np.int64,
    )
    indices = np.array(places, np.int64).reshape(-1, 3)
    flat = array_of([v for steps in rows for step in steps for v in step], dtype)
    return (indices[:, 1:], flat, shape[1:]) if scalar else (indices, flat, shape)


def _dense(
    rows: list[dict[bytes, list[bytes]]], key: bytes, optional: bool, shape: Shape, dtype: DType
) -> tuple[Array, Array]:
    """``[batch, longest, *shape]``, filled with zeros, and the length of each row."""
    name = key.decode(errors="replace")
    if not optional and any(key not in row for row in rows):
        raise ValueError(f"feature list {name} is required but was not found")
    inner = [int(e or 0) for e in shape]
    size = int(np.prod(inner))
    steps = _steps(rows, key, dtype)
    if any(len(step) != size for row in steps for step in row):
        raise ValueError(f"a step of feature list {name} has not the {size} values of {inner}")
    lengths = np.array([len(row) for row in steps], np.int64)
    result = np.full(
        (len(rows), int(lengths.max(initial=0)), *inner),
        array_of([], dtype).dtype.type() if dtype != "string" else b"",
        dtype.numpy,
    )
    for i, row in enumerate(steps):
        for t, step in enumerate(row):
            result[i, t] = array_of(step, dtype).reshape(inner)
    return result, lengths


def _cumulated(counts: Iterable[int], dtype: DType) -> Array:
    return np.cumsum([0, *counts]).astype(dtype.numpy)


def _columns(found: Iterable[tuple[Array, ...]], count: int) -> list[Array]:
    """All first parts, then all second parts, and so on."""
    parts = list(found)
    return [part[i] for i in range(count) for part in parts]


def _parsed(serialized: Array, context: _Asked, lists: _Asked, lengths: bool) -> tuple[Array, ...]:
    if serialized.ndim > 1:
        raise ValueError(f"a scalar or vector is expected, not shape {serialized.shape}")
    scalar = serialized.ndim == 0
    rows, steps = _read(serialized)
    one: Callable[[Array], Array] = (lambda x: x.reshape(x.shape[1:])) if scalar else (lambda x: x)
    result = _columns(
        (sparse_lists(value_lists(rows, k, t), t, scalar) for k, t in context.sparse), 3
    )
    result += [one(dense_feature(rows, *column)) for column in context.dense]
    ragged = [(value_lists(rows, k, t), t, s) for k, t, s in context.ragged]
    result += [flat_lists(found, t) for found, t, _ in ragged]
    result += [_cumulated(map(len, found), s) for found, _, s in ragged]
    result += _columns((_sparse(_steps(steps, k, t), t, scalar) for k, t in lists.sparse), 3)
    dense = [tuple(map(one, _dense(steps, *column))) for column in lists.dense]
    result += _columns(dense, 2 if lengths else 1)
    found = [(_steps(steps, k, t), t, s) for k, t, s in lists.ragged]
    result += [array_of([v for row in f for step in row for v in step], t) for f, t, _ in found]
    result += [_cumulated(map(len, f), s) for f, _, s in found]
    result += [_cumulated((len(step) for row in f for step in row), s) for f, _, s in found]
    return tuple(result)


Lead: TypeAlias = tuple[Extent, ...] | None


def _sparse_kinds(c: Inference, dtypes: Sequence[DType], rank: Extent) -> list[ValueType]:
    counts = [c.fresh() for _ in dtypes]
    return [
        *(ValueType(INT64, (n, rank)) for n in counts),
        *(ValueType(t, (n,)) for t, n in zip(dtypes, counts, strict=True)),
        *(ValueType(INT64, (rank,)) for _ in dtypes),
    ]


def _dense_kinds(c: Inference, lead: Lead, what: str, steps: bool) -> list[ValueType]:
    if lead is None:
        return [ValueType(t) for t in c.attrs[_DENSE_TYPES[what]]]
    found = []
    for dtype, extents in zip(
        c.attrs[_DENSE_TYPES[what]], c.attrs[f"{what}_dense_shapes"], strict=True
    ):
        inner = tuple(c.fresh() if e in (None, -1) else e for e in extents)
        found.append(ValueType(dtype, (*lead, *((c.fresh(),) if steps else ()), *inner)))
    return found


def _loose_kinds(c: Inference, dtypes: Sequence[DType]) -> list[ValueType]:
    return [ValueType(t, (c.fresh(),)) for t in dtypes]


_DENSE_TYPES = {"context": "Tcontext_dense", "feature_list": "feature_list_dense_types"}


def _kinds(c: Inference, lead: Lead, ragged: bool, lengths: bool) -> list[ValueType]:
    """Types of the outputs; `lead` is the batch, empty for a single SequenceExample."""
    a = c.attrs
    rank: Extent = c.fresh() if lead is None else len(lead) + 1
    types = _sparse_kinds(c, a["context_sparse_types"], rank)
    types += _dense_kinds(c, lead, "context", False)
    if ragged:
        types += _loose_kinds(c, a["context_ragged_value_types"])
        types += _loose_kinds(c, a["context_ragged_split_types"])
    types += _sparse_kinds(c, a["feature_list_sparse_types"], rank + 1)
    types += _dense_kinds(c, lead, "feature_list", True)
    if lengths:
        types += [ValueType(INT64, lead) for _ in a["feature_list_dense_types"]]
    if ragged:
        types += _loose_kinds(c, a["feature_list_ragged_value_types"])
        types += _loose_kinds(c, a["feature_list_ragged_split_types"])
        types += _loose_kinds(c, a["feature_list_ragged_split_types"])
    return types


def _outputs(ragged: bool, lengths: bool) -> tuple[str, ...]:
    def sparse(what: str) -> list[str]:
        return [
            f"{what}_sparse_{part}*{what}_sparse_types" for part in ("indices", "values", "shapes")
        ]

    return (
        *sparse("context"),
        "context_dense_values*Tcontext_dense",
        *(
            (
                "context_ragged_values*context_ragged_value_types",
                "context_ragged_row_splits*context_ragged_split_types",
            )
            if ragged
            else ()
        ),
        *sparse("feature_list"),
        "feature_list_dense_values*feature_list_dense_types",
        *(("feature_list_dense_lengths*feature_list_dense_types",) if lengths else ()),
        *(
            (
                "feature_list_ragged_values*feature_list_ragged_value_types",
                "feature_list_ragged_outer_splits*feature_list_ragged_split_types",
                "feature_list_ragged_inner_splits*feature_list_ragged_split_types",
            )
            if ragged
            else ()
        ),
    )


def _keys(keys: Iterable[str | bytes]) -> list[bytes]:
    return [encoded(key) for key in keys]


@op(
    "ParseSequenceExample",
    type=lambda c: _kinds(c, c.inputs[0].shape, False, True),
    exact=True,
    outputs=_outputs(False, True),
    ranks="11*",
)
def parse_sequence_example(
    serialized: Array,
    debug_name: Array,
    *defaults: Array,
    feature_list_dense_missing_assumed_empty: Sequence[str | bytes],
    context_sparse_keys: Sequence[str | bytes],
    context_dense_keys: Sequence[str | bytes],
    feature_list_sparse_keys: Sequence[str | bytes],
    feature_list_dense_keys: Sequence[str | bytes],
    context_sparse_types: Sequence[DType] = (),
    Tcontext_dense: Sequence[DType] = (),
    feature_list_dense_types: Sequence[DType] = (),
    context_dense_shapes: Sequence[Shape] = (),
    feature_list_sparse_types: Sequence[DType] = (),
    feature_list_dense_shapes: Sequence[Shape] = (),
) -> tuple[Array, ...]:
    """Features of the context and of the steps of SequenceExamples (tf.io.parse_sequence_example).

    Raises ValueError for bytes that are none, wrong dtypes and wrong numbers of values.
    """
    missing = _keys(feature_list_dense_missing_assumed_empty)
    dense = _keys(feature_list_dense_keys)
    context = _Asked(
        list(zip(_keys(context_sparse_keys), context_sparse_types, strict=True)),
        list(
            zip(
                _keys(context_dense_keys),
                defaults,
                context_dense_shapes,
                Tcontext_dense,
                strict=True,
            )
        ),
    )
    lists = _Asked(
        list(zip(_keys(feature_list_sparse_keys), feature_list_sparse_types, strict=True)),
        list(
            zip(
                dense,
                (k in missing for k in dense),
                feature_list_dense_shapes,
                feature_list_dense_types,
                strict=True,
            )
        ),
    )
    return _parsed(serialized, context, lists, True)


@op(
    "ParseSequenceExampleV2",
    type=lambda c: _kinds(c, c.inputs[0].shape, True, True),
    exact=True,
    outputs=_outputs(True, True),
)
def parse_sequence_example_v2(
    serialized: Array,
    debug_name: Array,
    context_sparse_keys: Array,
    context_dense_keys: Array,
    context_ragged_keys: Array,
    feature_list_sparse_keys: Array,
    feature_list_dense_keys: Array,
    feature_list_ragged_keys: Array,
    missing_assumed_empty: Array,
    *defaults: Array,
    Tcontext_dense: Sequence[DType] = (),
    context_sparse_types: Sequence[DType] = (),
    context_ragged_value_types: Sequence[DType] = (),
    context_ragged_split_types: Sequence[DType] = (),
    context_dense_shapes: Sequence[Shape] = (),
    feature_list_dense_types: Sequence[DType] = (),
    feature_list_sparse_types: Sequence[DType] = (),
    feature_list_ragged_value_types: Sequence[DType] = (),
    feature_list_ragged_split_types: Sequence[DType] = (),
    feature_list_dense_shapes: Sequence[Shape] = (),
) -> tuple[Array, ...]:
    """As `parse_sequence_example`, of one or a vector, with ragged features too."""
    context = _Asked(
        list(zip(context_sparse_keys.tolist(), context_sparse_types, strict=True)),
        list(
            zip(
                context_dense_keys.tolist(),
                defaults,
                context_dense_shapes,
                Tcontext_dense,
                strict=True,
            )
        ),
        list(
            zip(
                context_ragged_keys.tolist(),
                context_ragged_value_types,
                context_ragged_split_types,
                strict=True,
            )
        ),
    )
    lists = _Asked(
        list(zip(feature_list_sparse_keys.tolist(), feature_list_sparse_types, strict=True)),
        list(
            zip(
                feature_list_dense_keys.tolist(),
                missing_assumed_empty.tolist(),
                feature_list_dense_shapes,
                feature_list_dense_types,
                strict=True,
            )
        ),
        list(
            zip(
                feature_list_ragged_keys.tolist(),
                feature_list_ragged_value_types,
                feature_list_ragged_split_types,
                strict=True,
            )
        ),
    )
    return _parsed(serialized, context, lists, True)


@op(
    "ParseSingleSequenceExample",
    type=lambda c: _kinds(c, (), False, False),
    exact=True,
    outputs=_outputs(False, False),
)
def parse_single_sequence_example(
    serialized: Array,
    missing_assumed_empty: Array,
    *rest: Array,
    context_sparse_types: Sequence[DType] = (),
    Tcontext_dense: Sequence[DType] = (),
    feature_list_dense_types: Sequence[DType] = (),
    context_dense_shapes: Sequence[Shape] = (),
    feature_list_sparse_types: Sequence[DType] = (),
    feature_list_dense_shapes: Sequence[Shape] = (),
) -> tuple[Array, ...]:
    """As `parse_sequence_example`, of one (tf.io.parse_single_sequence_example).

    `rest` are the keys (context sparse and dense, lists sparse and dense), the defaults of the
    context's dense features, and a name for errors.
    """
    if serialized.ndim:
        raise ValueError(f"a scalar is expected, not shape {serialized.shape}")
    counts = list(
        map(
            len,
            (
                context_sparse_types,
                Tcontext_dense,
                feature_list_sparse_types,
                feature_list_dense_types,
            ),
        )
    )
    ends = np.cumsum(counts).tolist()
    keys = [
        [key.item() for key in rest[end - n : end]] for n, end in zip(counts, ends, strict=True)
    ]
    defaults = rest[ends[-1] : -1]
    missing = set(missing_assumed_empty.tolist())
    context = _Asked(
        list(zip(keys[0], context_sparse_types, strict=True)),
        list(zip(keys[1], defaults, context_dense_shapes, Tcontext_dense, strict=True)),
    )
    lists = _Asked(
        list(zip(keys[2], feature_list_sparse_types, strict=True)),
        list(
            zip(
                keys[3],
                (k in missing for k in keys[3]),
                feature_list_dense_shapes,
                feature_list_dense_types,
                strict=True,
            )
        ),
    )
    return _parsed(serialized, context, lists, False)
