"""Rows of tfdeploy/ops/rnn.py."""

import numpy as np

from tests.cases import case, f32, with_nan

N, D, H, T = 2, 3, 4, 5
STATE = (f32(N, H, seed=1), f32(N, H, seed=2, low=-1, high=1))
WEIGHTS = (
    f32(D + H, 4 * H),
    f32(H, seed=3),
    f32(H, seed=4),
    f32(H, seed=5),
    f32(4 * H, seed=6),
)
CASES = []
for attrs in (
    {},
    {"use_peephole": True},
    {"cell_clip": 0.5},
    {"cell_clip": -1.0, "use_peephole": True},
    {"forget_bias": 0.0},
):
    later = {name: value for name, value in attrs.items() if name != "forget_bias"}
    CASES += [
        case("LSTMBlockCell", f32(N, D), *STATE, *WEIGHTS, ulp=16, **attrs),
        case("BlockLSTM", np.int64(T), f32(T, N, D), *STATE, *WEIGHTS, ulp=32, **attrs),
        case("BlockLSTMV2", np.int64(T), f32(T, N, D), *STATE, *WEIGHTS, ulp=32, **later),
    ]
HALF = [v.astype(np.float16) for v in (*STATE, *WEIGHTS)]
CASES += [
    case("LSTMBlockCell", f32(N, D + 1), *STATE, *WEIGHTS, raises=True),
    case("LSTMBlockCell", f32(N, D) * np.nan, *STATE, *WEIGHTS),
    case("LSTMBlockCell", f32(N, D).astype(np.float16), *HALF, ulp=16),
    case("BlockLSTM", np.int64(T), f32(T, N, D).astype(np.float16), *HALF, ulp=32),
]
GRU = (f32(D + H, 2 * H), f32(D + H, H), f32(2 * H, seed=3), f32(H, seed=4))
CASES += [
    case("GRUBlockCell", f32(N, D), STATE[1], *GRU, ulp=16),
    case("GRUBlockCell", f32(N, D) * np.nan, STATE[1], *GRU),
    case("GRUBlockCell", f32(N, D + 1), STATE[1], *GRU, raises=True),
]
NOTHING = (f32(0, H), f32(0, H))
CASES += [
    case("BlockLSTM", np.int64(T), f32(T, 0, D), *NOTHING, *WEIGHTS),
    case("BlockLSTMV2", np.int64(T), f32(T, 0, D), *NOTHING, *WEIGHTS),
    case("LSTMBlockCell", f32(0, D), *NOTHING, *WEIGHTS, raises=True),
    *[
        case(name, np.int64(T), with_nan(f32(T, N, D)), *STATE, *WEIGHTS, ulp=32)
        for name in ("BlockLSTM", "BlockLSTMV2")
    ],
    case("BlockLSTMV2", np.int64(T), f32(T, N, D).astype(np.float16), *HALF, ulp=32),
    case("GRUBlockCell", f32(0, D), NOTHING[0], *GRU),
]
