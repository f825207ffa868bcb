"""The cache folder: contents, limits and checks."""
