"""Rows of tfdeploy/ops/image.py."""

import numpy as np
from ml_dtypes import bfloat16

from tests.cases import case, f32, f64, ints, with_nan

nan, inf = np.nan, np.inf
F16 = np.float16
RGB = f32(2, 4, 5, 3, low=0, high=1)
PURE = np.array(
    [
        [0, 0, 0],
        [1, 1, 1],
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
        [1, 1, 0],
        [0, 1, 1],
        [1, 0, 1],
        [0.5, 0.5, 0.2],
        [0.2, 0.5, 0.5],
        [0.5, 0.2, 0.5],
    ],
    np.float32,
)[None]
ODD = np.array([[nan, 0, 1], [0.5, inf, 0], [-1, 0.5, 2]], np.float32)[None]
VIDEO = f32(1, 5, 4, 3, 2)
OFFSETS = np.array([[0.0, 0.0], [-0.9, 0.7]], np.float32)
PIXELS = np.array([[1.0, 2.0], [-1.5, 3.7]], np.float32)


def f(x):
    return np.array(x, np.float32)


def glimpse(name, offsets, **attrs):
    return case(name, RGB, [3, 2], offsets, noise="zero", uniform_noise=False, **attrs)


def patches(x, ksizes, strides, rates, padding):
    return case(
        "ExtractImagePatches",
        x,
        ksizes=[1, *ksizes, 1],
        strides=[1, *strides, 1],
        rates=[1, *rates, 1],
        padding=padding,
    )


CASES = [
    *(
        case(name, x)
        for name in ("RGBToHSV", "HSVToRGB")
        for x in (RGB, RGB.astype(np.float64), RGB.astype(F16), PURE, RGB[0, 0, 0], RGB[:0])
    ),
    case("HSVToRGB", f32(3, 3, low=-2, high=3)),
    case("RGBToHSV", f32(3, 3, low=-2, high=3)),
    case("HSVToRGB", ODD),
    case("RGBToHSV", f32(3, 4), raises=True),
    *(case("AdjustHue", x, f(delta)) for x in (RGB, PURE) for delta in (0.0, 0.1, -0.4, 1.0, 2.7)),
    case("AdjustHue", RGB[:0], f(0.1)),
    case("AdjustHue", RGB[0, 0], f(0.1), raises=True),
    case("AdjustHue", f32(2, 2, 4), f(0.1), raises=True),
    *(case("AdjustSaturation", x, f(scale)) for x in (RGB, PURE) for scale in (0.0, 0.3, 1.0, 7.0)),
    case("AdjustSaturation", RGB[:0], f(0.1)),
    case("AdjustSaturation", RGB[0, 0], f(0.1), raises=True),
    *(case("AdjustContrastv2", RGB, f(factor)) for factor in (0.0, 0.5, 2.0)),
    case("AdjustContrastv2", ODD[:, None], f(1.5)),
    case("AdjustContrastv2", RGB[:0], f(1.5)),
    case("AdjustContrastv2", RGB[0, 0], f(1.5), raises=True),
    case("AdjustContrast", RGB, f(2.0), f(0.0), f(1.0)),
    case("AdjustContrast", ints(1, 3, 3, 2, low=0, dtype=np.uint8), f(2.0), f(0.0), f(6.0)),
    case("AdjustContrast", f64(1, 0, 3, 2), f(2.0), f(0.0), f(6.0)),
    *(
        patches(f32(2, 7, 6, 3), [3, 2], strides, rates, padding)
        for strides in ([1, 1], [2, 3])
        for rates in ([1, 1], [2, 1])
        for padding in ("SAME", "VALID")
    ),
    *(
        patches((f32(1, 4, 4, 2) * 5).astype(kind), [2, 2], [1, 1], [1, 1], "SAME")
        for kind in (np.float64, F16, np.int32, np.int64, np.uint8, np.int8)
    ),
    patches(f32(0, 4, 4, 2), [2, 2], [1, 1], [1, 1], "SAME"),
    patches(np.full((1, 2, 2, 1), nan, np.float32), [2, 2], [1, 1], [1, 1], "SAME"),
    *(
        case(
            "ExtractVolumePatches",
            VIDEO,
            ksizes=[1, 2, 3, 2, 1],
            strides=[1, 1, 2, 1, 1],
            padding=padding,
        )
        for padding in ("SAME", "VALID")
    ),
    case(
        "ExtractVolumePatches",
        ints(0, 3, 3, 3, 1),
        ksizes=[1, 2, 2, 2, 1],
        strides=[1] * 5,
        padding="VALID",
    ),
    *(
        glimpse(name, offsets, centered=centered, normalized=normalized)
        for name in ("ExtractGlimpse", "ExtractGlimpseV2")
        for centered in (True, False)
        for offsets, normalized in ((OFFSETS, True), (PIXELS, False))
    ),
    case("ExtractGlimpse", RGB[:0], [3, 2], OFFSETS[:0], noise="zero", uniform_noise=False),
    case("ExtractGlimpse", RGB, [-1, 2], OFFSETS, noise="zero", uniform_noise=False, raises=True),
    *(case("RandomCrop", f32(9, 8, 2), [4, 3], seed=3, seed2=seed) for seed in range(4)),
    case("RandomCrop", ints(9, 8, 2), [9, 8], seed=3, seed2=1),
    case("RandomCrop", ints(9, 8, 2, dtype=np.int64), [0, 8], seed=3, seed2=1),
    case("RandomCrop", ints(9, 8, 2), [10, 8], seed=3, seed2=1, raises=True),
    case("RGBToHSV", RGB.astype(bfloat16), ulp=32),
    case("HSVToRGB", RGB.astype(bfloat16), ulp=32),
    patches(f32(1, 3, 3, 2).astype(bfloat16), [2, 2], [1, 1], [1, 1], "SAME"),
    patches(f32(1, 9, 7, 2), [3, 4], [4, 3], [1, 3], "VALID"),
]
RED = with_nan(RGB[:1, :2])
BROKEN = np.array(
    [
        *[
            [x if at == i else (0.5, 0.2)[i > at] for i in range(3)]
            for at in range(3)
            for x in (nan, inf)
        ],
        [nan, nan, 0.5],
        [0, 1, -inf],
        [inf, inf, 0],
        [nan, nan, nan],
    ],
    np.float32,
)[None]
NEARLY_RED = np.array([[1, 0, 1e-9], [1, 0.5, 0.5 + 1e-7], [0.3, 0.1, 0.1000001]], np.float32)[None]
VOLUME = {"ksizes": [1, 2, 3, 2, 1], "strides": [1, 1, 2, 1, 1], "padding": "SAME"}
CASES += [
    *(case("ExtractVolumePatches", VIDEO.astype(t), **VOLUME) for t in (np.float64, F16, bfloat16)),
    case("ExtractVolumePatches", with_nan(VIDEO), **VOLUME),
    patches((f32(1, 3, 3, 2) + 1j).astype(np.complex64), [2, 2], [1, 1], [1, 1], "SAME"),
    case("RGBToHSV", RED),
    *(case("RGBToHSV", x) for x in (BROKEN, NEARLY_RED)),
    *(case("AdjustHue", x, f(0.3)) for x in (BROKEN, NEARLY_RED)),
    *(case("AdjustSaturation", x, f(s)) for x in (BROKEN, NEARLY_RED) for s in (0.5, 1.0, 2.0)),
    case("AdjustHue", RED, f(0.1)),
    case("AdjustSaturation", RED, f(0.5)),
    case("AdjustContrast", RED, f(2.0), f(0.0), f(1.0)),
    *(
        case(name, with_nan(RGB), [3, 2], offsets, noise="zero", uniform_noise=False)
        for name in ("ExtractGlimpse", "ExtractGlimpseV2")
        for offsets in (OFFSETS, with_nan(OFFSETS))
    ),
    case("ExtractGlimpseV2", RGB[:0], [3, 2], OFFSETS[:0], noise="zero", uniform_noise=False),
    case("RandomCrop", with_nan(f32(3, 4, 2)), [3, 4], seed=3, seed2=1),
    case("RandomCrop", f64(9, 8, 2), [4, 3], seed=3, seed2=1),
    case("RandomCrop", f32(9, 8, 0), [4, 3], seed=3, seed2=1),
]
CASES += [
    row
    for name in ("ExtractGlimpse", "ExtractGlimpseV2")
    for row in (
        case(name, RGB, [9, 2], OFFSETS, check="shape"),
        case(name, RGB, [9, 2], OFFSETS, noise="gaussian", uniform_noise=False, check="shape"),
        case(name, RGB, [1, 1], OFFSETS * 0, note="nothing outside"),
        case(name, RGB, [9, 2], OFFSETS, noise="zero", raises=True),
        case(name, RGB, [9, 2], OFFSETS, noise="none", uniform_noise=False, raises=True),
    )
]
