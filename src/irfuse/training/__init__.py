"""Training: the loop, the data and the files that all recipes share."""
