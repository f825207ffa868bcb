"""Figures: what the program costs compared with the same commands typed by hand.

    python -m tests.bench [--only NAME] [--skip NAME] [--workspace DIR] [--output bench.json]

A figure is a function that returns ratios; `tests.bench.figures` has the table of all of them.
"""
