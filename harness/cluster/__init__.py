"""Builds and boots on several machines, by dask.distributed; nothing of this is imported by a run on one."""
