"""Arrays in, numbers out: ranking, verification, calibration, intervals. Neither TensorFlow nor Keras."""
