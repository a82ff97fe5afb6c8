"""Figures of pairs of photos: verification, calibration and their intervals."""
