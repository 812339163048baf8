"""Resizing, cropping and colour."""

from __future__ import annotations
