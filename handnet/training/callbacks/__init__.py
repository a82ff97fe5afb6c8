"""What Keras calls during a training run: validation, checkpoints, warnings, pictures."""
