"""Rows of tfdeploy/ops/rnn_grad.py: gates are any numbers in their ranges."""

import numpy as np

from tests.cases import case, f32, with_nan
from tests.cases.rnn import GRU, STATE, WEIGHTS, D, H, N, T

F16 = np.float16


def gates(*shape):
    """i, cs, f, o, ci and co."""
    ranges = (0, 1), (-2, 2), (0, 1), (0, 1), (-1, 1), (-1, 1)
    return [f32(*shape, seed=10 + i, low=a, high=b) for i, (a, b) in enumerate(ranges)]


def cell(use_peephole=False, kind=np.float32, n=N, lost=1, **attrs):
    states = [s[:n] for s in STATE]
    last = f32(n, H, seed=20), f32(n, H, seed=21) * lost
    inputs = f32(n, D), *states, *WEIGHTS, *gates(n, H), *last
    attrs.setdefault("ulp", 32)
    given = (v.astype(kind) for v in inputs)
    return case("LSTMBlockCellGrad", *given, use_peephole=use_peephole, **attrs)


def block(name, use_peephole=False, kind=np.float32, steps=T, n=N, x=None, **attrs):
    x = f32(T, n, D) if x is None else x
    states = [s[:n] for s in STATE]
    last = [f32(T, n, H, seed=20 + i) for i in range(3)]
    inputs = x, *states, *WEIGHTS, *gates(T, n, H), *last
    given = (v.astype(kind) for v in inputs)
    attrs.setdefault("ulp", 64)
    return case(name, np.int64(steps), *given, use_peephole=use_peephole, **attrs)


def gru(x, state, d_h, **attrs):
    n = len(x)
    made = [f32(n, H, seed=30 + i, low=a, high=1) for i, a in enumerate((0, 0, -1))]
    return case("GRUBlockCellGrad", x, state, *GRU, *made, d_h, ulp=32, **attrs)


CASES = [
    cell(),
    cell(True),
    cell(True, F16, ulp=64),
    cell(n=0),
    cell(lost=np.float32(np.nan)),
    *(
        row
        for name in ("BlockLSTMGrad", "BlockLSTMGradV2")
        for row in (
            block(name),
            block(name, True),
            block(name, True, steps=3),
            block(name, steps=0),
            block(name, kind=F16, ulp=256),
            block(name, n=0, check="shape", note="nothing written"),
            block(name, x=with_nan(f32(T, N, D))),
            block(name, x=f32(T, N, D + 1), raises=True),
        )
    ),
    gru(f32(N, D), STATE[1], f32(N, H, seed=7)),
    gru(f32(0, D), STATE[1][:0], f32(0, H)),
    gru(f32(N, D), STATE[1], with_nan(f32(N, H))),
    gru(f32(N, D + 1), STATE[1], f32(N, H), raises=True),
]
