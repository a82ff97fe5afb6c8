"""The hand in a photo: mask, pose and crop."""
