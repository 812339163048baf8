"""Types of array ops for symbolic extents: right for every size; shape arithmetic is followed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tfdeploy.dtypes import DType, from_numpy
from tfdeploy.graph.types import Dim, ValueType, evaluate
from tfdeploy.ops.infer import infer
from tfdeploy.ops.registry import get

N = Dim.symbol("n")


def inferred(op: str, inputs: list[tuple[Any, Any]], **attrs: Any) -> tuple[Any, Any]:
    """Types and values of an op's outputs; an input is a shape, or None, and a value, or None."""
    counter = iter(range(1000))
    types = []
    for shape, value in inputs:
        dtype = (
            DType("float32")
            if value is None
            else (DType("int32") if value.dtype == object else from_numpy(value.dtype))
        )
        types.append(ValueType(dtype, shape if value is None or shape is not None else value.shape))
    return infer(
        get(op), attrs, types, [v for _, v in inputs], lambda: Dim.symbol(f"?{next(counter)}")
    )


def vector(*values: Any) -> Any:
    result = np.empty(len(values), object if any(isinstance(v, Dim) for v in values) else np.int32)
    result[:] = values
    return result


BOUNDS = (None, -6, -3, -1, 0, 1, 3, 4, 7)


@pytest.mark.parametrize("step", [1, 2, 3, -1, -2])
def test_strided_slices_of_symbolic_extents_are_right_for_every_size(step: int) -> None:
    known = 0
    for begin in BOUNDS:
        for end in BOUNDS:
            (kind,), _ = inferred(
                "StridedSlice",
                [((N, 2), None), *((None, vector(v)) for v in (begin or 0, end or 0, step))],
                begin_mask=begin is None,
                end_mask=end is None,
            )
            if any("?" in s for s in getattr(kind.shape[0], "symbols", set)()):
                continue
            known += 1
            for n in range(9):
                want = len(range(n)[begin:end:step])
                assert evaluate(kind.shape[0], {"n": n}) == want, (begin, end, step, n)
    assert known >= (30 if step > 0 else 1)


def test_shape_arithmetic_of_a_flatten_is_followed() -> None:
    _, (shape,) = inferred("Shape", [((N, 4, 5), None)])
    assert shape.tolist() == [N, 4, 5]
    _, (batch,) = inferred(
        "StridedSlice",
        [(None, shape), (None, vector(0)), (None, vector(1)), (None, vector(1))],
        shrink_axis_mask=1,
    )
    assert batch.item() == N
    _, (packed,) = inferred("Pack", [(None, batch), (None, np.array(-1, np.int32))], axis=0)
    (kind,), _ = inferred("Reshape", [((N, 4, 5), None), (None, packed)])
    assert kind.shape == (N, 20)


@pytest.mark.parametrize(
    ("op", "inputs", "attrs", "want"),
    [
        ("ConcatV2", [vector(N, 2), vector(3), np.array(0, np.int32)], {}, [N, 2, 3]),
        ("GatherV2", [vector(N, 2, 7), vector(2, 0), np.array(0, np.int32)], {}, [7, N]),
        ("Slice", [vector(N, 2, 7), vector(1), vector(2)], {}, [2, 7]),
        ("ExpandDims", [vector(N), np.array(0, np.int32)], {}, [[N]]),
        ("Squeeze", [vector(N)], {"squeeze_dims": (0,)}, N),
        ("Cast", [vector(N, 2)], {"DstT": DType("int64")}, [N, 2]),
        ("Reshape", [vector(N, 2), vector(2, 1)], {}, [[N], [2]]),
        ("Tile", [vector(N), vector(2)], {}, [N, N]),
        ("BroadcastArgs", [vector(N, 1), vector(3)], {}, [N, 3]),
    ],
)
def test_values_of_extents_are_followed(op: str, inputs: Any, attrs: Any, want: Any) -> None:
    _, (value,) = inferred(op, [(None, v) for v in inputs], **attrs)
    assert value.tolist() == want


@pytest.mark.parametrize(
    ("op", "inputs", "attrs", "want"),
    [
        ("Pad", [((N, 3), None), (None, np.array([[0, 0], [1, 2]], np.int32))], {}, (N, 6)),
        ("Tile", [((N, 3), None), (None, vector(2, 2))], {}, (2 * N, 6)),
        ("BroadcastTo", [((1, 3), None), (None, vector(N, 3))], {}, (N, 3)),
        ("Fill", [(None, vector(N, 3)), ((), None)], {}, (N, 3)),
        (
            "Range",
            [
                (None, np.array(0, np.int32)),
                (None, vector(N).reshape(())),
                (None, np.array(1, np.int32)),
            ],
            {},
            (N,),
        ),
        ("ConcatV2", [((N, 3), None), ((N, 2), None), (None, np.array(-1, np.int32))], {}, (N, 5)),
        (
            "ConcatV2",
            [((N, 3), None), ((4, 3), None), (None, np.array(0, np.int32))],
            {},
            (N + 4, 3),
        ),
        ("Transpose", [((N, 3), None), (None, vector(1, 0))], {}, (3, N)),
        (
            "OneHot",
            [((N,), None), (None, np.array(5, np.int32)), ((), None), ((), None)],
            {"axis": -1},
            (N, 5),
        ),
        (
            "GatherV2",
            [((7, 3), None), ((N, 4), None), (None, np.array(0, np.int32))],
            {},
            (N, 4, 3),
        ),
        ("Reshape", [((N, 4, 6), None), (None, vector(-1, 8))], {}, (3 * N, 8)),
        ("DepthToSpace", [((N, 2, 3, 8), None)], {"block_size": 2}, (N, 4, 6, 2)),
        (
            "SpaceToBatchND",
            [((N, 4, 3), None), (None, vector(2)), (None, np.array([[1, 1]], np.int32))],
            {},
            (2 * N, 3, 3),
        ),
        ("EnsureShape", [((N, 3), None)], {"shape": (None, 3)}, (N, 3)),
    ],
)
def test_symbolic_shapes(op: str, inputs: Any, attrs: Any, want: Any) -> None:
    (kind,), _ = inferred(op, inputs, **attrs)
    assert kind.shape == want
