"""Published weights: where they are, how they are fetched, checked and read. Without TensorFlow."""
