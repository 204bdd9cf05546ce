"""The fusion metrics, one file a family."""
