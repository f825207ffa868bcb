# SPDX-License-Identifier: GPL-2.0-only
"""What boots a kernel: one protocol, several kinds of machine."""
