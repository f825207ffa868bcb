# SPDX-License-Identifier: GPL-2.0-only
"""The search for the first bad commit."""
