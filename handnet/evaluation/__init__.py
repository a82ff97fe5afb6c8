"""Arrays in, numbers and files out: retrieval, verification, calibration, intervals, slices, audit and the report."""
