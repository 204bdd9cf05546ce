"""Images as arrays: their planes, levels, color and sizes, tiles of large ones, and sheets of several."""
