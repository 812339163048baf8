"""Rows of tfdeploy/ops/index.py."""

import numpy as np

from tests.cases import as_types, case, f32, f64, ints, with_nan

INT64, HALF = np.int64, np.float16
SPECIAL = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1.5, -1.5, 2.5], np.float32)
TEXT = np.array([[b"a", b"", b"\xff\x00"], [b"dog", b"cat", b"a"]], object)
COMPLEX = (f32(2, 3) + 1j * f32(2, 3, seed=1)).astype(np.complex64)


def i32(*values):
    return np.array(values, np.int32)


def i64(*values):
    return np.array(values, np.int64)


NONE = np.zeros(0, np.float32)
SPOTS = np.array([[1, 0], [0, 2], [1, 0]], np.int32)
SCATTERS = (
    "TensorScatterUpdate",
    "TensorScatterAdd",
    "TensorScatterSub",
    "TensorScatterMin",
    "TensorScatterMax",
    "ScatterNdNonAliasingAdd",
)
# In TensorFlow these write into what is fed where it is aligned, so the rows feed what is not.
INPLACE = ("InplaceUpdate", "InplaceAdd", "InplaceSub")
CASES = [
    case("GatherV2", f32(4, 3), i32(2, 0, 2), np.int32(0)),
    case("GatherV2", f32(4, 3), np.array([[2, 0], [1, 1]], INT64), np.int64(-1)),
    case("GatherV2", f32(4, 3), np.int32(3), np.int32(0)),
    case("GatherV2", f32(4, 0), i32(1), np.int32(0)),
    case("GatherV2", f32(0, 3), i32(), np.int32(0)),
    case("GatherV2", SPECIAL, i32(0, 3, 2), np.int32(0)),
    case("GatherV2", TEXT, i32(2, 2), np.int32(1)),
    case("GatherV2", COMPLEX, i32(1), np.int32(0)),
    case("GatherV2", f32(2, 4, 3), ints(2, 5, low=0, high=4), np.int32(1), batch_dims=1),
    case("GatherV2", f32(2, 4, 3), ints(2, 5, low=0, high=3), np.int32(2), batch_dims=1),
    case("GatherV2", f32(2, 4, 3), ints(2, 4, low=0, high=3), np.int32(2), batch_dims=2),
    case("GatherV2", f32(2, 4, 3), ints(2, low=0, high=3), np.int32(2), batch_dims=-1),
    case("GatherV2", f32(2, 3, 4, 2), ints(2, 5, 6, low=0, high=4), np.int32(2), batch_dims=1),
    case("GatherV2", f32(4, 3), i32(4), np.int32(0), raises=True),
    case("GatherV2", f32(4, 3), i32(-1), np.int32(0), raises=True),
    case("Gather", f32(4, 3), np.array([[2, 0], [1, 1]], np.int32)),
    case("Gather", TEXT, i64(1)),
    case("GatherV2", TEXT[0], np.int32(1), np.int32(0)),
    case("GatherNd", TEXT, i32(1, 2)),
    case("GatherNd", f32(3), i32(9), bad_indices_policy="IGNORE"),
    case("Gather", f32(4, 3), i32(9), raises=True),
    case("GatherNd", f32(4, 3, 2), np.array([[1, 2], [3, 0]], np.int32)),
    case("GatherNd", f32(4, 3), np.array([[[1, 2]], [[3, 0]]], INT64)),
    case("GatherNd", f32(4, 3), np.zeros((2, 0), np.int32)),
    case("GatherNd", f32(4, 3), np.zeros((0, 2), np.int32)),
    case("GatherNd", f32(4, 3), i32(2)),
    case("GatherNd", TEXT, np.array([[1, 2]], np.int32)),
    case("GatherNd", SPECIAL, np.array([[0], [3]], np.int32)),
    case("GatherNd", f32(3), np.array([[3]], np.int32), raises=True),
    case("GatherNd", f32(3, 2), np.array([[3], [1]], np.int32), bad_indices_policy="IGNORE"),
    case("ScatterNd", SPOTS, f32(3), i32(2, 3)),
    case("ScatterNd", np.array([[1], [1]], INT64), f32(2, 3), i64(4, 3)),
    case("ScatterNd", np.zeros((0, 1), np.int32), f32(0, 3), i32(4, 3)),
    case("ScatterNd", SPOTS, ints(3), i32(2, 3)),
    case("ScatterNd", SPOTS, COMPLEX.ravel()[:3], i32(2, 3)),
    case("ScatterNd", SPOTS, np.array([True, False, False]), i32(2, 3)),
    case("ScatterNd", np.array([[1], [0]], np.int32), TEXT[0, :2], i32(3)),
    case("ScatterNd", SPOTS, f32(3).astype(HALF), i32(2, 3)),
    case(
        "ScatterNd",
        np.array([[2], [-1]], np.int32),
        SPECIAL[:2],
        i32(3),
        bad_indices_policy="IGNORE",
    ),
    case("ScatterNd", SPOTS, f32(3), i32(2, 2), raises=True),
    *[
        case(name, t, SPOTS, u)
        for name in SCATTERS
        for t, u in (
            (f32(2, 3), f32(3)),
            (ints(2, 3), ints(3)),
            (f64(2, 3), f64(3)),
            (ints(2, 3, dtype=INT64), ints(3, dtype=INT64)),
        )
    ],
    *[
        case(name, f32(3, 2), np.array([[2], [0], [2]], INT64), f32(3, 2, seed=4))
        for name in SCATTERS
    ],
    *[case(name, f32(3, 2), np.zeros((0, 1), np.int32), f32(0, 2)) for name in SCATTERS],
    *[
        case(name, SPECIAL, np.arange(8, dtype=np.int32)[:, None], SPECIAL[::-1].copy())
        for name in SCATTERS
    ],
    *[
        case(name, f32(3, 2), np.array([[3]], np.int32), f32(1, 2), raises=True)
        for name in SCATTERS
    ],
    *[
        case(
            name, f32(3, 2), np.array([[3], [1]], np.int32), f32(2, 2), bad_indices_policy="IGNORE"
        )
        for name in SCATTERS
    ],
    case("TensorScatterUpdate", TEXT, SPOTS, TEXT[1]),
    case(
        "TensorScatterUpdate", np.array([True, False]), np.array([[1]], np.int32), np.array([True])
    ),
    case("TensorScatterUpdate", f32(2), np.array([[0]], np.int32), f32(2), raises=True),
    *[case(name, f32(5, 3)[1:], i32(2, 0, 2), f32(3, 3)) for name in INPLACE],
    *[case(name, ints(5)[1:], i32(1), ints(1)) for name in INPLACE],
    *[case(name, f32(4, 0), i32(1), f32(1, 0)) for name in INPLACE],
    case("OneHot", i32(0, -1, 5, 1), np.int32(3), np.float32(2), np.float32(-1)),
    case("OneHot", ints(2, 3, low=0, high=4, dtype=INT64), np.int32(4), 1, 0, axis=0, T=np.int32),
    case(
        "OneHot",
        ints(2, 3, low=0, high=4, dtype=np.uint8),
        np.int32(4),
        np.array(True),
        np.array(False),
        axis=1,
    ),
    case("OneHot", np.int32(2), np.int32(3), np.float64(1), np.float64(np.nan)),
    case("OneHot", i32(), np.int32(3), np.float32(1), np.float32(0)),
    case("OneHot", i32(0, 1), np.int32(0), np.float32(1), np.float32(0)),
    case("OneHot", i32(1), np.int32(2), np.array(b"on", object), np.array(b"off", object)),
    case("OneHot", i32(1), np.int32(-2), np.float32(1), np.float32(0), raises=True),
    case("Where", np.array([[True, False], [True, True]])),
    case("Where", SPECIAL),
    case("Where", ints(2, 3, 2, low=0, high=2)),
    case("Where", COMPLEX),
    case("Where", np.zeros((0, 3), bool)),
    case("Where", np.array(True), raises=True),
    case("Unique", ints(20)),
    case("Unique", SPECIAL),
    case("Unique", ints(20, dtype=INT64), out_idx=INT64),
    case("Unique", TEXT.ravel()),
    case("Unique", f32(0)),
    case("Unique", np.array([True, False, True])),
    case("Unique", f32(2, 3), raises=True),
    case("UniqueV2", ints(20), i32(0)),
    case("UniqueV2", ints(20), i64()),
    case("UniqueV2", ints(6, 2, low=0, high=2), i32(0)),
    case("UniqueV2", ints(2, 6, low=0, high=2), i64(-1), out_idx=INT64),
    case("UniqueV2", TEXT, i32(1)),
    case("UniqueV2", f32(0, 2), i32(0)),
    case("UniqueV2", f32(2, 3), i32(), raises=True),
    case("UniqueWithCounts", ints(20)),
    case("UniqueWithCounts", SPECIAL, out_idx=INT64),
    case("UniqueWithCounts", TEXT.ravel()),
    case("UniqueWithCounts", f32(0)),
    case("UniqueWithCountsV2", ints(6, 2, low=0, high=2), i32(0)),
    case("UniqueWithCountsV2", SPECIAL, i32(0)),
    case("UniqueWithCountsV2", f32(0), i64()),
    case("ListDiff", ints(9), ints(4, seed=3)),
    case("ListDiff", SPECIAL, SPECIAL[:4], out_idx=INT64),
    case("ListDiff", TEXT.ravel(), TEXT[0]),
    case("ListDiff", f32(0), f32(3)),
    case("ListDiff", f32(3), f32(0)),
    case("InvertPermutation", i32(2, 0, 1)),
    case("InvertPermutation", i64()),
    case("InvertPermutation", i32(1, 1), raises=True),
    case("InvertPermutation", i32(1, 2), raises=True),
    *[case(name, np.sort(ints(2, 9), 1), ints(2, 5)) for name in ("LowerBound", "UpperBound")],
    *[
        case(name, np.sort(f32(2, 9), 1), f32(2, 5), out_type=INT64)
        for name in ("LowerBound", "UpperBound")
    ],
    *[
        case(name, np.array([[-np.inf, -1, 0, 2, np.inf]], np.float32), SPECIAL[None])
        for name in ("LowerBound", "UpperBound")
    ],
    *[case(name, f32(2, 0), f32(2, 3)) for name in ("LowerBound", "UpperBound")],
    case("Bucketize", f32(3, 4), boundaries=[-1.0, 0.0, 0.5]),
    case("Bucketize", f64(3, 4), boundaries=[-1.0, 0.1, 0.5]),
    case("Bucketize", ints(9), boundaries=[-5.0, 0.0, 0.0, 5.0]),
    case("Bucketize", ints(9, dtype=INT64), boundaries=[]),
    case("Bucketize", SPECIAL, boundaries=[0.0, 1.5]),
    case("Bucketize", f32(0), boundaries=[0.0]),
    case("UnravelIndex", i32(5, 7), i32(3, 3)),
    case("UnravelIndex", i64(11), i64(2, 3, 2)),
    case("UnravelIndex", np.int32(7), i32(3, 3)),
    case("UnravelIndex", i32(9), i32(3, 3), raises=True),
    case("DynamicPartition", f32(5, 2), i32(1, 0, 1, 2, 0), num_partitions=4),
    case("DynamicPartition", TEXT, np.array([[0, 1, 0], [1, 1, 0]], np.int32), num_partitions=2),
    case("DynamicPartition", f32(0, 2), i32(), num_partitions=2),
    case("DynamicPartition", ints(2), i32(0, 2), num_partitions=2, raises=True),
    *[
        case(name, [i32(0, 3), i32(1, 2)], [f32(2, 3), f32(2, 3, seed=2)])
        for name in ("DynamicStitch", "ParallelDynamicStitch")
    ],
    *[
        case(name, [np.int32(1), np.array([[0, 2]], np.int32)], [ints(2), ints(1, 2, 2)])
        for name in ("DynamicStitch", "ParallelDynamicStitch")
    ],
    case("DynamicStitch", [i32(0, 0), i32(0)], [TEXT[0, :2], TEXT[1, :1]]),
    case("DynamicStitch", [i32(), i32(0)], [f32(0, 2), f32(1, 2)]),
    case("DynamicStitch", [i32(-1)], [f32(1)], raises=True),
    case("Bincount", ints(9, low=0, high=6), 5, NONE),
    case("Bincount", ints(3, 3, low=0, high=6), 5, f32(3, 3)),
    case("Bincount", ints(9, low=0, high=6), 5, ints(9, dtype=INT64)),
    case("Bincount", i32(), 2, np.zeros(0, np.int32)),
    case("Bincount", i32(-1), 2, NONE, raises=True),
    *[
        case("DenseBincount", ints(9, low=0, high=6), np.int32(5), w, binary_output=b)
        for w in (NONE, f32(9), ints(9))
        for b in (False, True)
    ],
    *[
        case(
            "DenseBincount", ints(3, 4, low=0, high=6, dtype=INT64), np.int64(5), w, binary_output=b
        )
        for w in (NONE, f64(3, 4))
        for b in (False, True)
    ],
    case("DenseBincount", i32(), np.int32(3), NONE),
    case("DenseBincount", np.zeros((2, 0), np.int32), np.int32(3), np.zeros((2, 0), np.float32)),
    case("DenseBincount", np.array([[1, -1]], np.int32), np.int32(3), NONE, raises=True),
    case("DenseBincount", i32(1), np.int32(-3), NONE, raises=True),
    *[
        case("RaggedBincount", i64(0, 2, 2, 5), i32(0, 1, 1, 1, 9), np.int32(3), w, binary_output=b)
        for w in (NONE, f32(5))
        for b in (False, True)
    ],
    case("RaggedBincount", i64(0), i64(), np.int64(3), np.zeros(0, INT64)),
    case("RaggedBincount", i64(0, 2, 6), i32(0, 1, 1, 1, 9, 2), np.int32(3), f32(2, 3)),
    case("Bincount", i32(0, 1, 1, 1, 9, 2), np.int32(3), f32(2, 3)),
    *[case(name, f32(4, 2)[1:], i32(-1, 5), f32(2, 2)) for name in INPLACE],
    case("RaggedBincount", i64(0, 3), i32(0, 1), np.int32(3), NONE, raises=True),
    *[
        case(
            "SparseBincount",
            np.array([[0, 0], [0, 2], [1, 1]], INT64),
            i32(0, 1, 1),
            i64(2, 3),
            np.int32(3),
            w,
            binary_output=b,
        )
        for w in (NONE, f32(3))
        for b in (False, True)
    ],
    case("SparseBincount", np.array([[0], [2]], INT64), i32(1, 1), i64(5), np.int32(3), NONE),
    case("SparseBincount", np.zeros((0, 2), INT64), i32(), i64(2, 3), np.int32(3), NONE),
]
for x in as_types(with_nan(f32(4, 3))):
    on, off = x[0, 0:1].reshape(()), x[0, 1:2].reshape(())
    CASES += [
        case("GatherV2", x, i32(2, 0), np.int32(1)),
        case("Gather", x, i32(2, 0)),
        case("GatherNd", x, np.array([[2, 0], [0, 1]], np.int32)),
        case("ScatterNd", np.array([[2], [0]], np.int32), x[:2], i32(3, 3)),
        case("TensorScatterUpdate", x, np.array([[2], [0]], np.int32), x[1:3]),
        case("InplaceUpdate", x[1:], i32(2, 0), x[:2]),
        case("OneHot", i32(0, 5, 1), np.int32(3), on, off),
        case("DynamicPartition", x, i32(1, 0, 1, 1), num_partitions=2),
        *[
            case(name, [i32(2, 0), i32(1)], [x[:2], x[2:3]])
            for name in ("DynamicStitch", "ParallelDynamicStitch")
        ],
    ]
for x in as_types(with_nan(f32(4, 3)), "float32 float64 bfloat16 int32 complex64 bool"):
    CASES += [case("Where", x)]
for x in as_types(with_nan(f32(4, 3)), "float32 float64 float16 bfloat16 int32 complex64"):
    spots, updates = np.array([[2], [0], [2]], np.int32), x[1:]
    CASES += [
        *[case(name, x, spots, updates) for name in SCATTERS[1:3] + SCATTERS[5:]],
        *[case(name, x[1:], i32(2, 0), x[:2]) for name in INPLACE[1:]],
    ]
for x in as_types(f32(4, 3), "float16 bfloat16 uint8"):
    CASES += [case(name, x, np.array([[2], [0]], np.int32), x[2:]) for name in SCATTERS[3:5]]
for x in as_types(with_nan(f32(8).round()), "float32 float64 float16 bfloat16 int32 bool string"):
    CASES += [
        case("Unique", x),
        case("UniqueWithCounts", x),
        *[case(name, x, i64(0)) for name in ("UniqueV2", "UniqueWithCountsV2")],
    ]
for x in as_types(with_nan(f32(8).round()), "float32 float64 float16 bfloat16 int32 string"):
    CASES += [case("ListDiff", x, x[2:4])]
for x in as_types(f32(2, 9), "float64 float16 bfloat16 int64"):
    CASES += [case(name, np.sort(x, 1), x[:, ::2]) for name in ("LowerBound", "UpperBound")]
ODD = with_nan(f32(3))
for w in (ODD, ODD.astype(np.float64)):
    CASES += [
        case("Bincount", i32(1, 0, 1), 2, w),
        case("DenseBincount", i32(1, 0, 1), np.int32(2), w),
        case("RaggedBincount", i64(0, 2, 3), i32(1, 0, 1), np.int32(2), w),
        case(
            "SparseBincount",
            np.array([[0, 0], [0, 2], [1, 1]], INT64),
            i32(0, 1, 1),
            i64(2, 3),
            np.int32(3),
            w,
        ),
    ]
CASES += [
    case("ScatterNdNonAliasingAdd", np.array([True, False]), i32(1)[:, None], np.array([True])),
    *[case(name, TEXT, SPOTS[:1], TEXT[0, :1]) for name in SCATTERS if name.endswith("Update")],
    *[case(n, TEXT[1:] != b"x", i32(0), TEXT[:1] == b"x", raises=True) for n in INPLACE[1:]],
    *[case(name, TEXT[1:], i32(0), TEXT[:1], raises=True) for name in INPLACE[1:]],
    case("Gather", f32(0, 3), i32()),
    case("Gather", f32(4, 3), i32(2, 0), validate_indices=False),
    case("UnravelIndex", i32(), i32(3, 3), raises=True),
    case("UnravelIndex", i32(0, 0), i32()),
    case("ParallelDynamicStitch", [i32(), i32(0)], [f32(0, 2), f32(1, 2)]),
    case(
        "SparseBincount",
        np.array([[0, 0], [0, 2]], INT64),
        i32(0, 1),
        i64(1, 3),
        np.int32(3),
        ints(2),
    ),
]
