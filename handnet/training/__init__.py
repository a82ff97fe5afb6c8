"""Training: one opening, then gradient descent or the closed form."""
