# SPDX-License-Identifier: GPL-2.0-only
"""The Hercules emulator, for s390."""
