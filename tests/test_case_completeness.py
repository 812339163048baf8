"""Every op's rows hold what `tests.completeness` asks for, but for what is listed there."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from tests.completeness import gaps, lacks, patterns, rows

FAMILIES = list(rows())


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_are_complete(family: str) -> None:
    assert gaps(family) == [], "rows that an op lacks"


def test_exceptions_are_needed() -> None:
    found = [gap for family in FAMILIES for gap in lacks(family)]
    assert [p for p in patterns() if not any(fnmatchcase(gap, p) for gap in found)] == []
