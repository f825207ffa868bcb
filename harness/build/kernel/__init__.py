# SPDX-License-Identifier: GPL-2.0-only
"""Configuring and compiling kernels."""
