# SPDX-License-Identifier: GPL-2.0-only
"""What is on a physical host, over SSH and its console."""
