"""Rows of tfdeploy/ops/cross.py."""

import numpy as np

from tests.cases import case

INT64 = np.int64
WORDS = np.array([[b"a", b"b"], [b"c", b"d"], [b"", b"xyz"]], object)
NUMBERS = np.array([[1, 2], [3, -4], [5, 2**62]], INT64)
PLACES = np.array([[0, 0], [2, 0], [2, 1]], INT64)
TEXT = np.array([b"x", b"y", b"z"], object)
SHAPE = np.array([3, 2], INT64)
KEY = 0xDECAFCAFFE
SPLITS = np.array([0, 1, 1, 3], INT64)


def cross(places=(), values=(), shapes=(), dense=(), **kw):
    attrs = {
        "hashed_output": False,
        "num_buckets": 0,
        "hash_key": KEY,
        "out_type": "string",
        "internal_type": "string",
    } | kw
    return case(
        "SparseCross",
        list(places),
        list(values),
        list(shapes),
        list(dense),
        **({"sparse_types": []} if not values else {}),
        **({"dense_types": []} if not dense else {}),
        **attrs,
    )


def hashed(strong, dense=(WORDS, WORDS), buckets=1000, **kw):
    return case(
        "SparseCrossHashed",
        [],
        [],
        [],
        list(dense),
        np.int64(buckets),
        np.array(strong),
        np.array([3, -4], INT64),
        sparse_types=[],
        **({} if dense else {"dense_types": []}),
        **kw,
    )


HASHED = {"hashed_output": True, "out_type": INT64, "internal_type": INT64}
ONE = ([PLACES], [TEXT], [SHAPE])
PAIR = (WORDS[:, :1], NUMBERS[:, 1:])
LAST = ([PLACES], [NUMBERS.ravel()[-3:].copy()], [SHAPE])


def ragged(order, values, splits, sparse=((), (), ()), dense=(), **kw):
    attrs = {
        "hashed_output": False,
        "num_buckets": 0,
        "hash_key": KEY,
        "out_values_type": "string",
        "out_row_splits_type": INT64,
    } | kw
    return case(
        "RaggedCross",
        list(values),
        list(splits),
        *map(list, sparse),
        list(dense),
        input_order=order,
        **({} if sparse[1] else {"sparse_values_types": []}),
        **({} if dense else {"dense_types": []}),
        **attrs,
    )


CASES = [
    cross(dense=(WORDS, WORDS[:, :1])),
    cross(*ONE, dense=(WORDS,)),
    cross(*ONE),
    cross(dense=(WORDS, NUMBERS), internal_type=INT64),
    cross(*LAST, internal_type=INT64),
    cross([PLACES[:0]], [TEXT[:0]], [SHAPE], dense=(WORDS,)),
    cross(dense=(WORDS, NUMBERS), **HASHED),
    cross(dense=(WORDS, NUMBERS), num_buckets=7, **HASHED),
    cross(*ONE, dense=(NUMBERS,), num_buckets=100, **HASHED | {"hash_key": 5}),
    *[cross(dense=PAIR, num_buckets=n, **HASHED) for n in (0, 7, 2**62)],
    cross(dense=(WORDS[:0, :1], NUMBERS[:0, :1]), num_buckets=7, **HASHED),
    cross(dense=(WORDS, WORDS[:2]), raises=True),
    case("SparseCrossV2", [], [], [], [WORDS, NUMBERS], np.array(b"_Y_", object), sparse_types=[]),
    case("SparseCrossV2", [PLACES], [TEXT], [SHAPE], [WORDS], np.array(b"", object)),
    case("SparseCrossV2", [PLACES[:0]], [TEXT[:0]], [SHAPE], [WORDS], np.array(b"", object)),
    hashed(False),
    hashed(True),
    hashed(False, (WORDS, NUMBERS), 2**62),
    hashed(True, (WORDS,), 5),
    hashed(False, (NUMBERS[:, :0], NUMBERS)),
    *[hashed(False, PAIR, n) for n in (0, 7, 2**62)],
    *[hashed(True, (WORDS[:, 1:], WORDS[:, :1]), n) for n in (0, 7)],
    ragged("RR", (TEXT, TEXT), (SPLITS, SPLITS)),
    ragged("RD", (TEXT,), (SPLITS,), dense=(WORDS,)),
    ragged("DSR", (TEXT,), (SPLITS,), ONE, (WORDS,)),
    ragged(
        "RD",
        (NUMBERS.ravel()[:3].copy(),),
        (SPLITS,),
        dense=(WORDS,),
        hashed_output=True,
        num_buckets=50,
        out_values_type=INT64,
    ),
    ragged("R", (TEXT[:0],), (np.array([0, 0], INT64),)),
    ragged("", (), ()),
    cross(),
    hashed(False, ()),
    case("SparseCrossV2", [], [], [], [], np.array(b"", object), sparse_types=[], dense_types=[]),
]
SEPARATOR = np.array(b"_X_", object)
CASES += [
    case("SparseCrossV2", *map(list, LAST), [WORDS], SEPARATOR),
    *[
        case(
            "SparseCrossHashed",
            *map(list, sparse),
            [WORDS],
            np.int64(1000),
            np.array(strong),
            np.array([3, -4], INT64),
        )
        for sparse in (ONE, LAST)
        for strong in (False, True)
    ],
    ragged("RSD", (TEXT,), (SPLITS,), LAST, (NUMBERS,)),
]
