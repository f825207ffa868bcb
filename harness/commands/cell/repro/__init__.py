"""A shell script that repeats one build and its boots."""
