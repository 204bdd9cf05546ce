"""Pipelines for many pairs: reading, fusing and writing at the same time."""
