"""Rows of tfdeploy/ops/linalg.py; tests/test_linalg.py has what is unique up to signs or order."""

import ml_dtypes
import numpy as np

from tests.cases import case, coarse, f32, f64, ints, with_nan

NAN, INF = np.nan, np.inf
each = str.split


def c64(*shape: int, seed: int = 0) -> np.ndarray:
    """A complex64 array."""
    return (f32(*shape, seed=seed) + 1j * f32(*shape, seed=seed + 1)).astype(np.complex64)


def regular(*shape: int, seed: int = 0) -> np.ndarray:
    """Well-conditioned float32 matrices."""
    return f32(*shape, seed=seed, low=-1, high=1) + 3 * np.eye(*shape[-2:], dtype=np.float32)


def positive(*shape: int, dtype: type = np.float32) -> np.ndarray:
    """Symmetric positive matrices, well-conditioned."""
    x = coarse(regular(*shape).astype(np.float64))
    return (x @ np.swapaxes(x, -1, -2)).astype(dtype)


HERMITIAN = (lambda x: x @ np.conj(x.T) + 2 * np.eye(3, dtype=np.complex64))(coarse(c64(3, 3)))
COMPLEX = c64(3, 3) + 3 * np.eye(3, dtype=np.complex64)
SPECIAL = np.array([[1, NAN], [INF, 0]], np.float32)
SINGULAR = np.ones((2, 2), np.float32)

CASES = [
    case("MatMul", f32(3, 4), f32(4, 5)),
    case("MatMul", f32(4, 3), f32(4, 5), transpose_a=True),
    case("MatMul", f32(3, 4), f32(5, 4), transpose_b=True),
    case("MatMul", f32(4, 3), f32(5, 4), transpose_a=True, transpose_b=True),
    case("MatMul", f32(0, 4), f32(4, 5)),
    case("MatMul", f32(3, 0), f32(0, 5)),
    case("MatMul", SPECIAL, f32(2, 2)),
    case("MatMul", f64(3, 4), f64(4, 5)),
    case("MatMul", c64(3, 4), c64(4, 2)),
    case("MatMul", f32(3, 4).astype(np.float16), f32(4, 5).astype(np.float16)),
    case("MatMul", ints(3, 4), ints(4, 5)),
    case("MatMul", ints(3, 4, dtype=np.int64), ints(4, 5, dtype=np.int64)),
    case("MatMul", f32(3, 4), f32(3, 4), raises=True),
    case("MatMul", f32(2, 3, 4), f32(2, 4, 3), raises=True),
    case("SparseMatMul", f32(3, 4), f32(4, 5), a_is_sparse=True),
    case("SparseMatMul", f32(4, 3), f32(5, 4), transpose_a=True, transpose_b=True),
    case("SparseMatMul", f32(3, 4).astype(ml_dtypes.bfloat16), f32(4, 5)),
    case("SparseMatMul", f32(0, 4), f32(4, 5)),
    case("BatchMatMul", f32(2, 3, 4), f32(2, 4, 5)),
    case("BatchMatMul", f32(2, 4, 3), f32(2, 5, 4), adj_x=True, adj_y=True),
    case("BatchMatMul", f32(2, 3, 4), f32(1, 4, 5), raises=True),
    case("BatchMatMulV3", ints(2, 3, 4, dtype=np.int8), ints(4, 5, dtype=np.int8), Tout=np.int32),
    case(
        "BatchMatMulV3", ints(3, 4, low=0, dtype=np.uint8), ints(4, 5, dtype=np.int8), Tout=np.int32
    ),
]
for op in ("BatchMatMulV2", "BatchMatMulV3"):

    def product(x: np.ndarray, y: np.ndarray, op: str = op, **attrs: object) -> object:
        if op == "BatchMatMulV3":
            attrs["Tout"] = x.dtype
        return case(op, x, y, **attrs)

    CASES += [
        product(f32(2, 3, 4), f32(2, 4, 5)),
        product(f32(2, 1, 3, 4), f32(7, 4, 5)),
        product(f32(3, 4), f32(2, 4, 5)),
        product(f32(3, 4), f32(4, 1)),
        product(f32(2, 4, 3), f32(4, 5), adj_x=True),
        product(f32(2, 3, 4), f32(5, 4), adj_y=True),
        product(c64(2, 4, 3), c64(5, 4), adj_x=True, adj_y=True),
        product(f64(2, 3, 4), f64(4, 5)),
        product(ints(2, 3, 4), ints(4, 5)),
        product(f32(0, 3, 4), f32(4, 5)),
        product(f32(2, 3, 0), f32(0, 5)),
        product(SPECIAL, f32(2, 2)),
    ]
CASES += [
    case("BatchMatMulV2", f32(3, 4).astype(np.float16), f32(4, 2).astype(np.float16)),
    case("BatchMatMulV2", f32(2, 3, 4), f32(3, 4, 5), raises=True),
]


def einsum(equation: str, *inputs: np.ndarray, raises: bool = False) -> object:
    return case("Einsum", list(inputs), equation=equation, raises=raises)


CASES += [
    einsum("ij,jk->ik", f32(3, 4), f32(4, 5)),
    einsum("ij,kj->ki", f32(3, 4), f32(5, 4)),
    einsum("abc,cd->abd", f32(2, 3, 4), f32(4, 5)),
    einsum("abc,cde->abde", f32(2, 3, 4), f32(4, 2, 3)),
    einsum("BTNH,BSNH->BNTS", f32(2, 3, 2, 4), f32(2, 5, 2, 4)),
    einsum("acbe,aecd->abcd", f32(2, 3, 4, 5), f32(2, 5, 3, 6)),
    einsum("ii->i", f32(3, 3)),
    einsum("ii->", f32(3, 3)),
    einsum("ij->ji", f32(2, 3)),
    einsum("iij->j", f32(2, 2, 3)),
    einsum("iiji->j", f32(2, 2, 3, 2)),
    einsum("ij->", f32(2, 3)),
    einsum("i->ii", f32(3)),
    einsum("ij->jij", f32(2, 3)),
    einsum("ii->ii", f32(3, 3)),
    einsum("->", np.asarray(np.float32(2))),
    einsum("ij,k->kji", f32(2, 3), f32(4)),
    einsum("ab,ab->", f32(2, 3), f32(2, 3)),
    einsum("ab,cd->c", f32(2, 3), f32(4, 2)),
    einsum("ii,ji->jii", f32(3, 3), f32(2, 3)),
    einsum("aab,abb->ab", f32(2, 2, 3), f32(2, 3, 3)),
    einsum("...ij->...ji", f32(2, 3, 4)),
    einsum("i...->...", f32(2, 3, 4)),
    einsum("...ij,...jk->...ik", f32(2, 1, 3, 4), f32(5, 4, 2)),
    einsum("...b,...b->...b", f32(2, 3), f32(1, 3)),
    einsum("...,...->...", f32(2, 1), f32(3)),
    einsum("i...j,kj->ik...", f32(2, 3, 4), f32(5, 4)),
    einsum("...ab,b->a...", f32(2, 3, 4), f32(4)),
    einsum("ij,jk->ik", ints(3, 4), ints(4, 5)),
    einsum("ij,jk->ik", f64(3, 4), f64(4, 5)),
    einsum("ij,jk->ik", c64(3, 4), c64(4, 5)),
    einsum("i,i->", c64(3), c64(3, seed=3)),
    einsum("ij,jk->ik", f32(3, 4).astype(np.float16), f32(4, 5).astype(np.float16)),
    einsum("ij,jk->ik", f32(0, 4), f32(4, 5)),
    einsum("ij,jk->ik", f32(3, 0), f32(0, 5)),
    einsum("ij,jk->ik", SPECIAL, f32(2, 2)),
    einsum("12,32->13", f32(3, 4), f32(5, 4)),
    einsum("ij,jk->ik", f32(2, 3), f32(2, 3), raises=True),
    einsum("ab,ab->ab", f32(2, 3), f32(1, 3), raises=True),
    einsum("...b,...b->b", f32(2, 3), f32(2, 3), raises=True),
    einsum("ij,kj", f32(2, 3), f32(2, 3), raises=True),
    einsum("ij,kj->iz", f32(2, 3), f32(2, 3), raises=True),
    einsum("ijk->i", f32(2, 3), raises=True),
    einsum("ii->i", f32(2, 3), raises=True),
]

for op in ("Cholesky", "BatchCholesky"):
    CASES += [
        case(op, positive(2, 4, 4), ulp=64),
        case(op, positive(3, 3, dtype=np.float64), ulp=64),
        case(op, np.zeros((2, 0, 0), np.float32)),
    ]
CASES += [
    case("Cholesky", np.triu(np.ones((3, 3), np.float32)) + np.tril(positive(3, 3)), ulp=64),
    case("Cholesky", HERMITIAN, ulp=64),
    case("Cholesky", f32(2, 3), raises=True),
    case("Cholesky", NAN * SINGULAR),
]
for op in ("MatrixInverse", "BatchMatrixInverse"):
    CASES += [
        case(op, regular(2, 4, 4), ulp=64),
        case(op, regular(2, 4, 4), adjoint=True, ulp=64),
        case(op, regular(3, 3).astype(np.float64), ulp=64),
        case(op, np.zeros((0, 2, 2), np.float32)),
        case(op, np.zeros((2, 0, 0), np.float32)),
        case(op, SINGULAR, raises=True),
        case(op, SINGULAR * NAN, raises=True),
    ]
CASES += [case("MatrixInverse", HERMITIAN + 1j * SPECIAL[0, 0], adjoint=True, ulp=64)]
for op in ("MatrixDeterminant", "BatchMatrixDeterminant"):
    CASES += [
        case(op, regular(2, 4, 4), ulp=64),
        case(op, regular(3, 3).astype(np.float64), ulp=64),
        case(op, np.zeros((2, 0, 0), np.float32)),
        case(op, SINGULAR),
        case(op, SINGULAR * NAN),
        case(op, f32(2, 3), raises=True),
    ]
CASES += [case("MatrixDeterminant", HERMITIAN, ulp=64)]
CASES += [
    case("LogMatrixDeterminant", x, ulp=64)
    for x in (
        regular(2, 4, 4),
        -regular(3, 3),
        HERMITIAN,
        np.zeros((2, 0, 0), np.float32),
        SINGULAR,
        SINGULAR * NAN,
        regular(3, 3).astype(np.float64),
        c64(3, 3),
    )
]
for op in ("MatrixSolve", "BatchMatrixSolve"):
    CASES += [
        case(op, regular(2, 4, 4), f32(2, 4, 3), ulp=64),
        case(op, regular(2, 4, 4), f32(2, 4, 3), adjoint=True, ulp=64),
        case(op, regular(3, 3).astype(np.float64), f64(3, 1), ulp=64),
        case(op, np.zeros((0, 0), np.float32), np.zeros((0, 2), np.float32)),
        case(op, regular(3, 3), f32(3, 0)),
        case(op, SINGULAR, f32(2, 1), raises=True),
        case(op, SINGULAR * NAN, f32(2, 1), raises=True),
        case(op, np.eye(2, dtype=np.float32), f32(2, 1) * NAN),
    ]
CASES += [
    case("MatrixSolve", HERMITIAN, c64(3, 2), ulp=64),
    case("MatrixSolve", COMPLEX, c64(3, 2), adjoint=True, ulp=64),
    case("MatrixSolve", regular(1, 3, 3), f32(2, 3, 1), raises=True),
]
for op in ("MatrixTriangularSolve", "BatchMatrixTriangularSolve"):
    for lower in (True, False):
        for adjoint in (True, False):
            CASES += (
                [
                    case(op, regular(2, 4, 4), f32(2, 4, 3), lower=lower, adjoint=adjoint, ulp=64),
                    case(op, COMPLEX, c64(3, 2), lower=lower, adjoint=adjoint, ulp=64),
                ]
                if op[0] == "M"
                else [
                    case(op, regular(2, 4, 4), f32(2, 4, 3), lower=lower, adjoint=adjoint, ulp=64)
                ]
            )
    CASES += [
        case(op, regular(3, 3).astype(np.float64), f64(3, 1), ulp=64),
        case(op, np.zeros((2, 0, 0), np.float32), np.zeros((2, 0, 3), np.float32)),
    ]
CASES += [
    case("MatrixTriangularSolve", regular(1, 3, 3), f32(4, 3, 2), ulp=64),
    case("MatrixTriangularSolve", regular(5, 1, 3, 3), f32(4, 3, 2), ulp=64),
    case("MatrixTriangularSolve", 0 * SINGULAR, np.ones((2, 1), np.float32)),
    case("MatrixTriangularSolve", f32(2, 3), f32(3, 3), raises=True),
]
for op in ("MatrixSolveLs", "BatchMatrixSolveLs"):
    for fast in (True, False):
        CASES += [
            case(op, f32(2, 5, 3), f32(2, 5, 2), 0.0, fast=fast, ulp=256),
            case(op, f32(2, 5, 3), f32(2, 5, 2), 0.5, fast=fast, ulp=256),
            case(op, f64(3, 5), f64(3, 2), 0.0, fast=fast, ulp=4096),
            case(op, f64(3, 5), f64(3, 2), 0.5, fast=fast, ulp=4096),
        ]
CASES += [
    case("MatrixSolveLs", SINGULAR, f32(2, 2), 0.0, fast=False, ulp=64),
    case("MatrixSolveLs", c64(4, 2), c64(4, 1), 0.25, ulp=256),
]
for op in ("SelfAdjointEigV2", "BatchSelfAdjointEigV2"):
    CASES += [
        case(op, positive(2, 4, 4), compute_v=True, check="shape"),
        case(op, np.zeros((2, 0, 0), np.float32)),
        case(op, f32(2, 3), raises=True),
    ]
CASES += [
    case(op, x, check="shape")
    for op in ("SelfAdjointEig", "BatchSelfAdjointEig")
    for x in (positive(2, 4, 4), positive(3, 3, dtype=np.float64), np.zeros((2, 0, 0), np.float32))
]
CASES += [
    case("Eig", f32(2, 3, 3), Tout=np.complex64, check="shape"),
    case("Eig", f64(3, 3), Tout=np.complex128, check="shape"),
    case("Eig", c64(3, 3), Tout=np.complex64, check="shape"),
    case("Eig", np.zeros((2, 0, 0), np.float32), Tout=np.complex64),
]
for op in ("Svd", "BatchSvd"):
    CASES += [
        case(op, x, full_matrices=full, check="shape")
        for full in (True, False)
        for x in (f32(2, 4, 3), f32(3, 4), f64(3, 3))
    ]
    CASES += [case(op, np.zeros((2, 0, 3), np.float32))]
CASES += [case("Svd", c64(3, 2), check="shape")]
CASES += [
    case("Qr", x, full_matrices=full, ulp=64)
    for full in (True, False)
    for x in (f32(2, 4, 3), f32(3, 4), f64(3, 3), np.zeros((2, 0, 0), np.float32))
]
CASES += [
    case("Qr", c64(3, 2), check="shape"),
    case("Lu", f32(2, 4, 4), ulp=64),
    case("Lu", f64(3, 3), output_idx_type=np.int64, ulp=64),
    case("Lu", c64(3, 3), ulp=64),
    case("Lu", np.zeros((2, 0, 0), np.float32)),
    case("Lu", SINGULAR, raises=True),
    case("Lu", SINGULAR * NAN, raises=True),
    case("Lu", f32(2, 3), raises=True),
]
for op in ("MatrixExponential", "MatrixSquareRoot"):
    CASES += [
        case(op, x, ulp=128)
        for x in (
            positive(2, 3, 3) / 9,
            positive(3, 3, dtype=np.float64) / 9,
            HERMITIAN / 9,
            np.zeros((2, 0, 0), np.float32),
            SINGULAR * NAN,
            SINGULAR,
        )
    ]
CASES += [
    case("MatrixExponential", np.array([[0, 40], [-40, 0]], np.float32), ulp=512),
    case("MatrixExponential", np.zeros((2, 2), np.float32)),
    case(
        "MatrixSquareRoot", np.array([[1, 1], [0, 1]], np.float32), ulp=64, note="no eigenvectors"
    ),
    case("MatrixLogarithm", HERMITIAN, ulp=128),
    case("MatrixLogarithm", HERMITIAN[None] / 9, ulp=128),
    case("MatrixLogarithm", np.array([[1, 1], [0, 1]], np.complex128), ulp=1024),
    case("MatrixLogarithm", np.zeros((2, 0, 0), np.complex64)),
]
for x in (f32, f64, c64):
    CASES += [
        case("TridiagonalMatMul", x(2, 1, 4), x(2, 1, 4, seed=1), x(2, 1, 4, seed=2), x(2, 4, 3)),
        case("TridiagonalSolve", x(2, 3, 4), x(2, 4, 3), ulp=512),
        case("TridiagonalSolve", x(2, 3, 4), x(2, 4, 3), partial_pivoting=False, ulp=512),
    ]
CASES += [
    case("TridiagonalMatMul", f32(1, 1), f32(1, 1), f32(1, 1), f32(1, 3)),
    case("TridiagonalMatMul", f32(0, 1, 3), f32(0, 1, 3), f32(0, 1, 3), f32(0, 3, 2)),
    case("TridiagonalSolve", f32(3, 1), f32(1, 2)),
    case("TridiagonalSolve", f32(0, 3, 2), f32(0, 2, 2)),
    case("TridiagonalSolve", 0 * f32(3, 4), f32(4, 1)),
    case("TridiagonalSolve", f32(3, 9), f32(9, 1), ulp=512),
]
BANDS = np.array([[1, 2, 3, 4], [5, 6, 7, 8], [9, 1, 2, 3]], np.float32)
for lower in (True, False):
    for adjoint in (True, False):
        flags = {"lower": lower, "adjoint": adjoint, "ulp": 64}
        CASES += [
            case("BandedTriangularSolve", BANDS, f32(4, 2), **flags),
            case("BandedTriangularSolve", BANDS[:1], f32(4, 2), **flags),
            case("BandedTriangularSolve", np.stack([BANDS] * 2), f32(4, 2), **flags),
            case("BandedTriangularSolve", c64(2, 3) + 3, c64(3, 2), **flags),
        ]
CASES += [
    case("BandedTriangularSolve", BANDS.astype(np.float64), f64(5, 4, 1), ulp=64),
    case("BandedTriangularSolve", BANDS[:0], f32(4, 2), raises=True),
    case("BandedTriangularSolve", BANDS, f32(3, 2), raises=True),
]
LEFT, RIGHT = f32(3, 4).astype(ml_dtypes.bfloat16), f32(4, 5).astype(ml_dtypes.bfloat16)
CASES += [
    case("MatMul", LEFT, RIGHT, ulp=16),
    case("BatchMatMulV2", LEFT, RIGHT, ulp=16),
    case("BatchMatMulV3", LEFT, RIGHT, Tout=ml_dtypes.bfloat16, ulp=16),
    einsum("ij,jk->ik", LEFT, RIGHT),
]
CASES += [
    case("SparseMatMul", with_nan(f32(2, 3)), f32(3, 2)),
    case("BatchMatMul", with_nan(f32(1, 2, 3)), f32(1, 3, 2)),
    case("BatchMatMul", f32(0, 2, 3), f32(0, 3, 2)),
    case("BatchMatMulV2", ints(2, 2, dtype=np.int64), ints(2, 2, dtype=np.int64)),
    case("BatchMatMulV3", ints(2, 2, dtype=np.int64), ints(2, 2, dtype=np.int64), Tout=np.int64),
    case("MatrixInverse", regular(3, 3).astype(np.float16), ulp=16),
    case("Qr", f32(3, 3).astype(np.float16), ulp=16),
    case("Eig", f32(0, 2, 2), Tout=np.complex64),
    case("SelfAdjointEigV2", f32(0, 2, 2)),
    case("Svd", with_nan(f32(2, 2, 2)), check="shape"),
    case("BandedTriangularSolve", with_nan(regular(2, 2)), f32(2, 2)),
    case("TridiagonalMatMul", with_nan(f32(1, 3)), f32(1, 3), f32(1, 3), f32(3, 2)),
    case("TridiagonalSolve", with_nan(f32(3, 3)), f32(3, 2)),
    case("TridiagonalSolve", f32(3, 3), with_nan(f32(3, 2)), ulp=64),
    case("MatrixLogarithm", with_nan(HERMITIAN)),
]
for d in (np.float64, np.int32, np.int64, np.complex64, np.float16):
    CASES += [case("BatchMatMul", np.ones((2, 2, 2), d), np.ones((2, 2, 2), d))]
for op in each(
    "MatrixInverse BatchMatrixInverse BatchMatrixDeterminant LogMatrixDeterminant Qr Lu "
    "MatrixExponential MatrixSquareRoot BatchCholesky"
):
    CASES += [case(op, with_nan(positive(2, 2, 2) / 9), ulp=128), case(op, f32(0, 2, 2))]
for op in each("MatrixSolve MatrixTriangularSolve BatchMatrixTriangularSolve"):
    CASES += [case(op, with_nan(regular(2, 2)), f32(2, 2), ulp=64)]
for op in ("MatrixSolveLs", "BatchMatrixSolveLs"):
    CASES += [case(op, f32(0, 3, 2), f32(0, 3, 1), 0.0, fast=fast) for fast in (True, False)]
    CASES += [case(op, f32(3, 2), f32(3, 0), 0.0, fast=fast) for fast in (True, False)]
    CASES += [case(op, with_nan(regular(3, 2)), f32(3, 1), 0.0)]
for op in ("SelfAdjointEigV2", "BatchSelfAdjointEigV2"):
    CASES += [
        case(op, x, compute_v=False, ulp=64, filled=1)
        for x in (positive(2, 4, 4), positive(3, 3, dtype=np.float64))
    ]
    CASES += [case(op, SINGULAR * NAN, compute_v=False, raises=True)]
CASES += [
    case("SelfAdjointEigV2", HERMITIAN, compute_v=False, ulp=64, filled=1),
    *[case(op, SINGULAR * NAN, raises=True) for op in ("SelfAdjointEig", "BatchSelfAdjointEig")],
    case("Eig", np.diag(f32(3)), Tout=np.complex64, compute_v=False, ulp=64, filled=1),
    case("Eig", SINGULAR * NAN, Tout=np.complex64, raises=True),
    *[
        case(op, x, compute_uv=False, ulp=64, filled=1)
        for op in ("Svd", "BatchSvd")
        for x in (f32(2, 4, 3), c64(3, 2), with_nan(f32(2, 2)))
    ],
    case("BatchMatrixDeterminant", HERMITIAN, ulp=64),
    case("SparseMatMul", f32(3, 4), f32(4, 2), b_is_sparse=True),
    case("SparseMatMul", LEFT, RIGHT, a_is_sparse=True, b_is_sparse=True),
    case("TridiagonalSolve", f32(2, 3, 4), f32(2, 4, 3), perturb_singular=True, ulp=512),
    case("TridiagonalSolve", 0 * f32(3, 4), f32(4, 1), perturb_singular=True, ulp=64),
    case(
        "TridiagonalSolve",
        c64(3, 5) * (np.arange(5) != 2),
        c64(5, 2),
        perturb_singular=True,
        ulp=512,
    ),
    case("TridiagonalSolve", f64(3, 1), f64(1, 2), perturb_singular=True),
    case(
        "TridiagonalSolve",
        np.float32([[1, 1, 0], [0, 1, 1], [0, 1, 1]]),
        f32(3, 2),
        perturb_singular=True,
        ulp=64,
    ),
    case(
        "TridiagonalSolve",
        f32(3, 4),
        f32(4, 1),
        perturb_singular=True,
        partial_pivoting=False,
        raises=True,
    ),
]
