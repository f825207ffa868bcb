# SPDX-License-Identifier: GPL-2.0-only
"""Reports for CI systems."""
