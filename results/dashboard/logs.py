# SPDX-License-Identifier: GPL-2.0-only
"""Logs as pages with an address for every line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from html import escape
from io import TextIOWrapper
from itertools import islice
from pathlib import Path

from results.reports.content.excerpt import open_inside
from results.reports.content.wording import visible

MOST_LINES = 20_000
"""Of a longer log only its ends are shown, and what is around the lines that others point at."""
_ENDS = 2000
_AROUND = 150
_LONGEST_LINE = 600
_MOST_BYTES = 64 << 20

_STYLE = """
:root{color-scheme:light dark}
body{margin:0;background:#fff;color:#1d2024;font:13px/1.45 ui-monospace,"DejaVu Sans Mono",monospace}
a{color:#0f4c99}h1{font-size:1em;font-weight:600;margin:0;display:inline}
header{padding:.6rem 1rem;font-family:system-ui,"DejaVu Sans",sans-serif;border-bottom:1px solid #8888}
pre{margin:0;padding:.5rem 1rem 40vh;white-space:pre-wrap;overflow-wrap:anywhere}
i{font-style:normal;display:block;padding-left:5.5em;text-indent:-5.5em}
i::before{content:attr(id);display:inline-block;width:5em;margin-right:.5em;text-indent:0;opacity:.75;text-align:right}
i:target{background:#fd08;outline:2px solid #c80;scroll-margin-top:30vh}
@media (prefers-color-scheme:dark){body{background:#13151a;color:#e4e6ea}a{color:#8ab8ff}}
"""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def log_page(run_dir: Path, log: str, title: str, back: str, wanted: set[int]) -> str:
    """A page of a log of a run folder; `wanted` are lines, counted from 1, that must be there.

    Raises:
        OSError: if the log can't be read.
    """
    with TextIOWrapper(open_inside(run_dir, log), "utf-8", "replace", newline="\n") as file:
        whole = os.fstat(file.fileno()).st_size <= _MOST_BYTES
        lines = [line[: _LONGEST_LINE + 1] for line in islice(file, None if whole else 10 * MOST_LINES)]
    body = "".join(_body(lines, wanted))
    if not whole:
        body += "<p>… The log is longer; read it in its run folder.</p>"
    name = escape(visible(title))
    back = escape(back)
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{name}</title>'
        f'<style>{_STYLE}</style></head><body><header><a href="{back}">The run</a> · <h1>{name}</h1></header>'
        f"<main><pre>{body}</pre></main></body></html>\n"
    )


def _body(lines: list[str], wanted: set[int]) -> Iterator[str]:
    last = 0
    for number in _shown(len(lines), wanted):
        if number > last + 1:
            yield f"<p>… {number - last - 1} lines left out …</p>"
        last = number
        text = lines[number - 1].rstrip("\r\n")
        cut = text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]}…"
        yield f"<i id=L{number}>{escape(visible(cut)) or ' '}</i>"


def _shown(count: int, wanted: set[int]) -> list[int]:
    if count <= MOST_LINES:
        return list(range(1, count + 1))
    shown = {*range(1, _ENDS + 1), *range(count - _ENDS + 1, count + 1)}
    for line in wanted:
        shown.update(range(max(1, line - _AROUND), min(count, line + _AROUND) + 1))
    return sorted(shown)
