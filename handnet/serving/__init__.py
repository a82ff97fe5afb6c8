"""A model used over the network."""
