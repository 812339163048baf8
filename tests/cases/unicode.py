"""Rows of tfdeploy/ops/unicode.py."""

import numpy as np

from tests.cases import case

ODD = np.array(
    [
        b"h\xc3\xa9\xf0\x9f\x98\x80",
        b"a\xffb",
        b"",
        b"\xe2\x82",
        b"\xe2\x82a",
        b"\xed\xa0\x80",
        b"\xc0\x80",
        b"\xf5\x80\x80\x80",
        b"\x00\x01\x1f\x7f",
        b"a\xf0\x9f\x98z",
    ],
    object,
)
DECODE = ("UnicodeDecode", "UnicodeDecodeWithOffsets")
POINTS = np.array([104, 233, 0x1F600, 0xD800, 0x110000, -1, 65], np.int32)


def splits(*values, dtype=np.int64):
    return np.array(values, dtype)


CASES = [
    *[
        case(name, ODD, input_encoding="UTF-8", errors=e, replace_control_characters=r)
        for name in DECODE
        for e in ("replace", "ignore")
        for r in (False, True)
    ],
    case("UnicodeDecode", ODD, input_encoding="UTF-8", replacement_char=32, Tsplits=np.int32),
    case("UnicodeDecodeWithOffsets", ODD, input_encoding="UTF-8", replacement_char=32),
    *[case(name, ODD[:0], input_encoding="UTF-8") for name in DECODE],
    *[case(name, ODD[:4].reshape(2, 2), input_encoding="UTF-8") for name in DECODE],
    *[case(name, ODD, input_encoding="UTF-8", errors="strict", raises=True) for name in DECODE],
    *[case(name, ODD, input_encoding="nonsense", raises=True) for name in DECODE],
    *[
        case(name, np.array([b"\x00a\x00\xe9\xd8=\xde\x00"], object), input_encoding="UTF-16-BE")
        for name in DECODE
    ],
    case("UnicodeDecode", np.array([b"\xe9\x80"], object), input_encoding="ISO-8859-1"),
    case("UnicodeDecode", np.array([b"\xe9\x80"], object), input_encoding="windows-1252"),
    case("UnicodeDecode", np.array([b"\x82\xa0a"], object), input_encoding="shift_jis"),
    case(
        "UnicodeDecode",
        np.array([b"\x00\x00\x00a\x00\x01\xf6\x00"], object),
        input_encoding="UTF-32-BE",
    ),
    *[
        case("UnicodeEncode", POINTS, splits(0, 2, 2, 7), output_encoding=o, errors=e)
        for o in ("UTF-8", "UTF-16-BE", "UTF-32-BE")
        for e in ("replace", "ignore")
    ],
    case(
        "UnicodeEncode",
        POINTS,
        splits(0, 7, dtype=np.int32),
        output_encoding="UTF-8",
        replacement_char=63,
    ),
    case("UnicodeEncode", POINTS[:0], splits(0), output_encoding="UTF-8"),
    case(
        "UnicodeEncode", POINTS, splits(0, 7), output_encoding="UTF-8", errors="strict", raises=True
    ),
    case("UnicodeEncode", POINTS, splits(0, 6), output_encoding="UTF-8", raises=True),
    *[
        case("UnicodeTranscode", ODD, input_encoding="UTF-8", output_encoding=o, errors=e)
        for o in ("UTF-8", "UTF-16-BE", "UTF-32-BE")
        for e in ("replace", "ignore")
    ],
    case(
        "UnicodeTranscode",
        ODD,
        input_encoding="UTF-8",
        output_encoding="UTF-8",
        replace_control_characters=True,
        replacement_char=32,
    ),
    case("UnicodeTranscode", ODD[:0], input_encoding="UTF-8", output_encoding="UTF-8"),
    case(
        "UnicodeTranscode",
        ODD,
        input_encoding="UTF-8",
        output_encoding="UTF-8",
        errors="strict",
        raises=True,
    ),
    case(
        "UnicodeTranscode",
        np.array(b"\xe9", object),
        input_encoding="ISO-8859-1",
        output_encoding="UTF-8",
    ),
    *[case(name, ODD[:1], input_encoding="UTF-8", errors="strict") for name in DECODE],
    case("UnicodeEncode", POINTS[:3], splits(0, 3), output_encoding="UTF-8", errors="strict"),
    case(
        "UnicodeTranscode",
        ODD[:1],
        input_encoding="UTF-8",
        output_encoding="UTF-16-BE",
        errors="strict",
    ),
]
