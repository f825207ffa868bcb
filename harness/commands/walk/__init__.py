"""Every patch of a series."""
