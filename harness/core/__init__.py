"""Errors, locks, processes, the jobserver and progress."""
