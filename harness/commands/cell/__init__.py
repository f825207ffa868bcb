# SPDX-License-Identifier: GPL-2.0-only
"""One build of an earlier run, again."""
