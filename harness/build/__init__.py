# SPDX-License-Identifier: GPL-2.0-only
"""From a checkout to a kernel image and an initramfs."""
