"""Rows of tfdeploy/ops/ctc.py."""

import numpy as np

from tests.cases import case, f32, f64, with_nan

LOGITS = f32(7, 3, 5, low=-3, high=3)
LENGTHS = np.array([7, 0, 4], np.int32)
AT = np.array([[0, 0], [0, 1], [0, 2], [1, 0], [2, 0], [2, 1]], np.int64)
LABELS = np.array([1, 2, 2, 0, 3, 3], np.int32)
FULL = np.array([7, 5, 4], np.int32)
REPEATED = np.eye(4, dtype=np.float32)[[[0], [0], [3], [1], [1], [1], [2]]] * 4
CASES = [
    case("CTCGreedyDecoder", LOGITS, LENGTHS),
    case("CTCGreedyDecoder", REPEATED, np.array([7], np.int32)),
    case("CTCGreedyDecoder", REPEATED, np.array([7], np.int32), merge_repeated=True),
    case("CTCGreedyDecoder", REPEATED, np.array([7], np.int32), blank_index=1),
    case("CTCGreedyDecoder", REPEATED, np.array([7], np.int32), blank_index=-2),
    case("CTCGreedyDecoder", f64(7, 3, 5), LENGTHS),
    case("CTCGreedyDecoder", LOGITS, np.array([8, 0, 0], np.int32), raises=True),
    case("CTCGreedyDecoder", LOGITS, np.array([1, 1], np.int32), raises=True),
    case("CTCGreedyDecoder", LOGITS, LENGTHS, blank_index=-6, raises=True),
]
for width, paths in ((1, 1), (3, 2), (10, 3), (100, 5)):
    CASES += [
        case(
            "CTCBeamSearchDecoder",
            LOGITS,
            FULL,
            beam_width=width,
            top_paths=paths,
            merge_repeated=merge,
            ulp=32,
        )
        for merge in (False, True)
    ]
WIDE_ULP = 1e9  # TensorFlow adds logarithms in float32 whatever the inputs
CASES += [
    case(
        "CTCBeamSearchDecoder", REPEATED, np.array([7], np.int32), beam_width=9, top_paths=1, ulp=64
    ),
    case("CTCBeamSearchDecoder", f64(7, 3, 5), FULL, beam_width=8, top_paths=2, ulp=WIDE_ULP),
    case("CTCBeamSearchDecoder", LOGITS, LENGTHS, beam_width=4, top_paths=2, raises=True),
    case("CTCBeamSearchDecoder", LOGITS, FULL, beam_width=1, top_paths=2, raises=True),
    case("CTCLoss", LOGITS, AT, LABELS, FULL, ulp=64),
    case("CTCLoss", LOGITS, AT, LABELS, FULL, preprocess_collapse_repeated=True, ulp=64),
    case("CTCLoss", LOGITS, AT, LABELS, FULL, ctc_merge_repeated=False, ulp=64),
    case("CTCLoss", LOGITS, AT, LABELS, np.array([7, 5, 2], np.int32), ulp=64, note="no reading"),
    case("CTCLoss", LOGITS, AT, LABELS, np.array([7, 5, 1], np.int32), raises=True),
    case(
        "CTCLoss",
        LOGITS,
        AT,
        LABELS,
        np.array([7, 5, 1], np.int32),
        ulp=64,
        ignore_longer_outputs_than_inputs=True,
    ),
    case("CTCLoss", LOGITS, AT, LABELS, np.array([7, 0, 4], np.int32), raises=True),
    case("CTCLoss", LOGITS, AT[:4], LABELS[:4], FULL, raises=True, note="an empty sequence"),
    case("CTCLoss", f64(7, 3, 5), AT, LABELS, FULL, ulp=WIDE_ULP),
]
for labels, raises in (
    ([1, 4, 4, 0, 1, 1], False),
    ([1, 4, 1, 0, 1, 1], True),
    ([1, -1, 1, 0, 1, 1], True),
):
    CASES += [case("CTCLoss", LOGITS, AT, np.array(labels, np.int32), FULL, ulp=64, raises=raises)]
CASES += [
    case("CTCGreedyDecoder", f32(3, 0, 4), np.zeros((0,), np.int32), raises=True),
    case("CTCGreedyDecoder", f32(0, 1, 4), np.zeros((1,), np.int32), raises=True),
]
CASES += [
    case("CTCGreedyDecoder", with_nan(LOGITS), LENGTHS),
    case("CTCGreedyDecoder", LOGITS * np.nan, LENGTHS),
    case("CTCLoss", with_nan(LOGITS), AT, LABELS, FULL, ulp=64),
    case("CTCLoss", f32(0, 3, 5), AT, LABELS, FULL, raises=True),
    case("CTCBeamSearchDecoder", f32(0, 3, 5), FULL, beam_width=2, top_paths=1, raises=True),
    case("CTCBeamSearchDecoder", with_nan(LOGITS), FULL, beam_width=3, top_paths=2, raises=True),
]
