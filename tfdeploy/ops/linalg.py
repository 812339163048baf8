"""Products of matrices, einsum, decompositions and systems of equations."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import INT32, DType
from ..graph.types import Extent, Shape, ValueType
from .products import adjoint_of, product_shape, widened
from .registry import Function, op, scipy_variant
from .rules import Inference, broadcast_shapes, merge_extents

Array = NDArray[Any]
Label = Hashable
COMPLEX64 = DType("complex64")


def _check_square(x: Array) -> None:
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"square matrices are needed, not shape {x.shape}")


def _check_invertible(x: Array) -> None:
    _check_square(x)
    if np.isnan(x[..., :1]).any():
        raise ValueError("the matrix is not invertible: its first column has a NaN")


def _square_type(c: Inference) -> ValueType:
    shape = c.inputs[0].shape
    if shape is not None and len(shape) > 1:
        merge_extents(shape[-1], shape[-2])
    return c.inputs[0]


def _stack_type(c: Inference) -> ValueType:
    shape = _square_type(c).shape
    return ValueType(c.inputs[0].dtype, None if shape is None else shape[:-2])


@op("Cholesky", "BatchCholesky", type=_square_type)
def cholesky(input: Array) -> Any:
    """The lower factor of Hermitian positive matrices, of which only the lower half is read
    (tf.linalg.cholesky); NaN in the place of the factor of one that is not positive."""
    _check_square(input)
    try:
        return np.linalg.cholesky(input)
    except np.linalg.LinAlgError:
        result = np.tril(np.full(input.shape, np.nan, input.dtype))
    for i in np.ndindex(input.shape[:-2]):
        with contextlib.suppress(np.linalg.LinAlgError):
            result[i] = np.linalg.cholesky(input[i])
    return result


@op("MatrixInverse", "BatchMatrixInverse", type=_square_type)
def matrix_inverse(input: Array, *, adjoint: bool = False) -> Any:
    """The inverse, or that of the adjoint (tf.linalg.inv).

    Raises ValueError where a matrix is singular.
    """
    _check_invertible(input)
    wide = widened(input)
    return np.linalg.inv(adjoint_of(wide) if adjoint else wide).astype(input.dtype)


@op("MatrixDeterminant", "BatchMatrixDeterminant", type=_stack_type)
def matrix_determinant(input: Array) -> Any:
    """The determinant (tf.linalg.det)."""
    _check_square(input)
    return np.linalg.det(input)


@op(
    "LogMatrixDeterminant",
    type=lambda c: [_stack_type(c)] * 2,
    outputs=("sign", "log_abs_determinant"),
)
def log_matrix_determinant(input: Array) -> tuple[Array, Array]:
    """Sign of the determinant and logarithm of its size (tf.linalg.slogdet)."""
    _check_square(input)
    sign, size = np.linalg.slogdet(input)
    sign = np.where(np.isnan(size), np.nan, sign)
    return sign.astype(input.dtype), size.astype(input.dtype)


def _solve_type(c: Inference) -> ValueType:
    a, b = c.inputs[0].shape, c.inputs[1].shape
    if a is None or b is None:
        return ValueType(c.inputs[0].dtype)
    _square_type(c)
    return ValueType(c.inputs[0].dtype, product_shape(c, a, b, False, False))


@op("MatrixSolve", "BatchMatrixSolve", type=_solve_type)
def matrix_solve(matrix: Array, rhs: Array, *, adjoint: bool = False) -> Any:
    """x in matrix x = rhs (tf.linalg.solve).

    Raises ValueError where a matrix is singular.
    """
    _check_invertible(matrix)
    if rhs.shape[:-1] != matrix.shape[:-1]:
        raise ValueError(f"a right side of shape {rhs.shape} for matrices of shape {matrix.shape}")
    return np.linalg.solve(adjoint_of(matrix) if adjoint else matrix, rhs)


@op("MatrixTriangularSolve", "BatchMatrixTriangularSolve", type=_solve_type)
def matrix_triangular_solve(
    matrix: Array, rhs: Array, *, lower: bool = True, adjoint: bool = False
) -> Any:
    """x in matrix x = rhs, where only one triangle of the matrix is read
    (tf.linalg.triangular_solve); batch extents broadcast."""
    _check_square(matrix)
    a = adjoint_of(matrix) if adjoint else matrix
    forward = lower != adjoint
    size = matrix.shape[-1]
    batch = np.broadcast_shapes(matrix.shape[:-2], rhs.shape[:-2])
    x = np.broadcast_to(rhs, batch + rhs.shape[-2:]).copy()
    for i in range(size) if forward else range(size - 1, -1, -1):
        known = slice(0, i) if forward else slice(i + 1, size)
        row = a[..., i : i + 1, known]
        x[..., i : i + 1, :] -= np.matmul(row, x[..., known, :])
        x[..., i, :] /= a[..., i, i, None]
    return x


@scipy_variant("MatrixTriangularSolve")
def _scipy_triangular_solve(
    matrix: Array, rhs: Array, *, lower: bool = True, adjoint: bool = False
) -> Any:
    from scipy.linalg import solve_triangular

    batch = np.broadcast_shapes(matrix.shape[:-2], rhs.shape[:-2])
    a = np.broadcast_to(matrix, batch + matrix.shape[-2:])
    b = np.broadcast_to(rhs, batch + rhs.shape[-2:])
    x = np.empty(b.shape, rhs.dtype)
    for i in np.ndindex(batch):
        x[i] = solve_triangular(a[i], b[i], trans=2 if adjoint else 0, lower=lower)
    return x


def _least_squares_type(c: Inference) -> ValueType:
    a, b = c.inputs[0].shape, c.inputs[1].shape
    if a is None or b is None:
        return ValueType(c.inputs[0].dtype)
    merge_extents(a[-2], b[-2])
    return ValueType(c.inputs[0].dtype, (*a[:-2], a[-1], b[-1]))


@op("MatrixSolveLs", "BatchMatrixSolveLs", type=_least_squares_type)
def matrix_solve_ls(matrix: Array, rhs: Array, l2_regularizer: Array, *, fast: bool = True) -> Any:
    """x of least squares of matrix x - rhs (tf.linalg.lstsq).

    `fast` solves the normal equations with the regularizer on their diagonal, for x of least norm
    where unknowns outnumber equations; else it is left out, and the rank of the matrix may be low.
    Raises ValueError where the normal equations are singular.
    """
    if rhs.shape[:-1] != matrix.shape[:-1]:
        raise ValueError(f"a right side of shape {rhs.shape} for matrices of shape {matrix.shape}")
    rows, columns = matrix.shape[-2:]
    if not rows or not columns:
        return np.zeros((*matrix.shape[:-2], columns, rhs.shape[-1]), rhs.dtype)
    if not fast:
        rcond = np.finfo(matrix.dtype).eps * max(rows, columns)
        return np.matmul(np.linalg.pinv(matrix, rcond), rhs).astype(rhs.dtype)
    adjoint = adjoint_of(matrix)
    small, large = (adjoint, matrix) if rows >= columns else (matrix, adjoint)
    gram = np.matmul(small, large)
    gram = gram + (np.eye(gram.shape[-1]) * l2_regularizer).astype(matrix.dtype)
    if rows >= columns:
        return np.linalg.solve(gram, np.matmul(adjoint, rhs))
    return np.matmul(adjoint, np.linalg.solve(gram, rhs))


def _eig_types(c: Inference) -> list[ValueType]:
    dtype = c.attrs.get("Tout") or c.inputs[0].dtype
    shape = _square_type(c).shape
    values = ValueType(dtype, None if shape is None else shape[:-1])
    return [values, ValueType(dtype, shape if c.attrs["compute_v"] else ())]


@op("SelfAdjointEigV2", "BatchSelfAdjointEigV2", type=_eig_types, outputs=("e", "v"))
def self_adjoint_eig_v2(input: Array, *, compute_v: bool = True) -> tuple[Array, Array]:
    """Rising eigenvalues of Hermitian matrices and their vectors as columns; only the lower half is
    read (tf.linalg.eigh).  The sign, or phase, of a vector is arbitrary.  Raises ValueError for a
    matrix that is not finite."""
    _check_square(input)
    if not np.isfinite(np.tril(input)).all():
        raise ValueError("a matrix with NaN or infinities has no eigenvalues")
    if compute_v:
        values, vectors = np.linalg.eigh(input)
        return values.astype(input.dtype), vectors
    return np.linalg.eigvalsh(input).astype(input.dtype), np.zeros((), input.dtype)


def _eig_v1_type(c: Inference) -> ValueType:
    shape = _square_type(c).shape
    found = None if shape is None else (*shape[:-2], shape[-2] + 1, shape[-1])
    return ValueType(c.inputs[0].dtype, found)


@op("SelfAdjointEig", "BatchSelfAdjointEig", type=_eig_v1_type)
def self_adjoint_eig(input: Array) -> Any:
    """Eigenvalues as a first row above the vectors, both as of SelfAdjointEigV2."""
    values, vectors = self_adjoint_eig_v2(input)
    return np.concatenate([values[..., None, :], vectors], axis=-2)


@op("Eig", type=_eig_types, outputs=("e", "v"))
def eig(input: Array, *, compute_v: bool = True, Tout: DType = COMPLEX64) -> tuple[Array, Array]:
    """Eigenvalues and vectors as columns (tf.linalg.eig); order and phases are arbitrary."""
    _check_square(input)
    if compute_v:
        values, vectors = np.linalg.eig(input)
        return values.astype(Tout.numpy), vectors.astype(Tout.numpy)
    return np.linalg.eigvals(input).astype(Tout.numpy), np.zeros((), Tout.numpy)


def _smaller(a: Extent, b: Extent, c: Inference) -> Extent:
    if isinstance(a, int) and isinstance(b, int):
        return min(a, b)
    return a if a == b else c.fresh()


def _svd_types(c: Inference) -> list[ValueType]:
    dtype, shape = c.inputs[0].dtype, c.inputs[0].shape
    if shape is None:
        return [ValueType(dtype)] * 3
    *batch, m, n = shape
    k = _smaller(m, n, c)
    if not c.attrs["compute_uv"]:
        return [ValueType(dtype, (*batch, k)), ValueType(dtype, ()), ValueType(dtype, ())]
    full = c.attrs["full_matrices"]
    return [
        ValueType(dtype, (*batch, k)),
        ValueType(dtype, (*batch, m, m if full else k)),
        ValueType(dtype, (*batch, n, n if full else k)),
    ]


@op("Svd", "BatchSvd", type=_svd_types, outputs=("s", "u", "v"))
def svd(
    input: Array, *, compute_uv: bool = True, full_matrices: bool = False
) -> tuple[Array, Array, Array]:
    """Falling singular values, left vectors and right vectors as columns (tf.linalg.svd); NaN for a
    matrix that is not finite."""
    odd = ~np.isfinite(input).all(axis=(-2, -1), keepdims=True)
    x = np.where(odd, np.zeros_like(input), input)
    fill = np.where(odd, np.nan, 0).astype(input.dtype)
    if not compute_uv:
        none = np.zeros((), input.dtype)
        return np.linalg.svd(x, compute_uv=False) + fill[..., 0], none, none
    u, s, v = np.linalg.svd(x, full_matrices=full_matrices)
    return s + fill[..., 0], u + fill, adjoint_of(v) + fill


def _qr_types(c: Inference) -> list[ValueType]:
    dtype, shape = c.inputs[0].dtype, c.inputs[0].shape
    if shape is None:
        return [ValueType(dtype)] * 2
    *batch, m, n = shape
    k = m if c.attrs["full_matrices"] else _smaller(m, n, c)
    return [ValueType(dtype, (*batch, m, k)), ValueType(dtype, (*batch, k, n))]


@op("Qr", type=_qr_types, outputs=("q", "r"))
def qr(input: Array, *, full_matrices: bool = False) -> tuple[Array, Array]:
    """Orthonormal columns and an upper triangle whose product is the input (tf.linalg.qr)."""
    q, r = np.linalg.qr(widened(input), mode="complete" if full_matrices else "reduced")
    return q.astype(input.dtype), r.astype(input.dtype)


def _lu_types(c: Inference) -> list[ValueType]:
    shape = _square_type(c).shape
    index = c.attrs["output_idx_type"]
    return [c.inputs[0], ValueType(index, None if shape is None else shape[:-1])]


@op("Lu", type=_lu_types, outputs=("lu", "p"))
def lu(input: Array, *, output_idx_type: DType = INT32) -> tuple[Array, Array]:
    """Both triangles in one matrix, without the ones on the lower one's diagonal, and the order of
    rows: the product is ``input[p]`` (tf.linalg.lu).  Raises ValueError where one is singular."""
    _check_square(input)
    size = input.shape[-1]
    a = input.reshape((math.prod(input.shape[:-2]), size, size)).copy()
    order = np.tile(np.arange(size), (len(a), 1))
    each = np.arange(len(a))
    for k in range(size):
        pivot = k + np.abs(a[:, k:, k]).argmax(axis=1)
        if not a[each, pivot, k].all() or (k == 0 and np.isnan(a[:, 0, 0]).any()):
            raise ValueError("the matrix is not invertible")
        for rows in (a, order):
            rows[each, k], rows[each, pivot] = rows[each, pivot], rows[each, k].copy()
        a[:, k + 1 :, k] /= a[:, k, k, None]
        a[:, k + 1 :, k + 1 :] -= a[:, k + 1 :, k, None] * a[:, k, None, k + 1 :]
    return a.reshape(input.shape), order.reshape(input.shape[:-1]).astype(output_idx_type.numpy)


@op("MatrixExponential", type=_square_type)
def matrix_exponential(input: Array) -> Any:
    """e to the power of square matrices (tf.linalg.expm): the series of the matrix halved until its
    norm is below one half, squared as often."""
    _check_square(input)
    wide = input.astype(np.complex128 if input.dtype.kind == "c" else np.float64)
    norm = np.abs(wide).sum(axis=-2).max(axis=-1, initial=0.0)
    norm = np.where(np.isfinite(norm), np.maximum(norm, 0.5), 0.5)
    halvings = np.ceil(np.log2(norm)).astype(np.int64)[..., None, None] + 1
    wide = wide / 2.0**halvings
    term = total = np.broadcast_to(np.eye(input.shape[-1], dtype=wide.dtype), wide.shape)
    for k in range(1, 18):
        term = np.matmul(term, wide) / k
        total = total + term
    for i in range(halvings.max(initial=0)):
        total = np.where(i < halvings, np.matmul(total, total), total)
    return total.astype(input.dtype)


def _of_each(function: Function, x: Array) -> Any:
    """A function of one complex128 matrix on each of a stack; NaN where it has no answer."""
    result = np.full(x.shape, np.nan, np.complex128)
    for i in np.ndindex(x.shape[:-2]):
        if np.isfinite(x[i]).all():
            with contextlib.suppress(np.linalg.LinAlgError):
                result[i] = function(x[i].astype(np.complex128))
    return (result if x.dtype.kind == "c" else result.real).astype(x.dtype)


def _square_root(a: Array) -> Array:
    """The principal root of a matrix: through eigenvectors, which serves singular ones; else by
    the iteration of Denman and Beavers, which serves those without enough eigenvectors."""
    values, vectors = np.linalg.eig(a)
    with contextlib.suppress(np.linalg.LinAlgError):
        root = np.matmul(vectors * np.sqrt(values)[..., None, :], np.linalg.inv(vectors))
        if np.allclose(np.matmul(root, root), a, rtol=1e-10, atol=1e-12 * np.abs(a).max(initial=0)):
            return root
    y, z = a, np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape)
    for _ in range(60):
        y_next = (y + np.linalg.inv(z)) / 2
        z = (z + np.linalg.inv(y)) / 2
        change, y = np.abs(y_next - y).max(initial=0.0), y_next
        if change <= 1e-15 * np.abs(y).max(initial=0.0):
            break
    return y


@op("MatrixSquareRoot", type=_square_type)
def matrix_square_root(input: Array) -> Any:
    """The principal root of square matrices (tf.linalg.sqrtm)."""
    _check_square(input)
    return _of_each(_square_root, input)


def _logarithm(a: Array) -> Array:
    """Roots until the matrix is near 1, then the integral of (a - 1) (1 + t (a - 1))^-1 over t
    from 0 to 1."""
    one = np.eye(len(a), dtype=a.dtype)
    roots = 0
    while np.abs(a - one).max(initial=0.0) > 0.1 and roots < 60:
        a, roots = _square_root(a), roots + 1
    nodes, weights = np.polynomial.legendre.leggauss(8)
    total = np.zeros_like(a)
    for node, weight in zip(nodes, weights, strict=True):
        inverse = np.linalg.inv(one + (node + 1) / 2 * (a - one))
        total = total + weight / 2 * np.matmul(a - one, inverse)
    return total * 2.0**roots


@op("MatrixLogarithm", type=_square_type)
def matrix_logarithm(input: Array) -> Any:
    """The principal logarithm of invertible complex matrices (tf.linalg.logm)."""
    _check_square(input)
    return _of_each(_logarithm, input)


@op("TridiagonalMatMul", type=lambda c: c.inputs[3])
def tridiagonal_matmul(superdiag: Array, maindiag: Array, subdiag: Array, rhs: Array) -> Any:
    """The product of a matrix of 3 diagonals, each [..., 1, M], with [..., M, N]; the last of the
    upper and the first of the lower are not read (tf.linalg.tridiagonal_matmul)."""
    upper, main, lower = (np.swapaxes(d, -1, -2) for d in (superdiag, maindiag, subdiag))
    result = main * rhs
    result[..., :-1, :] += upper[..., :-1, :] * rhs[..., 1:, :]
    result[..., 1:, :] += lower[..., 1:, :] * rhs[..., :-1, :]
    return result


def _away_from_zero(pivot: Any, row: Array, step: Any) -> Any:
    """A pivot by which `row` can be divided without overflow, moved by `step` and its doubles."""
    least = np.finfo(np.abs(pivot).dtype).tiny
    most = np.abs(row).max(initial=0)
    step = np.copysign(np.maximum(np.abs(step), least), pivot.real)
    while (size := np.abs(pivot)) < 1 and not least <= size >= most * least:
        pivot, step = pivot + step, step * 2
    return pivot


def _solve_perturbed(upper: Array, main: Array, lower: Array, x: Array) -> Array:
    """One tridiagonal system as LAPACK's xLAGTF and xLAGTS solve it: the pivot is the one that is
    greater beside its row, and one near zero is moved."""
    n, x = len(main), x.copy()
    rows = np.zeros((n, 3), x.dtype)  # of U: the diagonal and the two elements right of it
    rows[0, :2] = main[0], upper[0] if n > 1 else 0
    greatest, scale = np.abs(rows[0]).max(), np.abs(rows[0]).sum()
    for k in range(n - 1):
        below = np.array([lower[k + 1], main[k + 1], upper[k + 1] if k < n - 2 else 0], x.dtype)
        weight = np.abs(below).sum()
        if below[0] == 0:
            rows[k + 1, :2], scale = below[1:], weight
        elif rows[k, 0] != 0 and np.abs(below[0]) / weight <= np.abs(rows[k, 0]) / scale:
            factor = below[0] / rows[k, 0]
            rows[k + 1, :2], scale = (below[1] - factor * rows[k, 1], below[2]), weight
            x[k + 1] -= factor * x[k]
        else:
            factor = rows[k, 0] / below[0]
            rows[k + 1, :2] = rows[k, 1] - factor * below[1], -factor * below[2]
            rows[k] = below
            x[k], x[k + 1] = x[k + 1].copy(), x[k] - factor * x[k + 1]
        if k < n - 2:
            greatest = max(greatest, np.abs(rows[k]).max())
    step = np.finfo(greatest.dtype).eps * max(greatest, np.abs(rows[-1, 0]))
    for k in range(n - 1, -1, -1):
        row = x[k].copy()
        for offset in (1, 2):
            if k + offset < n:
                row -= rows[k, offset] * x[k + offset]
        x[k] = row * (1 / _away_from_zero(rows[k, 0], row, step))
    return x


@op("TridiagonalSolve", type=lambda c: c.inputs[1])
def tridiagonal_solve(
    diagonals: Array, rhs: Array, *, partial_pivoting: bool = True, perturb_singular: bool = False
) -> Any:
    """x in A x = rhs, the rows of [..., 3, M] being A's upper, main and lower diagonal
    (tf.linalg.tridiagonal_solve).

    Rows are exchanged for the greater pivot if `partial_pivoting`.  x is NaN where A is singular,
    but for `perturb_singular`, which moves pivots away from zero and needs `partial_pivoting`.
    """
    if perturb_singular and not partial_pivoting:
        raise ValueError("perturb_singular needs partial_pivoting")
    size = rhs.shape[-2]
    if diagonals.shape[-2:] != (3, size) or diagonals.shape[:-2] != rhs.shape[:-2]:
        raise ValueError(f"diagonals {diagonals.shape} do not fit a right side {rhs.shape}")
    x = np.moveaxis(rhs.reshape((-1, *rhs.shape[-2:])), 1, 0).copy()  # [M, batch, N]
    upper, main, lower = np.moveaxis(diagonals.reshape((-1, 3, size)), 0, -1)
    if perturb_singular:
        for i in range(x.shape[1] if size else 0):
            x[:, i] = _solve_perturbed(upper[:, i], main[:, i], lower[:, i], x[:, i])
        return np.moveaxis(x, 0, 1).reshape(rhs.shape)
    # each row of the upper triangle: its diagonal and the two elements right of it
    rows = np.zeros((size, 3, main.shape[-1]), diagonals.dtype)
    if size:
        rows[0, 0], rows[0, 1] = main[0], upper[0] if size > 1 else 0
    for i in range(1, size):
        last = np.zeros_like(main[i]) if i == size - 1 else upper[i]
        this, rest = rows[i - 1].copy(), np.stack([lower[i], main[i], last])
        above, below = x[i - 1].copy(), x[i].copy()
        swap = (np.abs(rest[0]) > np.abs(this[0])) & partial_pivoting
        pivot, other = np.where(swap, rest, this), np.where(swap, this, rest)
        x[i - 1] = np.where(swap[:, None], below, above)
        below = np.where(swap[:, None], above, below)
        factor = other[0] / pivot[0]
        rows[i - 1] = pivot
        rows[i, 0], rows[i, 1] = other[1] - factor * pivot[1], other[2] - factor * pivot[2]
        x[i] = below - factor[:, None] * x[i - 1]
    for i in range(size - 1, -1, -1):
        for offset in (1, 2):
            if i + offset < size:
                x[i] -= rows[i, offset][:, None] * x[i + offset]
        x[i] /= rows[i, 0][:, None]
    singular = (rows[:, 0] == 0).any(axis=0)
    x = np.where(singular[:, None], np.full_like(x, np.nan), x)
    return np.moveaxis(x, 0, 1).reshape(rhs.shape)


@op("BandedTriangularSolve", type=lambda c: ValueType(c.inputs[0].dtype, _banded_shape(c)))
def banded_triangular_solve(
    matrix: Array, rhs: Array, *, lower: bool = True, adjoint: bool = False
) -> Any:
    """x in A x = rhs for a triangle A of K bands (tf.linalg.banded_triangular_solve).

    The matrix is [..., K, M]: a lower triangle's bands from the diagonal down, an upper one's from
    the outermost to the diagonal; element j of a band stands in row j of A.
    """
    bands, size = matrix.shape[-2:]
    if rhs.shape[-2] != size or not 0 < bands <= size:
        raise ValueError(f"{bands} bands of {size} for a right side of shape {rhs.shape}")
    dense = np.zeros((*matrix.shape[:-2], size, size), matrix.dtype)
    at = np.arange(size)
    for k in range(bands):
        if lower:
            dense[..., at[k:], at[k:] - k] = matrix[..., k, k:]
        else:
            dense[..., at[: size - k], at[: size - k] + k] = matrix[..., bands - 1 - k, : size - k]
    return matrix_triangular_solve(dense, rhs, lower=lower, adjoint=adjoint)


def _banded_shape(c: Inference) -> Shape:
    a, b = c.inputs[0].shape, c.inputs[1].shape
    if a is None or b is None:
        return None
    merge_extents(a[-1], b[-2])
    batch = broadcast_shapes(c, a[:-2], b[:-2])
    return None if batch is None else (*batch, b[-2], b[-1])
