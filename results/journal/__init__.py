"""The journal of a run folder, and results assembled from it."""
