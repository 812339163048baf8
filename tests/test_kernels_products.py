"""Products and convolutions against float64, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels import (
    INF,
    ISAS,
    PANEL,
    WIDTHS,
    Window,
    close,
    engine,
    everywhere,
    normal,
    pack,
    panels,
    run,
    same_bits,
)

ACT = engine.activations() if hasattr(engine, "activations") else {"linear": 0, "clamp": 1}


@pytest.mark.parametrize("k", [0, 1, 7, 64, 255, 256, 257, 600])
@pytest.mark.parametrize("m", [0, 1, 2, 3, 4, 6, 7, 13, 14, 15, 29, 100])
def test_matmul(m: int, k: int) -> None:
    rng = np.random.default_rng(m * 1000 + k)
    for n in (1, 15, 16, 17, 24, 33, 100, 130):
        a, w = normal(rng, m, k), normal(rng, k, n)
        expected = a.astype(np.float64) @ w
        size = np.abs(a).astype(np.float64) @ np.abs(w) if m and k else 1.0
        for y in everywhere("matmul", [a, pack(w[None, None]), None, None, None], (m, n), [0]):
            close(y, expected, size)


@pytest.mark.parametrize("n", WIDTHS)
def test_matmul_epilogue(n: int) -> None:
    rng = np.random.default_rng(n)
    a, w, residual = normal(rng, 2, 5, 40), normal(rng, n, 40), normal(rng, 2, 5, n)
    scale, shift = normal(rng, n), normal(rng, n)
    inputs = [a, pack(w.T[None, None]), scale, shift, residual]
    expected = np.clip(a.astype(np.float64) @ w.T * scale + shift + residual, 0, 6)
    for y in everywhere("matmul", inputs, (2, 5, n), [ACT["clamp"]], [0, 6]):
        close(y, expected, 40)


def test_matmul_reads_rows_by_their_stride_and_writes_into_a_part() -> None:
    rng = np.random.default_rng(3)
    a, w = normal(rng, 20, 50)[::2, 3:40], normal(rng, 37, 21)
    whole = np.full((10, 40), 7, np.float32)
    for isa in ISAS:
        y = run("matmul", [a, pack(w[None, None]), None, None, None], whole[:, 5:26], [0], isa=isa)
        close(y, a.astype(np.float64) @ w, 40)
        assert (whole[:, :5] == 7).all() and (whole[:, 26:] == 7).all()


@pytest.mark.parametrize(
    "m, k, n", [(150, 1024, 520), (33, 1000, 1050), (1, 1024, 600), (330, 300, 512)]
)
def test_matmul_of_large_results_and_rows_that_meet_in_the_cache(m: int, k: int, n: int) -> None:
    rng = np.random.default_rng(m)
    a, w, residual = normal(rng, m, 1024)[:, :k], normal(rng, k, n), normal(rng, m, n)
    packed = pack(w[None, None])
    for more in (None, residual):
        expected = a.astype(np.float64) @ w + (0 if more is None else more)
        for y in everywhere("matmul", [a, packed, None, None, more], (m, n), [0]):
            close(y, expected, np.abs(a).astype(np.float64) @ np.abs(w))


def test_a_row_has_the_same_bits_in_any_batch() -> None:
    rng = np.random.default_rng(4)
    a, packed = normal(rng, 61, 700), pack(normal(rng, 1, 1, 700, 50))
    for isa in ISAS:
        whole = run(
            "matmul", [a, packed, None, None, None], np.empty((61, 50), np.float32), [0], isa=isa
        )
        for first, last in ((0, 1), (3, 5), (7, 20), (30, 61)):
            part = np.empty((last - first, 50), np.float32)
            run("matmul", [a[first:last], packed, None, None, None], part, [0], isa=isa)
            assert part.tobytes() == whole[first:last].tobytes()


def test_nan_and_inf_stay_in_their_row_and_column() -> None:
    a, w = np.ones((5, 3), np.float32), np.ones((3, 20), np.float32)
    a[1, 1], a[2, 2], w[0, 4] = np.nan, np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        expected = (a.astype(np.float64) @ w).astype(np.float32)
    inputs = [a, pack(w[None, None]), None, None, None]
    for y in everywhere("matmul", inputs, (5, 20), [ACT["clamp"]], [-INF, INF]):
        assert np.array_equal(y, expected, equal_nan=True)


@pytest.mark.parametrize(
    "shape", [(8, 8, 8), (5, 7, 9), (17, 33, 20), (1, 300, 40), (65, 64, 16), (70, 100, 130)]
)
@pytest.mark.parametrize("turned", ["", "a", "b", "ab"])
def test_batch_matmul(shape: tuple[int, int, int], turned: str) -> None:
    m, k, n = shape
    rng = np.random.default_rng(m)
    a = normal(rng, 2, 3, k, m).swapaxes(-1, -2) if "a" in turned else normal(rng, 2, 3, m, k)
    b = normal(rng, 1, 3, n, k).swapaxes(-1, -2) if "b" in turned else normal(rng, 1, 3, k, n)
    for y in everywhere("batch_matmul", [a, b, None, None, None], (2, 3, m, n), [0]):
        close(y, a.astype(np.float64) @ b, np.abs(a).astype(np.float64) @ np.abs(b))


@pytest.mark.parametrize("seed", range(60))
def test_conv(seed: int) -> None:
    rng = np.random.default_rng(seed)
    axes = 1 + seed % 3
    window = Window(rng, axes, 13 if axes < 3 else 6)
    groups = int(rng.choice([1, 1, 2, 3]))
    c, columns = (
        groups * int(rng.choice([1, 3, 9, 20, 100])),
        groups * int(rng.choice([1, 5, 17, 40])),
    )
    x = (
        normal(rng, 2, *window.size, c + 3)[..., 1 : 1 + c]
        if seed % 4 == 1
        else normal(rng, 2, *window.size, c)
    )
    w = normal(rng, *window.kernel, c // groups, columns)
    shift, residual = normal(rng, columns), normal(rng, 2, *window.out, columns)
    packed = pack(w.reshape(-1, c // groups, groups, columns // groups).transpose(2, 0, 1, 3))
    expected = window.conv(x, w, groups) + shift
    residual = None if seed % 7 < 3 else residual
    expected = np.maximum(expected if residual is None else expected + residual, 0)
    inputs = [x, packed, None, shift, residual]
    ints = [ACT["clamp"], groups, 0, *window.ints]
    for y in everywhere("conv", inputs, expected.shape, ints, [0, INF]):
        close(y, expected, window.conv(np.abs(x), np.abs(w), groups) + 1)


@pytest.mark.parametrize("seed", range(30))
def test_conv_transpose(seed: int) -> None:
    rng = np.random.default_rng(seed)
    axes = 1 + seed % 3
    window = Window(rng, axes, 9 if axes < 3 else 5)
    c, columns = int(rng.choice([1, 3, 17, 100])), int(rng.choice([1, 5, 16, 40]))
    grown = zip(window.size, window.kernel, window.stride, window.dilation, window.pad, strict=True)
    size = [max(1, (n - 1) * s + (k - 1) * d + 1 - p) for n, k, s, d, p in grown]
    x, w = normal(rng, 2, *window.size, c), normal(rng, *window.kernel, columns, c)
    expected = np.zeros((2, *(n + p + 60 for n, p in zip(size, window.pad, strict=True)), columns))
    for at in np.ndindex(*window.kernel):
        cuts = [slice(None)]
        for i, d, s, n in zip(at, window.dilation, window.stride, window.size, strict=True):
            cuts.append(slice(i * d, i * d + (n - 1) * s + 1, s))
        expected[tuple(cuts)] += x.astype(np.float64) @ w[at].T
    expected = expected[
        (slice(None), *(slice(p, p + n) for p, n in zip(window.pad, size, strict=True)))
    ]
    packed = pack(w.reshape(1, -1, columns, c).swapaxes(2, 3))
    ints = [0, 0, *window.ints]
    for y in everywhere("conv_transpose", [x, packed, None, None, None], expected.shape, ints):
        close(y, expected, np.abs(expected).max() + 10)


@pytest.mark.parametrize("seed", range(40))
def test_depthwise(seed: int) -> None:
    rng = np.random.default_rng(seed)
    axes = 1 + seed % 3
    window = Window(rng, axes, 30 if axes < 3 else 7)
    c = int(rng.choice(WIDTHS))
    x, w = normal(rng, 2, *window.size, c), normal(rng, *window.kernel, c)
    shift, residual = normal(rng, c), normal(rng, 2, *window.out, c)
    expected = sum(read * w[at] for at, read in window.taps(x)) + shift + residual
    inputs = [x, w.reshape(-1, c), None, shift, residual]
    for careful in (0, 1):
        ints = [ACT["clamp"], careful, *window.ints]
        for y in everywhere("depthwise", inputs, expected.shape, ints, [-3, 3]):
            close(y, np.clip(expected, -3, 3), np.abs(expected).max() + 10)


@pytest.mark.parametrize("seed", range(24))
def test_depthwise_of_groups(seed: int) -> None:
    rng = np.random.default_rng(seed)
    axes = 1 + seed % 3
    window = Window(rng, axes, 30 if axes < 3 else 7)
    width, c = 2 << seed // 3 % 3, int(rng.choice([16, 48, 144]))
    whole, w = normal(rng, 2, *window.size, c + 3), normal(rng, *window.kernel, width, c)
    x = whole[..., 1 : 1 + c]
    shift, residual = normal(rng, c), normal(rng, 2, *window.out, c)
    expected = window.conv(x, w, c // width) + shift + residual
    inputs = [x, w.reshape(-1, c), None, shift, residual]
    ints = [ACT["clamp"], seed % 2, *window.ints]
    size = window.conv(np.abs(x), np.abs(w), c // width) + 10
    for y in everywhere("depthwise", inputs, expected.shape, ints, [-3, 3]):
        close(y, np.clip(expected, -3, 3), size)


@pytest.mark.parametrize("seed", range(30))
def test_separable_is_its_parts_to_the_bit(seed: int) -> None:
    """Whatever its bands; the parts are held to float64 above."""
    rng = np.random.default_rng(seed)
    first, depth = Window(rng, 2, 40), Window(rng, 2, 40)
    depth.size = first.out
    reach = [(k - 1) * d for k, d in zip(depth.kernel, depth.dilation, strict=True)]
    depth.pad = [r // 2 for r in reach]
    depth.out = [-(-n // s) for n, s in zip(depth.size, depth.stride, strict=True)]
    c, middle, columns = (int(rng.choice(n)) for n in ([3, 20, 70], [7, 16, 40, 200], [5, 24, 40]))
    x, between = normal(rng, 2, *first.size, c), normal(rng, 2, *first.out, middle)
    if seed % 3 == 2:
        x = between
    after, residual = (
        normal(rng, 2, *depth.out, middle),
        normal(rng, 2, *depth.out, columns),
    )
    grow = [pack(normal(rng, 1, 4 if c == 3 else 1, c, middle)), None, normal(rng, middle)]
    if c == 3:
        first.kernel, first.dilation = [2, 2], [1, 1]
    else:
        first.kernel = [1, 1]
    weights = normal(rng, depth.kernel[0] * depth.kernel[1], middle)
    apart = [weights, normal(rng, middle), normal(rng, middle)]
    thin = [pack(normal(rng, 1, 1, middle, columns)), normal(rng, columns), None, residual]
    acts = [
        ACT[name] for name in (("clamp", "silu", "linear"), ("silu", "clamp", "clamp"))[seed % 2]
    ]
    conv_ints = [acts[0], 1, 0, *first.ints]
    depth_ints = [acts[1], seed % 2, *depth.ints]
    for grows, thins in ((1, 1), (1, 0), (0, 1)):
        if seed % 3 == 2:
            grows = 0
        for isa in ISAS:
            here = x if grows else between
            if grows:
                run("conv", [x, *grow, None], between, conv_ints, [0, 6], isa)
            run("depthwise", [between, *apart, None], after, depth_ints, [0, 6], isa)
            expected = after
            if thins:
                expected = np.empty_like(residual)
                ints = [acts[2], 1, 0, 1, 1, 1, 1, 1, 1, 0, 0]
                run("conv", [after, *thin], expected, ints, [0, 6], isa)
            inputs = [here, *(grow if grows else [None] * 3), *apart]
            inputs += thin if thins else [None] * 4
            ints = [*conv_ints, *depth_ints, acts[2], *first.out]
            for cut in (0, 1, 2):
                got = np.full_like(expected, 7)
                run("separable", inputs, got, ints, [0, 6, 0, 6, 0, 6], isa, cut)
                assert same_bits(got, expected), (grows, thins, isa, cut)


@pytest.mark.parametrize("seed", range(24))
def test_winograd(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = (int(v) for v in rng.integers(2, 20, 2))
    top, left = (int(v) for v in rng.integers(0, 3, 2))
    c, columns = int(rng.choice([1, 5, 17, 64, 130, 300])), int(rng.choice([1, 9, 17, 40, 64]))
    window = Window(rng, 2, 20)
    window.kernel, window.stride, window.dilation = [3, 3], [1, 1], [1, 1]
    window.size, window.pad, window.out = [height, width], [top, left], [height + top, width + left]
    window.out = [n - 1 for n in window.out]
    x, w = normal(rng, 2, height, width, c), normal(rng, 3, 3, c, columns)
    scale, shift, residual = (
        normal(rng, columns),
        normal(rng, columns),
        normal(rng, 2, *window.out, columns),
    )
    direct = window.conv(x, w)
    expected = np.clip(direct * scale + shift + residual, -5, 5)
    ints = [ACT["clamp"], top, left, 1, 0]
    for points in (36, 25, 16):
        floats = points * panels(columns) * c * PANEL
        packed = run("pack_winograd", [w], np.empty(floats, np.float32))
        inputs = [x, packed, scale, shift, residual]
        for y in everywhere("winograd", inputs, expected.shape, ints, [-5, 5]):
            close(y, expected, np.abs(direct).max() * np.abs(scale).max(), 1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_winograd_of_volumes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size, pad = [int(v) for v in rng.integers(3, 11, 3)], [int(v) for v in rng.integers(0, 2, 3)]
    slices, c, columns = (
        int(rng.integers(1, 4)),
        int(rng.choice([1, 8, 33])),
        int(rng.choice([3, 24])),
    )
    window = Window(rng, 3, 8)
    window.kernel, window.stride, window.dilation = [slices, 3, 3], [1, 1, 1], [1, 1, 1]
    window.size, window.pad = size, pad
    window.out = [n + 2 * p - k + 1 for n, p, k in zip(size, pad, window.kernel, strict=True)]
    x, w = normal(rng, 2, *size, c), normal(rng, slices, 3, 3, c, columns)
    expected = window.conv(x, w)
    flat = w.transpose(1, 2, 0, 3, 4).reshape(3, 3, slices * c, columns)
    packed = run(
        "pack_winograd", [flat], np.empty(36 * panels(columns) * slices * c * PANEL, np.float32)
    )
    ints = [ACT["linear"], *pad[1:], slices, pad[0]]
    for y in everywhere("winograd", [x, packed, None, None, None], expected.shape, ints, [0, 0]):
        close(y, expected, np.abs(expected).max(), 1e-5)


@pytest.mark.parametrize("seed", range(16))
def test_attention(seed: int) -> None:
    rng = np.random.default_rng(seed)
    heads, t = int(rng.integers(1, 5)), int(rng.choice([1, 5, 57, 120]))
    s, d, dv = (
        int(rng.choice([1, 7, 16, 130, 300])),
        int(rng.choice([1, 17, 64])),
        int(rng.choice([1, 16, 30])),
    )
    q, k, v = (normal(rng, 2, n, heads, e).swapaxes(1, 2) for n, e in ((t, d), (s, d), (s, dv)))
    mask = [None, normal(rng, 2, 1, 1, s), normal(rng, 2, heads, t, s)][seed % 3]
    scores = q.astype(np.float64) @ k.swapaxes(-1, -2) * 0.3 + (0 if mask is None else mask)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    expected = weights / weights.sum(-1, keepdims=True) @ v
    for y in everywhere("attention", [q, k, v, mask], expected.shape, (), [0.3]):
        close(y, expected, np.abs(v).max())
