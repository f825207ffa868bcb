# SPDX-License-Identifier: GPL-2.0-only
"""Numbers that guest tests measure."""
