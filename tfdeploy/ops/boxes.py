"""Boxes in images: suppressing the ones that overlap, drawing, sampling.

A box is (y1, x1, y2, x2), any two opposite corners.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import FLOAT32, INT32
from ..graph.types import ValueType
from . import generators
from .generators import Philox, State
from .registry import RANDOM, op
from .rules import Inference, same
from .windows import check_size

Array = NDArray[Any]

_F32 = np.float32


# Suppression


def overlaps_with(boxes: Array, box: Array) -> Array:
    """Intersection over union of each of `boxes` (n, 4) with `box`; 0 where one is empty."""
    low, high = np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])
    own_low, own_high = np.minimum(box[:2], box[2:]), np.maximum(box[:2], box[2:])
    area = np.prod(high - low, axis=1, dtype=_F32)
    own = np.prod(own_high - own_low, dtype=_F32)
    common = np.minimum(high, own_high) - np.maximum(low, own_low)
    shared = np.prod(np.maximum(common, _F32(0)), axis=1, dtype=_F32)
    with np.errstate(all="ignore"):
        ratio = shared / (area + own - shared)
    return np.where((area <= 0) | (own <= 0), _F32(0), ratio)


def suppress(
    scores: Array,
    most: int,
    similarity: Callable[[Array, int], Array],
    threshold: Any,
    score_threshold: Any,
    sigma: Any,
) -> tuple[list[int], list[Any]]:
    """Greedy choice by score of at most `most` items, and their scores.

    ``similarity(chosen, item)`` says how alike an item is to the chosen ones; one that exceeds
    `threshold` for any of them is dropped.  With ``sigma > 0`` nothing is dropped for that; scores
    decay with similarity instead (soft suppression, Bodla et al. 2017).  A similarity of NaN takes
    the whole score.
    """
    kind = scores.dtype.type
    soft = sigma > 0
    scale = kind(-0.5) / kind(sigma) if soft else kind(0)
    queue = [(-s, i, 0) for i, s in enumerate(scores) if s > score_threshold]
    heapq.heapify(queue)
    chosen: list[int] = []
    kept: list[Any] = []
    while len(chosen) < most and queue:
        negative, item, seen = heapq.heappop(queue)
        original = score = -negative
        near = similarity(np.array(chosen[seen:], np.int64), item).astype(scores.dtype)[::-1]
        if not soft and np.any(near > threshold):
            continue
        if not soft and np.isnan(near).any():
            score = kind(0)
        for weight in np.exp(scale * near * near) if soft else ():
            score = kind(score * weight)
            if score <= score_threshold:
                break
        if score == original:
            chosen.append(item)
            kept.append(score)
        elif score > score_threshold:
            heapq.heappush(queue, (-score, item, len(chosen)))
    return chosen, kept


def _non_max(
    boxes: Array,
    scores: Array,
    max_output_size: Array,
    iou_threshold: Any,
    score_threshold: Any = None,
    sigma: Any = 0.0,
) -> tuple[list[int], list[Any]]:
    if boxes.ndim != 2 or boxes.shape[1] != 4 or scores.shape != boxes.shape[:1]:
        raise ValueError(f"boxes {boxes.shape} and scores {scores.shape} should be [n, 4] and [n]")
    _check_limits(max_output_size, iou_threshold)
    corners = boxes.astype(_F32)
    lowest = np.finfo(scores.dtype).min if score_threshold is None else score_threshold
    return suppress(
        scores,
        int(max_output_size),
        lambda chosen, item: overlaps_with(corners[chosen], corners[item]),
        scores.dtype.type(iou_threshold),
        scores.dtype.type(lowest),
        scores.dtype.type(sigma),
    )


def _check_limits(most: Array, iou_threshold: Any) -> None:
    if np.ndim(most) or most < 0:
        raise ValueError(f"max_output_size {most} should be a scalar of at least 0")
    if np.ndim(iou_threshold) or not 0 <= iou_threshold <= 1:
        raise ValueError(f"iou_threshold {iou_threshold} should be a scalar in [0, 1]")


def _chosen_type(c: Inference) -> ValueType:
    boxes = c.inputs[0].shape
    if boxes is not None and len(boxes) != 2:
        raise ValueError(f"the boxes have rank {len(boxes)} and should have 2")
    return ValueType(INT32, c.unknown(1))


def _indices(chosen: Sequence[int] | Array) -> Array:
    return np.array(chosen, np.int32)


@op("NonMaxSuppression", type=_chosen_type, exact=True, ranks="210")
def non_max_suppression(
    boxes: Array, scores: Array, max_output_size: Array, *, iou_threshold: float = 0.5
) -> Array:
    """Indices of the boxes of highest score that overlap little (tf.image.non_max_suppression)."""
    return _indices(_non_max(boxes, scores, max_output_size, iou_threshold)[0])


@op("NonMaxSuppressionV2", type=_chosen_type, exact=True, ranks="2100")
def non_max_suppression_v2(
    boxes: Array, scores: Array, max_output_size: Array, iou_threshold: Array
) -> Array:
    """As NonMaxSuppression."""
    return _indices(_non_max(boxes, scores, max_output_size, iou_threshold)[0])


@op("NonMaxSuppressionV3", type=_chosen_type, exact=True, ranks="21000")
def non_max_suppression_v3(
    boxes: Array,
    scores: Array,
    max_output_size: Array,
    iou_threshold: Array,
    score_threshold: Array,
) -> Array:
    """As NonMaxSuppression, among scores above `score_threshold`."""
    return _indices(_non_max(boxes, scores, max_output_size, iou_threshold, score_threshold)[0])


def _padded_type(c: Inference) -> ValueType:
    most = c.extents(2)
    if c.attrs["pad_to_max_output_size"] and most:
        return ValueType(INT32, (most[0],))
    return _chosen_type(c)


def padded(values: Sequence[Any] | Array, dtype: Any, most: Array, wanted: bool) -> Array:
    """`values` as an array, followed by zeros up to `most` if that is `wanted`."""
    size = int(most) if wanted else len(values)
    check_size([size])
    result = np.zeros(size, dtype)
    result[: len(values)] = values
    return result


@op(
    "NonMaxSuppressionV4",
    type=lambda c: [_padded_type(c), ValueType(INT32, ())],
    outputs=("selected_indices", "valid_outputs"),
    exact=True,
    ranks="21000",
)
def non_max_suppression_v4(
    boxes: Array,
    scores: Array,
    max_output_size: Array,
    iou_threshold: Array,
    score_threshold: Array,
    *,
    pad_to_max_output_size: bool = False,
) -> tuple[Array, Array]:
    """As V3, padded with 0 on request, and how many there are
    (tf.image.non_max_suppression_padded)."""
    chosen, _ = _non_max(boxes, scores, max_output_size, iou_threshold, score_threshold)
    indices = padded(chosen, np.int32, max_output_size, pad_to_max_output_size)
    return indices, np.array(len(chosen), np.int32)


def _soft_type(c: Inference) -> list[ValueType]:
    chosen = _padded_type(c)
    return [chosen, ValueType(c.inputs[1].dtype, chosen.shape), ValueType(INT32, ())]


@op(
    "NonMaxSuppressionV5",
    type=_soft_type,
    outputs=("selected_indices", "selected_scores", "valid_outputs"),
    ranks="210000",
)
def non_max_suppression_v5(
    boxes: Array,
    scores: Array,
    max_output_size: Array,
    iou_threshold: Array,
    score_threshold: Array,
    soft_nms_sigma: Array,
    *,
    pad_to_max_output_size: bool = False,
) -> tuple[Array, Array, Array]:
    """As V4, with the scores, which soft suppression lowers
    (tf.image.non_max_suppression_with_scores)."""
    chosen, kept = _non_max(
        boxes, scores, max_output_size, iou_threshold, score_threshold, soft_nms_sigma
    )
    indices = padded(chosen, np.int32, max_output_size, pad_to_max_output_size)
    values = padded(kept, scores.dtype, max_output_size, pad_to_max_output_size)
    return indices, values, np.array(len(chosen), np.int32)


@op("NonMaxSuppressionWithOverlaps", type=_chosen_type, exact=True, ranks="21000")
def non_max_suppression_with_overlaps(
    overlaps: Array,
    scores: Array,
    max_output_size: Array,
    overlap_threshold: Array,
    score_threshold: Array,
) -> Array:
    """As NonMaxSuppression with given similarities (n, n)
    (tf.image.non_max_suppression_overlaps)."""
    if overlaps.shape != (len(scores), len(scores)) or scores.ndim != 1:
        raise ValueError(f"overlaps {overlaps.shape}, scores {scores.shape}: should be [n, n], [n]")
    _check_limits(max_output_size, 0)
    chosen, _ = suppress(
        scores,
        int(max_output_size),
        lambda chosen, item: overlaps[item, chosen],
        overlap_threshold,
        score_threshold,
        0.0,
    )
    return _indices(chosen)


def _combined_type(c: Inference) -> list[ValueType]:
    boxes, total = c.inputs[0].shape, c.ints(3)
    batch = c.fresh() if boxes is None else boxes[0]
    padded = total and not c.attrs["pad_per_class"]
    slots = total[0] if total and padded else c.fresh()
    return [
        ValueType(FLOAT32, (batch, slots, 4)),
        ValueType(FLOAT32, (batch, slots)),
        ValueType(FLOAT32, (batch, slots)),
        ValueType(INT32, (batch,)),
    ]


@op(
    "CombinedNonMaxSuppression",
    type=_combined_type,
    outputs=("nmsed_boxes", "nmsed_scores", "nmsed_classes", "valid_detections"),
    exact=True,
    ranks="430000",
)
def combined_non_max_suppression(
    boxes: Array,
    scores: Array,
    max_output_size_per_class: Array,
    max_total_size: Array,
    iou_threshold: Array,
    score_threshold: Array,
    *,
    pad_per_class: bool = False,
    clip_boxes: bool = True,
) -> tuple[Array, ...]:
    """Suppression class by class, then the best of all classes, for each image
    (tf.image.combined_non_max_suppression): boxes (n, boxes, 1 or classes, 4), scores
    (n, boxes, classes); results padded with 0.
    """
    _check_limits(max_output_size_per_class, iou_threshold)

    def choose(own: Array, ranks: Array) -> tuple[list[int], list[Any]]:
        return _non_max(own, ranks, max_output_size_per_class, iou_threshold, score_threshold)

    limits = max_output_size_per_class, max_total_size
    return combined(boxes, scores, limits, choose, pad_per_class, clip_boxes)


def combined(
    boxes: Array,
    scores: Array,
    limits: tuple[Array, Array],
    choose: Callable[[Array, Array], tuple[Sequence[int] | Array, Sequence[Any] | Array]],
    pad_per_class: bool,
    clip_boxes: bool,
) -> tuple[Array, ...]:
    """What CombinedNonMaxSuppression gives; `limits` are of a class and of an image, `choose` gives
    numbers and scores of the boxes of one class that are left.
    """
    if (
        boxes.ndim != 4
        or scores.ndim != 3
        or boxes.shape[3] != 4
        or (boxes.shape[:2] != scores.shape[:2])
        or boxes.shape[2] not in (1, scores.shape[2])
    ):
        raise ValueError(
            f"boxes {boxes.shape} and scores {scores.shape} should be "
            "[n, boxes, 1 or classes, 4] and [n, boxes, classes]"
        )
    of_class, of_image = limits
    if of_class < 1 or np.ndim(of_image) or of_image < 1:
        raise ValueError("max_output_size_per_class and max_total_size should be at least 1")
    classes, slots = scores.shape[2], int(of_image)
    if pad_per_class:
        slots = min(slots, int(of_class) * classes)
    check_size((len(boxes), slots, 4))
    found = np.zeros((len(boxes), slots, 6), _F32)
    valid = np.zeros(len(boxes), np.int32)
    for n in range(len(boxes)):
        rows = [np.zeros((0, 6), _F32)]
        for k in range(classes):
            own = boxes[n, :, k if boxes.shape[2] > 1 else 0]
            chosen, kept = choose(own, scores[n, :, k])
            row = np.empty((len(chosen), 6), _F32)
            row[:, :4], row[:, 4], row[:, 5] = own[_indices(chosen)], kept, k
            rows.append(row)
        every = np.concatenate(rows)
        best = every[np.argsort(-every[:, 4], kind="stable")[:slots]]
        valid[n] = len(best)
        found[n, : len(best)] = best
    corners = np.clip(found[..., :4], 0, 1) if clip_boxes else found[..., :4]
    return corners, found[..., 4], found[..., 5], valid


# Drawing

_COLORS = np.array(
    [
        [1, 1, 0, 1],
        [0, 0, 1, 1],
        [1, 0, 0, 1],
        [0, 1, 0, 1],
        [0.5, 0, 0.5, 1],
        [0.5, 0.5, 0, 1],
        [0.5, 0, 0, 1],
        [0, 0, 0.5, 1],
        [0, 1, 1, 1],
        [1, 0, 1, 1],
    ],
    _F32,
)
"""Yellow, blue, red, lime, purple, olive, maroon, navy, aqua, fuchsia, opaque."""


def _draw(images: Array, boxes: Array, colors: Array) -> Array:
    if images.ndim != 4 or images.shape[3] not in (1, 3, 4):
        raise ValueError(f"images {images.shape} should be (n, h, w, 1, 3 or 4)")
    if boxes.ndim != 3 or boxes.shape[2] != 4 or len(boxes) != len(images):
        raise ValueError(f"boxes {boxes.shape} should be ({len(images)}, boxes, 4)")
    if not colors.size:
        colors = _COLORS.copy()
        colors[:, 0] = 1 if images.shape[3] == 1 else colors[:, 0]
    if colors.ndim != 2 or colors.shape[1] < images.shape[3]:
        raise ValueError(f"colors {colors.shape} have fewer channels than images {images.shape}")
    height, width, depth = images.shape[1:]
    canvas = images.copy()
    ends = np.array([height - 1, width - 1] * 2, _F32)
    for n, k in np.ndindex(*boxes.shape[:2]):
        with np.errstate(invalid="ignore"):  # NaN and infinities become the least int64
            top, left, bottom, right = (boxes[n, k] * ends).astype(np.int64).tolist()
        outside = top >= height or bottom < 0 or left >= width or right < 0
        if top > bottom or left > right or outside:
            continue
        color = colors[k % len(colors), :depth].astype(images.dtype)
        rows = slice(max(top, 0), bottom + 1)
        columns = slice(max(left, 0), right + 1)
        for row in (top, bottom):
            if 0 <= row < height:
                canvas[n, row, columns] = color
        for column in (left, right):
            if 0 <= column < width:
                canvas[n, rows, column] = color
    return canvas


@op("DrawBoundingBoxes", type=same, exact=True, ranks="43")
def draw_bounding_boxes(images: Array, boxes: Array) -> Array:
    """Outlines of boxes given in fractions of the image, in a cycle of ten colors
    (tf.image.draw_bounding_boxes)."""
    return _draw(images, boxes, np.zeros((0, 4), _F32))


@op("DrawBoundingBoxesV2", type=same, exact=True)
def draw_bounding_boxes_v2(images: Array, boxes: Array, colors: Array) -> Array:
    """Outlines of boxes given in fractions of the image, in these colors
    (tf.image.draw_bounding_boxes)."""
    return _draw(images, boxes, colors)


# Sampling


class _Words:
    """The words of a stream, one after the other."""

    def __init__(self, stream: Philox) -> None:
        self._stream = stream
        self._block = 0
        self._held: list[int] = []

    def below(self, n: int) -> int:
        """An integer in [0, n)."""
        return self._next() % n

    def fraction(self) -> Any:
        """A float32 in [0, 1)."""
        return np.uint32(self._next() & 0x7FFFFF | 0x3F800000).view(_F32) - _F32(1)

    def _next(self) -> int:
        if not self._held:
            self._held = self._stream.blocks(np.array(self._block))[::-1].tolist()
            self._block += 1
        return self._held.pop()


def _rounded(x: Any) -> int:
    return int(np.rint(_F32(x)))


def _random_crop(
    height: int, width: int, area_range: Sequence[float], ratio: Any, words: _Words
) -> tuple[int, int, int, int] | None:
    """A box in pixels, of an area in `area_range` and of width `ratio` times its height."""
    least, most = (_F32(a) * _F32(width) * _F32(height) for a in area_range)
    if least > most or height <= 0 or width <= 0:
        return None
    rows, limit = _rounded(np.sqrt(least / ratio)), _rounded(np.sqrt(most / ratio))
    if _rounded(_F32(limit) * ratio) > width:
        limit = int((width + 0.5 - float(_F32(1e-7))) / float(ratio))
        limit -= _rounded(_F32(limit) * ratio) > width
    limit = min(limit, height)
    rows = min(rows, limit)
    if rows < limit:
        rows += words.below(limit - rows + 1)
    columns = _rounded(_F32(rows) * ratio)
    if rows * columns < least:
        rows += 1
        columns = _rounded(_F32(rows) * ratio)
    if rows * columns > most:
        rows -= 1
        columns = _rounded(_F32(rows) * ratio)
    if not least <= rows * columns <= most or not (0 < columns <= width and 0 < rows <= height):
        return None
    top = words.below(height - rows) if rows < height else 0
    left = words.below(width - columns) if columns < width else 0
    return top, left, top + rows, left + columns


def _area(box: Sequence[int]) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _covers(crop: Sequence[int], boxes: list[list[int]], share: Any) -> bool:
    """Whether `crop` holds at least the fraction `share` of any of the boxes that is not empty."""
    if _area(crop) < 1:
        return False
    for box in boxes:
        common = [
            max(crop[0], box[0]),
            max(crop[1], box[1]),
            min(crop[2], box[2]),
            min(crop[3], box[3]),
        ]
        shared = 0 if common[0] > common[2] or common[1] > common[3] else _area(common)
        if _area(box) >= 1 and _F32(shared) / _F32(_area(box)) >= share:
            return True
    return False


def _sample(
    image_size: Array,
    bounding_boxes: Array,
    min_object_covered: Any,
    stream: Philox,
    aspect_ratio_range: Sequence[float],
    area_range: Sequence[float],
    max_attempts: int,
    use_image_if_no_bounding_boxes: bool,
) -> tuple[Array, Array, Array]:
    if image_size.shape != (3,) or bounding_boxes.ndim != 3 or bounding_boxes.shape[2] != 4:
        raise ValueError(
            f"image_size {image_size.shape} and bounding_boxes {bounding_boxes.shape} "
            "should be [3] and [batch, boxes, 4]"
        )
    inside = (bounding_boxes >= 0) & (bounding_boxes <= 1)
    if not inside.all() or not min_object_covered >= 0:
        raise ValueError("boxes should lie in [0, 1] and min_object_covered be at least 0")
    if not bounding_boxes.size and not use_image_if_no_bounding_boxes:
        raise ValueError("there are no bounding boxes, and use_image_if_no_bounding_boxes is off")
    height, width = int(image_size[0]), int(image_size[1])
    whole = [0, 0, height, width]
    scale = np.array([height, width] * 2, _F32)
    boxes = (bounding_boxes.reshape(-1, 4) * scale).astype(np.int32).tolist() or [whole]
    low, high = (_F32(r) for r in aspect_ratio_range)
    words, crop = _Words(stream), whole
    for _ in range(max_attempts):
        ratio = words.fraction() * (high - low) + low
        tried = _random_crop(height, width, area_range, ratio, words)
        if tried is not None and _covers(tried, boxes, _F32(min_object_covered)):
            crop = list(tried)
            break
    dtype = image_size.dtype
    begin = np.array([crop[0], crop[1], 0], np.int64).astype(dtype)
    size = np.array([crop[2] - crop[0], crop[3] - crop[1], -1], np.int64).astype(dtype)
    return begin, size, (np.array(crop, _F32) / scale).reshape(1, 1, 4)


def _sample_type(c: Inference) -> list[ValueType]:
    one = ValueType(c.inputs[0].dtype, (3,))
    return [one, one, ValueType(FLOAT32, (1, 1, 4))]


_SAMPLE = ("begin", "size", "bboxes")


@op(
    "SampleDistortedBoundingBox",
    type=_sample_type,
    effect=RANDOM,
    outputs=_SAMPLE,
    exact=True,
    ranks="13",
)
def sample_distorted_bounding_box(
    image_size: Array,
    bounding_boxes: Array,
    *,
    seed: int = 0,
    seed2: int = 0,
    min_object_covered: float = 0.1,
    aspect_ratio_range: Sequence[float] = (0.75, 1.33),
    area_range: Sequence[float] = (0.05, 1.0),
    max_attempts: int = 100,
    use_image_if_no_bounding_boxes: bool = False,
    state: State | None = None,
) -> tuple[Array, Array, Array]:
    """A random crop that shows enough of a box (tf.image.sample_distorted_bounding_box)."""
    stream = (state or State()).reserve(seed, seed2, max_attempts)
    return _sample(
        image_size,
        bounding_boxes,
        min_object_covered,
        stream,
        aspect_ratio_range,
        area_range,
        max_attempts,
        use_image_if_no_bounding_boxes,
    )


@op(
    "SampleDistortedBoundingBoxV2",
    type=_sample_type,
    effect=RANDOM,
    outputs=_SAMPLE,
    exact=True,
    ranks="130",
)
def sample_distorted_bounding_box_v2(
    image_size: Array,
    bounding_boxes: Array,
    min_object_covered: Array,
    *,
    seed: int = 0,
    seed2: int = 0,
    aspect_ratio_range: Sequence[float] = (0.75, 1.33),
    area_range: Sequence[float] = (0.05, 1.0),
    max_attempts: int = 100,
    use_image_if_no_bounding_boxes: bool = False,
    state: State | None = None,
) -> tuple[Array, Array, Array]:
    """As SampleDistortedBoundingBox."""
    stream = (state or State()).reserve(seed, seed2, max_attempts)
    return _sample(
        image_size,
        bounding_boxes,
        min_object_covered,
        stream,
        aspect_ratio_range,
        area_range,
        max_attempts,
        use_image_if_no_bounding_boxes,
    )


@op(
    "StatelessSampleDistortedBoundingBox",
    type=_sample_type,
    outputs=_SAMPLE,
    exact=True,
    ranks="1301",
)
def stateless_sample_distorted_bounding_box(
    image_size: Array,
    bounding_boxes: Array,
    min_object_covered: Array,
    seed: Array,
    *,
    aspect_ratio_range: Sequence[float] = (0.75, 1.33),
    area_range: Sequence[float] = (0.05, 1.0),
    max_attempts: int = 100,
    use_image_if_no_bounding_boxes: bool = False,
) -> tuple[Array, Array, Array]:
    """As SampleDistortedBoundingBox (tf.image.stateless_sample_distorted_bounding_box)."""
    return _sample(
        image_size,
        bounding_boxes,
        min_object_covered,
        generators.stateless(seed),
        aspect_ratio_range,
        area_range,
        max_attempts,
        use_image_if_no_bounding_boxes,
    )
