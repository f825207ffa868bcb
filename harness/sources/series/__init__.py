"""Patch series as commits."""
