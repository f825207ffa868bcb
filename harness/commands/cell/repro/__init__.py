# SPDX-License-Identifier: GPL-2.0-only
"""A shell script that repeats one build and its boots."""
