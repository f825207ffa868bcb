"""Words and figures that all reports share."""
