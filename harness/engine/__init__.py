"""Carries out builds and boots, and records them as facts."""
