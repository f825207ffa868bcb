"""Configuring and compiling kernels."""
