"""Boxes in images: suppressing the ones that overlap, drawing, sampling."""

from __future__ import annotations
