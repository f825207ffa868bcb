# SPDX-License-Identifier: GPL-2.0-only
"""Figures: what the program costs compared with the same commands typed by hand.

    python -m tests.bench [--only NAME] [--skip NAME] [--arch NAME] [--workspace DIR] [--output bench.json]

A figure is a function that returns ratios, or absolute values with a unit; `tests.bench.figures` has the
table of all of them. Those of the whole matrix of architectures (`tests.bench.matrix`) share one measurement,
which takes hours; `--arch` narrows it.
"""
