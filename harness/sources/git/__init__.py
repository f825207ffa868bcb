"""git repositories, worktrees and the mirror."""
