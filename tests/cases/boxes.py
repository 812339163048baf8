"""Rows of tfdeploy/ops/boxes.py."""

import numpy as np

from tests.cases import case, f32, rng, with_nan

nan, inf = np.nan, np.inf
F16 = np.float16
BOXES = rng(1).uniform(0, 1, (20, 4)).astype(np.float32)
SCORES = np.round(rng(2).uniform(0, 1, 20), 1).astype(np.float32)
GRID = np.array(
    [
        [0, 0, 1, 1],
        [0, 0.1, 1, 1.1],
        [0, -0.1, 1, 0.9],
        [0, 10, 1, 11],
        [0, 10.1, 1, 11.1],
        [1, 101, 0, 100],
        [0, 0, 0, 1],
        [nan, 0, 1, 1],
    ],
    np.float32,
)
GRID_SCORES = np.array([0.9, 0.75, 0.6, 0.95, 0.5, 0.3, 0.8, 0.7], np.float32)
SEEDS = {"seed": 11, "seed2": 7}
MANY = rng(3).uniform(-0.2, 1.2, (2, 12, 1, 4)).astype(np.float32)
MANY_EACH = rng(4).uniform(-0.2, 1.2, (2, 12, 3, 4)).astype(np.float32)
MANY_SCORES = rng(5).uniform(0, 1, (2, 12, 3)).astype(np.float32)
IMAGES = f32(2, 9, 8, 3)
DRAWN = np.array(
    [
        [[0.1, 0.2, 0.7, 0.9], [-0.5, 0.3, 0.5, 2], [0.9, 0.1, 0.2, 0.3]],
        [[0, 0, 1, 1], [2, 2, 3, 3], [0.4, 0.4, 0.4, 0.4]],
    ],
    np.float32,
)
OBJECT = np.array([[[0.2, 0.3, 0.8, 0.7], [0.0, 0.1, 0.4, 0.2]]], np.float32)
SIZE = np.array([57, 83, 3], np.int32)


def f(x, kind=np.float32):
    return np.array(x, kind)


def each(boxes, scores, most, iou, score=-1.0, kind=np.float32):
    boxes, scores = boxes.astype(kind), scores.astype(kind)
    return [
        case("NonMaxSuppressionV2", boxes, scores, most, f(iou, kind)),
        case("NonMaxSuppressionV3", boxes, scores, most, f(iou, kind), f(score, kind)),
        *(
            case(
                "NonMaxSuppressionV4",
                boxes,
                scores,
                most,
                f(iou, kind),
                f(score, kind),
                pad_to_max_output_size=padded,
            )
            for padded in (True, False)
        ),
        *(
            case(
                "NonMaxSuppressionV5",
                boxes,
                scores,
                most,
                f(iou, kind),
                f(score, kind),
                f(sigma, kind),
                pad_to_max_output_size=padded,
            )
            for padded in (True, False)
            for sigma in (0.0, 0.5)
        ),
    ]


def combined(boxes, per_class, total, iou=0.3, score=0.2, **attrs):
    return case(
        "CombinedNonMaxSuppression", boxes, MANY_SCORES, per_class, total, f(iou), f(score), **attrs
    )


def sampled(name, *inputs, **attrs):
    return case(name, *inputs, check="exact", **attrs)


CASES = [
    *each(BOXES, SCORES, 30, 0.3),
    *each(BOXES, SCORES, 4, 0.1, 0.35),
    *each(BOXES, SCORES, 30, 0.5, 0.0, F16),
    *each(GRID, GRID_SCORES, 5, 0.5, 0.4),
    *each(BOXES[:0], SCORES[:0], 3, 0.5),
    case("NonMaxSuppression", BOXES, SCORES, 30),
    case("NonMaxSuppression", BOXES, SCORES, 30, iou_threshold=0.1),
    case("NonMaxSuppression", BOXES[:0], SCORES[:0], 30),
    case("NonMaxSuppression", BOXES, SCORES[:5], 30, raises=True),
    case("NonMaxSuppression", BOXES, SCORES, -1, raises=True),
    case("NonMaxSuppression", BOXES, SCORES, 3, iou_threshold=1.5, raises=True),
    case("NonMaxSuppression", GRID, np.array([nan, 1, -inf, inf, 1, 1, 2, 3], np.float32), 9),
    case(
        "NonMaxSuppressionWithOverlaps",
        rng(6).uniform(0, 1, (20, 20)).astype(np.float32),
        SCORES,
        9,
        f(0.6),
        f(0.2),
    ),
    case("NonMaxSuppressionWithOverlaps", f32(0, 0), f32(0), 9, f(0.6), f(0.2)),
    combined(MANY, 3, 5),
    combined(MANY, 2, 50),
    combined(MANY, 2, 50, pad_per_class=True),
    combined(MANY, 9, 4, pad_per_class=True, clip_boxes=False),
    combined(MANY_EACH, 9, 10, clip_boxes=False),
    combined(MANY_EACH, 9, 10, score=0.99),
    combined(MANY_EACH, 0, 10, raises=True),
    case("CombinedNonMaxSuppression", MANY[:0], MANY_SCORES[:0], 3, 4, f(0.5), f(0.1)),
    case("DrawBoundingBoxes", IMAGES, DRAWN),
    case("DrawBoundingBoxes", IMAGES[..., :1], DRAWN),
    case("DrawBoundingBoxes", f32(2, 9, 8, 4).astype(F16), DRAWN),
    case("DrawBoundingBoxes", IMAGES[:0], DRAWN[:0]),
    case("DrawBoundingBoxes", IMAGES[..., :2], DRAWN, raises=True),
    case("DrawBoundingBoxesV2", IMAGES, DRAWN, f32(2, 3)),
    case("DrawBoundingBoxesV2", IMAGES, DRAWN, f32(2, 4)),
    case("DrawBoundingBoxesV2", IMAGES, DRAWN, f32(0, 3)),
    case("DrawBoundingBoxesV2", IMAGES, DRAWN, f32(2, 2), raises=True),
    sampled("SampleDistortedBoundingBox", SIZE, OBJECT, **SEEDS),
    sampled(
        "SampleDistortedBoundingBox",
        SIZE.astype(np.int64),
        OBJECT,
        **SEEDS,
        min_object_covered=0.7,
        aspect_ratio_range=[0.3, 3.0],
        area_range=[0.3, 0.6],
    ),
    sampled(
        "SampleDistortedBoundingBox",
        SIZE.astype(np.uint8),
        OBJECT[:, :0],
        **SEEDS,
        use_image_if_no_bounding_boxes=True,
    ),
    sampled(
        "SampleDistortedBoundingBox",
        SIZE,
        OBJECT,
        **SEEDS,
        min_object_covered=1.0,
        area_range=[0.01, 0.02],
        max_attempts=3,
    ),
    case("SampleDistortedBoundingBox", SIZE, OBJECT[:, :0], **SEEDS, raises=True),
    case("SampleDistortedBoundingBox", SIZE, OBJECT + 1, **SEEDS, raises=True),
    *(
        sampled("SampleDistortedBoundingBoxV2", SIZE, OBJECT, f(0.5), seed=seed, seed2=1)
        for seed in range(6)
    ),
    *(
        sampled(
            "StatelessSampleDistortedBoundingBox",
            SIZE,
            OBJECT,
            f(0.5),
            np.array([1, seed]),
            aspect_ratio_range=[0.2, 5.0],
        )
        for seed in range(6)
    ),
]
CASES += [
    case(
        "NonMaxSuppressionWithOverlaps",
        with_nan(rng(6).uniform(0, 1, (20, 20)).astype(np.float32)),
        with_nan(SCORES),
        9,
        f(0.6),
        f(0.2),
    ),
    combined(with_nan(MANY), 3, 5),
    case("DrawBoundingBoxes", IMAGES, with_nan(DRAWN)),
    case("DrawBoundingBoxes", with_nan(IMAGES), DRAWN),
    case("DrawBoundingBoxesV2", with_nan(IMAGES), DRAWN, f32(2, 3)),
    case("DrawBoundingBoxesV2", IMAGES.astype(F16), DRAWN, f32(2, 3)),
    case("SampleDistortedBoundingBox", SIZE, with_nan(OBJECT), **SEEDS, raises=True),
]
for op, more, seeds in (
    ("SampleDistortedBoundingBoxV2", (), SEEDS),
    ("StatelessSampleDistortedBoundingBox", (np.array([1, 2]),), {}),
):
    inside = (f(0.5), *more)
    CASES += [
        case(op, SIZE, with_nan(OBJECT), *inside, **seeds, raises=True),
        case(op, SIZE, OBJECT[:, :0], *inside, **seeds, raises=True),
        sampled(op, SIZE, OBJECT[:, :0], *inside, **seeds, use_image_if_no_bounding_boxes=True),
        sampled(
            op,
            SIZE,
            OBJECT,
            f(0.7),
            *more,
            **seeds,
            aspect_ratio_range=[0.3, 3.0],
            area_range=[0.3, 0.6],
        ),
        sampled(op, SIZE, OBJECT, f(1.0), *more, **seeds, area_range=[0.01, 0.02], max_attempts=3),
    ]
