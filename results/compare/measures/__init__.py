"""Numbers that guest tests measure."""
