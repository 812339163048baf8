"""Sums, extremes and their positions along axes."""

from __future__ import annotations
