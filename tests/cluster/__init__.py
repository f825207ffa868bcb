# SPDX-License-Identifier: GPL-2.0-only
"""A cluster of processes on this machine, and a plan whose steps only sleep."""
