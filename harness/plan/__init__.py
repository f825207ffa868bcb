# SPDX-License-Identifier: GPL-2.0-only
"""What a command is asked to do, before anything is done."""
