# SPDX-License-Identifier: GPL-2.0-only
"""Ways to start a kernel on a physical host once."""
