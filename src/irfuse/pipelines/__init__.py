"""Work on many pairs: reading, fusing and writing side by side."""
