# SPDX-License-Identifier: GPL-2.0-only
"""Reports on a terminal."""
