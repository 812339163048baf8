"""Arithmetic, comparison and elementary functions, element by element."""

from __future__ import annotations
