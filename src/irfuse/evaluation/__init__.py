"""Scores: evaluator scores one fused image, batch scores many, video scores clips."""
