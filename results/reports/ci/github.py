# SPDX-License-Identifier: GPL-2.0-only
"""A run as a GitHub workflow shows it: a summary in Markdown, and annotations.

The runner takes lines of a step's output for commands if they begin with `::`; what a guest printed
never begins one here
(https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from results.model.run import Run, Verdict
from results.reports.content import excerpt, lookup, wording
from results.reports.content.finding import MOST_REASON, Finding, page_address
from results.reports.content.findings import findings
from results.reports.content.folds import Gap, arch_words, folds, gaps, grouped
from results.reports.content.measured import overviews, sentences
from results.text import abbrev

_MOST_FINDINGS = 20
_MOST_FOLDS = 80
_MOST_ANNOTATIONS = 10
"""Errors of a step that the runner shows, and as many warnings."""
_PUNCTUATION = re.compile(r"([\\`*_\[\]#!|~@$])")


def step_summary(run: Run, run_dir: Path, url: str = "") -> str:
    """Write what belongs into the file that GITHUB_STEP_SUMMARY names; `url` is that of the run folder."""
    found = findings(run)
    parts = [
        f"## {wording.SYMBOLS[run.verdict]} {_text(run.headline)}",
        *_doubts(run),
        "\n".join(_table(run)),
        *(_told(finding, run_dir, url) for finding in found[:_MOST_FINDINGS]),
        *([f"And {len(found) - _MOST_FINDINGS} more."] if len(found) > _MOST_FINDINGS else []),
        *_folded(run),
        *_measured(run),
        "\n".join(_subject(run)),
        f"thp-harness {run.harness}, run {_text(run.id)}, {wording.duration(run.seconds)}. "
        f"Exit code {run.exit_code}: {wording.EXIT_MEANINGS.get(run.exit_code, 'unknown')}.",
    ]
    return "\n\n".join(parts) + "\n"


def workflow_commands(run: Run) -> str:
    """Write workflow commands: an error for each regression, warnings for what proves nothing."""
    found = findings(run)
    errors = [one for one in found if one.verdict is Verdict.REGRESSION and not one.excused]
    others = [one for one in found if one not in errors]
    lines = [
        *_capped("error", [_annotation("error", one) for one in errors]),
        *_capped("warning", [*_unfinished(run), *_warnings(run, others)]),
    ]
    return "".join(f"{line}\n" for line in lines)


def _doubts(run: Run) -> Iterator[str]:
    """Alerts, as GitHub's Markdown has them."""
    if not run.complete:
        yield f"> [!CAUTION]\n> INCOMPLETE: {wording.unfinished('run')}."
    if run.subject.stand_in:
        yield "> [!WARNING]\n> The series is a stand-in: not the real one, only one that takes its place."
    if run.subject.fuzzed:
        yield f"> [!WARNING]\n> {wording.count(len(run.subject.fuzzed), 'hunk')} placed with fuzz."


def _table(run: Run) -> Iterator[str]:
    columns = overviews(run)
    yield f"| {' | '.join(('arch', 'base', 'series', 'verdict', *columns))} |"
    yield "|---|---|---|---|" + "---|" * len(columns)
    for number, arch in enumerate(run.arches):
        cells = [arch.arch]
        cells += [wording.kernel_summary(arch, *cell) for cell in lookup.cells_of(run, arch.arch).items()]
        cells.append(f"{wording.SYMBOLS[arch.verdict]} {arch_words(arch)}")
        cells += [column[number] for column in columns.values()]
        yield f"| {' | '.join(map(_text, cells))} |"


def _subject(run: Run) -> Iterator[str]:
    subject = run.subject
    yield f"- tree: {_text(f'{subject.tree} {subject.tree_version}')} ({_text(abbrev(subject.base_commit))})"
    count = wording.count(len(subject.patches), "patch", "patches")
    name = _text(wording.series_name(subject))
    yield f"- series: {name}, {count}, to {_text(abbrev(subject.series_commit))}"
    yield from (f"- note: {_text(note)}" for note in subject.notes)


def _measured(run: Run) -> Iterator[str]:
    said = grouped((words, arch.arch) for arch in run.arches for words in sentences(arch))
    if said:
        yield "### Measured\n\n" + "\n".join(
            f"- {_text(', '.join(arches))}: {_text(words)}" for words, arches in said.items()
        )


def _told(finding: Finding, run_dir: Path, url: str) -> str:
    """One finding, its log folded in."""
    mark = wording.SYMBOLS[finding.verdict]
    page = page_address(finding, url)
    title = f"[{_text(finding.title)}](<{page}>)" if page else _text(finding.title)
    parts = [f"### {mark} {finding.verdict} on {_text(finding.arch)}: {title}"]
    parts += [_text(finding.reason)] if finding.reason else []
    if finding.facts:
        parts.append("\n".join(f"- {name}: {_text(value)}" for name, value in finding.facts))
    if quoted := finding.quote(run_dir):
        # numbers in front: no line of a log begins a line of ours
        lines = "\n".join(f"{number or '':>6}  {escape(wording.visible(line))}" for number, line in quoted)
        summary = escape(wording.visible(finding.place or finding.title))
        parts.append(f"<details><summary>{summary}</summary>\n\n<pre>\n{lines}\n</pre>\n\n</details>")
    elif finding.log:
        parts.append(_text(finding.place))
    if finding.command:
        parts.append(_text(finding.command))
    return "\n\n".join(parts)


def _folded(run: Run) -> Iterator[str]:
    """What needs no attention or was not tested, a line each."""
    lines = [f"- {wording.SYMBOLS[it.verdict] if it.verdict else '△'} {_text(it.words)}" for it in folds(run)]
    if len(lines) > _MOST_FOLDS:
        lines = [*lines[:_MOST_FOLDS], f"- and {len(lines) - _MOST_FOLDS} more"]
    if lines:
        yield "### In short\n\n" + "\n".join(lines)


def _text(text: str) -> str:
    """Show text as it is, whatever Markdown or HTML it looks like."""
    shown = escape(wording.visible(excerpt.cut_line(text, MOST_REASON)), quote=False)
    return _PUNCTUATION.sub(r"\\\1", shown)


def _unfinished(run: Run) -> list[str]:
    if run.complete:
        return []
    return [_command("warning", "incomplete", wording.unfinished("run"))]


def _warnings(run: Run, found: list[Finding]) -> Iterator[str]:
    """What excuses nothing and proves nothing; known gaps are no news."""
    yield from (_annotation("warning", finding) for finding in found if not finding.excused)
    yield from (_gap(gap) for gap in gaps(run) if not gap.known)


def _gap(gap: Gap) -> str:
    title = f"{', '.join(gap.arches)}: {wording.count(len(gap.tests), 'test')} {gap.verdict}"
    return _command("warning", title, f"{', '.join(gap.tests)}: {gap.reason}")


def _annotation(level: str, finding: Finding) -> str:
    where = f" ({finding.place})" if finding.place else ""
    title = f"{finding.verdict} on {finding.arch}: {finding.title}"
    return _command(level, title, f"{finding.reason or finding.title}{where}")


def _capped(level: str, commands: list[str]) -> list[str]:
    """Leave out what the runner would not show, and say so."""
    if len(commands) <= _MOST_ANNOTATIONS:
        return commands
    left = len(commands) - _MOST_ANNOTATIONS + 1
    return [*commands[: _MOST_ANNOTATIONS - 1], _command(level, f"{left} more", "see the summary of the job")]


def _command(level: str, title: str, message: str) -> str:
    """One workflow command; its parts can hold neither its signs nor a line end."""
    title, message = (wording.visible(excerpt.cut_line(part, MOST_REASON)) for part in (title, message))
    title = title.replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={title}::{message.replace('%', '%25')}"
