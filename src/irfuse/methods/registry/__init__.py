"""The registry: from a spec to a method, among those of irfuse, of other packages, and of files."""
