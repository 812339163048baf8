"""Copies, gathers, casts, resizing, and the pool of threads."""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from tests.kernels import ISAS, at_edges, engine, everywhere, extent, normal, pack, run
from tfdeploy import config

TYPES = ("float32", "float64", "int32", "uint8", "bool", "int64")


@pytest.mark.parametrize("seed", range(120))
def test_copy_between_any_strides(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rank, dtype = 1 + seed % 5, TYPES[seed % 6]
    shape = [int(v) for v in rng.integers(1, (20000, 150, 30, 12, 7)[rank - 1], rank)]
    whole = rng.integers(0, 100, [n + 2 for n in shape]).astype(dtype)
    x = whole[tuple(slice(1, 1 + n) for n in shape)]
    x = (x if seed % 2 else np.ascontiguousarray(x)).transpose(rng.permutation(rank))
    to = list(x.shape)
    if seed % 5 == 0:
        axis = int(rng.integers(rank))
        x = x[tuple(slice(0, 1) if i == axis else slice(None) for i in range(rank))]
    around = np.zeros([n + 3 for n in to], dtype)
    y = around[tuple(slice(2, 2 + n) for n in to)]
    if seed % 3 == 0:
        y = np.zeros(to[::-1], dtype).T
    for isa, cut in itertools.product(ISAS, (0, 1)):
        y[...] = 0
        run("copy", [x], y, isa=isa, cut=cut)
        assert (y == np.broadcast_to(x, to)).all()
        assert seed % 3 == 0 or around.astype(np.int64).sum() == y.astype(np.int64).sum()


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_gather_and_one_hot(dtype: str) -> None:
    rng = np.random.default_rng(5)
    x, at = normal(rng, 3, 50, 7), rng.integers(0, 50, 13).astype(dtype)
    for y in everywhere("gather", [x[None], at[None]], (1, 3, 13, 7), ints=[0]):
        assert (y[0] == x[:, at]).all()
    around = at - 50 * (at % 2)
    for y in everywhere("gather", [x[None], around[None]], (1, 3, 13, 7), ints=[1]):
        assert (y[0] == x[:, around]).all()
    own = rng.integers(0, 50, (3, 13)).astype(dtype)
    for y in everywhere("gather", [x[:, None], own], (3, 1, 13, 7), ints=[0]):
        assert (y[:, 0] == np.take_along_axis(x, own[:, :, None].astype(np.int64), 1)).all()
    for wrong, wraps in ((50, 0), (-1, 0), (50, 1), (-51, 1)):
        at[5] = wrong
        with pytest.raises(IndexError, match="gather"):
            run("gather", [x[None], at[None]], np.empty((1, 3, 13, 7), np.float32), ints=[wraps])
    at = np.array([1, 0, 5, -1, 9], dtype)
    for y in everywhere("one_hot", [at, np.float32([2]), np.float32([-1])], (5, 5)):
        assert (y == np.where(at[:, None] == np.arange(5), 2, -1)).all()


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
def test_scan(dtype: str) -> None:
    rng = np.random.default_rng(8)
    for shape in ((3, 17, 1), (2, 9, 300), (1, 1, 5), (2, 0, 3), (1, 40, 257)):
        x = (rng.standard_normal(shape) * 9).astype(dtype)
        for prod, exclusive, reverse in itertools.product((0, 1), repeat=3):
            turned = x[:, ::-1] if reverse else x
            want = (np.cumprod if prod else np.cumsum)(turned, axis=1, dtype=dtype)
            if exclusive:
                first = np.full_like(x[:, :1], prod)
                want = np.concatenate([first, want[:, :-1]], 1)[:, : shape[1]]
            want = want[:, ::-1] if reverse else want
            for y in everywhere("scan", [x], shape, [prod, exclusive, reverse], dtype=dtype):
                np.testing.assert_array_equal(y, want)


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_band(dtype: str) -> None:
    for rows, columns in ((5, 7), (7, 5), (1, 4), (0, 3)):
        x = np.ones((2, rows, columns), dtype)
        for lower, upper in itertools.product((-1, 0, 1, 3, 9), repeat=2):
            want = np.tril(x, columns if upper < 0 else upper)
            want = np.triu(want, -rows if lower < 0 else -lower)
            for y in everywhere("band", [x], x.shape, [lower, upper], dtype=dtype):
                assert (y == want).all()


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_gather_by_points(dtype: str) -> None:
    rng = np.random.default_rng(6)
    x, points = normal(rng, 3, 50, 7), rng.integers(0, (3, 50), (11, 2)).astype(dtype)
    for y in everywhere("gather_nd", [x, points], (11, 7)):
        assert (y == x[points[:, 0], points[:, 1]]).all()
    for wrong in ((3, 0), (0, 50), (0, -1)):
        points[4] = wrong
        with pytest.raises(IndexError, match="gather_nd"):
            run("gather_nd", [x, points], np.empty((11, 7), np.float32))


@pytest.mark.parametrize(("source", "to"), list(itertools.product(TYPES, TYPES)))
def test_cast(source: str, to: str) -> None:
    x = np.array([0, 1, 1.5, 100.7, 2.5, 127, 3, 4]).astype(source).reshape(2, 4).T
    for y in everywhere("cast", [x], (4, 2), dtype=to):
        assert (y == x.astype(to)).all()


def test_cast_of_what_does_not_fit() -> None:
    x = np.float32([np.nan, np.inf, -np.inf, 3e38])
    for dtype in ("int32", "int64"):
        for y in everywhere("cast", [x], (4,), dtype=dtype):
            assert (y == np.iinfo(dtype).min).all()


@pytest.mark.parametrize("seed", range(20))
def test_resize(seed: int) -> None:
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(seed)
    n, h, w = (int(v) for v in rng.integers(1, 12, 3))
    x, size = normal(rng, n, h, w, (1, 3, 20)[seed % 3]), [int(v) for v in rng.integers(1, 30, 2)]
    for half, align in ((False, False), (True, False), (False, True)):
        for method, op in enumerate((tf.raw_ops.ResizeNearestNeighbor, tf.raw_ops.ResizeBilinear)):
            expected = op(images=x, size=size, align_corners=align, half_pixel_centers=half).numpy()
            for y in everywhere("resize", [x], expected.shape, [method, align, half]):
                assert np.abs(y - expected).max() <= 2e-6 * np.abs(x).max()


@pytest.mark.parametrize("method", ["nearest", "bilinear"])
def test_crop_and_resize(method: str) -> None:
    """To the bit as the reference, which is TensorFlow's; some of each box lies outside."""
    from tfdeploy.ops.resize import crop_and_resize

    rng = np.random.default_rng(8)
    for height, width, channels in ((1, 1, 3), (6, 5, 21), (1, 4, 16)):
        x, boxes = normal(rng, 2, 9, 8, channels), rng.uniform(-0.2, 1.2, (7, 4)).astype(np.float32)
        boxes[:3] = [[0, 0, 1, 1], [1, 1, 0, 0], [np.nan, 0, 1, np.inf]]
        of = rng.integers(0, 2, 7).astype(np.int32)
        size = np.array([height, width])
        with np.errstate(all="ignore"):
            want = crop_and_resize(x, boxes, of, size, method=method, extrapolation_value=0.5)
        shape, ints = (7, height, width, channels), [method == "bilinear"]
        for y in everywhere("crop_and_resize", [x, boxes, of], shape, ints, [0.5]):
            np.testing.assert_array_equal(y, want)
        of[4] = 2
        with pytest.raises(IndexError, match="crop_and_resize"):
            run("crop_and_resize", [x, boxes, of], np.zeros(shape, np.float32), ints, [0.5])


@pytest.mark.parametrize("n", [2, 4, 6, 10, 12, 16, 30, 62, 80, 126, 256, 480, 1024, 3850])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_real_transforms(n: int, dtype: str) -> None:
    """Cut rows and padded ones, every other number of them, windows, any number of rows."""
    rng = np.random.default_rng(n)
    angles = np.arange(n) * (-2 * np.pi / n)
    turns = np.stack([np.cos(angles), np.sin(angles)], 1).astype(dtype)
    for rows, length, step in ((0, n, 1), (1, n, 1), (3, n + 3, 2), (9, max(n - 3, 1), 1)):
        x = rng.normal(size=(rows, length * step)).astype(dtype)[:, ::step]
        window = rng.uniform(size=length).astype(dtype)
        for factor in (None, window):
            wide = x.astype(np.float64) * (1 if factor is None else factor)
            want = np.fft.rfft(wide, n)
            shape = (rows, n // 2 + 1, 2)
            for y in everywhere("rfft", [x, turns, factor], shape, dtype=dtype):
                error = np.abs(y[..., 0] + 1j * y[..., 1] - want).max(initial=0)
                assert error <= 8 * np.finfo(dtype).eps * np.abs(want).max(initial=0)


@pytest.mark.parametrize("n", [3, 74, 0])
def test_lengths_without_a_fast_transform(n: int) -> None:
    x, turns = np.zeros((2, max(n, 1)), np.float32), np.zeros((n, 2), np.float32)
    with pytest.raises(ValueError, match="refuses"):
        engine.Call("rfft", [x, turns, None], [np.empty((2, n // 2 + 1, 2), np.float32)])


def product(rng: np.random.Generator, threads: int):
    a, packed, y = (
        normal(rng, 300, 200),
        pack(normal(rng, 1, 1, 200, 300)),
        np.empty((300, 300), np.float32),
    )
    return y, engine.Call("matmul", [a, packed, None, None, None], [y], [0], (), None, threads)


def test_threads_give_the_same_bits() -> None:
    y, call = product(np.random.default_rng(6), 4)
    call.run()
    alone = y.copy()
    for _ in range(200):
        y[...] = 0
        call.run_parallel()
        assert y.tobytes() == alone.tobytes()
    assert call.kept_to_scratch()


def test_python_threads_share_the_pool() -> None:
    wrong: list[str] = []

    def work(seed: int) -> None:
        y, call = product(np.random.default_rng(seed), 2)
        call.run()
        alone = y.copy()
        for _ in range(50):
            y[...] = 0
            call.run_parallel()
            if y.tobytes() != alone.tobytes():
                wrong.append(f"thread {seed}")

    workers = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


ALONE = """
import os, sys
cpus, root = int(sys.argv[1]), sys.argv[2]
os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:cpus])
sys.path.append(root)
from tests.test_kernels_moves import config, np, product
config.engine()
_, call = product(np.random.default_rng(0), 2)
before = len(os.listdir("/proc/self/task"))
call.run_parallel()
print(len(os.listdir("/proc/self/task")) - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="affinity is Linux's")
@pytest.mark.parametrize("cpus", [1, 2])
def test_one_cpu_has_one_thread(cpus: int) -> None:
    """However many are asked for: they would only take the CPU from each other."""
    if len(os.sched_getaffinity(0)) < cpus or config.usable_cpus() < cpus:
        pytest.skip("there are not so many CPUs here")
    command = [sys.executable, "-c", ALONE, str(cpus), str(Path(__file__).parent.parent)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == f"{cpus - 1}\n", done.stderr


def test_an_error_in_a_thread_comes_back() -> None:
    x, at = np.zeros((1, 1, 10, 4096), np.float32), np.zeros((1, 64), np.int32)
    at[0, 40] = 10
    y = np.empty((1, 1, 64, 4096), np.float32)
    with pytest.raises(IndexError):
        engine.Call("gather", [x, at], [y], (0,), (), None, 2).run_parallel()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_of_fork_has_a_pool_of_its_own() -> None:
    y, call = product(np.random.default_rng(7), 2)
    call.run_parallel()
    stop = threading.Event()
    _, other = product(np.random.default_rng(8), 2)

    def keep_busy() -> None:
        while not stop.is_set():
            other.run_parallel()

    busy = threading.Thread(target=keep_busy)
    busy.start()
    try:
        for _ in range(20):
            expected = y.tobytes()
            child = os.fork()
            if not child:
                y[...] = 0
                call.run_parallel()
                os._exit(0 if y.tobytes() == expected else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        busy.join()


def test_refused_arrays_are_an_error_that_names_the_kernel() -> None:
    with pytest.raises(ValueError, match="softmax"):
        engine.Call("softmax", [np.zeros(3)], [np.zeros(3)])
    with pytest.raises(ValueError, match="no kernel 'nothing'"):
        engine.Call("nothing", [], [])
    assert sys.getrefcount(engine.Call) > 0


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_numbers_and_range(dtype: str) -> None:
    for y in everywhere("numbers", [], (3,), [5, -2, 7], dtype=dtype):
        assert y.tolist() == [5, -2, 7]
    start, delta = np.array(-4, dtype), np.array(3, dtype)
    for y in everywhere("range", [start, delta], (9,), dtype=dtype):
        assert (y == np.arange(-4, 23, 3)).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("last", [False, True])
def test_operands_stand_where_memory_ends(last: bool) -> None:
    """What holds every other test of a kernel to its arrays."""
    x = np.arange(7.0)[1:6:2]
    (there,) = at_edges([x], last)
    assert np.array_equal(there, x) and there.strides == x.strides
    first, size = extent(there)
    for at, faults in ((first, False), (first + size if last else first - 1, True)):
        if not (child := os.fork()):
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)  # nobody reports it
            signal.signal(signal.SIGBUS, signal.SIG_DFL)
            ctypes.string_at(at, 1)
            os._exit(0)
        assert (os.waitpid(child, 0)[1] != 0) == faults
