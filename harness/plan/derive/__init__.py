# SPDX-License-Identifier: GPL-2.0-only
"""The plan of a series without a record, from its diff."""
