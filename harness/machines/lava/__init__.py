"""Boards of LAVA labs."""
