"""Image files: the same pixels as TensorFlow's, and refusals of what is no image."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from tests.cases import Case, case
from tests.test_ops import evaluate

Image = pytest.importorskip("PIL.Image")


def picture(channels: int = 3, dtype: Any = np.uint8) -> np.ndarray:
    """Smooth colours, of odd extents."""
    drift = np.random.default_rng(0).normal(size=(37, 53, channels))
    walk = drift.cumsum(axis=0).cumsum(axis=1)
    spread = (walk - walk.min()) / (walk.max() - walk.min())
    return (spread * np.iinfo(dtype).max).astype(dtype)


def file(pixels: Any, kind: str, **options: Any) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels.squeeze())
    written = io.BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


def resampled(data: bytes, sampling: int, height: int, width: int) -> bytes:
    """A JPEG file that says of the same blocks that they are arranged otherwise."""
    at = data.index(b"\xff\xc0") + 5
    changed = bytearray(data)
    changed[at : at + 4] = *divmod(height, 256), *divmod(width, 256)
    changed[at + 6] = sampling
    return bytes(changed)


FRAMES = [Image.fromarray(np.roll(picture(), k, 0)).quantize(16) for k in (0, 5, 9)]
JPEG, GREY_JPEG = file(picture(), "JPEG"), file(picture(1), "JPEG")
FINE_JPEG = file(picture(), "JPEG", quality=97, subsampling=0)
CMYK_JPEG = file(Image.fromarray(picture()).convert("CMYK"), "JPEG")
PNG = {c: file(picture(c), "PNG") for c in (1, 2, 3, 4)}
PALETTE_PNG, DEEP_PNG = file(FRAMES[0], "PNG"), file(picture(1, np.uint16), "PNG")
GIF, ANIMATION = (
    file(FRAMES[0], "GIF"),
    file(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:]),
)
BMP = {c: file(picture(c), "BMP") for c in (1, 3, 4)}
WEBP = file(picture(), "WEBP", lossless=True)
ACCURATE = {"dct_method": "INTEGER_ACCURATE"}
WIDE_JPEG = file(picture(), "JPEG", subsampling="4:2:2")  # colours at every other column,
TALL_JPEG = resampled(WIDE_JPEG, 0x12, 53, 37)  # at every other line,
SPARSE_JPEG = resampled(JPEG, 0x41, 47, 53)  # at every fourth column
SMALL_JPEG = file(picture()[:5, :3], "JPEG")
RGB_JPEG = file(picture(), "JPEG", keep_rgb=True)
ROUGH_JPEG = file(np.random.default_rng(0).integers(0, 256, (37, 53, 3)).astype(np.uint8), "JPEG")
U16, F32 = np.uint16, np.float32


def decoding(op: str, data: bytes, *inputs: Any, **attrs: Any) -> Case:
    return case(op, np.array(data, object), *inputs, **attrs)


SAME = [
    *(
        decoding("DecodeJpeg", data, channels=channels, **ACCURATE)
        for data in (JPEG, GREY_JPEG, FINE_JPEG)
        for channels in (0, 1, 3)
    ),
    *(
        decoding("DecodeJpeg", data, ratio=ratio, fancy_upscaling=smooth)
        for data in (JPEG, GREY_JPEG, FINE_JPEG, CMYK_JPEG, WIDE_JPEG, TALL_JPEG, SPARSE_JPEG)
        for ratio in (1, 2, 4, 8)
        for smooth in (True, False)
    ),
    *(decoding("DecodeJpeg", JPEG, ratio=ratio, **ACCURATE) for ratio in (2, 4, 8)),
    *(decoding("DecodeJpeg", data) for data in (SMALL_JPEG, RGB_JPEG)),
    *(decoding("DecodeJpeg", data, channels=1) for data in (JPEG, GREY_JPEG, RGB_JPEG)),
    decoding("DecodeImage", JPEG),
    decoding("DecodeJpeg", PNG[3]),
    decoding("DecodeJpeg", GIF),
    decoding("DecodeAndCropJpeg", JPEG, [3, 5, 10, 20], **ACCURATE),
    decoding("DecodeAndCropJpeg", JPEG, [0, 18, 30, 35]),
    *(
        decoding("DecodeAndCropJpeg", data, window, ratio=ratio, fancy_upscaling=smooth)
        for data in (ROUGH_JPEG, WIDE_JPEG, TALL_JPEG, SPARSE_JPEG)
        for window in ([3, 5, 10, 1], [1, 13, 8, 4], [0, 0, 5, 3])
        for ratio in (1, 2)
        for smooth in (True, False)
    ),
    decoding("ExtractJpegShape", JPEG),
    decoding("ExtractJpegShape", GREY_JPEG, output_type=np.int64),
    *(decoding("DecodePng", PNG[c], channels=wanted) for c in (1, 2, 3, 4) for wanted in (0, 3, 4)),
    *(decoding("DecodePng", PNG[c], channels=1) for c in (1, 2)),
    decoding("DecodePng", PALETTE_PNG),
    decoding("DecodePng", PNG[3], dtype=U16),
    *(
        decoding("DecodePng", DEEP_PNG, channels=channels, dtype=kind)
        for channels in (0, 1, 3, 4)
        for kind in (np.uint8, U16)
    ),
    *(decoding("DecodeBmp", data) for data in BMP.values()),
    decoding("DecodeBmp", BMP[3], channels=4),
    decoding("DecodeBmp", BMP[4], channels=3),
    *(decoding("DecodeGif", data) for data in (GIF, ANIMATION, PNG[3])),
    decoding("DecodeWebP", WEBP),
    *(
        decoding("DecodeImage", data, dtype=kind)
        for data in (PNG[3], BMP[3], GIF, ANIMATION, DEEP_PNG)
        for kind in (np.uint8, U16, F32)
    ),
    decoding("DecodeImage", ANIMATION, expand_animations=False),
    decoding("DecodeImage", WEBP),
    *(
        case("EncodeJpeg", picture(), **options)
        for options in (
            {},
            {"quality": 40},
            {"progressive": True},
            {"chroma_downsampling": False},
            {"optimize_size": True},
            {"density_unit": "cm", "x_density": 72, "y_density": 50},
        )
    ),
    case("EncodeJpeg", picture(1)),
    case("EncodeJpeg", picture(1), format="grayscale"),
    case("EncodeJpegVariableQuality", picture(), 0),
]
REFUSED = [
    *(
        decoding(op, data)
        for op in ("DecodeJpeg", "DecodePng", "DecodeGif", "DecodeImage", "DecodeBmp")
        for data in (b"", b"no image at all, no image", JPEG[:300], PNG[3][:300], BMP[3][:60])
    ),
    *(decoding("DecodeBmp", data) for data in (JPEG, PNG[3], GIF)),
    *(decoding(op, BMP[3]) for op in ("DecodeJpeg", "DecodePng", "DecodeGif")),
    decoding("DecodePng", ANIMATION),
    decoding("DecodeJpeg", JPEG, channels=4),
    decoding("DecodePng", PNG[3], channels=2),
    decoding("DecodeBmp", BMP[3], channels=1),
    decoding("DecodeJpeg", JPEG, ratio=3),
    decoding("DecodeJpeg", JPEG, dct_method="FLOAT"),
    decoding("DecodeJpeg", CMYK_JPEG, channels=1),
    decoding("DecodeAndCropJpeg", JPEG, [30, 5, 10, 20]),
    decoding("ExtractJpegShape", PNG[3]),
    case("EncodeJpeg", picture(2)),
    case("EncodeJpeg", picture(), quality=101),
    case("EncodeJpeg", picture(), format="grayscale"),
    case("EncodePng", picture()[..., :0]),
]


@pytest.mark.parametrize("row", SAME, ids=lambda row: row.op)
def test_same_as_tensorflow(row: Case) -> None:
    from tests.oracle import expected

    (want,), (got,), (kind,) = expected(row), *evaluate(row)
    want = np.asarray(want, object) if isinstance(want, bytes) else want
    assert got.dtype == want.dtype and got.shape == want.shape
    assert kind.dtype.numpy == want.dtype and (kind.shape is None or len(kind.shape) == want.ndim)
    if want.dtype == np.float32:
        np.testing.assert_allclose(got, want, rtol=1e-6)
    else:
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.op)
def test_refused_as_in_tensorflow(row: Case) -> None:
    from tests.oracle import expected

    with pytest.raises(Exception):  # noqa: B017
        expected(row)
    with pytest.raises(ValueError):
        evaluate(row)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_written_png_is_read_back(channels: int, dtype: Any) -> None:
    """By TensorFlow, to the bit."""
    from tests.oracle import expected

    pixels = np.stack([picture(channels, dtype), picture(channels, dtype)[::-1]])
    files = evaluate(case("EncodePng", pixels))[0][0]
    assert files.shape == (2,)
    for data, image in zip(files, pixels, strict=True):
        np.testing.assert_array_equal(expected(decoding("DecodePng", data, dtype=dtype))[0], image)
