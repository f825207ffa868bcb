"""Values of a run, a walk, a bisection and a rerun, and their JSON."""
