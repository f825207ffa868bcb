# SPDX-License-Identifier: GPL-2.0-only
"""Builds and boots on several machines, by dask.distributed; nothing of this is imported by a run on one."""
