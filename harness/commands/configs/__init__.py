# SPDX-License-Identifier: GPL-2.0-only
"""The objects of a series in many configurations."""
