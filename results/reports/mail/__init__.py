# SPDX-License-Identifier: GPL-2.0-only
"""Reports as mails to a list."""
