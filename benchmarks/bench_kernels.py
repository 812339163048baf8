"""Single kernels on one thread, as asv classes, and as a table:

    taskset -c 1 python benchmarks/bench_kernels.py [isa]

The table's shares are of the peak that multiply-adds in registers reach, and of the speed at which
as many bytes are summed, both measured in the same run.  Times are processor time, the best of many
rounds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

import numpy as np

from tfdeploy import _engine as engine

Array = np.ndarray
RNG = np.random.default_rng(0)
CLAMP = 1
ROUNDS = 30

# height and width, channels in, channels out, kernel, stride
RESNET50 = [
    (224, 3, 64, 7, 2),
    (56, 64, 64, 1, 1),
    (56, 64, 64, 3, 1),
    (56, 64, 256, 1, 1),
    (56, 256, 64, 1, 1),
    (56, 256, 128, 1, 1),
    (56, 128, 128, 3, 2),
    (56, 256, 512, 1, 2),
    (28, 128, 128, 3, 1),
    (28, 128, 512, 1, 1),
    (28, 512, 128, 1, 1),
    (28, 512, 256, 1, 1),
    (28, 256, 256, 3, 2),
    (28, 512, 1024, 1, 2),
    (14, 256, 256, 3, 1),
    (14, 256, 1024, 1, 1),
    (14, 1024, 256, 1, 1),
    (14, 1024, 512, 1, 1),
    (14, 512, 512, 3, 2),
    (14, 1024, 2048, 1, 2),
    (7, 512, 512, 3, 1),
    (7, 512, 2048, 1, 1),
    (7, 2048, 512, 1, 1),
]
PRODUCTS = [(512, 512, 512), (128, 256, 1024), (10000, 784, 100), (10, 100, 100)]
ROWS = [(1, 500, 500), (1, 1000, 500), (1, 4096, 4096)]
# height and width, channels, kernel, stride
DEPTHWISE = [(112, 32, 3, 1), (56, 144, 3, 2), (28, 192, 3, 1), (14, 576, 3, 1), (7, 960, 3, 1)]
ELEMENTWISE = ["add", "relu", "exp", "tanh", "sigmoid", "erf", "gelu", "log", "sin"]


def normal(*shape: int) -> Array:
    return RNG.standard_normal(shape, np.float32)


def call(
    name: str,
    inputs: Sequence[Array | None],
    output: Array,
    ints: Sequence[int] = (),
    floats: Sequence[float] = (),
    isa: str | None = None,
) -> Callable[..., None]:
    return engine.Call(name, inputs, [output], ints, floats, isa).run


def packed(weights: Array) -> Array:
    """Panels of weights [taps, c, n]."""
    taps, c, n = weights.shape
    out = np.empty(-(-n // 16) * taps * c * 16, np.float32)
    call("pack", [weights[None]], out)()
    return out


def product(m: int, k: int, n: int, isa: str | None = None) -> Callable[..., None]:
    inputs = [normal(m, k), packed(normal(1, k, n)), None, normal(n), None]
    return call("matmul", inputs, np.empty((m, n), np.float32), [CLAMP], [0, np.inf], isa)


def geometry(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Output size and padding before, as TensorFlow's SAME."""
    out = -(-size // stride)
    return out, max(0, (out - 1) * stride + kernel - size) // 2


def conv(
    size: int, c: int, n: int, kernel: int, stride: int, isa: str | None = None
) -> Callable[..., None]:
    out, pad = geometry(size, kernel, stride)
    weights = packed(normal(kernel * kernel, c, n))
    inputs = [normal(1, size, size, c), weights, None, normal(n), None]
    ints = [CLAMP, 1, 0, kernel, kernel, stride, stride, 1, 1, pad, pad]
    return call("conv", inputs, np.empty((1, out, out, n), np.float32), ints, [0, np.inf], isa)


def winograd(
    size: int, c: int, n: int, isa: str | None = None, points: int = 36
) -> Callable[..., None]:
    weights = np.empty(points * -(-n // 16) * c * 16, np.float32)
    call("pack_winograd", [normal(3, 3, c, n)], weights)()
    inputs = [normal(1, size, size, c), weights, None, normal(n), None]
    output = np.empty((1, size, size, n), np.float32)
    return call("winograd", inputs, output, [CLAMP, 1, 1], [0, np.inf], isa)


def depthwise(
    size: int, c: int, kernel: int, stride: int, isa: str | None = None
) -> Callable[..., None]:
    out, pad = geometry(size, kernel, stride)
    inputs = [normal(1, size, size, c), normal(kernel * kernel, c), None, normal(c), None]
    ints = [CLAMP, 0, kernel, kernel, stride, stride, 1, 1, pad, pad]
    return call("depthwise", inputs, np.empty((1, out, out, c), np.float32), ints, [0, 6], isa)


def pool(name: str, kernel: int, stride: int, isa: str | None = None) -> Callable[..., None]:
    out, pad = geometry(112, kernel, stride)
    ints = [kernel, kernel, stride, stride, 1, 1, pad, pad]
    output = np.empty((8, out, out, 64), np.float32)
    return call(name, [normal(8, 112, 112, 64)], output, ints, (), isa)


def elementwise(name: str, isa: str | None = None) -> Callable[..., None]:
    x, y = normal(128, 1024), np.empty((128, 1024), np.float32)
    code = [1, engine.map_ops()[name], 96, 32, 33, 32]
    return call("map", [x, normal(128, 1024)], y, code, (), isa)


class Products:
    params = (PRODUCTS + ROWS,)
    param_names = ("m, k, n",)

    def setup(self, shape: tuple[int, int, int]) -> None:
        self.run = product(*shape)

    def time_product(self, shape: tuple[int, int, int]) -> None:
        self.run()


class Convolutions:
    params = (RESNET50,)
    param_names = ("size, c, n, kernel, stride",)

    def setup(self, shape: tuple[int, int, int, int, int]) -> None:
        self.run = conv(*shape)

    def time_direct(self, shape: tuple[int, int, int, int, int]) -> None:
        self.run()


class Winograd:
    params = ([shape[:3] for shape in RESNET50 if shape[3:] == (3, 1)],)
    param_names = ("size, c, n",)

    def setup(self, shape: tuple[int, int, int]) -> None:
        self.run = winograd(*shape)

    def time_winograd(self, shape: tuple[int, int, int]) -> None:
        self.run()


class Depthwise:
    params = (DEPTHWISE,)
    param_names = ("size, c, kernel, stride",)

    def setup(self, shape: tuple[int, int, int, int]) -> None:
        self.run = depthwise(*shape)

    def time_depthwise(self, shape: tuple[int, int, int, int]) -> None:
        self.run()


class Elementwise:
    params = (ELEMENTWISE,)
    param_names = ("operation",)

    def setup(self, name: str) -> None:
        self.run = elementwise(name)

    def time_map(self, name: str) -> None:
        self.run()


class Pooling:
    params = (["max_pool", "avg_pool"], [(3, 2), (5, 1)])
    param_names = ("kind", "kernel, stride")

    def setup(self, name: str, window: tuple[int, int]) -> None:
        self.run = pool(name, *window)

    def time_pool(self, name: str, window: tuple[int, int]) -> None:
        self.run()


def best(run: Callable[..., None]) -> float:
    """Seconds of the fastest of many rounds, each long enough for the clock."""
    times, least = 1, float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        run(0, -1, times)
        spent = time.process_time() - start
        least = min(least, spent / times)
        if spent < 1e-3:
            times = min(times * 4, 100_000)
    return least


def timed(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def table(isa: str | None) -> None:
    fma = 1 << 22
    peak = 2 * fma / best(call("fma_peak", [], np.empty(1, np.float32), [fma], (), isa))
    print(f"{isa or engine.isa()}: peak {peak * 1e-9:.1f} GFLOPS on one thread")

    def line(what: str, run: Callable[..., None], flops: int, bytes_moved: int = 0) -> None:
        seconds = best(run)
        share = f"{100 * flops / seconds / peak:4.0f} % of peak" if flops else ""
        if bytes_moved:
            x, y = np.ones(bytes_moved // 4, np.float32), np.empty(1, np.float32)
            read = best(call("reduce", [x], y, [0, 1], (), isa))
            share += f"  {bytes_moved / seconds * 1e-9:5.1f} GB/s"
            share += f" ({100 * read / seconds:.0f} % of a sum over as many bytes)"
        print(f"{what:42} {seconds * 1e6:10.1f} us {share}", flush=True)

    for m, k, n in PRODUCTS:
        line(f"product {m} x {k} x {n}", product(m, k, n, isa), 2 * m * k * n)
    for m, k, n in ROWS:
        line(f"product {m} x {k} x {n}", product(m, k, n, isa), 0, 4 * k * n)
    for size, c, n, kernel, stride in RESNET50:
        out = -(-size // stride)
        flops = 2 * out * out * kernel * kernel * c * n
        shape = f"{size} {c} -> {n}, {kernel} x {kernel} / {stride}"
        line(f"conv {shape}", conv(size, c, n, kernel, stride, isa), flops)
        if (kernel, stride) == (3, 1):
            for points in (36, 25, 16):
                line(f"winograd {points} {shape}", winograd(size, c, n, isa, points), flops)
    for size, c, kernel, stride in DEPTHWISE:
        out = -(-size // stride)
        flops = 2 * out * out * kernel * kernel * c
        shape = f"{size} {c}, {kernel} x {kernel} / {stride}"
        line(f"depthwise {shape}", depthwise(size, c, kernel, stride, isa), flops)
    for name in ELEMENTWISE:
        line(f"map {name} of 131072", elementwise(name, isa), 0)
    for name, kernel, stride in (("max_pool", 3, 2), ("avg_pool", 3, 2), ("max_pool", 5, 1)):
        line(f"{name} 8 x 112 x 112 x 64, {kernel} / {stride}", pool(name, kernel, stride, isa), 0)
    x, y = normal(1 << 22), np.empty(1 << 22, np.float32)
    theirs = min(timed(lambda: np.copyto(y, x)) for _ in range(ROUNDS))
    ours = best(call("copy", [x], y, (), (), isa))
    share = f"{100 * theirs / ours:.0f} % of numpy's speed"
    print(f"{'copy of 16 MiB':42} {ours * 1e6:10.1f} us {share}")


if __name__ == "__main__":
    table(sys.argv[1] if len(sys.argv) > 1 else None)
