"""Rows of tfdeploy/ops/text.py; without the package tensorflow_text they are skipped."""

import numpy as np

from tests.cases import case


def text(*values):
    held = np.empty(len(values), object)
    held[:] = [v if isinstance(v, bytes) else v.encode() for v in values]
    return held


def scalar(value):
    return np.array(value.encode(), object)


WORDS = text(
    "Hello W\u00f6RLD",
    "\u00df\ufb01\u01c5",
    "\u0130\u0131",
    "a\u00ad\u200db",
    "\u0391\u03a3\u0345x",
    "e\u0301\u0323",
    "\uff21\u3392\u2460",
    b"A\xffB\xe2\x82",
    "",
    "\u1f84\u20d5",
    "\uac00\u1100\u1161",
)
FIRST, SECOND = np.arange(12), np.arange(12) * 10
EMPTY = np.zeros((0, 2), object)


def split(values, delimiter, kept="", **kw):
    return case("RegexSplitWithOffsets", values, scalar(delimiter), scalar(kept), **kw)


CASES = [
    case("CaseFoldUTF8", WORDS),
    case("CaseFoldUTF8", EMPTY),
    *[
        case("NormalizeUTF8", WORDS, normalization_form=f)
        for f in ("NFC", "NFD", "NFKC", "NFKD", "nfkc")
    ],
    case("NormalizeUTF8", EMPTY, normalization_form="NFC"),
    case("NormalizeUTF8", WORDS, normalization_form="NFX", raises=True),
    *[
        split(text("hello world  f\u00f6o", " ", "", b"a\xff b"), d, k)
        for d in ("(\\s)", "(\\s+)", "([^a-z])", "o( )w")
        for k in ("", "\\s+", ".*")
    ],
    split(text("aab", "ba"), "(^a)"),
    split(text("ab"), "a"),
    split(text(), "(a)"),
    split(text("ab").reshape(1, 1), "(a)", raises=True),
    split(text("ab"), "(", raises=True),
    *[
        case("TFText>RoundRobinTrim", np.int32(most), values, splits, N=len(values))
        for values, splits in (
            ([FIRST], [np.array([0, 4, 5, 5, 12])]),
            ([FIRST, SECOND], [np.array([0, 4, 5, 5, 12]), np.array([0, 3, 9, 11, 12])]),
            ([FIRST, SECOND, FIRST], [np.array(s, np.int32) for s in ([0, 12], [0, 12], [0, 12])]),
            ([FIRST.astype(np.float32)] * 2, [np.array([0, 12, 12]), np.array([0, 1, 12])]),
            ([WORDS, WORDS[:0]], [np.array([0, 3, 11]), np.array([0, 0, 0])]),
        )
        for most in (0, 1, 4, 5, 7, 100)
    ],
    case("TFText>RoundRobinTrim", np.int32(3), [FIRST], [np.array([0, 2, 5])], N=1),
]
