"""What TensorFlow refuses on a CPU, against what it answers to the same thing said otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from tests.cases import Case, case, f32
from tests.test_ops import compare, evaluate

LAST = f32(2, 4, 6, 4)
FIRST = np.ascontiguousarray(np.moveaxis(LAST, -1, 1))
PLAIN = {"strides": [1, 1, 1, 1], "padding": "SAME"}
VIDEO, WINDOW = f32(1, 2, 3, 2, 3), f32(2, 3, 2, 4, 3)
SIZES = np.array([1, 2, 3, 2, 4], np.int32)
VIDEO_PLAIN = {"strides": [1] * 5, "padding": "SAME", "dilations": [1, 1, 2, 1, 1]}

CHANNELS_FIRST = [
    (
        case(op, FIRST, block_size=2, data_format="NCHW"),
        case(op, LAST, block_size=2),
    )
    for op in ("DepthToSpace", "SpaceToDepth")
]
CHANNELS_FIRST += [
    (
        case("MaxPoolV2", FIRST, [1, 1, 3, 2], [1, 1, 2, 2], padding="SAME", data_format="NCHW"),
        case("MaxPoolV2", LAST, [1, 3, 2, 1], [1, 2, 2, 1], padding="SAME"),
    ),
    (
        case(
            "MaxPoolGrad",
            FIRST,
            *[np.ascontiguousarray(FIRST[..., ::2, ::2])] * 2,
            ksize=[1, 1, 3, 2],
            strides=[1, 1, 2, 2],
            padding="SAME",
            data_format="NCHW",
        ),
        case(
            "MaxPoolGrad",
            LAST,
            *[np.ascontiguousarray(LAST[:, ::2, ::2])] * 2,
            ksize=[1, 3, 2, 1],
            strides=[1, 2, 2, 1],
            padding="SAME",
        ),
    ),
]
FILTERS = [
    tuple(
        case(op, *given, **PLAIN, **more)
        for given, more in (
            ((FIRST, size, FIRST), {"data_format": "NCHW"}),
            ((LAST, size, LAST), {}),
        )
    )
    for op, size in (
        ("Conv2DBackpropFilter", np.array([3, 2, 4, 4], np.int32)),
        ("DepthwiseConv2dNativeBackpropFilter", np.array([3, 2, 4, 1], np.int32)),
    )
]
CHANNELS_FIRST += [
    (
        case(
            "MaxPoolGradGrad", FIRST, FIRST, FIRST, **PLAIN, ksize=[1, 1, 3, 2], data_format="NCHW"
        ),
        case("MaxPoolGradGrad", LAST, LAST, LAST, **PLAIN, ksize=[1, 3, 2, 1]),
    ),
]
SAME = [
    *FILTERS,
    (case("Round", SIZES), case("Identity", SIZES)),
    (
        case("Conv", FIRST, f32(3, 2, 4, 5), data_format="CHANNELS_FIRST", **PLAIN),
        case("Conv2D", FIRST, f32(3, 2, 4, 5), data_format="NCHW", **PLAIN),
    ),
    (
        case("Conv", LAST, f32(3, 2, 2, 6), groups=2, **PLAIN),
        case("Conv2D", LAST, f32(3, 2, 2, 6), **PLAIN),
    ),
    (
        case("Conv3DBackpropInput", np.zeros(SIZES, np.float32), WINDOW, VIDEO, **VIDEO_PLAIN),
        case("Conv3DBackpropInputV2", SIZES, WINDOW, VIDEO, **VIDEO_PLAIN),
    ),
]
for x, w, bias, fused, plain, more in (
    (LAST, f32(3, 2, 4, 2), f32(8), "_FusedDepthwiseConv2dNative", "DepthwiseConv2dNative", {}),
    (VIDEO, f32(2, 3, 2, 3, 4), f32(4), "_FusedConv3D", "Conv3D", {"num_args": 1}),
):
    attrs = {"strides": [1] * x.ndim, "padding": "SAME"}
    row = case(fused, x[:0], w, [bias], fused_ops=["BiasAdd"], **attrs, **more)
    SAME.append((row, case(plain, x[:0].astype(np.float64), w.astype(np.float64), **attrs)))


def check(row: Case, sibling: Case, moved: bool) -> None:
    from tests.oracle import expected, lacks_kernel

    try:
        (want,) = expected(sibling)
    except Exception as error:
        if not lacks_kernel(error):
            raise
        pytest.skip("TensorFlow has no kernel for it on this machine")
    (got,) = evaluate(row)[0]
    want = (np.moveaxis(want, -1, 1) if moved else want).astype(row.inputs[0].dtype)
    assert got.dtype == want.dtype and got.shape == want.shape
    compare(got, want, row)


@pytest.mark.parametrize(("row", "sibling"), SAME, ids=lambda row: row.op)
def test_equals_sibling(row: Case, sibling: Case) -> None:
    check(row, sibling, moved=False)


@pytest.mark.parametrize(("row", "last"), CHANNELS_FIRST, ids=lambda row: row.op)
def test_equals_channels_last(row: Case, last: Case) -> None:
    check(row, last, moved=True)
