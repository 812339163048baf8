"""Rows of tfdeploy/ops/state.py."""

import numpy as np

from tests.cases import as_types, case, f32, ints, with_nan

PASSED = [*as_types(with_nan(f32(2, 3))), f32(0, 3)]
NUMBERS = [x for x in PASSED if x.dtype != object]
CASES = [
    *[
        case(name, x)
        for name in ("Identity", "StopGradient", "PreventGradient", "DeepCopy", "GuaranteeConst")
        for x in PASSED
    ],
    case("Identity", np.array([np.nan, -0.0], np.float32)),
    case("PreventGradient", f32(3), message="no gradient here"),
    *[case("Snapshot", x) for x in NUMBERS],
    *[case("PlaceholderWithDefault", x, shape=[None, 3]) for x in PASSED],
    case("IdentityN", [f32(2), ints(3)]),
    case("IdentityN", PASSED),
    case("NoOp"),
    case("ControlTrigger"),
    case("Assert", True, [f32(2)]),
    case("Assert", True, PASSED, summarize=1),
    case("Assert", False, [f32(2)], raises=True),
    *[case("Const", value=x, dtype=x.dtype) for x in PASSED],
]
CASES += [
    *(
        case("FakeParam", dtype=dtype, shape=[2, 3], check="shape")
        for dtype in ("float32", "float64", "float16", "int32", "complex64", "bool", "string")
    ),
    case("FakeParam", dtype="float32", shape=[None, 3]),
    *(case("DeviceIndex", device_names=names) for names in (["GPU", "CPU"], ["GPU"], [])),
]
