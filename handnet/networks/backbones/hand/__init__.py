"""The backbone made for hands: alignment, fixed description, small networks trained on synthetic hands."""
