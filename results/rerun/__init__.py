# SPDX-License-Identifier: GPL-2.0-only
"""Failure rates over many boots."""
