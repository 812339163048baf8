"""Sound: spectrograms, mel-frequency coefficients and WAV files of 16 bits."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import FLOAT32, INT32, STRING
from ..graph.types import Extent, Shape, ValueType
from .array import check_size
from .quantize import round_away
from .registry import op
from .rules import Inference

Array = NDArray[Any]


def _fft_length(window_size: int) -> int:
    """The next power of two."""
    if window_size < 2:
        raise ValueError(f"a window of {window_size} samples: 2 at least are needed")
    return int(2 ** np.ceil(np.log2(window_size)))


def _spectrogram_type(c: Inference) -> ValueType:
    shape = c.inputs[0].shape
    window, stride = c.attrs["window_size"], c.attrs["stride"]
    bins = _fft_length(window) // 2 + 1
    if shape is None:
        return ValueType(FLOAT32, (c.fresh(), c.fresh(), bins))
    if len(shape) != 2:
        raise ValueError(f"sound is [samples, channels], not of rank {len(shape)}")
    samples, channels = shape
    frames: Extent = c.fresh()
    if isinstance(samples, int):
        frames = max((samples - window) // stride + 1, 0)
    return ValueType(FLOAT32, (channels, frames, bins))


@lru_cache(16)
def hann(window_size: int) -> tuple[int, Array]:
    """The length of the transform and the window, float64, before it."""
    places = np.arange(window_size)
    return _fft_length(window_size), 0.5 - 0.5 * np.cos(2 * np.pi / window_size * places)


def magnitudes(spectra: Array, squared: bool) -> Any:
    """Magnitudes of complex numbers, or their squares, float32."""
    power = np.square(spectra.real) + np.square(spectra.imag)
    return (power if squared else np.sqrt(power)).astype(np.float32)


@op("AudioSpectrogram", type=_spectrogram_type, ranks="2")
def audio_spectrogram(
    input: Array, *, window_size: int, stride: int, magnitude_squared: bool = False
) -> Any:
    """Magnitudes [channels, frames, frequencies] of sound [samples, channels] under a Hann window,
    padded to a power of two (tf.raw_ops.AudioSpectrogram)."""
    length, window = hann(window_size)
    if stride < 1 or input.ndim != 2:
        raise ValueError(f"a stride of {stride} over sound of shape {input.shape}")
    frames = max((len(input) - window_size) // stride + 1, 0)
    if not frames:
        return np.zeros((input.shape[1], 0, length // 2 + 1), np.float32)
    views = np.lib.stride_tricks.sliding_window_view(input.T, window_size, axis=1)[:, ::stride]
    return magnitudes(np.fft.rfft(views * window, length), magnitude_squared)


def _mel(frequency: Any) -> Any:
    return 1127.0 * np.log1p(frequency / 700.0)


@lru_cache(16)
def _filterbank(bins: int, rate: int, low: float, high: float, channels: int) -> Array:
    """Weights [bins, channels] of triangles that are evenly spaced on the mel scale."""
    step = 0.5 * rate / (bins - 1)
    first, last = int(1.5 + low / step), int(high / step)
    if not 0 <= low < high or channels < 1 or last >= bins:
        raise ValueError(f"{channels} bands from {low} to {high} Hz out of {rate / 2} Hz")
    spacing = (_mel(high) - _mel(low)) / (channels + 1)
    used = np.arange(first, last + 1)
    place = (_mel(used * step) - _mel(low)) / spacing  # in bands, from the start of the first one
    weights = np.maximum(1 - np.abs(place[:, None] - np.arange(1, channels + 1)), 0)
    result = np.zeros((bins, channels))
    result[used] = weights
    return result


def _mfcc_type(c: Inference) -> ValueType:
    shape = c.inputs[0].shape
    count = c.attrs["dct_coefficient_count"]
    if shape is not None and len(shape) != 3:
        raise ValueError(f"a spectrogram has rank 3, not {len(shape)}")
    found: Shape = (c.fresh(), c.fresh(), count) if shape is None else (*shape[:2], count)
    return ValueType(FLOAT32, found)


@op("Mfcc", type=_mfcc_type, ranks="30")
def mfcc(
    spectrogram: Array,
    sample_rate: Array,
    *,
    upper_frequency_limit: float = 4000.0,
    lower_frequency_limit: float = 20.0,
    filterbank_channel_count: int = 40,
    dct_coefficient_count: int = 13,
) -> Any:
    """Cosine transform of the logarithms of a spectrogram of squared magnitudes in mel bands
    (tf.raw_ops.Mfcc)."""
    if spectrogram.ndim != 3 or spectrogram.shape[2] < 2 or not dct_coefficient_count > 0:
        raise ValueError(f"{dct_coefficient_count} coefficients of shape {spectrogram.shape}")
    channels = filterbank_channel_count
    bank = _filterbank(
        spectrogram.shape[2],
        int(sample_rate),
        lower_frequency_limit,
        upper_frequency_limit,
        channels,
    )
    bands = np.log(np.maximum(np.sqrt(spectrogram.astype(np.float64)) @ bank, 1e-12))
    return (bands @ _cosines(channels, dct_coefficient_count)).astype(np.float32)


@lru_cache(16)
def _cosines(channels: int, count: int) -> Array:
    """The cosine transform [channels, count]."""
    n, k = np.ogrid[:channels, :count]
    return np.asarray(np.sqrt(2 / channels) * np.cos(np.pi / channels * k * (n + 0.5)))


def _wav_types(c: Inference) -> list[ValueType]:
    channels, samples = c.attrs["desired_channels"], c.attrs["desired_samples"]
    return [
        ValueType(
            FLOAT32,
            (c.fresh() if samples < 0 else samples, c.fresh() if channels < 0 else channels),
        ),
        ValueType(INT32, ()),
    ]


def _read_wav(data: bytes) -> tuple[int, int, Array]:
    """Channels, rate and samples of a WAV file; raises ValueError where it is none of 16 bits."""
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError("no WAV file: it does not start with RIFF and WAVE")
    at, channels, rate = 12, 0, 0
    while at + 8 <= len(data):
        name, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        body = data[at + 8 : at + 8 + size]
        if len(body) < size:
            raise ValueError(f"the WAV file ends within its part {name!r}")
        if name == b"fmt ":
            if size < 16:
                raise ValueError("the WAV file's format part is too short")
            kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
            if kind != 1 or bits != 16 or not channels or not rate:
                raise ValueError(
                    f"a WAV file of kind {kind}, {bits} bits, {channels} channels at "
                    f"{rate} Hz: only whole numbers of 16 bits are read"
                )
        elif name == b"data":
            if not channels:
                raise ValueError("the WAV file has samples before their format")
            samples = np.frombuffer(body[: size // (2 * channels) * 2 * channels], "<i2")
            return channels, rate, samples.reshape(-1, channels)
        at += 8 + size
    raise ValueError("the WAV file has no samples")


@op("DecodeWav", type=_wav_types, exact=True, outputs=("audio", "sample_rate"), ranks="0")
def decode_wav(
    contents: Array, *, desired_channels: int = -1, desired_samples: int = -1
) -> tuple[Array, Array]:
    """Sound [samples, channels] from -1 to 1 and samples in a second of a WAV file of 16 bits,
    cut or padded with zeros to `desired_samples` (tf.audio.decode_wav).

    Of more channels than wanted the first ones are kept; of fewer the last one is repeated.
    """
    channels, rate, samples = _read_wav(contents.item())
    if desired_channels >= 0 and desired_channels != channels:
        check_size([len(samples), desired_channels])
        samples = samples[:, np.minimum(np.arange(desired_channels), channels - 1)]
    sound = samples.astype(np.float32) / np.float32(32768)
    if desired_samples >= 0:
        check_size([desired_samples, sound.shape[1]])
        result = np.zeros((desired_samples, sound.shape[1]), np.float32)
        result[: len(sound)] = sound[:desired_samples]
        sound = result
    return sound, np.asarray(rate, np.int32)


@op("EncodeWav", type=lambda c: ValueType(STRING, ()), exact=True, ranks="20")
def encode_wav(audio: Array, sample_rate: Array) -> Array:
    """A WAV file of 16 bits from sound [samples, channels], held within -1 and 1
    (tf.audio.encode_wav)."""
    if audio.ndim != 2 or not audio.shape[1] or int(sample_rate) <= 0:
        raise ValueError(
            f"sound [samples, channels] is needed, not shape {audio.shape} at {int(sample_rate)} Hz"
        )
    channels, rate = audio.shape[1], int(sample_rate)
    scaled = audio.astype(np.float32) * np.float32(32768)
    data = np.clip(round_away(scaled), -32768, 32767).astype("<i2").tobytes()
    form = struct.pack("<IHHIIHH", 16, 1, channels, rate, rate * 2 * channels, 2 * channels, 16)
    head = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + form
    result = np.empty((), object)
    result[()] = head + b"data" + struct.pack("<I", len(data)) + data
    return result
