"""A short run of the fuzzer over every reader."""

from __future__ import annotations

import pytest

from tests.fuzz import READERS, fuzz


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_damaged_inputs_are_read_or_refused(reader):
    result = fuzz(reader, 2000, seed=5)
    assert not result.findings, result.findings[0]
    assert result.accepted > 20 and result.refused > 200
