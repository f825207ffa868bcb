# SPDX-License-Identifier: GPL-2.0-only
"""The cache folder: contents, limits and checks."""
