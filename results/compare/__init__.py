# SPDX-License-Identifier: GPL-2.0-only
"""Base against series: the rules of the verdict."""
