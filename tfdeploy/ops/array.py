"""Shapes, slicing, joining, gathering and scattering."""

from __future__ import annotations
