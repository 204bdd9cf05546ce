"""Files: images, pairs of them, and tables."""
