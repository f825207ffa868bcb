# SPDX-License-Identifier: GPL-2.0-only
"""Words and figures that all reports share."""
