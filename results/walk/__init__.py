"""The verdict on every patch of a series."""
