# SPDX-License-Identifier: GPL-2.0-only
"""The verdict on every patch of a series."""
