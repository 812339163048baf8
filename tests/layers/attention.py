"""Rows of attention: masks, causality, scores, axes, grouped heads."""

from __future__ import annotations

from typing import Any

from keras import layers as k

from tests.exported import Row, flags, floats, row

Q, V, K = floats(5, 8, open=1), floats(7, 8, open=1), floats(7, 8, open=1)
QUERY_MASK, VALUE_MASK, BOTH = flags(5, open=1), flags(7, open=1), flags(5, 7, open=2)


def simple(kind: Any) -> dict[str, Row]:
    return {
        "masks": row(
            kind,
            Q,
            V,
            K,
            QUERY_MASK,
            VALUE_MASK,
            call=lambda layer, q, v, key, *masks: layer(
                [q, v, key], mask=[*masks, None], return_attention_scores=True
            ),
        ),
        "": row(kind, Q, V),
        "key": row(kind, Q, V, K),
        "causal": row(kind, Q, Q, call=lambda layer, q, v: layer([q, v], use_causal_mask=True)),
        "causal masked": row(
            kind,
            Q,
            Q,
            QUERY_MASK,
            call=lambda layer, q, v, mask: layer([q, v], mask=[None, mask], use_causal_mask=True),
        ),
    }


def headed(kind: Any, **options: Any) -> dict[str, Row]:
    def made(*inputs: Any, call: Any = None, **further: Any) -> Row:
        return row(lambda: kind(**options, **further), *inputs, call=call)

    return {
        "masks": made(
            Q,
            V,
            K,
            BOTH,
            call=lambda layer, q, v, key, mask: layer(
                q, v, key, attention_mask=mask, return_attention_scores=True
            ),
        ),
        "": made(Q, V, call=lambda layer, q, v: layer(q, v)),
        "self": made(Q, call=lambda layer, q: layer(q, q)),
        "fixed": made(floats(5, 8), call=lambda layer, q: layer(q, q)),
        "causal": made(Q, call=lambda layer, q: layer(q, q, use_causal_mask=True)),
        "causal masked": made(
            Q,
            flags(5, 5, open=2),
            call=lambda layer, q, mask: layer(q, q, attention_mask=mask, use_causal_mask=True),
        ),
        "side masks": made(
            Q,
            V,
            QUERY_MASK,
            VALUE_MASK,
            call=lambda layer, q, v, query, value: layer(q, v, query_mask=query, value_mask=value),
        ),
        "no bias": made(Q, V, call=lambda layer, q, v: layer(q, v), use_bias=False),
        "gate": made(Q, V, call=lambda layer, q, v: layer(q, v), use_gate=True),
        "window": made(
            Q, call=lambda layer, q: layer(q, q, use_causal_mask=True), sliding_window=2
        ),
        "no flash": made(Q, V, call=lambda layer, q, v: layer(q, v), flash_attention=False),
        "dropout": row(
            lambda: kind(**options, dropout=0.4, seed=2),
            Q,
            V,
            call=lambda layer, q, v: layer(q, v, training=True),
            batches=(3, 3, 1),
        ),
    }


ROWS: dict[str, dict[str, Row]] = {
    "Attention": {
        **simple(k.Attention),
        "scaled": row(lambda: k.Attention(use_scale=True), Q, V),
        "concat": row(lambda: k.Attention(score_mode="concat"), Q, V),
        "concat scaled": row(lambda: k.Attention(use_scale=True, score_mode="concat"), Q, V, K),
        "dropout": row(
            lambda: k.Attention(dropout=0.4, seed=2),
            Q,
            V,
            call=lambda layer, q, v: layer([q, v], training=True),
            batches=(3, 3, 1),
        ),
    },
    "AdditiveAttention": {
        **simple(k.AdditiveAttention),
        "no scale": row(lambda: k.AdditiveAttention(use_scale=False), Q, V),
    },
    "MultiHeadAttention": {
        **headed(k.MultiHeadAttention, num_heads=2, key_dim=3),
        "value": row(
            lambda: k.MultiHeadAttention(2, 3, value_dim=4, output_shape=6),
            Q,
            V,
            call=lambda layer, q, v: layer(q, v),
        ),
        "one head": row(
            lambda: k.MultiHeadAttention(1, 4), Q, V, call=lambda layer, q, v: layer(q, v)
        ),
        "axes": row(
            lambda: k.MultiHeadAttention(2, 3, attention_axes=(1, 2)),
            floats(3, 4, 8),
            floats(2, 5, 8),
            call=lambda layer, q, v: layer(q, v),
        ),
        "last axis": row(
            lambda: k.MultiHeadAttention(2, 3, attention_axes=(2,)),
            floats(3, 4, 8),
            floats(3, 5, 8),
            call=lambda layer, q, v: layer(q, v),
        ),
    },
    "GroupQueryAttention": {
        **headed(k.GroupQueryAttention, head_dim=3, num_query_heads=4, num_key_value_heads=2),
        "one group": row(
            lambda: k.GroupQueryAttention(3, 4, 1), Q, V, call=lambda layer, q, v: layer(q, v)
        ),
        "many groups": row(
            lambda: k.GroupQueryAttention(3, 4, 4), Q, V, call=lambda layer, q, v: layer(q, v)
        ),
    },
}
