# SPDX-License-Identifier: GPL-2.0-only
"""What all runs together say: a database, made from run folders and made again from them at any time."""
