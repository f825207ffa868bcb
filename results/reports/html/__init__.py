# SPDX-License-Identifier: GPL-2.0-only
"""Reports as one HTML file."""
