"""What is read and written: image files, pairs of them, tables."""
