# SPDX-License-Identifier: GPL-2.0-only
"""Errors, locks, processes, the jobserver and progress."""
