"""Rows drawn at random: windows, resizing and suppression against TensorFlow, refusals included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.cases import Case, case
from tests.test_ops import agree, evaluate

REFUSALS = (ValueError, IndexError, TypeError, ArithmeticError, LookupError)
KERNELS = (
    "lanczos1",
    "lanczos3",
    "lanczos5",
    "gaussian",
    "box",
    "triangle",
    "keyscubic",
    "mitchellcubic",
)
MODES = ("CONSTANT", "REFLECT", "WRAP", "NEAREST")


class Draw:
    """Random shapes and attributes."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def n(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def of(self, *choices: Any) -> Any:
        return choices[self.n(0, len(choices) - 1)]

    def floats(self, *shape: int, scale: Any = 1.0) -> np.ndarray:
        return (self.rng.normal(size=shape) * scale).astype(np.float32)

    def image(self) -> np.ndarray:
        return self.floats(self.n(1, 2), self.n(1, 12), self.n(1, 12), self.of(1, 2, 4, 6))

    def pair(self, most: int) -> list[int]:
        return [1, self.n(1, most), self.n(1, most), 1]

    def padding(self) -> str:
        return str(self.of("SAME", "VALID"))


def conv(d: Draw) -> Case:
    x = d.image().astype(np.float64)
    groups = d.of(1, 2) if x.shape[3] % 2 == 0 else 1
    w = d.floats(d.n(1, 4), d.n(1, 4), x.shape[3] // groups, 2 * groups).astype(np.float64)
    pads = {"padding": d.padding()}
    if d.n(0, 3) == 0:
        pads = {
            "padding": "EXPLICIT",
            "explicit_paddings": [0, 0, *(d.n(0, 4) for _ in range(4)), 0, 0],
        }
    return case("Conv2D", x, w, strides=d.pair(4), dilations=d.pair(3), ulp=64, **pads)


def depthwise(d: Draw) -> Case:
    x, step = d.image(), d.n(1, 3)
    spread = d.n(1, 3) if step == 1 else 1
    return case(
        "DepthwiseConv2dNative",
        x,
        d.floats(d.n(1, 4), d.n(1, 4), x.shape[3], d.n(1, 3)),
        strides=[1, step, step, 1],
        dilations=[1, spread, spread, 1],
        padding=d.padding(),
        ulp=32,
    )


def transposed(d: Draw) -> Case:
    x, strides = d.image(), d.pair(4)
    w = d.floats(d.n(1, 4), d.n(1, 4), x.shape[3], 3)
    sides = list(zip(x.shape[1:3], w.shape, strides[1:3], strict=False))
    padding = d.padding() if all(k <= n for n, k, _ in sides) else "SAME"
    out = [-(-n // s) if padding == "SAME" else (n - k) // s + 1 for n, k, s in sides]
    return case(
        "Conv2DBackpropInput",
        np.array(x.shape, np.int32),
        w,
        d.floats(len(x), *out, 3),
        strides=strides,
        padding=padding,
        ulp=32,
    )


def pool(d: Draw) -> Case:
    return case(
        d.of("MaxPool", "AvgPool", "MaxPoolWithArgmax"),
        d.image(),
        ksize=d.pair(4),
        strides=d.pair(4),
        padding=d.padding(),
    )


def dilation(d: Draw) -> Case:
    x = d.image()
    return case(
        "Dilation2D",
        x,
        d.floats(d.n(1, 4), d.n(1, 4), x.shape[3]),
        strides=d.pair(4),
        rates=d.pair(3),
        padding=d.padding(),
    )


def patches(d: Draw) -> Case:
    return case(
        "ExtractImagePatches",
        d.image(),
        ksizes=d.pair(4),
        strides=d.pair(4),
        rates=d.pair(3),
        padding=d.padding(),
    )


def resize(d: Draw) -> Case:
    name = d.of("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea")
    grid = d.of(
        {}, {"align_corners": True}, {} if name == "ResizeArea" else {"half_pixel_centers": True}
    )
    return case(name, d.image(), [d.n(1, 25), d.n(1, 25)], ulp=16, **grid)


def sample(d: Draw) -> Case:
    scale = d.rng.uniform(0.2, 3, 2).astype(np.float32)
    return case(
        "ScaleAndTranslate",
        d.image(),
        [d.n(1, 20), d.n(1, 20)],
        scale,
        d.floats(2, scale=3),
        kernel_type=d.of(*KERNELS),
        antialias=d.of(True, False),
        ulp=32,
    )


def crop(d: Draw) -> Case:
    x, boxes = d.image(), d.n(0, 4)
    return case(
        "CropAndResize",
        x,
        d.rng.uniform(-0.3, 1.3, (boxes, 4)).astype(np.float32),
        d.rng.integers(0, len(x), boxes).astype(np.int32),
        [d.n(1, 6), d.n(1, 6)],
        method=d.of("bilinear", "nearest"),
        ulp=64,
    )


def project(d: Draw) -> Case:
    x = d.image()
    transforms = d.floats(d.of(1, len(x)), 8, scale=[1, 0.5, 5, 0.5, 1, 5, 0.02, 0.02])
    return case(
        "ImageProjectiveTransformV3",
        x,
        transforms,
        [d.n(1, 9), d.n(1, 9)],
        0.5,
        interpolation=d.of("NEAREST", "BILINEAR"),
        fill_mode=d.of(*MODES),
        ulp=512,
    )


def suppress(d: Draw) -> Case:
    boxes = d.n(0, 30)
    limits = [np.float32(d.rng.uniform(0, 1)), np.float32(d.rng.uniform(-0.5, 0.7))]
    return case(
        "NonMaxSuppressionV5",
        d.rng.uniform(0, 1, (boxes, 4)).astype(np.float32),
        d.rng.uniform(0, 1, boxes).astype(np.float32).round(1),
        d.n(0, 20),
        *limits,
        np.float32(d.of(0, 0, 0.3)),
        pad_to_max_output_size=d.of(True, False),
    )


MAKERS = (
    conv,
    depthwise,
    transposed,
    pool,
    dilation,
    patches,
    resize,
    sample,
    crop,
    project,
    suppress,
)


@pytest.mark.parametrize("rows", [5, pytest.param(150, marks=pytest.mark.slow)])
@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_drawn_rows(make: Callable[[Draw], Case], rows: int) -> None:
    from tests.oracle import ask, lacks_kernel

    for seed in range(rows):
        row = make(Draw(seed))
        try:
            answer = ask(row)
        except Exception as error:
            if lacks_kernel(error):
                continue
            with pytest.raises(REFUSALS):
                evaluate(row)
        else:
            try:
                agree(row, answer)
            except Exception as error:
                shapes = [np.shape(i) for i in row.inputs]
                raise AssertionError(f"seed {seed}: {row.op} {row.attrs} of {shapes}") from error
