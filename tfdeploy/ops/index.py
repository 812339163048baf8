"""Picking, gathering, scattering and counting by index."""

from __future__ import annotations
