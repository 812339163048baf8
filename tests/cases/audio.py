"""Rows of tfdeploy/ops/audio.py."""

import struct

import numpy as np

from tests.cases import case, f32, with_nan

SOUND = f32(50, 2, low=-1, high=1)


def wav(samples: list[int], channels: int = 1, extra: bytes = b"", bits: int = 16) -> np.ndarray:
    """A WAV file as a string scalar."""
    data = struct.pack(f"<{len(samples)}h", *samples)
    form = struct.pack("<IHHIIHH", 16, 1, channels, 8000, 16000 * channels, 2 * channels, bits)
    head = b"RIFF" + struct.pack("<I", 36 + len(extra) + len(data)) + b"WAVEfmt " + form
    return np.array(head + extra + b"data" + struct.pack("<I", len(data)) + data, object)


NUMBERS = [0, 1, -1, 32767, -32768, 100]
LIST = b"LIST" + struct.pack("<I", 4) + b"abcd"
CASES = [
    case("AudioSpectrogram", SOUND, window_size=8, stride=4),
    case("AudioSpectrogram", SOUND, window_size=10, stride=7),
    case("AudioSpectrogram", SOUND, window_size=10, stride=7, magnitude_squared=True),
    case("AudioSpectrogram", SOUND, window_size=2, stride=2),
    case("AudioSpectrogram", SOUND[:5], window_size=10, stride=7),
    case("AudioSpectrogram", SOUND[:0], window_size=10, stride=7),
    case("AudioSpectrogram", SOUND, window_size=1, stride=1, raises=True),
    case("AudioSpectrogram", SOUND[:, 0], window_size=4, stride=1, raises=True),
    case("Mfcc", f32(2, 3, 513, low=0), 16000, ulp=32),
    case(
        "Mfcc",
        f32(1, 3, 257, low=0),
        8000,
        lower_frequency_limit=300.0,
        ulp=32,
        upper_frequency_limit=3500.0,
        filterbank_channel_count=12,
        dct_coefficient_count=12,
    ),
    case("Mfcc", f32(1, 0, 257), 16000),
    case("Mfcc", 0 * f32(1, 2, 257), 16000),
    case("Mfcc", f32(3, 257), 16000, raises=True),
    case("DecodeWav", wav(NUMBERS)),
    case("DecodeWav", wav(NUMBERS, 2)),
    case("DecodeWav", wav(NUMBERS, 2), desired_channels=1),
    case("DecodeWav", wav(NUMBERS, 2), desired_channels=3),
    case("DecodeWav", wav(NUMBERS), desired_channels=2),
    case("DecodeWav", wav(NUMBERS, 2), desired_channels=2, desired_samples=5),
    case("DecodeWav", wav(NUMBERS), desired_samples=2),
    case("DecodeWav", wav(NUMBERS, extra=LIST)),
    case("DecodeWav", wav([])),
    case("DecodeWav", np.array(wav(NUMBERS).item()[:-3], object), raises=True),
    case("DecodeWav", np.array(b"xx", object), raises=True),
    case("DecodeWav", wav(NUMBERS, bits=8), raises=True),
    case("EncodeWav", np.array([[0, 0.5], [-1, 1], [2, -2], [0.25, 1e-5]], np.float32), 8000),
    case("EncodeWav", f32(60, 3, low=-1.2, high=1.2), 44100),
    case("EncodeWav", f32(0, 1), 8000),
    case("EncodeWav", f32(3), 8000, raises=True),
]
CASES += [
    case("AudioSpectrogram", with_nan(SOUND), window_size=4, stride=4),
    case("Mfcc", with_nan(f32(1, 1, 257)), 16000),
    case("EncodeWav", with_nan(f32(3, 1)), 8000),
]
CASES += [case("DecodeWav", np.zeros(0, object), raises=True)]
