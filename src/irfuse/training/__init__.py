"""Training: the loop and the data that all share, and one file a method that can be trained."""
