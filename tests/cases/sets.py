"""Rows of tfdeploy/ops/sets.py."""

import numpy as np

from tests.cases import case, ints

INT64 = np.int64
OPERATIONS = ("a-b", "b-a", "intersection", "union")
LEFT = np.array([[1, 5, 1], [2, 2, 2], [9, 8, 7]], np.int32)
RIGHT = np.array([[5, 6], [2, 3], [7, 7]], np.int32)
PLACES = np.array([[0, 0], [0, 1], [2, 0], [2, 1]], INT64)
OTHER = np.array([[0, 0], [1, 0], [2, 0], [2, 3]], INT64)
SHAPE = np.array([3, 4], INT64)
VALUES = np.array([5, 6, 7, 7], np.int32)
ORDERS = ([1, 0, 3, 2], [3, 2, 1, 0], [0, 2, 1, 3])
TYPES = (np.int8, np.int16, np.int32, INT64, np.uint8, np.uint16)


def words(x):
    held = np.empty(x.shape, object)
    held.ravel()[:] = [str(v).encode() for v in x.ravel()]
    return held


CASES = [
    *[
        case("DenseToDenseSetOperation", LEFT.astype(t), RIGHT.astype(t), set_operation=o)
        for o in OPERATIONS
        for t in TYPES
    ],
    *[
        case("DenseToDenseSetOperation", words(LEFT), words(RIGHT), set_operation=o)
        for o in OPERATIONS
    ],
    case("DenseToDenseSetOperation", ints(2, 2, 4), ints(2, 2, 3), set_operation="union"),
    case("DenseToDenseSetOperation", ints(2, 0), ints(2, 3), set_operation="union"),
    case("DenseToDenseSetOperation", ints(2, 3), ints(3, 3), set_operation="union", raises=True),
    case("DenseToDenseSetOperation", ints(2, 3), ints(2, 3), set_operation="xor", raises=True),
    *[
        case("DenseToSparseSetOperation", LEFT, PLACES, VALUES, SHAPE, set_operation=o)
        for o in OPERATIONS
    ],
    *[
        case(
            "DenseToSparseSetOperation", words(LEFT), PLACES, words(VALUES), SHAPE, set_operation=o
        )
        for o in OPERATIONS
    ],
    case("DenseToSparseSetOperation", LEFT, PLACES[:0], VALUES[:0], SHAPE, set_operation="union"),
    case(
        "DenseToSparseSetOperation",
        LEFT,
        PLACES[::-1].copy(),
        VALUES,
        SHAPE,
        set_operation="union",
        raises=True,
    ),
    *[
        case(
            "SparseToSparseSetOperation",
            PLACES,
            VALUES,
            SHAPE,
            OTHER,
            VALUES[::-1].copy(),
            SHAPE,
            set_operation=o,
        )
        for o in OPERATIONS
    ],
    *[
        case(
            "SparseToSparseSetOperation",
            PLACES,
            words(VALUES),
            SHAPE,
            OTHER,
            words(VALUES[::-1]),
            SHAPE,
            set_operation=o,
        )
        for o in OPERATIONS
    ],
    case(
        "SparseToSparseSetOperation",
        PLACES[:0],
        VALUES[:0],
        SHAPE,
        OTHER,
        VALUES,
        SHAPE,
        set_operation="b-a",
    ),
    case(
        "SparseToSparseSetOperation",
        PLACES[:0],
        VALUES[:0],
        SHAPE,
        OTHER[:0],
        VALUES[:0],
        SHAPE,
        set_operation="union",
    ),
    case("SetSize", PLACES, VALUES, SHAPE),
    case("DenseToDenseSetOperation", LEFT, RIGHT, set_operation="union", validate_indices=False),
    *[
        case(
            "DenseToSparseSetOperation",
            LEFT,
            PLACES[order],
            VALUES,
            SHAPE,
            set_operation=o,
            validate_indices=False,
        )
        for order in ORDERS
        for o in OPERATIONS
    ],
    *[
        case(
            "SparseToSparseSetOperation",
            PLACES[order],
            VALUES,
            SHAPE,
            OTHER,
            VALUES[::-1].copy(),
            SHAPE,
            set_operation=o,
            validate_indices=False,
        )
        for order in ORDERS
        for o in OPERATIONS
    ],
    *[case("SetSize", PLACES[order], VALUES, SHAPE, validate_indices=False) for order in ORDERS],
    case("SetSize", PLACES[ORDERS[1]], VALUES, SHAPE, raises=True),
    case("SetSize", PLACES, words(VALUES), SHAPE),
    case("SetSize", PLACES[:0], VALUES[:0], SHAPE),
]
