"""Exported models: the SavedModel with its signatures, other formats, warm-up requests and the model card."""
