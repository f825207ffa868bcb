# SPDX-License-Identifier: GPL-2.0-only
"""What came out of a run and what it means; knows nothing about how it was run."""
