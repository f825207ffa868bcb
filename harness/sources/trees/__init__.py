"""Kernel trees as commits."""
