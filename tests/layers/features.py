"""Rows of layers for text, categories and tables: every output mode, ragged and sparse ones."""

from __future__ import annotations

from itertools import product
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers as k

from tests.exported import Row, between, floats, ids, row, texts

WORDS = ["a", "bb", "ccc", "dd d", "", "Zoë", "[UNK]", "?!"]
KNOWN = ["a", "bb", "ccc", "Zoë", "x"]
IDF = [0.5, 1.5, 2.0, 0.25, 3.0]
TEXTS = [
    "the cat sat on the mat",
    "The DOG, sat!",
    "",
    "un été à Zürich",
    "   many   spaces\there\n",
    "unknown words only",
    "cat",
    "cat-dog the.mat",
]
VOCABULARY = ["the", "cat", "sat", "mat", "dog", "été", "on"]
PAIRS = ["the cat", "cat", "sat on", "the mat", "dog", "dog sat", "sat"]
LETTERS = ["t", "h", "e", "c", "a", " ", "é"]
WORD, TABLE = texts(WORDS, 4), texts(WORDS)
NUMBERS, NUMBER = ids(-2, 9, 4, dtype="int64"), ids(-2, 9, dtype="int64")
TEXT, TEXT_COLUMN = texts(TEXTS), texts(TEXTS, 1)
MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")
Rows = dict[str, Row]


def fixed(make: Any, *inputs: Any, **options: Any) -> Row:
    """A row of a layer whose weights are its vocabulary."""
    return row(make, *inputs, fixed=True, **options)


def on_ragged(layer: Any, x: Any) -> Any:
    """The layer on rows of 1, 2, 3, 1, ... elements of `x`."""
    lengths = tf.range(tf.shape(x)[0]) % 3 + 1
    return layer(tf.RaggedTensor.from_tensor(x, lengths=lengths))


def on_sparse(layer: Any, x: Any) -> Any:
    """The layer on what of `x` is not its type's nothing."""
    return layer(tf.sparse.from_dense(x))


def lookups(kind: Any, vocabulary: Any, many: Any, one: Any) -> Rows:
    """Rows that lookups of words and of numbers have."""

    def made(inputs: Any = many, call: Any = None, **options: Any) -> Row:
        given = {"vocabulary": vocabulary, **options}
        return fixed(lambda: kind(**given), inputs, call=call)

    mask = "" if kind is k.StringLookup else 0
    known = texts(KNOWN, 4) if kind is k.StringLookup else ids(1, 6, 4, dtype="int64")
    rows = {"int": made()}
    for mode, oov in product(MODES[1:], (1, 3)):
        given = {"idf_weights": IDF} if mode == "tf_idf" else {}
        rows[f"{mode} {oov} unknown"] = made(
            one if mode == "one_hot" else many, output_mode=mode, num_oov_indices=oov, **given
        )
        rows[f"{mode} {oov} unknown column"] = made(
            one, output_mode=mode, num_oov_indices=oov, **given
        )
    for oov, masked in product((1, 2, 5), (False, True)):
        rows[f"int {oov} unknown{' masked' * masked}"] = made(
            num_oov_indices=oov, **({"mask_token": mask} if masked else {})
        )
    rows |= {
        "known": made(known, num_oov_indices=0),
        "known counts": made(known, num_oov_indices=0, output_mode="count"),
        "known weighted": made(known, num_oov_indices=0, output_mode="tf_idf", idf_weights=IDF),
        "invert": fixed(
            lambda: kind(vocabulary=vocabulary, invert=True), ids(0, 6, 4, dtype="int64")
        ),
        "invert masked": fixed(
            lambda: kind(vocabulary=vocabulary, invert=True, mask_token=mask, num_oov_indices=1),
            ids(0, 7, 4, dtype="int64"),
        ),
        "padded": made(output_mode="multi_hot", pad_to_max_tokens=True, max_tokens=12),
        "masked counts": made(output_mode="count", mask_token=mask),
        "ragged": made(call=on_ragged),
        "ragged counts": made(call=on_ragged, output_mode="count"),
        "one at a time": made(one),
        "three axes": made(
            texts(WORDS, 2, 3) if kind is k.StringLookup else ids(-2, 9, 2, 3, dtype="int64")
        ),
    }
    rows |= {
        f"sparse {mode}": made(output_mode=mode, sparse=True) for mode in ("multi_hot", "count")
    }
    return rows


def adapted(kind: Any, data: Any, **options: Any) -> Any:
    layer = kind(**options)
    layer.adapt(data)
    return layer


def vectorization() -> Rows:
    def made(inputs: Any = TEXT, call: Any = None, **options: Any) -> Row:
        given = {"vocabulary": VOCABULARY, **options}
        return fixed(lambda: k.TextVectorization(**given), inputs, call=call)

    rows = {
        "int": made(),
        "column": made(TEXT_COLUMN),
        "length": made(output_sequence_length=4),
        "long": made(output_sequence_length=12),
        "ragged": made(ragged=True),
        "adapted": fixed(
            lambda: adapted(k.TextVectorization, np.array(TEXTS, object), max_tokens=9), TEXT
        ),
        "adapted idf": fixed(
            lambda: adapted(
                k.TextVectorization, np.array(TEXTS, object), output_mode="tf_idf", ngrams=2
            ),
            TEXT,
        ),
        "own": made(
            standardize=lambda x: tf.strings.regex_replace(x, "[aeiou]", "_"),
            split=lambda x: tf.strings.split(x, "_"),
            vocabulary=["h", "c", "t s", "t"],
        ),
    }
    for mode in MODES[2:]:
        idf = {"idf_weights": [*IDF, 1.0, 4.0]} if mode == "tf_idf" else {}
        rows |= {
            mode: made(output_mode=mode, **idf),
            f"{mode} column": made(TEXT_COLUMN, output_mode=mode, **idf),
            f"{mode} padded": made(output_mode=mode, max_tokens=20, pad_to_max_tokens=True, **idf),
        }
    for standardize, split in product(
        (None, "lower", "strip_punctuation", "lower_and_strip_punctuation"),
        ("whitespace", "character"),
    ):
        words = VOCABULARY if split == "whitespace" else LETTERS
        rows[f"{standardize} by {split}"] = made(
            standardize=standardize, split=split, vocabulary=words
        )
    for ngrams in (2, 3, (1, 3), (2,)):
        rows[f"ngrams {ngrams}"] = made(ngrams=ngrams, vocabulary=PAIRS)
    rows["ngrams counted"] = made(ngrams=2, vocabulary=PAIRS, output_mode="count")
    rows["ngrams ragged"] = made(ngrams=2, vocabulary=PAIRS, ragged=True)
    for mode in ("multi_hot", "count"):
        rows[f"sparse {mode}"] = made(output_mode=mode, sparse=True)
    rows["not split"] = made(split=None, vocabulary=["cat", "the dog sat"])
    return rows


def encodings() -> Rows:
    rows = {}
    for mode in ("multi_hot", "one_hot", "count"):
        given = {"num_tokens": 6, "output_mode": mode}
        rows |= {
            mode: fixed(lambda given=given: k.CategoryEncoding(**given), ids(0, 6, 4)),
            f"{mode} column": fixed(lambda given=given: k.CategoryEncoding(**given), ids(0, 6, 1)),
            f"{mode} vector": fixed(lambda given=given: k.CategoryEncoding(**given), ids(0, 6)),
            f"{mode} int64": fixed(
                lambda given=given: k.CategoryEncoding(**given), ids(0, 6, 4, dtype="int64")
            ),
        }
    rows["weighted"] = fixed(
        lambda: k.CategoryEncoding(6, output_mode="count"),
        ids(0, 6, 4),
        floats(4),
        call=lambda layer, x, weights: layer(x, count_weights=weights),
    )
    return rows


def discretizations() -> Rows:
    bins = [-1.0, 0.0, 0.5, 1.5]
    rows = {}
    for mode in MODES[:4]:
        given = {"bin_boundaries": bins, "output_mode": mode}
        rows[mode] = fixed(
            lambda given=given: k.Discretization(**given),
            floats() if mode == "one_hot" else floats(4),
        )
    rows |= {
        "adapted": fixed(
            lambda: adapted(k.Discretization, np.arange(50.0), num_bins=5), between(-5, 55, 4)
        ),
        "sparse": fixed(
            lambda: k.Discretization(bins, output_mode="multi_hot", sparse=True), floats(4)
        ),
        "integers": fixed(lambda: k.Discretization([1, 4]), ids(-2, 9, 4)),
        "edges": fixed(lambda: k.Discretization([1, 4]), ids(-2, 9, 4, dtype="float64")),
    }
    return rows


def hashings() -> Rows:
    inputs = {"words": WORD, "numbers": NUMBERS, "int32": ids(-9, 9, 4)}
    salts = {"": {}, " salt": {"salt": 7}, " salts": {"salt": [3, 4]}}
    rows = {
        f"{name}{salt}": fixed(lambda given=given: k.Hashing(11, **given), x)
        for (name, x), (salt, given) in product(inputs.items(), salts.items())
    }
    rows |= {
        mode: fixed(
            lambda mode=mode: k.Hashing(5, output_mode=mode), TABLE if mode == "one_hot" else WORD
        )
        for mode in MODES[1:4]
    }
    rows |= {
        "masked": fixed(lambda: k.Hashing(11, mask_value=""), WORD),
        "masked number": fixed(lambda: k.Hashing(11, mask_value=0), NUMBERS),
        "sparse": fixed(lambda: k.Hashing(5, output_mode="count", sparse=True), WORD),
        "ragged": fixed(lambda: k.Hashing(11), WORD, call=on_ragged),
        "sparse input": fixed(lambda: k.Hashing(11), WORD, call=on_sparse),
    }
    return rows


def space(mode: str, crossing: str = "one_hot") -> Any:
    """A feature space with every kind of feature."""
    space = keras.utils.FeatureSpace
    features = space(
        features={
            "word": space.string_categorical(num_oov_indices=1),
            "hashed": space.string_hashed(num_bins=7),
            "number": space.float_normalized(),
            "scaled": space.float_rescaled(scale=0.1, offset=1.0),
            "level": space.float_discretized(num_bins=4),
            "kind": space.integer_categorical(max_tokens=6),
            "code": space.integer_hashed(num_bins=5),
            "plain": space.float(),
        },
        crosses=[space.cross(("word", "kind"), crossing_dim=9, output_mode=crossing)],
        output_mode=mode,
    )
    rng = np.random.default_rng(8)
    columns = {
        "word": rng.choice(KNOWN, 40),
        "hashed": rng.choice(KNOWN, 40),
        "number": rng.normal(3, 2, 40),
        "scaled": rng.normal(size=40),
        "level": rng.normal(size=40),
        "kind": rng.integers(0, 5, 40),
        "code": rng.integers(0, 9, 40),
        "plain": rng.normal(size=40),
    }
    features.adapt(tf.data.Dataset.from_tensor_slices(columns).batch(10))
    return features


def by_name(layer: Any, *columns: Any) -> Any:
    return layer(dict(zip(layer.features, columns, strict=True)))


FEATURES = (
    *(texts(WORDS, 1), texts(WORDS, 1), floats(1), floats(1), floats(1)),
    *(ids(-1, 7, 1), ids(-1, 7, 1), floats(1)),
)

ROWS: dict[str, Rows] = {
    "TextVectorization": vectorization(),
    "StringLookup": {
        **lookups(k.StringLookup, KNOWN, WORD, TABLE),
        "sparse": fixed(lambda: k.StringLookup(vocabulary=KNOWN), WORD, call=on_sparse),
        "sparse input counts": fixed(
            lambda: k.StringLookup(vocabulary=KNOWN, output_mode="count"), WORD, call=on_sparse
        ),
        "adapted": fixed(
            lambda: adapted(k.StringLookup, np.array(WORDS * 2, object), max_tokens=5), WORD
        ),
    },
    "IntegerLookup": {
        **lookups(k.IntegerLookup, [5, 3, 2, 1, 4], NUMBERS, NUMBER),
        "adapted": fixed(lambda: adapted(k.IntegerLookup, np.arange(9) % 4), NUMBERS),
        "int32": fixed(lambda: k.IntegerLookup(vocabulary=[5, 3, 2]), ids(-2, 9, 4)),
    },
    "CategoryEncoding": encodings(),
    "Discretization": discretizations(),
    "Hashing": hashings(),
    "HashedCrossing": {
        mode: fixed(
            lambda mode=mode: k.HashedCrossing(7, output_mode=mode),
            texts(WORDS, 1),
            ids(0, 4, 1, dtype="int64"),
            *([texts(WORDS, 1)] if mode == "int" else []),
        )
        for mode in ("int", "one_hot")
    },
    "FeatureSpace": {
        "concatenated": fixed(lambda: space("concat"), *FEATURES, call=by_name),
        "dict": fixed(lambda: space("dict", "int"), *FEATURES, call=by_name),
    },
}
