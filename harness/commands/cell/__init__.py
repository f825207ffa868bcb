"""One build of an earlier run, again."""
