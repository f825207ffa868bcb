# SPDX-License-Identifier: GPL-2.0-only
"""What each command does."""
