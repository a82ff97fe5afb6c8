"""Encoders and the classifier of pairs, their backbones and the weights of these."""
