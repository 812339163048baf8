"""`tfdeploy demo`: it passes, it tells the truth, and it fails where it should."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tfdeploy import config, demo


def test_the_demo_passes_and_imports_no_tensorflow():
    """In a process of its own: other tests of this run import TensorFlow."""
    code = "import sys, tfdeploy.demo; sys.exit(tfdeploy.demo.run(json=True))"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    facts = json.loads(result.stdout)
    assert facts["ok"]
    assert facts["accuracy"] >= 0.97
    assert facts["same_digits"] == facts["images"] >= 300
    assert facts["max_error"] <= 1e-5
    assert not facts["tensorflow_imported"]
    assert result.stderr == ""


def test_the_report_names_the_engine(capsys):
    assert demo.run() == 0
    text = capsys.readouterr().out
    assert config.engine_name() in text
    for label in ("accuracy", "agreement", "files", "time"):
        assert f"\n{label} " in text


@pytest.fixture
def altered(tmp_path, monkeypatch):
    """Replaces the demo's test data by what `change` makes of them."""

    def alter(change):
        with np.load(demo.TEST_DATA) as data:
            arrays = dict(data)
        change(arrays)
        path = os.path.join(tmp_path, "altered.npz")
        np.savez(path, **arrays)
        monkeypatch.setattr(demo, "TEST_DATA", path)

    return alter


def wrong_labels(arrays):
    arrays["labels"][:20] = (arrays["labels"][:20] + 1) % 10


def one_logit_off(arrays):
    arrays["logits"][7, 3] += 1e-4 * np.abs(arrays["logits"]).max()


def one_digit_differs(arrays):
    arrays["logits"][0, arrays["logits"][0].argmin()] = 1 + arrays["logits"][0].max()


def not_a_number(arrays):
    arrays["logits"][3, 3] = np.nan


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (wrong_labels, "accuracy is below 97%"),
        (one_logit_off, "some logits are off by more than 1e-05 of scale"),
        (one_digit_differs, "some digits are not TensorFlow's"),
        (not_a_number, "some logits are off by more than 1e-05 of scale"),
    ],
)
def test_the_demo_fails_where_answers_differ(altered, capsys, change, problem):
    altered(change)
    assert demo.run() == 1
    assert problem in capsys.readouterr().out


def test_tensorflow_loads_the_saved_model_and_gives_the_stored_logits():
    import tensorflow as tf

    with np.load(demo.TEST_DATA) as data:
        images, expected = data["images"].astype(np.float32), data["logits"]
    signature = tf.saved_model.load(demo.SAVED_MODEL).signatures["serving_default"]
    (logits,) = signature(tf.constant(images)).values()
    np.testing.assert_allclose(logits, expected, atol=1e-6 * np.abs(expected).max())
    differing = np.abs(expected[0] - expected[1]).max()
    assert differing > 0.1 * np.abs(expected).max()
