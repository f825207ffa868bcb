# SPDX-License-Identifier: GPL-2.0-only
"""Error reports of the kernel in a log."""
