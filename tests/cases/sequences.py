"""Rows of tfdeploy/ops/sequences.py."""

import numpy as np

from tests.cases import case
from tests.cases.parsing import F0, example, feature, field, text

INT64 = np.int64
PADS = np.array([9, 8], INT64)


def sequence(context=b"", **lists):
    """A SequenceExample; `context` is an Example, whose one field is the context's too."""
    entries = [
        field(1, field(1, k.encode()) + field(2, b"".join(field(1, feature(v)) for v in steps)))
        for k, steps in lists.items()
    ]
    return context + field(2, b"".join(entries))


FULL = sequence(
    example(x=[1.0, 2.0], y=[7, 8], z=[b"q"], r=[3, 4]),
    a=[[1, 2], [3, 4], [5, 6]],
    b=[[b"u"], field(1, b""), [b"v", b"w"]],
    c=[[0.5], [1.5]],
)
SOME = sequence(example(x=[3.0, 4.0], z=[b"s", b"t"]), a=[[7, 8]], c=[])
BATCH = text(FULL, SOME)
CONTEXT = {
    "sparse": ((b"r", INT64), (b"z", "string")),
    "dense": ((b"x", F0, [2]), (b"y", PADS, [2])),
}
LISTS = {
    "sparse": ((b"b", "string"),),
    "dense": ((b"a", INT64, [2], False), (b"d", np.float32, [], True)),
}


def common(context, lists):
    dense = context.get("dense", ())
    return {
        "context_sparse_types": [t for _, t in context.get("sparse", ())],
        "context_dense_shapes": [s for _, _, s in dense],
        "Tcontext_dense": [d.dtype if d.dtype != object else "string" for _, d, _ in dense],
        "feature_list_sparse_types": [t for _, t in lists.get("sparse", ())],
        "feature_list_dense_types": [t for _, t, _, _ in lists.get("dense", ())],
        "feature_list_dense_shapes": [s for _, _, s, _ in lists.get("dense", ())],
        "Ncontext_sparse": len(context.get("sparse", ())),
        "Nfeature_list_sparse": len(lists.get("sparse", ())),
        "Nfeature_list_dense": len(lists.get("dense", ())),
    }


def keys(asked, kind):
    return [column[0] for column in asked.get(kind, ())]


def defaults(context):
    return [d for _, d, _ in context.get("dense", ())]


def v1(serialized, context, lists, **kw):
    return case(
        "ParseSequenceExample",
        serialized,
        text(),
        defaults(context),
        context_sparse_keys=keys(context, "sparse"),
        context_dense_keys=keys(context, "dense"),
        feature_list_sparse_keys=keys(lists, "sparse"),
        feature_list_dense_keys=keys(lists, "dense"),
        feature_list_dense_missing_assumed_empty=[c[0] for c in lists.get("dense", ()) if c[3]],
        Ncontext_dense=len(context.get("dense", ())),
        **common(context, lists),
        **kw,
    )


def v2(serialized, context, lists, **kw):
    ragged = {
        "context_ragged_value_types": [t for _, t, _ in context.get("ragged", ())],
        "context_ragged_split_types": [s for _, _, s in context.get("ragged", ())],
        "feature_list_ragged_value_types": [t for _, t, _ in lists.get("ragged", ())],
        "feature_list_ragged_split_types": [s for _, _, s in lists.get("ragged", ())],
    }
    return case(
        "ParseSequenceExampleV2",
        serialized,
        text(),
        *(
            text(*keys(asked, kind))
            for asked in (context, lists)
            for kind in ("sparse", "dense", "ragged")
        ),
        np.array([c[3] for c in lists.get("dense", ())], bool),
        defaults(context),
        **common(context, lists),
        **ragged,
        **kw,
    )


def single(serialized, context, lists, **kw):
    held = [
        [np.array(k, object) for k in keys(asked, kind)]
        for asked in (context, lists)
        for kind in ("sparse", "dense")
    ]
    return case(
        "ParseSingleSequenceExample",
        np.array(serialized, object),
        text(*(c[0] for c in lists.get("dense", ()) if c[3])),
        *held,
        defaults(context),
        np.array(b"", object),
        **common(context, lists),
        **kw,
    )


RAGGED = {"ragged": ((b"r", INT64, INT64), (b"z", "string", np.int32))}
RAGGED_LISTS = {"ragged": ((b"b", "string", INT64), (b"c", np.float32, np.int32))}
WIDE = text(
    sequence(
        example(x=[0.5, float("nan")], z=[b"q"]),
        a=[[1, 2], [], [3]],
        c=[[0.5], [1.5, float("nan")]],
        e=[[b"u", b"v"], [b"w", b""]],
    ),
    sequence(example(u=[2.0]), a=[], c=[[2.5]], e=[[b"s", b"t"]]),
)
WIDE_CONTEXT = {
    "sparse": ((b"x", np.float32),),
    "dense": ((b"z", text(b"p"), [1]), (b"u", np.array([np.nan], np.float32), [1])),
}
WIDE_LISTS = {
    "sparse": ((b"a", INT64), (b"c", np.float32)),
    "dense": ((b"e", "string", [2], False),),
}
WIDE_RAGGED = ({"ragged": ((b"x", np.float32, INT64),)}, {"ragged": ((b"a", INT64, np.int32),)})
WRONG = (
    (CONTEXT, {"dense": ((b"d", np.float32, [], False),)}),
    ({}, {"dense": ((b"a", INT64, [3], False),)}),
    ({}, {"sparse": ((b"a", np.float32),)}),
    ({"sparse": ((b"x", INT64),)}, {}),
    ({"dense": ((b"w", F0, [1]),)}, {}),
)
CASES = [
    v1(BATCH, CONTEXT, LISTS),
    v1(BATCH, CONTEXT, {}),
    v1(BATCH, {}, LISTS),
    v1(BATCH[:0], {"sparse": CONTEXT["sparse"]}, LISTS),
    *[v1(BATCH, c, s, raises=True) for c, s in WRONG],
    v2(BATCH, CONTEXT, LISTS),
    v2(BATCH, RAGGED, RAGGED_LISTS),
    v2(BATCH[:0], RAGGED, RAGGED_LISTS),
    v2(np.array(FULL, object), CONTEXT, LISTS),
    *[v2(BATCH, c, s, raises=True) for c, s in WRONG],
    single(FULL, CONTEXT, LISTS),
    single(SOME, CONTEXT, LISTS),
    single(SOME, {}, LISTS),
    v1(WIDE, WIDE_CONTEXT, WIDE_LISTS),
    v2(WIDE, WIDE_CONTEXT, WIDE_LISTS),
    v2(WIDE, *WIDE_RAGGED),
    *[single(one, WIDE_CONTEXT, WIDE_LISTS) for one in WIDE],
    *[single(FULL, c, s, raises=True) for c, s in WRONG],
]
