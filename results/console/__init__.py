# SPDX-License-Identifier: GPL-2.0-only
"""A console log as test results."""
