"""Answers of tensorflow_text 2.21.1, for machines that do not have it."""

from __future__ import annotations

import pytest

from tests.cases.text import WORDS, scalar, text
from tfdeploy.ops.text import case_fold_utf8, normalize_utf8, regex_split_with_offsets
from tfdeploy.ops.wordpiece import wordpiece_tokenize_with_offsets

FOLDED = [
    "hello w\u00f6rld",
    "ssfid\u017e",
    "i\u0307\u0131",
    "ab",
    "\u03b1\u03c3\u03b9x",
    "\u1eb9\u0301",
    "amhz1",
    b"a\xffb\xe2\x82",
    "",
    "\u1f04\u03b9\u20d5",
    "\uac00\uac00",
]
COMPOSED = [
    "Hello W\u00f6RLD",
    "\u00dffiD\u017e",
    "\u0130\u0131",
    "a\u00ad\u200db",
    "\u0391\u03a3\u0345x",
    "\u1eb9\u0301",
    "AMHz1",
    b"A\xffB\xe2\x82",
    "",
    "\u1f84\u20d5",
    "\uac00\uac00",
]


def test_case_folding() -> None:
    assert case_fold_utf8(WORDS).tolist() == text(*FOLDED).tolist()


def test_compatibility_composition() -> None:
    assert normalize_utf8(WORDS, normalization_form="NFKC").tolist() == text(*COMPOSED).tolist()


@pytest.mark.parametrize(
    ("words", "delimiter", "kept", "tokens", "starts", "ends", "splits"),
    [
        (
            ["hello world  foo", " ", "", "a"],
            "(\\s)",
            "",
            ["hello", "world", "foo", "a"],
            [0, 6, 13, 0],
            [5, 11, 16, 1],
            [0, 3, 3, 3, 4],
        ),
        (
            ["hello world  foo"],
            "(\\s+)",
            "\\s+",
            ["hello", " ", "world", "  ", "foo"],
            [0, 5, 6, 11, 13],
            [5, 6, 11, 13, 16],
            [0, 5],
        ),
        (
            ["h\u00e9,w.x"],
            "([,.])",
            "\\.",
            ["h\u00e9", "w", ".", "x"],
            [0, 4, 5, 6],
            [3, 5, 6, 7],
            [0, 4],
        ),
        (["foo12bar"], "o(1)2", ".*", ["foo", "1", "bar"], [0, 3, 5], [3, 4, 8], [0, 3]),
        (["abab"], "(^a)", "", ["bab"], [1], [4], [0, 1]),
    ],
)
def test_splits(words, delimiter, kept, tokens, starts, ends, splits) -> None:  # type: ignore[no-untyped-def]
    found = regex_split_with_offsets(text(*words), scalar(delimiter), scalar(kept))
    assert [f.tolist() for f in found] == [text(*tokens).tolist(), starts, ends, splits]


VOCABULARY = (
    "they",
    "##'",
    "##re",
    "the",
    "great",
    "##est",
    "##e",
    "g",
    "##r",
    "\u00e9",
    "##\u00e9",
    "un",
    "##know",
)
HARD = ["they're", "greatest", "unknown", "gr\u00e9x", "", "xx", "g\u4f60\u00e9"]


class Table:
    """What stands for a lookup table: its entries."""

    def __init__(self) -> None:
        self.items = {word.encode(): i for i, word in enumerate(VOCABULARY)}


@pytest.mark.parametrize(
    ("attrs", "pieces", "counts", "starts", "limits"),
    [
        (
            {},
            ["they", "##'", "##re", "great", "##est", "[UNK]", "[UNK]", "[UNK]", "[UNK]"],
            [3, 2, 1, 1, 0, 1, 1],
            [0, 4, 5, 0, 5, 0, 0, 0, 0],
            [4, 5, 7, 5, 8, 7, 5, 2, 6],
        ),
        (
            {"use_unknown_token": False},
            [
                "they",
                "##'",
                "##re",
                "great",
                "##est",
                "unknown",
                "gr\u00e9x",
                "xx",
                "g\u4f60\u00e9",
            ],
            [3, 2, 1, 1, 0, 1, 1],
            [0, 4, 5, 0, 5, 0, 0, 0, 0],
            [4, 5, 7, 5, 8, 7, 5, 2, 6],
        ),
        (
            {"split_unknown_characters": True, "output_row_partition_type": "row_splits"},
            [
                "they",
                "##'",
                "##re",
                "great",
                "##est",
                "un",
                "##know",
                "##[UNK]",
                "g",
                "##r",
                "##\u00e9",
                "##[UNK]",
                "[UNK]",
                "##[UNK]",
                "g",
                "##[UNK]",
                "##\u00e9",
            ],
            [0, 3, 5, 8, 12, 12, 14, 17],
            [0, 4, 5, 0, 5, 0, 2, 6, 0, 1, 2, 4, 0, 1, 0, 1, 4],
            [4, 5, 7, 5, 8, 2, 6, 7, 1, 2, 4, 5, 1, 2, 1, 4, 6],
        ),
        (
            {"max_bytes_per_word": 2},
            ["[UNK]"] * 6,
            [1, 1, 1, 1, 0, 1, 1],
            [0] * 6,
            [5, 5, 5, 5, 2, 5],
        ),
        (
            {"max_chars_per_token": 3},
            ["[UNK]"] * 6,
            [1, 1, 1, 1, 0, 1, 1],
            [0] * 6,
            [7, 8, 7, 5, 2, 6],
        ),
    ],
)
def test_word_pieces(attrs, pieces, counts, starts, limits):
    given = {
        "suffix_indicator": "##",
        "max_bytes_per_word": 100,
        "use_unknown_token": True,
        "unknown_token": "[UNK]",
    }
    found = wordpiece_tokenize_with_offsets(text(*HARD), Table(), **given | attrs)
    assert [f.tolist() for f in found] == [text(*pieces).tolist(), counts, starts, limits]


def test_word_pieces_need_a_table():
    with pytest.raises(ValueError, match="lookup table"):
        wordpiece_tokenize_with_offsets(
            text("a"),
            None,
            suffix_indicator="##",
            max_bytes_per_word=9,
            use_unknown_token=True,
            unknown_token="?",
        )
