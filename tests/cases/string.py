"""Rows of tfdeploy/ops/string.py."""

import numpy as np

from tests.cases import case, f32, ints

INT64, HALF = np.int64, np.float16
NUMBERS = [1.5, -0.0, np.nan, np.inf, -np.inf, 1e10, 1e-10, 123456789.0, 1 / 3]
STYLES = [
    {},
    {"precision": 3},
    {"scientific": True},
    {"shortest": True},
    {"width": 12},
    {"width": 12, "fill": "0"},
    {"width": 8, "fill": "-", "precision": 2},
    {"scientific": True, "precision": 2},
    {"fill": " ", "width": 12},
    {"fill": "+"},
    {"shortest": True, "precision": 3},
]
WHOLE = [
    {},
    {"width": 6},
    {"width": 6, "fill": "0"},
    {"width": 6, "fill": "-"},
    {"fill": "+", "width": 6},
    {"fill": " ", "width": 6},
]
COMPLEX = np.array([1 + 2j, np.nan, -0.5j], np.complex64)


def text(*values):
    return np.array([v if isinstance(v, bytes) else v.encode() for v in values] + [None], object)[
        :-1
    ]


WORDS = text("a b  c", " x ", "", "a\tb\nc", "h\u00e9llo w\u00f6rld", b"\xff\x00 b")
EMPTY = np.zeros((0, 2), object)
GRID = text("a", "b", "c", "d", "e", "f").reshape(2, 3)


FIVE = text("a", "b", "c", "d", "e")


def ngrams(data=FIVE, splits=(0, 3, 3, 5), dtype=INT64, **kw):
    attrs = {
        "separator": "|",
        "ngram_widths": [2],
        "left_pad": "L",
        "right_pad": "R",
        "pad_width": 0,
        "preserve_short_sequences": False,
    } | kw
    return case("StringNGrams", data, np.array(splits, dtype), **attrs)


def as_number(value, dtype, **kw):
    return case("StringToNumber", text(value), out_type=dtype, **kw)


CASES = [
    *[
        as_number(v, t)
        for t in (np.float32, np.float64)
        for v in (
            "1",
            " 1.5 ",
            "1e3",
            "0x10",
            "0x1p3",
            "inf",
            "-Infinity",
            "nan",
            "+5",
            "1e400",
            "1e-400",
            "NAN",
            ".5",
            "5.",
            "\t3\n",
            "-0",
            "0.1",
            "3.4028236e38",
            "1e-45",
            "1.00000017881393432617187499",
        )
    ],
    *[
        as_number(v, t, raises=True)
        for t in (np.float32, np.float64)
        for v in ("", "1_000", "1.5f", "\u0661", "1 2", "0b1", "e5", ".", "- 1", "--1")
    ],
    *[
        as_number(v, t)
        for t in (np.int32, INT64, np.uint32)
        for v in ("1", "+5" if t != np.uint32 else "5", " 7 ", "0012")
    ],
    *[as_number(v, t, raises=True) for t in (np.int32, INT64) for v in ("", "1.", "0x10", "1e3")],
    as_number("-2147483648", np.int32),
    as_number("2147483648", np.int32, raises=True),
    as_number("9223372036854775807", INT64),
    as_number("9223372036854775808", INT64, raises=True),
    case("StringToNumber", text("1", "2").reshape(2, 1)),
    case("StringToNumber", EMPTY),
    *[
        case("AsString", np.array(NUMBERS, t), **style)
        for t in (np.float32, np.float64)
        for style in STYLES
    ],
    *[case("AsString", np.array([1.5, 1 / 3, np.nan, -0.0], HALF), **style) for style in STYLES],
    *[
        case("AsString", np.array([5, 100], t), **style)
        for t in (np.int8, np.int32, INT64, np.uint8, np.uint64)
        for style in WHOLE
    ],
    case("AsString", ints(2, 3)),
    case("AsString", f32(0, 2)),
    case("AsString", np.array([True, False]), width=7),
    case("AsString", COMPLEX),
    case("AsString", COMPLEX, width=9, precision=2),
    case("AsString", COMPLEX, shortest=True),
    case("AsString", text("ab", ""), width=6),
    case("AsString", text("ab", ""), width=6, fill="-"),
    case("AsString", ints(2), precision=3, raises=True),
    case("AsString", ints(2), scientific=True, raises=True),
    case("AsString", f32(2), fill="x", raises=True),
    case("AsString", f32(2), scientific=True, shortest=True, raises=True),
    case("StringFormat", [np.array([*NUMBERS, 1e6, 1e5, 123456.7], np.float32)], summarize=20),
    case(
        "StringFormat",
        [np.array([1.5, 1 / 3, 1e22, 1e15, 1e16, 123456.7, np.nan, np.inf, -0.0, 1e-4, 1e-5])],
        summarize=20,
    ),
    case("StringFormat", [np.array([1.5, 1 / 3, 65504], HALF)]),
    case("StringFormat", [ints(3, 4)], template="a%sb"),
    case("StringFormat", [np.array([b"\xc3\xa9\xf0\x9f\x98\x80", b"\xff\x00\x7f\t"], object)]),
    case("StringFormat", [ints(2, 3, 4)]),
    *[case("StringFormat", [ints(9, 10)], summarize=n) for n in (1, 2, -1)],
    *[case("StringFormat", [ints(n)]) for n in (6, 7, 8)],
    case("StringFormat", [f32(0)]),
    case("StringFormat", [f32(2, 0)]),
    case(
        "StringFormat",
        [np.int32(3), np.array(True), text("ab", b'q"x\n\x01')],
        template="x {} y {} {}",
        placeholder="{}",
    ),
    case(
        "StringFormat",
        [np.array([True, False]), COMPLEX, ints(1, dtype=np.int8)],
        template="%s %s %s",
    ),
    case("StringFormat", [], template="x", T=[]),
    case("StringFormat", [np.int32(3)], template="x", raises=True),
    case("StringJoin", [text("a", "b"), text("c", "d")], separator="-"),
    case("StringJoin", [np.array(b"a", object), text("c", "d")]),
    case("StringJoin", [np.array(b"a", object), np.array(b"b", object)]),
    case("StringJoin", [EMPTY, EMPTY]),
    case("StringJoin", [text("a"), text("c", "d")], raises=True),
    *[
        case("ReduceJoin", GRID, np.array(axes, np.int32), separator="-", keep_dims=keep)
        for axes in ([0], [1], [-1], [0, 1], [1, 0], [])
        for keep in (False, True)
    ],
    case("ReduceJoin", GRID, np.int32(1)),
    case("ReduceJoin", np.zeros((2, 0), object), np.int32(1)),
    case("ReduceJoin", np.zeros((0, 2), object), np.int32(1)),
    case("ReduceJoin", GRID, np.array([0, -2], np.int32), raises=True),
    case("ReduceJoin", GRID, np.int32(2), raises=True),
    case(
        "UnsortedSegmentJoin",
        text("a", "b", "c"),
        np.array([2, 0, 2], np.int32),
        np.int32(4),
        separator=":",
    ),
    case("UnsortedSegmentJoin", GRID, np.array([0, 0], INT64), np.int32(1), separator=":"),
    case("UnsortedSegmentJoin", GRID, np.array([[0, 1, 0], [1, 2, 2]], INT64), np.int64(4)),
    case("UnsortedSegmentJoin", text(), np.array([], INT64), np.int64(2)),
    case("UnsortedSegmentJoin", text("a"), np.array([-1], INT64), np.int64(2), raises=True),
    case("UnsortedSegmentJoin", text("a"), np.array([2], INT64), np.int64(2), raises=True),
    *[
        case("StringSplitV2", WORDS, np.array(sep, object), maxsplit=n)
        for sep in (b"", b" ", b"b", b"  ")
        for n in (-1, 0, 1, 2)
    ],
    case("StringSplitV2", text("a,,b", "", ","), np.array(b",", object)),
    case("StringSplitV2", text("a::b:::c"), np.array(b"::", object)),
    case("StringSplitV2", text(), np.array(b",", object)),
    *[
        case("StringSplit", WORDS, np.array(sep, object), skip_empty=skip)
        for sep in (b"", b" ", b" \tb", b"-]^")
        for skip in (True, False)
    ],
    case("StringSplit", text(), np.array(b",", object)),
    *[case(name, WORDS) for name in ("StringStrip", "StringLower", "StringUpper", "StringLength")],
    *[case(name, EMPTY) for name in ("StringStrip", "StringLower", "StringUpper", "StringLength")],
    *[
        case(
            name,
            text("\u00c0b\u00df", "\u0391\u03a3", "\u0130x", b"A\xffb", "\ufb01\u01c5"),
            encoding="utf-8",
        )
        for name in ("StringLower", "StringUpper")
    ],
    *[case(name, text("A\u00c9b", "z")) for name in ("StringLower", "StringUpper")],
    case("StringStrip", text(" a \t\n\v\f\r", b"\x00 a", "\u00a0a")),
    case("StringLength", text("h\u00e9\u00e9", b"\xff\x80a", ""), unit="UTF8_CHAR"),
    *[
        case("Substr", text("hello", "abc"), np.array(p, t), np.array(n, t))
        for t in (np.int32, INT64)
        for p, n in ((1, 2), ([1, -2], [2, 5]), (0, -1), (3, 0))
    ],
    case("Substr", text("h\u00e9llo", "\u00e9"), np.int32(-1), np.int32(1), unit="UTF8_CHAR"),
    case("Substr", text("h\u00e9llo"), np.int32(1), np.int32(3), unit="UTF8_CHAR"),
    case("Substr", np.array(b"hello", object), np.array([1, 5], INT64), np.array([2, 1], INT64)),
    case("Substr", GRID, np.array([[0], [1]], np.int32), np.array([[1], [1]], np.int32)),
    case("Substr", EMPTY, np.int32(0), np.int32(1)),
    case("Substr", text("hello"), np.int32(6), np.int32(1), raises=True),
    case("Substr", text("hello"), np.int32(-6), np.int32(1), raises=True),
    case("Substr", text("h\u00e9"), np.int32(3), np.int32(1), unit="UTF8_CHAR", raises=True),
    ngrams(),
    ngrams(pad_width=1),
    ngrams(ngram_widths=[1, 3], dtype=np.int32),
    ngrams(ngram_widths=[4], preserve_short_sequences=True),
    ngrams(ngram_widths=[4], pad_width=-1),
    ngrams(ngram_widths=[6], pad_width=2),
    ngrams(separator="", ngram_widths=[3, 2], pad_width=5),
    ngrams(ngram_widths=[6], pad_width=1, preserve_short_sequences=True),
    ngrams(ngram_widths=[4, 5], preserve_short_sequences=True),
    ngrams(ngram_widths=[9], pad_width=2, preserve_short_sequences=True),
    ngrams(data=text(), splits=(0,)),
    ngrams(data=text(), splits=(0, 0), pad_width=-1),
    *[case("EncodeBase64", text(b"hello\xff?>", "a", "", "ab"), pad=p) for p in (True, False)],
    case("EncodeBase64", EMPTY),
    case("DecodeBase64", text("aGVsbG8", "aGVsbG8=", "aG", "aG==", "_-_-", "aH", "")),
    case("DecodeBase64", EMPTY),
    *[
        case("DecodeBase64", text(s), raises=True)
        for s in ("a", "+/", "aG=", "a G", "====", "aG\n")
    ],
]
