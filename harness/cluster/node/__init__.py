"""The scheduler and the workers of a cluster."""
