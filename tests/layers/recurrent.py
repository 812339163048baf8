"""Rows of recurrent layers, their cells and wrappers."""

from __future__ import annotations

from itertools import product
from typing import Any

import tensorflow as tf
from keras import layers as k

from tests.exported import Row, flags, floats, ids, row

STEPS = floats(6, 5, open=1)
FIXED = floats(6, 5)
STATE = floats(4)
SIZES: dict[int, tuple[int, ...]] = {1: (7,), 2: (6, 7), 3: (4, 5, 3)}


def masked(layer: Any, x: Any, mask: Any) -> Any:
    return layer(x, mask=mask)


def variants(kind: Any, states: int) -> dict[str, Row]:
    """Rows that simple, gated and long memories have; the first does most at once."""

    def made(inputs: Any = STEPS, *more: Any, call: Any = None, **options: Any) -> Row:
        return row(lambda: kind(4, **options), inputs, *more, call=call)

    rows = {
        "masked": made(STEPS, flags(6, open=1), call=masked, return_sequences=True),
        "": made(),
        "unrolled": made(FIXED, unroll=True, return_sequences=True, return_state=True),
        "unrolled masked": made(FIXED, flags(6), call=masked, unroll=True),
        "bare": made(use_bias=False, activation="relu"),
        "fixed": made(FIXED),
        "one step": made(floats(1, 5)),
        "masked last": made(STEPS, flags(6, open=1), call=masked, return_state=True),
        "masked backwards": made(
            STEPS, flags(6, open=1), call=masked, go_backwards=True, return_sequences=True
        ),
        "initial state": made(
            STEPS,
            *[STATE] * states,
            call=lambda layer, x, *state: layer(x, initial_state=list(state)),
            return_state=True,
        ),
        "stateful": row(
            lambda: kind(4, stateful=True, return_sequences=True),
            floats(6, 5, batch=3),
            batches=(3, 3, 3),
        ),
        "dropout": row(
            lambda: kind(4, dropout=0.3, recurrent_dropout=0.3, seed=1),
            STEPS,
            call=lambda layer, x: layer(x, training=True),
            batches=(3, 3, 1),
        ),
    }
    for sequences, state, backwards in product((False, True), repeat=3):
        name = f"{'sequences ' * sequences}{'state ' * state}{'backwards' * backwards}".rstrip()
        if name:
            rows[name] = made(
                return_sequences=sequences, return_state=state, go_backwards=backwards
            )
    return rows


def cell(kind: Any, states: int) -> dict[str, Row]:
    return {
        "": row(
            lambda: kind(4),
            floats(5),
            *[STATE] * states,
            call=lambda layer, x, *state: layer(x, list(state)),
        )
    }


def convolutional(kind: Any, rank: int) -> dict[str, Row]:
    def made(size: tuple[int, ...] = SIZES[rank], **options: Any) -> Row:
        given = {"filters": 3, "kernel_size": 3, **options}
        return row(lambda: kind(**given), floats(4, *size, 2, open=1), batches=(3, 1))

    rows = {
        "same": made(padding="same", return_sequences=True, return_state=True),
        "valid": made(),
        "strides": made(strides=2, padding="same"),
        "dilated": made((9, 8, 7)[:rank], dilation_rate=2, return_sequences=True),
        "backwards": made(go_backwards=True, return_sequences=True, padding="same"),
        "hard": made(recurrent_activation="hard_sigmoid", activation="relu", use_bias=False),
    }
    if rank == 2:
        rows["masked"] = row(
            lambda: kind(3, 3, return_sequences=True, padding="same"),
            floats(4, *SIZES[rank], 2, open=1),
            flags(4, open=1),
            call=masked,
            batches=(3, 1),
        )
    return rows


def bidirectional() -> dict[str, Row]:
    rows = {
        "masked": row(
            lambda: k.Bidirectional(k.LSTM(4, return_sequences=True)),
            STEPS,
            flags(6, open=1),
            call=masked,
        )
    }
    for mode, (name, kind) in product(
        ("concat", "sum", "mul", "ave", None),
        {"rnn": k.SimpleRNN, "lstm": k.LSTM, "gru": k.GRU}.items(),
    ):
        rows[f"{mode} {name}"] = row(
            lambda kind=kind, mode=mode: k.Bidirectional(
                kind(4, return_sequences=True), merge_mode=mode
            ),
            STEPS,
        )
    rows |= {
        "last": row(lambda: k.Bidirectional(k.GRU(4)), STEPS),
        "states": row(lambda: k.Bidirectional(k.LSTM(4, return_state=True)), STEPS),
        "two layers": row(
            lambda: k.Bidirectional(
                k.LSTM(4, return_sequences=True),
                backward_layer=k.GRU(4, return_sequences=True, go_backwards=True),
            ),
            STEPS,
        ),
        "initial state": row(
            lambda: k.Bidirectional(k.LSTM(4)),
            STEPS,
            *[STATE] * 4,
            call=lambda layer, x, *state: layer(x, initial_state=list(state)),
        ),
    }
    return rows


def stack(*cells: Any) -> Any:
    return k.StackedRNNCells([make() for make in cells])


def embedded(layer: Any, x: Any) -> Any:
    """The layer on an embedding whose zeros are masked."""
    return layer(tf.one_hot(x, 5), mask=x != 0)


CELLS = (lambda: k.LSTMCell(4), lambda: k.GRUCell(3), lambda: k.SimpleRNNCell(5))

ROWS: dict[str, dict[str, Row]] = {
    "SimpleRNN": variants(k.SimpleRNN, 1),
    "LSTM": {
        **variants(k.LSTM, 2),
        "no forget bias": row(lambda: k.LSTM(4, unit_forget_bias=False), STEPS),
        "tokens": row(lambda: k.LSTM(4), ids(0, 5, 6, open=1), call=embedded),
        "wide": row(lambda: k.LSTM(33, return_sequences=True), floats(6, 50, open=1)),
    },
    "GRU": {
        **variants(k.GRU, 1),
        "reset before": row(lambda: k.GRU(4, reset_after=False), STEPS),
        "reset before masked": row(
            lambda: k.GRU(4, reset_after=False, return_sequences=True),
            STEPS,
            flags(6, open=1),
            call=masked,
        ),
        "tokens": row(lambda: k.GRU(4), ids(0, 5, 6, open=1), call=embedded),
    },
    "SimpleRNNCell": cell(k.SimpleRNNCell, 1),
    "LSTMCell": cell(k.LSTMCell, 2),
    "GRUCell": {
        **cell(k.GRUCell, 1),
        "reset before": row(
            lambda: k.GRUCell(4, reset_after=False),
            floats(5),
            STATE,
            call=lambda layer, x, state: layer(x, state),
        ),
    },
    "StackedRNNCells": {
        "": row(
            lambda: stack(*CELLS[:2]),
            floats(5),
            floats(4),
            floats(4),
            floats(3),
            call=lambda layer, x, *s: layer(x, [[s[0], s[1]], s[2]]),
        )
    },
    "RNN": {
        "stacked": row(
            lambda: k.RNN(stack(*CELLS), return_sequences=True, return_state=True), STEPS
        ),
        "cell": row(lambda: k.RNN(k.GRUCell(4), go_backwards=True), STEPS),
        "zero output": row(
            lambda: k.RNN(k.LSTMCell(4), return_sequences=True, zero_output_for_mask=True),
            STEPS,
            flags(6, open=1),
            call=masked,
        ),
        "unrolled": row(lambda: k.RNN(stack(*CELLS), unroll=True, return_sequences=True), FIXED),
    },
    "Bidirectional": bidirectional(),
    "ConvLSTM1D": convolutional(k.ConvLSTM1D, 1),
    "ConvLSTM2D": convolutional(k.ConvLSTM2D, 2),
    "ConvLSTM3D": convolutional(k.ConvLSTM3D, 3),
}
