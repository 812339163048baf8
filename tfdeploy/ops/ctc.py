"""Connectionist temporal classification: decoders and the loss.

Inputs are logits [time, batch, classes]; one class is the blank, which separates equal labels and
is removed from what is read.  Sequences are the three parts of a sparse [batch, longest] matrix.
"""

from __future__ import annotations

from itertools import groupby, takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import INT64
from ..graph.types import ValueType
from .registry import op
from .rules import Inference

Array = NDArray[Any]


def _check(inputs: Array, sequence_length: Array) -> None:
    if inputs.ndim != 3 or not inputs.size or sequence_length.shape != inputs.shape[1:2]:
        raise ValueError(
            f"logits [time, batch, classes] and a length for each batch entry are needed, "
            f"not {inputs.shape} and {sequence_length.shape}"
        )
    if sequence_length.size and (sequence_length.max() > len(inputs) or sequence_length.min() < 0):
        raise ValueError(f"a length is outside 0 to {len(inputs)}")


def _sparse(sequences: list[list[int]]) -> tuple[Array, Array, Array]:
    """Indices, values and shape of sequences as rows of a sparse matrix."""
    at = [(row, i) for row, sequence in enumerate(sequences) for i in range(len(sequence))]
    values = [label for sequence in sequences for label in sequence]
    shape = [len(sequences), max(map(len, sequences), default=0)]
    return (
        np.array(at, np.int64).reshape(-1, 2),
        np.array(values, np.int64),
        np.array(shape, np.int64),
    )


def _decoder_types(c: Inference, paths: int, scores: int) -> list[ValueType]:
    batch = c.inputs[1].shape[0] if c.inputs[1].shape else c.fresh()
    found = [c.fresh() for _ in range(paths)]
    return [
        *(ValueType(INT64, (n, 2)) for n in found),
        *(ValueType(INT64, (n,)) for n in found),
        *(ValueType(INT64, (2,)) for _ in found),
        ValueType(c.inputs[0].dtype, (batch, scores)),
    ]


@op(
    "CTCGreedyDecoder",
    type=lambda c: _decoder_types(c, 1, 1),
    outputs=("decoded_indices", "decoded_values", "decoded_shape", "log_probability"),
    ranks="31",
)
def ctc_greedy_decoder(
    inputs: Array, sequence_length: Array, *, merge_repeated: bool = False, blank_index: int = -1
) -> tuple[Array, ...]:
    """The best class of each step, without blanks, and the negative sum of their logits
    (tf.nn.ctc_greedy_decoder)."""
    _check(inputs, sequence_length)
    classes = inputs.shape[2]
    blank = blank_index + classes if blank_index < 0 else blank_index
    if not 0 <= blank < classes:
        raise ValueError(f"blank_index {blank_index} is none of {classes} classes")
    sequences, scores = [], []
    for entry, length in enumerate(sequence_length):
        logits = inputs[:length, entry]
        # a NaN is passed over, unless it stands first: nothing is greater then
        ranked = np.where(np.isnan(logits), -np.inf, logits)
        ranked[np.isnan(logits[:, 0])] = np.nan
        best = ranked.argmax(axis=1).tolist()
        kept = [label for label, _ in groupby(best)] if merge_repeated else best
        sequences.append([label for label in kept if label != blank])
        scores.append(-ranked.max(axis=1).sum(dtype=np.float64))
    log_probability = np.array(scores, inputs.dtype).reshape(-1, 1)
    return (*_sparse(sequences), log_probability)


def _log_softmax(x: Array) -> Array:
    wide = x.astype(np.float64)
    wide = wide - wide.max(axis=-1, keepdims=True)
    found: Array = wide - np.log(np.exp(wide).sum(axis=-1, keepdims=True))
    return found


_Beam = dict[tuple[int, ...], tuple[float, float]]
"""Log probabilities of the ways to read a sequence that end in the blank, and in its last label."""


def _step(beam: _Beam, log_p: list[float], width: int) -> _Beam:
    blank = len(log_p) - 1
    total = {labels: float(np.logaddexp(*p)) for labels, p in beam.items()}
    grown: _Beam = {}
    for labels, (_, in_label) in beam.items():
        ends = -np.inf
        if labels:
            before = labels[:-1]
            if before in beam:
                same = before[-1:] == labels[-1:]
                in_label = float(np.logaddexp(in_label, beam[before][0] if same else total[before]))
            ends = in_label + log_p[labels[-1]]
        grown[labels] = (total[labels] + log_p[blank], ends)
    for labels, (in_blank, _) in beam.items():
        for label in range(blank):
            longer = (*labels, label)
            if longer not in grown:
                before_score = in_blank if labels[-1:] == (label,) else total[labels]
                grown[longer] = (-np.inf, before_score + log_p[label])
    order = sorted(grown.items(), key=lambda item: -np.logaddexp(*item[1]))
    return {labels: p for labels, p in order[:width] if np.logaddexp(*p) > -np.inf}


@op(
    "CTCBeamSearchDecoder",
    type=lambda c: _decoder_types(c, c.attrs["top_paths"], c.attrs["top_paths"]),
    outputs=(
        "decoded_indices*top_paths",
        "decoded_values*top_paths",
        "decoded_shape*top_paths",
        "log_probability",
    ),
    ranks="31",
)
def ctc_beam_search_decoder(
    inputs: Array,
    sequence_length: Array,
    *,
    beam_width: int,
    top_paths: int,
    merge_repeated: bool = True,
) -> tuple[Array, ...]:
    """The likeliest label sequences and their log probabilities, by a search that keeps
    `beam_width` sequences at each step; the last class is the blank
    (tf.nn.ctc_beam_search_decoder).

    `merge_repeated` merges equal neighbours in the sequences that were found.
    """
    _check(inputs, sequence_length)
    if not 0 < top_paths <= beam_width:
        raise ValueError(f"{top_paths} paths out of a beam of {beam_width}")
    paths: list[list[list[int]]] = [[] for _ in range(top_paths)]
    scores = np.zeros((len(sequence_length), top_paths), inputs.dtype)
    log_p = _log_softmax(inputs)
    for entry, length in enumerate(sequence_length):
        beam: _Beam = {(): (0.0, -np.inf)}
        for t in range(length):
            beam = _step(beam, log_p[t, entry].tolist(), beam_width)
        if len(beam) < top_paths:
            raise ValueError(f"only {len(beam)} paths were found, {top_paths} are wanted")
        for i, (labels, p) in enumerate(list(beam.items())[:top_paths]):
            paths[i].append([a for a, _ in groupby(labels)] if merge_repeated else list(labels))
            scores[entry, i] = np.logaddexp(*p)
    parts = list(zip(*map(_sparse, paths), strict=True))
    return (*parts[0], *parts[1], *parts[2], scores)


def _loss_types(c: Inference) -> list[ValueType]:
    shape = c.inputs[0].shape
    batch = c.fresh() if shape is None else shape[1]
    return [ValueType(c.inputs[0].dtype, (batch,)), c.inputs[0]]


def _align(log_p: Array, labels: list[int], blank: int, merge: bool) -> tuple[float, Array]:
    """Log probability of all readings that give `labels`, and at each step that of each class."""
    path = [blank]
    for label in labels:
        path += [label, blank]
    steps, size = len(log_p), len(path)
    u = np.array(path)
    stay = merge | (u == blank)
    skip = np.zeros(size, bool)
    skip[2:] = (u[2:] != blank) & ~(merge & (u[2:] == u[:-2]))
    none = -np.inf
    alpha, beta = np.full((steps, size), none), np.full((steps, size), none)
    alpha[0, :2] = log_p[0, u[:2]]
    for t in range(1, steps):
        before = alpha[t - 1]
        total = np.where(stay, before, none)
        total[1:] = np.logaddexp(total[1:], before[:-1])
        total[2:] = np.logaddexp(total[2:], np.where(skip[2:], before[:-2], none))
        alpha[t] = total + log_p[t, u]
    beta[-1, -2:] = 0
    for t in range(steps - 2, -1, -1):
        after = beta[t + 1] + log_p[t + 1, u]
        total = np.where(stay, after, none)
        total[:-1] = np.logaddexp(total[:-1], after[1:])
        total[:-2] = np.logaddexp(total[:-2], np.where(skip[2:], after[2:], none))
        beta[t] = total
    whole = float(np.logaddexp.reduce(alpha[-1, -2:]))
    posterior = np.full_like(log_p, whole if np.isnan(whole) else 0)
    if whole != none:
        for i, label in enumerate(path):
            posterior[:, label] += np.exp(alpha[:, i] + beta[:, i] - whole)
    return whole, posterior


def _labels(values: list[int], blank: int, entry: int) -> list[int]:
    """The labels of a batch entry; those from the blank on fill up its row and must come last."""
    labels = list(takewhile(lambda label: label < blank, values))
    if not values or min(values) < 0 or min(values[len(labels) :], default=blank) < blank:
        raise ValueError(
            f"batch entry {entry} has labels {values}: none, or a negative one, or one "
            f"after the blank {blank}"
        )
    return labels


def _loss(
    inputs: Array,
    indices: Array,
    values: Array,
    lengths: Array,
    blank: int,
    collapse: bool,
    merge: bool,
    ignore_longer: bool,
) -> tuple[Array, Array]:
    _check(inputs, lengths)
    log_p = _log_softmax(inputs)
    loss, gradient = np.zeros(inputs.shape[1], inputs.dtype), np.zeros_like(inputs)
    for entry, length in enumerate(lengths.tolist()):
        labels = _labels(values[indices[:, 0] == entry].tolist(), blank, entry)
        if collapse:
            labels = [label for label, _ in groupby(labels)]
        if len(labels) > length:
            if ignore_longer:
                continue
            raise ValueError(f"batch entry {entry}: {length} steps for {len(labels)} labels")
        if not length:
            continue
        whole, posterior = _align(log_p[:length, entry], labels, blank, merge)
        loss[entry] = -whole
        gradient[:length, entry] = np.exp(log_p[:length, entry]) - posterior
    return loss, gradient


@op("CTCLoss", type=_loss_types, outputs=("loss", "gradient"), ranks="3211")
def ctc_loss(
    inputs: Array,
    labels_indices: Array,
    labels_values: Array,
    sequence_length: Array,
    *,
    preprocess_collapse_repeated: bool = False,
    ctc_merge_repeated: bool = True,
    ignore_longer_outputs_than_inputs: bool = False,
) -> tuple[Array, Array]:
    """Negative log probability of label sequences, the last class being the blank, and its gradient
    by the logits (tf.nn.ctc_loss).

    Raises ValueError where a sequence has too few steps, unless such are ignored.
    """
    return _loss(
        inputs,
        labels_indices,
        labels_values,
        sequence_length,
        inputs.shape[-1] - 1,
        preprocess_collapse_repeated,
        ctc_merge_repeated,
        ignore_longer_outputs_than_inputs,
    )
