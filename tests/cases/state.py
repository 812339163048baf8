"""Rows of tfdeploy/ops/state.py."""

import numpy as np

from tests.cases import case, f32, ints

CASES = [
    case("Identity", f32(2, 3)),
    case("Identity", f32(0, 3)),
    case("Identity", np.array([np.nan, -0.0], np.float32)),
    case("StopGradient", ints(3)),
    case("PreventGradient", f32(3)),
    case("Snapshot", f32(3)),
    case("DeepCopy", f32(3)),
    case("GuaranteeConst", f32(3)),
    case("PlaceholderWithDefault", f32(2), shape=[None]),
    case("IdentityN", [f32(2), ints(3)]),
    case("NoOp"),
    case("ControlTrigger"),
    case("Assert", True, [f32(2)]),
    case("Assert", False, [f32(2)], raises=True),
    case("Const", value=f32(2, 2), dtype=np.float32),
]
