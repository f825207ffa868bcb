# SPDX-License-Identifier: GPL-2.0-only
"""Patches as mail: read, completed, and told from everything else in a thread."""
