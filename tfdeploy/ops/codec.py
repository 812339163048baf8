"""Image files: decoding and encoding.

JPEG, PNG, GIF and WebP files are read, and JPEG files written, by the optional package Pillow.  Of
JPEG it either computes the accurate cosine transform and smooths colours, or the fast one, which
is TensorFlow's default, and does not; `jpeg` smooths what comes from the fast one.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..dtypes import FLOAT32, INT32, STRING, DType
from ..errors import UnsupportedError
from ..graph.types import ValueType
from . import jpeg
from .registry import op
from .rules import Inference
from .windows import check_size

Array = NDArray[Any]

_UINT8, _UINT16 = DType("uint8"), DType("uint16")
_MAGIC = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"GIF8": "GIF", b"BM": "BMP"}
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_CHANNELS = {
    "JPEG": (0, 1, 3),
    "PNG": (0, 1, 3, 4),
    "GIF": (0, 3),
    "BMP": (0, 3, 4),
    "WEBP": (0, 3, 4),
}


def _bytes(contents: Array) -> bytes:
    data = contents.item() if isinstance(contents, np.ndarray) and contents.ndim == 0 else contents
    if not isinstance(data, bytes):
        raise ValueError(
            f"the file's contents have shape {np.shape(contents)}: one string is needed"
        )
    if not data:
        raise ValueError("the file's contents are empty")
    return data


def _kind(data: bytes) -> str:
    """The format of a file; raises ValueError where it is none that TensorFlow reads."""
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    raise ValueError("the contents are no image file: JPEG, PNG, GIF, BMP or WebP is needed")


def _open(data: bytes) -> Any:
    """The file as Pillow's Image; raises UnsupportedError where Pillow is not installed."""
    try:
        from PIL import Image
    except ImportError:
        raise UnsupportedError(
            'image files are read by Pillow, which is missing: pip install "tfdeploy[images]"'
        ) from None
    try:
        image = Image.open(io.BytesIO(data))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"the image file cannot be read: {error}") from None
    check_size((*image.size, 4))
    return image


def _pixels(image: Any, mode: str) -> Array:
    """The pixels of Pillow's `image` in `mode`, as (h, w, channels)."""
    try:
        found = np.asarray(image if image.mode == mode else image.convert(mode))
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"the image file is damaged: {error}") from None
    return found.reshape(*found.shape[:2], -1)


class _Jpeg(NamedTuple):
    """How a JPEG file is to be decoded."""

    ratio: int = 1
    smooth: bool = True  # when colours are scaled up
    fast: bool = True  # the cosine transform
    left: int = 0  # the first column that is needed
    stop: int | None = None  # the column after the last


_PLAIN = _Jpeg()


def _jpeg(data: bytes, channels: int, how: _Jpeg) -> Array:
    if how.ratio not in (1, 2, 4, 8):
        raise ValueError(f"ratio {how.ratio} is none of 1, 2, 4, 8")
    image = _open(data)
    factors = jpeg.factors([(x, y) for _, x, y, _ in image.layer], how.ratio)
    smooth = how.smooth and how.ratio < 8 and len(set(factors)) > 1
    if image.mode == "CMYK":
        return _inks(image, channels, how.ratio, how.fast and not smooth)
    mode = _MODES[channels] if channels else ("L" if image.mode == "L" else "RGB")
    if smooth and how.fast and (image.mode, mode) == ("RGB", "RGB"):
        wide = max(x for _, x, _, _ in image.layer) * 8 // how.ratio
        found = _smoothed(data, factors, how, wide)
        if found is not None:
            return found
    return _pixels(_drafted(image, mode, how.ratio, how.fast), mode)


def _drafted(image: Any, mode: str, ratio: int, draft: bool) -> Any:
    """Pillow's `image`, not yet decoded, told its mode, its size, and whether to be quick: by the
    fast transform, and without smoothing.
    """
    image.draft(mode, tuple(max(1, n // ratio) for n in image.size))
    image.decoderconfig = (image.decoderconfig[0], int(draft))
    return image


def _smoothed(data: bytes, factors: list[jpeg.Layer], how: _Jpeg, wide: int) -> Array | None:
    """Colours by the fast transform, smoothed, which Pillow does not do: its draft repeats what
    there is of colour.  None where colours are not apart from light.

    As in libjpeg, columns are smoothed among those that are needed, from the block of `wide`
    columns with the first one on.
    """
    try:
        planes = np.asarray(_drafted(_open(data), "YCbCr", how.ratio, True))
    except OSError:
        return None
    height, width = planes.shape[:2]
    first = min(how.left, width - 1) // wide * wide
    stop = width if how.stop is None else min(how.stop, width)
    grown = []
    for i, (x, y) in enumerate(factors):
        plane = planes[::y, ::x, i]
        part = plane[:, first // x : -(-stop // x)]
        narrow = part.shape[1] == 1 or plane.shape[1] <= 2
        grown.append(jpeg.upsampled(part, (x, y), narrow))
    found = jpeg.colours(*(plane[:height, : stop - first] for plane in grown))
    return np.pad(found, ((0, 0), (first, width - stop), (0, 0)))


def _inks(image: Any, channels: int, ratio: int, draft: bool) -> Array:
    """RGB of a JPEG file of four inks; Pillow turns all of them over, as Adobe writes them."""
    if channels == 1:
        raise ValueError("a JPEG file of four inks is not read as grey")
    inks = _pixels(_drafted(image, "CMYK", ratio, draft), "CMYK").astype(np.int32)
    light = 255 - inks if "adobe" in image.info else inks
    return (light[..., :3] * light[..., 3:] // 255).astype(np.uint8)


def _png(data: bytes, channels: int) -> Array:
    """Pixels as stored: uint16 where the file has 16 bits of grey, else uint8."""
    image = _open(data)
    if image.mode.startswith("I"):
        grey = _pixels(image, image.mode).astype(np.uint16)
        alpha = np.full_like(grey, 0xFFFF)
        return np.concatenate([grey] * min(channels or 1, 3) + [alpha] * (channels == 4), axis=2)
    mode = {"1": "L", "P": "RGBA" if "transparency" in image.info else "RGB"}.get(
        image.mode, image.mode
    )
    return _pixels(image, _MODES[channels] if channels else mode)


def _frames(data: bytes, mode: str) -> Array:
    """All frames of an animation (frames, h, w, channels)."""
    image = _open(data)
    frames = []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        frames.append(_pixels(image, mode))
        check_size((len(frames), *frames[0].shape))
    return np.stack(frames)


def _bmp(data: bytes, channels: int) -> Array:
    if len(data) < 54:
        raise ValueError(f"a BMP file has 54 bytes at least, not {len(data)}")
    (start,) = struct.unpack_from("<I", data, 10)
    width, height = struct.unpack_from("<ii", data, 18)
    depth = struct.unpack_from("<H", data, 28)[0] // 8
    rows, row = abs(height), (depth * width + 3) // 4 * 4
    if depth not in (1, 3, 4) or width <= 0 or start + rows * row > len(data):
        raise ValueError(
            f"a BMP file of {width} x {height} pixels with {depth} bytes each: damaged"
        )
    lines = np.frombuffer(data, np.uint8, rows * row, start).reshape(rows, row)
    pixels = lines[:, : width * depth].reshape(rows, width, depth)
    pixels = pixels[::-1] if height > 0 else pixels
    if depth > 1:
        pixels = np.concatenate([pixels[..., 2::-1], pixels[..., 3:]], axis=2)
    if channels == 4 and depth == 3:
        return np.concatenate([pixels, np.full_like(pixels[..., :1], 255)], axis=2)
    if channels and depth < channels:
        raise ValueError(f"{channels} channels were asked for and the BMP file has {depth}")
    return pixels[..., : channels or depth]


def _as(pixels: Array, dtype: DType, kind: str) -> Array:
    """Pixels in the dtype that was asked for, scaled to its range."""
    if dtype == FLOAT32:
        return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    if dtype == _UINT16 and pixels.dtype == np.uint8:
        return pixels.astype(np.uint16) * np.uint16(257 if kind == "PNG" else 256)
    if dtype == _UINT8 and pixels.dtype == np.uint16:
        return (pixels >> 8).astype(np.uint8)
    return pixels


def _decode(
    contents: Array,
    channels: int,
    dtype: DType = _UINT8,
    how: _Jpeg = _PLAIN,
    animate: bool = True,
) -> tuple[str, Array]:
    """Format and pixels of a file; (frames, h, w, c) for an animation."""
    data = _bytes(contents)
    kind = _kind(data)
    if channels not in _CHANNELS[kind]:
        raise ValueError(f"channels {channels} should be one of {_CHANNELS[kind]} for {kind}")
    if kind == "JPEG":
        pixels = _jpeg(data, channels, how)
    elif kind == "PNG":
        pixels = _png(data, channels)
    elif kind == "BMP":
        pixels = _bmp(data, channels)
    else:
        pixels = _frames(data, _MODES[channels or 3])
        pixels = pixels if animate else pixels[0]
    return kind, _as(pixels, dtype, kind)


def _still(contents: Array, channels: int, dtype: DType = _UINT8, how: _Jpeg = _PLAIN) -> Array:
    """What DecodeJpeg and DecodePng read alike: one image (h, w, c)."""
    kind, pixels = _decode(contents, channels, dtype, how)
    if kind == "BMP":
        raise ValueError("the file is a BMP: DecodeBmp or DecodeImage reads it")
    if kind == "GIF":
        if len(pixels) > 1:
            raise ValueError(
                f"the file has {len(pixels)} frames: DecodeGif or DecodeImage reads it"
            )
        return pixels[0]
    return pixels


def _image_type(c: Inference) -> ValueType:
    channels = c.attrs["channels"] or c.fresh()
    return ValueType(c.attrs.get("dtype", _UINT8), (c.fresh(), c.fresh(), channels))


def _asked(ratio: int, fancy_upscaling: bool, dct_method: str) -> _Jpeg:
    if dct_method not in ("", "INTEGER_FAST", "INTEGER_ACCURATE"):
        raise ValueError(f"dct_method {dct_method!r} is neither INTEGER_FAST nor INTEGER_ACCURATE")
    return _Jpeg(ratio, fancy_upscaling, dct_method != "INTEGER_ACCURATE")


@op("DecodeJpeg", type=_image_type)
def decode_jpeg(
    contents: Array,
    *,
    channels: int = 0,
    ratio: int = 1,
    fancy_upscaling: bool = True,
    try_recover_truncated: bool = False,
    acceptable_fraction: float = 1.0,
    dct_method: str = "",
) -> Array:
    """Pixels of a JPEG file, reduced by `ratio` (tf.io.decode_jpeg).

    Damaged files are an error.  Without `fancy_upscaling`, colours of files that have fewer of
    them are smoothed all the same where `dct_method` is INTEGER_ACCURATE.
    """
    return _still(contents, channels, how=_asked(ratio, fancy_upscaling, dct_method))


@op("DecodeAndCropJpeg", type=_image_type)
def decode_and_crop_jpeg(
    contents: Array,
    crop_window: Array,
    *,
    channels: int = 0,
    ratio: int = 1,
    fancy_upscaling: bool = True,
    try_recover_truncated: bool = False,
    acceptable_fraction: float = 1.0,
    dct_method: str = "",
) -> Array:
    """A window (y, x, height, width) of a JPEG file (tf.io.decode_and_crop_jpeg)."""
    top, left, height, width = (int(n) for n in crop_window)
    how = _asked(ratio, fancy_upscaling, dct_method)
    if left >= 0 and width > 0:
        how = how._replace(left=left, stop=left + width)
    pixels = _still(contents, channels, how=how)
    fits = 0 <= top < top + height <= len(pixels) and 0 <= left < left + width <= pixels.shape[1]
    if not fits:
        raise ValueError(f"crop_window {crop_window.tolist()} does not fit into {pixels.shape}")
    return pixels[top : top + height, left : left + width]


@op("ExtractJpegShape", type=lambda c: ValueType(c.attrs["output_type"], (3,)), exact=True)
def extract_jpeg_shape(contents: Array, *, output_type: DType = INT32) -> Array:
    """Height, width and channels of a JPEG file (tf.io.extract_jpeg_shape)."""
    data = _bytes(contents)
    if _kind(data) != "JPEG":
        raise ValueError("the file is no JPEG")
    image = _open(data)
    return np.array([image.height, image.width, len(image.getbands())], output_type.numpy)


@op("DecodePng", type=_image_type, exact=True)
def decode_png(contents: Array, *, channels: int = 0, dtype: DType = _UINT8) -> Array:
    """Pixels of a PNG file (tf.io.decode_png); 16 bits of colour are read as 8."""
    return _still(contents, channels, dtype)


@op("DecodeBmp", type=_image_type, exact=True)
def decode_bmp(contents: Array, *, channels: int = 0) -> Array:
    """Pixels of a BMP file (tf.io.decode_bmp)."""
    kind = _kind(_bytes(contents))
    if kind != "BMP":
        raise ValueError(f"the file is no BMP but {kind}: DecodeImage reads it")
    return _decode(contents, channels)[1]


@op("DecodeGif", type=lambda c: ValueType(_UINT8, (c.fresh(), c.fresh(), c.fresh(), 3)), exact=True)
def decode_gif(contents: Array) -> Array:
    """Frames of a GIF file (tf.io.decode_gif); other formats are one frame."""
    kind, pixels = _decode(contents, 3)
    if kind == "BMP":
        raise ValueError("the file is a BMP: DecodeBmp or DecodeImage reads it")
    return pixels if pixels.ndim == 4 else pixels[None]


@op(
    "DecodeWebP",
    type=lambda c: ValueType(
        c.attrs["dtype"], (c.fresh(), c.fresh(), c.fresh(), c.attrs["channels"] or c.fresh())
    ),
)
def decode_webp(contents: Array, *, channels: int = 0, dtype: DType = _UINT8) -> Array:
    """Frames of a WebP file (tf.io.decode_webp)."""
    kind, pixels = _decode(contents, channels, dtype)
    if kind != "WEBP":
        raise ValueError(f"the file is no WebP but {kind}: DecodeImage reads it")
    return pixels


@op(
    "DecodeImage",
    type=lambda c: ValueType(
        c.attrs["dtype"], None if c.attrs["expand_animations"] else c.unknown(3)
    ),
)
def decode_image(
    contents: Array, *, channels: int = 0, dtype: DType = _UINT8, expand_animations: bool = True
) -> Array:
    """Pixels of a file of any format (tf.io.decode_image); animations have one more axis, or
    without `expand_animations` show their first frame."""
    return _decode(contents, channels, dtype, animate=expand_animations)[1]


# Encoding


def _string_like(axes: int) -> Any:
    """A string for each image in what precedes its last `axes` axes."""

    def rule(c: Inference) -> ValueType:
        shape = c.inputs[0].shape
        return ValueType(STRING, None if shape is None else shape[:-axes])

    return rule


def _chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


@op("EncodePng", type=_string_like(3), exact=True)
def encode_png(image: Array, *, compression: int = -1) -> Array:
    """A PNG file of each image (..., h, w, 1 to 4) of uint8 or uint16 (tf.io.encode_png).

    Its pixels are exact; its bytes are not TensorFlow's.
    """
    if image.ndim < 3 or not 1 <= image.shape[-1] <= 4 or 0 in image.shape[-3:]:
        raise ValueError(f"shape {image.shape} should be (..., h, w, 1 to 4) and not empty")
    if not -1 <= compression <= 9:
        raise ValueError(f"compression {compression} should lie in [-1, 9]")
    height, width, channels = image.shape[-3:]
    depth, color = 8 * image.dtype.itemsize, {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    files = []
    for one in image.reshape(-1, height, width * channels):
        lines = one.astype(one.dtype.newbyteorder(">")).view(np.uint8).reshape(height, -1)
        plain = np.concatenate([np.zeros((height, 1), np.uint8), lines], axis=1).tobytes()
        body = _chunk(b"IDAT", zlib.compress(plain, compression))
        files.append(b"\x89PNG\r\n\x1a\n" + header + body + _chunk(b"IEND", b""))
    return np.array(files, object).reshape(image.shape[:-3])


def _write_jpeg(image: Array, quality: int, **options: Any) -> bytes:
    if image.ndim != 3 or image.shape[2] not in (1, 3) or 0 in image.shape:
        raise ValueError(f"shape {image.shape} should be (h, w, 1 or 3) and not empty")
    if not 0 <= quality <= 100:
        raise ValueError(f"quality {quality} should lie in [0, 100]")
    try:
        from PIL import Image
    except ImportError:
        raise UnsupportedError(
            'JPEG files are written by Pillow, which is missing: pip install "tfdeploy[images]"'
        ) from None
    file = io.BytesIO()
    pixels = image[..., 0] if image.shape[2] == 1 else image
    Image.fromarray(pixels).save(file, "JPEG", quality=max(1, quality), **options)
    return file.getvalue()


@op("EncodeJpeg", type=_string_like(3))
def encode_jpeg(
    image: Array,
    *,
    format: str = "",
    quality: int = 95,
    progressive: bool = False,
    optimize_size: bool = False,
    chroma_downsampling: bool = True,
    density_unit: str = "in",
    x_density: int = 300,
    y_density: int = 300,
    xmp_metadata: str = "",
) -> Array:
    """A JPEG file of an image (h, w, 1 or 3) (tf.io.encode_jpeg), without `xmp_metadata`."""
    channels = {"": image.shape[-1], "grayscale": 1, "rgb": 3}.get(format)
    if channels != image.shape[-1] or density_unit not in ("in", "cm"):
        raise ValueError(
            f"format {format!r} and density_unit {density_unit!r} do not fit image {image.shape}"
        )
    sampling = {} if channels == 1 else {"subsampling": 2 if chroma_downsampling else 0}
    file = _write_jpeg(
        image, quality, progressive=progressive, optimize=optimize_size, dpi=(1, 1), **sampling
    )
    unit = 1 if density_unit == "in" else 2
    density = struct.pack(">BHH", unit, x_density, y_density)
    return np.array(file[:13] + density + file[18:], object)


@op("EncodeJpegVariableQuality", type=_string_like(3))
def encode_jpeg_variable_quality(images: Array, quality: Array) -> Array:
    """A JPEG file of an image, of a quality in [0, 100]
    (tf.raw_ops.EncodeJpegVariableQuality)."""
    return encode_jpeg(images, quality=int(quality))
