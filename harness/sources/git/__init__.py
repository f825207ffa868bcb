# SPDX-License-Identifier: GPL-2.0-only
"""git repositories, worktrees and the mirror."""
