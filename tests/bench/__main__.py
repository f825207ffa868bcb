# SPDX-License-Identifier: GPL-2.0-only
"""`python -m tests.bench`: measure the figures, print a line each, write bench.json."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.shipped import ROOT
from tests.bench.bench import Bench, BenchError
from tests.bench.by_hand import KNOWN
from tests.bench.figure import Figure, Outcome, judge
from tests.bench.figures import BY_NAME, FIGURES


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 if every figure keeps its limit, 1 if one does not, 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    chosen = [
        figure
        for figure in FIGURES
        if figure.name in (options.only or BY_NAME) and figure.name not in options.skip
    ]
    with _folder(options.workspace) as folder:
        bench = Bench(folder, _say, options.harness_first, tuple(options.arch))
        _say(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, workspace {folder}")
        outcomes = [_measure(figure, bench) for figure in chosen]
    options.output.write_text(json.dumps([outcome.as_document() for outcome in outcomes], indent=2) + "\n")
    return 0 if all(outcome.holds for outcome in outcomes) else 1


def _parser() -> argparse.ArgumentParser:
    names = tuple(BY_NAME)
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=names, help="a figure; may be repeated")
    parser.add_argument("--skip", action="append", choices=names, default=[], help="all but this one")
    parser.add_argument(
        "--arch",
        action="append",
        choices=KNOWN,
        default=[],
        help="narrow the figures of the matrix to an architecture; may be repeated",
    )
    parser.add_argument(
        "--workspace",
        type=Path,
        help="folder that keeps kernels for the next time",
    )
    parser.add_argument("--output", type=Path, default=ROOT / "bench.json")
    parser.add_argument("--harness-first", action="store_true", help="turn the order of the cold runs round")
    return parser


@contextmanager
def _folder(workspace: Path | None) -> Iterator[Path]:
    if workspace:
        workspace.mkdir(parents=True, exist_ok=True)
        yield workspace.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="thp-harness-bench-") as name:
        yield Path(name)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _measure(figure: Figure, bench: Bench) -> Outcome:
    try:
        outcome = judge(figure, figure.measure(bench))
    except (BenchError, HarnessError) as error:
        outcome = Outcome(figure, None, f"could not be measured: {error}")
    print(outcome.as_line(), flush=True)
    return outcome


if __name__ == "__main__":
    sys.exit(main())
