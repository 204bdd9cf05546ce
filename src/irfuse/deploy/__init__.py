"""Methods as ONNX files: export writes them, runtime runs them without PyTorch."""
