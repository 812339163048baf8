"""Rows of tfdeploy/ops/layout.py."""

import numpy as np

from tests.cases import as_types, case, f32, f64, ints, with_nan

INT64, HALF = np.int64, np.float16
SPECIAL = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1.5, -1.5, 2.5], np.float32)
TEXT = np.array([[b"a", b"", b"\xff\x00"], [b"dog", b"cat", b"x"]], object)
COMPLEX = (f32(2, 3) + 1j * f32(2, 3, seed=1)).astype(np.complex64)


def i32(*values):
    return np.array(values, np.int32)


PADS = np.array([[1, 2], [0, 1]], np.int32)
NO_PADS = np.zeros((2, 2), np.int32)
CASES = [
    case("Transpose", f32(2, 3, 4), i32(2, 0, 1)),
    case("Transpose", f32(2, 3, 4), np.array([-1, 0, 1], INT64)),
    case("Transpose", f32(0, 3), i32(1, 0)),
    case("Transpose", np.float32(2), i32()),
    case("Transpose", TEXT, i32(1, 0)),
    case("Transpose", COMPLEX, i32(1, 0)),
    case("Transpose", SPECIAL.reshape(2, 4), i32(1, 0)),
    case("Transpose", ints(2, 3, dtype=np.uint8), i32(1, 0)),
    case("Transpose", f32(2, 3), i32(0, 0), raises=True),
    case("Transpose", f32(2, 3), i32(0), raises=True),
    case("ConjugateTranspose", COMPLEX, i32(1, 0)),
    case("ConjugateTranspose", f32(2, 3), i32(1, 0)),
    case("ConjugateTranspose", f32(0, 3), i32(1, 0)),
    case("ReverseV2", f32(2, 3, 4), i32(0, -1)),
    case("ReverseV2", f32(2, 3), i32()),
    case("ReverseV2", f32(0, 3), np.array([1], INT64)),
    case("ReverseV2", TEXT, i32(1)),
    case("ReverseV2", SPECIAL, i32(0)),
    case("ReverseV2", COMPLEX, i32(0)),
    case("ReverseV2", f32(2, 3), i32(0, 0), raises=True),
    case("ReverseV2", f32(2, 3), i32(2), raises=True),
    case("Reverse", f32(2, 3), np.array([True, False])),
    case("Reverse", ints(2, 0), np.array([True, True])),
    case("ReverseSequence", f32(3, 4, 2), i32(2, 0, 4), seq_dim=1),
    case("ReverseSequence", f32(4, 2), np.array([3, 1], INT64), seq_dim=0, batch_dim=1),
    case("ReverseSequence", f32(0, 4), np.array([], INT64), seq_dim=1),
    case("ReverseSequence", TEXT, i32(2, 3), seq_dim=1),
    case("ReverseSequence", f32(2, 3), i32(2, 4), seq_dim=1, raises=True),
    case("Roll", f32(3, 4), i32(1, -2), i32(0, 1)),
    case("Roll", f32(5), i32(1, 2), i32(0, 0)),
    case("Roll", ints(5), np.int64(7), np.int32(-1)),
    case("Roll", f32(0, 3), i32(1), i32(0)),
    case("Roll", TEXT, i32(1), i32(1)),
    case("Roll", SPECIAL, i32(3), i32(0)),
    case("Tile", f32(2, 3), i32(2, 1)),
    case("Tile", f32(2, 3), np.array([0, 2], INT64)),
    case("Tile", f32(0, 3), i32(2, 2)),
    case("Tile", TEXT, i32(1, 2)),
    case("Tile", SPECIAL, i32(2)),
    case("Tile", COMPLEX, i32(1, 2)),
    case("Tile", np.array([True]), i32(3)),
    case("Tile", f32(2), i32(-1), raises=True),
    case("Tile", f32(2), i32(2, 1), raises=True),
    case("Pad", f32(2, 3), PADS),
    case("Pad", ints(2, 3), PADS.astype(INT64)),
    case("Pad", f32(0, 3), PADS),
    case("Pad", np.array([[True]]), PADS),
    case("Pad", SPECIAL.reshape(2, 4), PADS),
    case("Pad", TEXT, PADS),
    case("Pad", COMPLEX, PADS),
    case("Pad", f32(2, 3), -PADS, raises=True),
    case("PadV2", f32(2, 3), PADS, np.float32(np.nan)),
    case("PadV2", ints(2, 3), PADS, np.int32(7)),
    case("PadV2", TEXT, PADS, np.array(b"pad", object)),
    case("PadV2", f64(0, 3), PADS, np.float64(2)),
    *[
        case("MirrorPad", x, PADS, mode=mode)
        for mode in ("REFLECT", "SYMMETRIC")
        for x in (f32(3, 2), ints(3, 2, dtype=INT64), SPECIAL.reshape(4, 2))
    ],
    case("MirrorPad", f32(2, 3), np.array([[2, 0], [0, 0]], INT64), mode="REFLECT", raises=True),
    case("MirrorPad", f32(2, 3), np.array([[2, 0], [0, 3]], INT64), mode="SYMMETRIC"),
    case("MirrorPad", f32(0, 2), NO_PADS, mode="SYMMETRIC"),
    case("DepthToSpace", f32(2, 2, 3, 8), block_size=2),
    case("DepthToSpace", ints(1, 1, 1, 9), block_size=3),
    case("DepthToSpace", f32(0, 2, 3, 4), block_size=2),
    case("DepthToSpace", f32(1, 1, 1, 3), block_size=2, raises=True),
    case("SpaceToDepth", f32(2, 4, 6, 3), block_size=2),
    case("SpaceToDepth", ints(1, 3, 3, 1), block_size=3),
    case("SpaceToDepth", f32(0, 2, 2, 1), block_size=2),
    case("SpaceToDepth", f32(1, 3, 4, 3), block_size=2, raises=True),
    case("SpaceToBatchND", f32(2, 4, 5, 3), i32(2, 3), np.array([[1, 1], [0, 1]], np.int32)),
    case("SpaceToBatchND", ints(1, 4), i32(2), np.array([[0, 0]], np.int32)),
    case("SpaceToBatchND", f32(2, 4, 3), np.array([2], INT64), np.array([[2, 0]], INT64)),
    case("SpaceToBatchND", f32(0, 4, 3), i32(2), np.array([[2, 0]], INT64)),
    case("SpaceToBatchND", f32(2, 3, 3), i32(2), np.array([[0, 0]], np.int32), raises=True),
    case("BatchToSpaceND", f32(12, 3, 2, 3), i32(2, 3), np.array([[1, 1], [0, 1]], np.int32)),
    case("BatchToSpaceND", ints(2, 4), i32(2), np.array([[0, 0]], np.int32)),
    case("BatchToSpaceND", f32(0, 4, 2), i32(2), np.array([[1, 2]], INT64)),
    case("BatchToSpaceND", f32(3, 4), i32(2), np.array([[0, 0]], np.int32), raises=True),
    case("SpaceToBatch", f32(2, 3, 4, 3), np.array([[1, 0], [0, 0]], np.int32), block_size=2),
    case("SpaceToBatch", ints(0, 2, 4, 3), NO_PADS, block_size=2),
    case("BatchToSpace", f32(8, 2, 2, 3), np.array([[1, 0], [0, 0]], np.int32), block_size=2),
    case("BatchToSpace", ints(4, 2, 0, 3), NO_PADS, block_size=2),
]
for x in as_types(with_nan(f32(4, 6))):
    CASES += [
        case("Transpose", x, i32(1, 0)),
        case("ConjugateTranspose", x.reshape(2, 3, 4, 1), i32(3, 1, 0, 2)),
        case("ReverseV2", x, i32(1)),
        case("Reverse", x, np.array([True, False])),
        case("ReverseSequence", x, i32(1, 6, 0, 3), seq_dim=1),
        case("Roll", x, i32(2, -1), i32(1, 0)),
        case("Tile", x, i32(1, 2)),
        case("Pad", x, PADS),
        case("PadV2", x, PADS, x[0, 0:1].reshape(())),
        *[case("MirrorPad", x, PADS, mode=mode) for mode in ("REFLECT", "SYMMETRIC")],
        case("DepthToSpace", x.reshape(1, 3, 2, 4), block_size=2),
        case("SpaceToDepth", x.reshape(1, 2, 6, 2), block_size=2),
    ]
for x in as_types(with_nan(f32(4, 6)), "float32 float64 float16 bfloat16 int32"):
    image, spots = x.reshape(2, 3, 4, 1), np.array([[1, 0], [0, 0]], np.int32)
    CASES += [
        case("SpaceToBatchND", x, i32(2), np.array([[1, 1]], np.int32)),
        case("BatchToSpaceND", x, i32(2), np.array([[1, 2]], np.int32)),
        case("SpaceToBatch", image, spots, block_size=2),
        case("BatchToSpace", x.reshape(4, 2, 1, 3), spots, block_size=2),
    ]
