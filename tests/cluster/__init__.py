"""A cluster of processes on this machine, and a plan whose steps only sleep."""
