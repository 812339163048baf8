"""RE2's regular expressions: random patterns against TensorFlow by both matchers, and time."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tfdeploy.ops.re2 import Regex, replace


def pattern(draw: np.random.Generator, depth: int = 0) -> str:
    kind = draw.integers(0, 9 if depth < 3 else 3)
    if kind < 3:
        atoms = ["a", "b", "[ab]", ".", "\\w", "[^a]", "\\b", "^", "$", "c", "\u00e9"]
        return str(draw.choice(atoms))
    if kind == 3:
        return pattern(draw, depth + 1) + pattern(draw, depth + 1)
    if kind == 4:
        return f"({pattern(draw, depth + 1)}|{pattern(draw, depth + 1)})"
    if kind == 5:
        often = ["*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,2}?", "{2,}"]
        return f"(?:{pattern(draw, depth + 1)}){draw.choice(often)}"
    return f"({pattern(draw, depth + 1)}){draw.choice(['', '*', '+', '?'])}"


def test_random_patterns_equal_tensorflow() -> None:
    tf = pytest.importorskip("tensorflow")
    draw = np.random.default_rng(11)
    for _ in range(200):
        spelled = pattern(draw)
        text = "".join(draw.choice(list("abc\u00e9_ "), size=draw.integers(0, 9)))
        regex = Regex(spelled)
        rewrite = "<\\1>" if regex.groups else "<\\0>"
        want = tf.strings.regex_replace(text, spelled, rewrite).numpy().decode()
        full = bool(tf.strings.regex_full_match(text, spelled).numpy())
        for matcher in (regex._python, None):
            regex._python = matcher
            assert replace(regex, text, rewrite, True) == want, (spelled, text)
            assert regex.full(text) == full, (spelled, text)


@pytest.mark.parametrize(
    "spelled", ["(a*)*b", "(a|aa)*b", "(a|a)*b", "(a?){30}a{30}b", "(.*a){12}b"]
)
def test_no_pattern_takes_exponential_time(spelled: str) -> None:
    start = time.perf_counter()
    assert Regex(spelled).search("a" * 60) is None
    assert time.perf_counter() - start < 2


def test_long_text_with_many_repetitions_is_linear() -> None:
    start = time.perf_counter()
    assert Regex(".*a.*b.*c").search("ab" * 4000) is None
    assert time.perf_counter() - start < 5
