# SPDX-License-Identifier: GPL-2.0-only
"""The journal of a run folder, and results assembled from it."""
