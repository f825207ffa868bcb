"""Shell scripts that build and boot a cell of a run without us."""
