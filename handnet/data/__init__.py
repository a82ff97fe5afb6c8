"""Data sets on disk: readers, checks, splits, pairs and batch plans. Nothing is decoded here, and no TensorFlow is imported."""
