"""Photos to vectors."""
