"""The settings of a run, as text and as dataclasses, and the run folder that keeps them."""
