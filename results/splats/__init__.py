"""Error reports of the kernel in a log."""
