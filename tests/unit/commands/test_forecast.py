# SPDX-License-Identifier: GPL-2.0-only
"""A plan as people read it."""

from __future__ import annotations

import io

from rich.console import Console

from harness.commands.forecast import CellForecast, Forecast, print_forecast

LONG = "mm/vma: split huge PMDs before the rmap locks are taken, and \x1b[31mmore [bold] than eighty columns"
PROBLEM = "no aarch64-linux-gnu-gcc (apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross and more)"
CAST = Forecast(
    tree="debian-6.12", tree_version="6.12.117", series="mine", series_title="Mine", stand_in=True,
    patches=("mm: one", LONG), tests=tuple(f"pmd_split.{number}" for number in range(6)),
    cells=(
        CellForecast("x86_64", "base", True, "", 0, 15, "tinyconfig"),
        CellForecast("x86_64", "series", False, "", 240, 15, "tinyconfig"),
        CellForecast("arm64", "base", False, PROBLEM, 240, 15, "tinyconfig"),
    ),
)  # fmt: skip


def printed(terminal: bool) -> list[str]:
    file = io.StringIO()
    print_forecast(CAST, Console(file=file, force_terminal=terminal, width=80, color_system=None))
    return file.getvalue().splitlines()


def test_a_plan_is_a_tree_of_which_nothing_is_cut() -> None:
    lines = printed(terminal=False)
    assert lines[1] == "├── mine  [stand-in]: Mine"
    assert "│       └── 2. " + LONG.replace("\x1b", "\\x1b") in lines
    assert "│   └── pmd_split (6): 0, 1, 2, 3 and 2 more" in lines
    assert f"        └── base: {PROBLEM}, boot 15 s" in lines
    assert lines[-1] == "About 8:45 min in all."


def test_a_terminal_gets_it_folded() -> None:
    lines = printed(terminal=True)
    assert max(map(len, lines)) <= 80
    assert "than eighty columns" in " ".join(" ".join(lines).replace("│", " ").split())
