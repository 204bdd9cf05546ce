"""Scores of fused images: the evaluator for one, and batches of many."""
