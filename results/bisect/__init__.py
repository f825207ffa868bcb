"""The search for the first bad commit."""
