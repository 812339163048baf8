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
MARKED = [
    b"\xfe\xff\x00a\x00b",
    b"\xff\xfea\x00b\x00",
    b"\x00a\x00b",
    b"\x00a\xfe\xff\xff\xfe",
    b"\xfe\xff",
    b"\xff\xfea",
    b"\x00",
    b"",
]
MARKED_32 = [
    b"\x00\x00\xfe\xff\x00\x00\x00a",
    b"\xff\xfe\x00\x00a\x00\x00\x00",
    b"\x00\x00\x00a",
    b"\xff\xfe\x00\x00",
    b"\x00\x00\x00",
]
LITTLE, PLAIN = MARKED[1:3]
IN_ORDER = [
    [LITTLE, PLAIN, b"", PLAIN, MARKED[0]],
    [PLAIN, LITTLE],
    [LITTLE, b"\x00", PLAIN],
    [LITTLE, b"a\x00\x00\xd8", PLAIN],
    [LITTLE, b"\x00\xd8a\x00=\xd8\x00\xde", PLAIN],
    [b"\xff\xfe", PLAIN, LITTLE],
]
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
    *(
        case("UnicodeDecodeWithOffsets", np.array(texts, object), input_encoding=e)
        for e, all_texts in (
            ("UTF-16", [*([text] for text in MARKED), *IN_ORDER]),
            ("UTF-16-LE", [MARKED]),
            ("UTF-32", [MARKED_32]),
        )
        for texts in all_texts
    ),
    *(
        case(
            "UnicodeTranscode", np.array(texts, object), input_encoding="UTF-16", output_encoding=o
        )
        for o, texts in (("UTF-8", IN_ORDER[0]), ("UTF-16-BE", MARKED[1:2]))
    ),
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
CASES += [
    case("UnicodeScript", np.arange(0, 0x3000, 8, np.int32).reshape(3, -1)),
    case("UnicodeScript", np.arange(0, 0x110400, 0x101, np.int32)),
    case("UnicodeScript", np.array([-1, -(2**31), 2**31 - 1, 0xD800, 0x10FFFF, 0x378], np.int32)),
    case("UnicodeScript", np.int32(0x3042)),
    case("UnicodeScript", np.zeros((0, 2), np.int32)),
]
