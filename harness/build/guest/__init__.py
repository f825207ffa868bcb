# SPDX-License-Identifier: GPL-2.0-only
"""The initramfs and the programs in it."""
