"""The first bad patch or commit."""
