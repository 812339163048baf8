"""Rows that say how each Keras layer is exported and fed; one module a family.

A module's `ROWS` maps names of layers to variants.  The first variant of a layer runs by default,
the others are slow.
"""
