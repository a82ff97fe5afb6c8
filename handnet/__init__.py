"""Match the back of a hand to the palm of the same person."""

__version__ = "0.1.0"
