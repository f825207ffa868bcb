# SPDX-License-Identifier: GPL-2.0-only
"""The first bad patch or commit."""
