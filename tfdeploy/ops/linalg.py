"""Matrix products, factorisations and solvers."""

from __future__ import annotations
