# SPDX-License-Identifier: GPL-2.0-only
"""What a series says of its numbers: the text, and the verdict."""
