"""Random ops beyond one call: the sequence of a state, and what TensorFlow cannot be asked."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from tests.cases import Case, case
from tfdeploy.dtypes import from_enum
from tfdeploy.ops import generators, registry

SEEDS = {"seed": 3, "seed2": 9}
N = np.array([5, 3], np.int32)
STATEFUL = [
    case("RandomUniform", N, dtype=np.float32, **SEEDS),
    case("RandomUniform", N, dtype=np.float64, **SEEDS),
    case("RandomStandardNormal", N, dtype=np.float32, **SEEDS),
    case("TruncatedNormal", N, dtype=np.float32, **SEEDS),
    case("RandomUniformInt", N, np.int32(-3), np.int32(1000), **SEEDS),
    case("RandomShuffle", np.arange(11), **SEEDS),
    case("Multinomial", np.log(np.arange(1, 13.0)).reshape(3, 4), 7, **SEEDS),
    case("RandomGamma", N, np.array([0.5, 1, 9.0]), **SEEDS),
    case("RandomPoissonV2", N, np.array([0.5, 1, 99.0]), **SEEDS),
    case("ParameterizedTruncatedNormal", N, *(np.float32(v) for v in (0, 1, -1, 2)), **SEEDS),
    case(
        "LearnedUnigramCandidateSampler",
        np.array([[1, 3], [3, 3]]),
        num_true=2,
        num_sampled=40,
        unique=False,
        range_max=6,
        **SEEDS,
    ),
]


def in_tensorflow(row: Case, times: int) -> list[np.ndarray]:
    import tensorflow as tf

    from tests.oracle import graph_def

    definition, flat, _ = graph_def(row)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
        with tf.compat.v1.Session(graph=graph) as session:
            feeds = {f"in{i}:0": array for i, array in enumerate(flat)}
            return [session.run("op:0", feeds) for _ in range(times)]


def here(row: Case, state: generators.State | None) -> np.ndarray:
    from tests.oracle import prepare

    record = registry.get(row.op)
    flat, attrs = prepare(row)
    given: dict[str, Any] = {n: v for n, v in attrs.items() if n in record.attrs}
    for name in ("dtype", "output_dtype"):
        if name in given:
            given[name] = from_enum(given[name].as_datatype_enum)
    found = record.reference(*flat, **(record.defaults | given | {"state": state}))
    return found[0] if isinstance(found, tuple) else found


@pytest.mark.parametrize("row", STATEFUL, ids=lambda row: row.op)
def test_calls_go_on_as_in_a_session(row: Case) -> None:
    state = generators.State()
    want = in_tensorflow(row, 3)
    got = [here(row, state) for _ in range(3)]
    assert not np.array_equal(want[0], want[1])
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(g, w, rtol=3e-7)


def test_a_pickled_state_goes_on() -> None:
    row = STATEFUL[0]
    state = generators.State()
    here(row, state)
    copy = pickle.loads(pickle.dumps(state))
    np.testing.assert_array_equal(here(row, copy), here(row, state))
    fresh = pickle.loads(pickle.dumps(generators.State()))
    np.testing.assert_array_equal(here(row, fresh), here(row, None))


def test_without_seeds_numbers_differ() -> None:
    row = case("RandomUniform", N, dtype=np.float32)
    assert not np.array_equal(here(row, None), here(row, None))


def test_philox_known_answers() -> None:
    """Vectors of the Random123 library."""
    ones = (1 << 128) - 1
    assert generators.Philox(0, 0).words(4).tolist() == [
        0x6627E8D5,
        0xE169C58D,
        0xBC57AC4C,
        0x9B00DBD8,
    ]
    assert generators.Philox(ones >> 64, ones).words(4).tolist() == [
        0x408F276D,
        0x41C83B0E,
        0xA20BC7C6,
        0x6D5451FD,
    ]


def test_counter_carries_and_wraps() -> None:
    stream = generators.Philox(5, (1 << 128) - 2)
    np.testing.assert_array_equal(stream.words(16)[8:], generators.Philox(5, 0).words(8))
    low = generators.Philox(5, (1 << 64) - 1)
    np.testing.assert_array_equal(low.words(8)[4:], low.skip(1).words(4))


@pytest.mark.parametrize("name, value", [("gamma", np.nan), ("gamma", -1.0), ("poisson", np.nan)])
def test_impossible_parameters_give_nan(name: str, value: float) -> None:
    """Of these, TensorFlow's loops do not end for a negative alpha and a rate of NaN."""
    stream, values = generators.Philox(1, 2), np.array([value])
    with np.errstate(all="ignore"):
        drawn = getattr(generators, name)(stream, np.arange(1), values)
    assert np.isnan(drawn).all()


def test_absurd_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="beyond"):
        here(case("RandomUniform", np.array([2**40, 2**20]), dtype=np.float32), None)


@pytest.mark.parametrize("noise", ["uniform", "gaussian"])
def test_noise_around_an_image_keeps_to_its_range(noise: str) -> None:
    image = np.random.default_rng(0).uniform(5, 7, (2, 4, 4, 3)).astype(np.float32)
    image[1] *= 10
    record = registry.get("ExtractGlimpseV2")
    given = record.defaults | {"noise": noise, "uniform_noise": False}
    inputs = image, np.array([40, 40], np.int32), np.zeros((2, 2), np.float32)
    got, again = (record.reference(*inputs, **given) for _ in range(2))
    np.testing.assert_array_equal(got[:, 18:22, 18:22], image)
    assert not np.array_equal(got, again)
    for one, around in zip(image, got[:, :10], strict=True):
        assert one.min() <= around.min() and around.max() <= one.max()
        assert abs(around.mean() - one.mean()) < one.std() / 2
        assert abs(around.std() - one.std()) < one.std() / 4
