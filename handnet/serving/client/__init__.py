"""Clients of a server that runs an exported model: TensorFlow Serving's gRPC and REST predict interfaces."""
