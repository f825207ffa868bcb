# SPDX-License-Identifier: GPL-2.0-only
"""The scheduler and the workers of a cluster."""
