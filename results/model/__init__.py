# SPDX-License-Identifier: GPL-2.0-only
"""Values of a run, a walk, a bisection and a rerun, and their JSON."""
