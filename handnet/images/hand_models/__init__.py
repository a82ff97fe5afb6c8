"""The networks that find a hand and its landmarks: their files, read without a runtime, as functions and Keras models."""
