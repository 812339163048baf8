"""Convolutions beyond rows: transposes are adjoints, layouts agree, nonsense is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.cases import f64
from tfdeploy.ops import conv, conv_grad, registry

SHAPES = [  # image, filter, strides, dilations
    ((2, 7, 6, 4), (3, 2, 4, 5), (1, 1), (1, 1)),
    ((1, 8, 9, 4), (2, 3, 2, 6), (2, 3), (1, 1)),
    ((2, 9, 5, 3), (3, 1, 3, 2), (1, 1), (2, 3)),
    ((1, 5, 6, 4, 2), (2, 3, 2, 2, 3), (2, 1, 2), (1, 1, 1)),
    ((1, 1, 1, 2), (3, 3, 2, 2), (2, 2), (1, 1)),
]


def attributes(strides: Any, dilations: Any) -> dict[str, Any]:
    return {"strides": [1, *strides, 1], "dilations": [1, *dilations, 1]}


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(("shape", "window", "strides", "dilations"), SHAPES)
def test_transposed_is_the_adjoint(
    shape: Any, window: Any, strides: Any, dilations: Any, padding: str
) -> None:
    """<conv(x), y> = <x, transposed(y)> for all x and y; and = <w, gradient(x, y)>."""
    x, w = f64(*shape), f64(*window)
    if padding == "VALID" and min(shape[1:-1]) < 3:
        pytest.skip("the window does not fit")
    known = attributes(strides, dilations) | {"padding": padding, "data_format": "NHWC"}
    forward = conv.convolve(x, w, **known)
    y = f64(*forward.shape, seed=1)
    back = conv.deconvolve(np.array(shape), w, y, **known)
    assert back.shape == x.shape
    np.testing.assert_allclose((forward * y).sum(), (x * back).sum(), rtol=1e-12)
    by_filter = conv_grad.filter_gradient(x, window, y, **known)
    np.testing.assert_allclose((forward * y).sum(), (w * by_filter).sum(), rtol=1e-12)


def test_transposed_takes_its_shape_from_an_image() -> None:
    """Conv2DBackpropInputV2 has no CPU kernel in TensorFlow; its sibling takes the shape itself."""
    x, w = f64(2, 7, 6, 4), f64(3, 2, 4, 5)
    known = attributes((2, 1), (1, 1)) | {"padding": "SAME"}
    y = conv.conv2d(x, w, **known)
    got = conv.conv2d_backprop_input_v2(x, w, y, **known)
    want = conv.conv2d_backprop_input(np.array(x.shape), w, y, **known)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(
    ("name", "window"), [("Conv2D", (3, 2, 2, 6)), ("DepthwiseConv2dNative", (3, 2, 4, 2))]
)
def test_layouts_agree(name: str, window: Any) -> None:
    """To the bit, for strides and paddings that differ between the axes."""
    x, w = f64(2, 7, 6, 4).astype(np.float32), f64(*window).astype(np.float32)
    reference = registry.get(name).reference
    last = reference(
        x,
        w,
        strides=[1, 2, 3, 1],
        padding="EXPLICIT",
        dilations=[1, 2, 1, 1],
        explicit_paddings=[0, 0, 2, 0, 1, 3, 0, 0],
    )
    first = reference(
        np.moveaxis(x, -1, 1),
        w,
        strides=[1, 1, 2, 3],
        padding="EXPLICIT",
        dilations=[1, 1, 2, 1],
        explicit_paddings=[0, 0, 0, 0, 2, 0, 1, 3],
        data_format="NCHW",
    )
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), last)


@pytest.mark.parametrize(
    "wrong",
    [
        {"explicit_paddings": [0, 0, 10**12, 0, 0, 0, 0, 0]},
        {"explicit_paddings": [0, 0, -1, 0, 0, 0, 0, 0]},
        {"explicit_paddings": [1, 0, 0, 0, 0, 0, 0, 0]},
        {"explicit_paddings": [0, 0]},
        {"padding": "SOME"},
        {"padding": "SAME", "dilations": [1, 0, 1, 1]},
        {"padding": "SAME", "strides": [1, 1, 1]},
        {"padding": "SAME", "strides": [2, 1, 1, 1]},
        {"padding": "SAME", "data_format": "HWNC"},
    ],
)
def test_absurd_attributes_are_refused(wrong: dict[str, Any]) -> None:
    known = {"strides": [1, 1, 1, 1], "padding": "EXPLICIT"} | wrong
    with pytest.raises(ValueError):
        conv.conv2d(f64(1, 4, 4, 2), f64(2, 2, 2, 2), **known)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("MaxPool", {"ksize": [1, 10**5, 10**5, 1], "padding": "SAME"}),
        ("AvgPool", {"ksize": [1, 1, 10**12, 1], "padding": "SAME"}),
        ("MaxPool", {"ksize": [1, 0, 1, 1], "padding": "SAME"}),
        ("MaxPool", {"ksize": [1, 2, 2], "padding": "SAME"}),
        ("AvgPool", {"ksize": [1, 1, 1, 2], "padding": "SAME"}),
    ],
)
def test_absurd_windows_are_refused(name: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        registry.get(name).reference(f64(1, 4, 4, 2), strides=[1, 1, 1, 1], **wrong)


def test_brain_floats() -> None:
    """16-bit floats are summed in 32 bits."""
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    x, w = f64(1, 6, 6, 300).astype(bfloat16), f64(1, 1, 300, 2).astype(bfloat16)
    got = conv.conv2d(x, w, strides=[1, 1, 1, 1], padding="SAME")
    want = x.astype(float).reshape(36, 300) @ w.astype(float)[0, 0]
    assert got.dtype == bfloat16
    np.testing.assert_allclose(got.astype(float).reshape(36, 2), want, rtol=2**-8, atol=1e-3)
