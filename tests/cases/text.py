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
]
