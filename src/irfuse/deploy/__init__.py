"""Methods as files for machines without PyTorch: writing them, and running them."""
