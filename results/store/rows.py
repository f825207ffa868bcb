# SPDX-License-Identifier: GPL-2.0-only
"""A run as rows of the store; pure. All text is made harmless here, and cut to a size."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from results.compare.claims.text import claimed_counters
from results.model.bisect import Bisection
from results.model.configs import Configs
from results.model.document import Outcome, kind_of
from results.model.run import (
    ArchComparison,
    Boot,
    Cell,
    Evidence,
    Measurement,
    Run,
    Splat,
    Status,
    Subject,
    Tally,
    Verdict,
)
from results.model.walk import Walk
from results.reports.content.measured import tracked
from results.text import printable

Row = dict[str, Any]

LONGEST_TEXT = 2000
"""Characters of any text in the store; the rest is in the run folder."""
_LONGEST_EXCERPT = 8000
_BIGGEST = 2**53
"""Beyond this a float can't tell neighbours apart, and SQLite's integers end soon after."""
_SKEW = timedelta(hours=1)
_FAILING = (Status.FAIL, Status.ERROR)


class RowsError(ValueError):
    """A document can be read, but says something that can't be stored."""


@dataclass(frozen=True, slots=True)
class StoredFolder:
    """One folder as rows: its own, and those of the other tables by name, without the folder's id."""

    folder: Row
    details: Mapping[str, Sequence[Row]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many there are."""
        return sum(map(len, self.details.values()))


def clean(words: str, most: int = LONGEST_TEXT) -> str:
    """Spell out what does something instead of showing something, NUL and lone surrogates too; then cut."""
    shown = printable(words[:most].replace("\t", " "))
    return shown if len(words) <= most and len(shown) <= most else shown[: most - 1] + "…"


def record_of(document: Outcome, now: datetime) -> StoredFolder:
    """Turn a document into rows.

    Raises:
        RowsError: if its time is none.
    """
    if isinstance(document, Run):
        return _run(document, now)
    if isinstance(document, Walk):
        findings = [_finding(column.arch, column.words) for column in document.columns]
        verdict = str(document.safe)
    elif isinstance(document, Bisection):
        findings = [
            _finding(arch.arch, arch.words, arch.culprit.id, arch.culprit.subject)
            if arch.culprit
            else _finding(arch.arch, arch.words)
            for arch in document.arches
        ]
        verdict = "found" if document.exit_code == 0 else "not found"
    elif isinstance(document, Configs):
        findings = [
            _finding(new.places[0].arch, f"{new.diagnostic.file}: {new.diagnostic.text}")
            for new in document.found
        ]
        verdict = {0: "nothing new", 1: "new diagnostics"}.get(document.exit_code, "unknown")
    else:
        findings = [
            _finding(cell.arch, f"{cell.variant}: {'failed' if cell.failed else 'never failed'}")
            for cell in document.cells
        ]
        verdict = (
            "failed" if document.exit_code == 1 else "never failed" if document.exit_code == 0 else "unknown"
        )
    return StoredFolder({**_common(document, now), "verdict": verdict}, {"findings": findings})


def _finding(arch: str, words: str, commit: str = "", subject: str = "") -> Row:
    return {
        "arch": clean(arch),
        "words": clean(words),
        "commit_id": clean(commit),
        "commit_subject": clean(subject),
    }


def _common(document: Outcome, now: datetime) -> Row:
    started = _moment(document.started)
    host = dict(getattr(document, "host", {}))
    kind = str(kind_of(document))
    identity = json.dumps([kind, document.id, document.started, sorted(host.items())])
    return {
        "identity": sha256(identity.encode()).hexdigest(),
        "kind": kind,
        "name": clean(document.id, 200),
        "started": _stamp(started),
        "at": _stamp(min(started, now)),
        "skewed": started > now + _SKEW,
        "imported": _stamp(now),
        "seconds": _number(document.seconds),
        "harness": clean(document.harness, 100),
        "host": clean(json.dumps(host)),
        "simulated": bool(getattr(document, "simulated", False)),
        "complete": document.complete,
        "headline": clean(document.headline),
        "exit_code": max(-1, min(document.exit_code, 255)),
        "about": clean(getattr(document, "run", ""), 200),
        **_subject(getattr(document, "subject", None)),
    }


def _subject(subject: Subject | None) -> Row:
    names = ("tree", "tree_version", "base_commit", "series", "series_title", "series_commit")
    row: Row = {name: clean(getattr(subject, name, ""), 500) for name in names}
    return {**row, "stand_in": bool(subject and subject.stand_in)}


def _moment(iso: str) -> datetime:
    try:
        moment = datetime.fromisoformat(iso)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise RowsError(f"'{clean(iso, 60)}' is not a time") from None


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ").zfill(20)


def _number(value: float | None) -> float | None:
    if value is None or not math.isfinite(value) or abs(value) > _BIGGEST:
        return None
    return float(value)


def _integer(value: int | None) -> int | None:
    return None if value is None or not 0 <= value < 2**31 else value


def _run(run: Run, now: datetime) -> StoredFolder:
    boots = {boot.id: boot for cell in run.cells for boot in cell.boots}
    details: dict[str, list[Row]] = {}
    for arch in run.arches:
        parts: dict[str, Iterable[Row]] = {
            "arches": [_arch(run, arch)],
            "tests": (_test(arch.arch, test, boots) for test in arch.tests),
            "measures": _measures(run, arch, boots),
            "measurements": (_measurement(arch, item, boots) for item in arch.measurements),
            "splats": (_splat(arch.arch, splat, boots) for splat in arch.splats),
        }
        for table, rows in parts.items():
            details.setdefault(table, []).extend({"arch": clean(arch.arch, 100), **row} for row in rows)
    return StoredFolder({**_common(run, now), "verdict": str(run.verdict)}, details)


def _arch(run: Run, arch: ArchComparison) -> Row:
    cells = {cell.variant: cell for cell in run.cells if cell.arch == arch.arch}
    cell = cells.get("series") or cells.get("base") or Cell(arch.arch, "series")
    first: Boot | None = cell.boots[0] if cell.boots else None
    known = first.capabilities if first else None
    return {
        "verdict": str(arch.verdict),
        "reasons": clean("; ".join(arch.reasons)),
        "tests": len(arch.tests),
        "exercised": sum(test.series.exercised for test in arch.tests),
        "failing": sum(test.series.status in _FAILING for test in arch.tests),
        "new_warnings": len(arch.new_warnings),
        "machines": clean(", ".join(dict.fromkeys(f"{b.machine} ({b.accelerator})" for b in cell.boots))),
        "release": clean(known.release if known else ""),
        "log": clean(first.log if first else ""),
        "build_log": clean(cell.build.log if cell.build else ""),
    }


def _place(tally: Tally, boots: Mapping[str, Boot]) -> tuple[str, int | None]:
    boot = boots.get(tally.boot or "")
    return (clean(boot.log) if boot else "", _integer(tally.lines.first) if tally.lines else None)


def _place_of(test: str, arch: ArchComparison, boots: Mapping[str, Boot]) -> tuple[str, int | None]:
    return next((_place(each.series, boots) for each in arch.tests if each.name == test), ("", None))


def _test(arch: str, test: Any, boots: Mapping[str, Boot]) -> Row:
    row: Row = {
        "name": clean(test.name, 300),
        "verdict": str(test.verdict),
        "reason": clean(test.reason),
        "known": clean(test.known_failure or test.known_gap),
    }
    for side, tally in (("base", test.base), ("series", test.series)):
        log, line = _place(tally, boots)
        row |= {
            f"{side}_status": str(tally.status),
            f"{side}_exercised": tally.exercised,
            f"{side}_runs": _integer(tally.runs) or 0,
            f"{side}_failures": _integer(tally.failures) or 0,
            f"{side}_seconds": _number(tally.seconds),
            f"{side}_log": log,
            f"{side}_line": line,
        }
    return row


def _measures(run: Run, arch: ArchComparison, boots: Mapping[str, Boot]) -> Iterator[Row]:
    yield from _counters(run, arch, boots)
    for item, reading in tracked(arch.measurements):
        log, line = _place_of(item.test, arch, boots)
        numbers = (reading.base, reading.series)
        yield _measure(item.measure, item.test, reading.name, reading.unit, *numbers, log, line)
    yield from _sizes(run, arch.arch)


def _measure(
    kind: str,
    test: str,
    what: str,
    unit: str,
    base: float | None,
    series: float | None,
    log: str,
    line: int | None,
) -> Row:
    return {
        "kind": clean(kind, 40),
        "test": clean(test, 300),
        "what": clean(what, 300),
        "unit": clean(unit, 8),
        "base": _number(base),
        "series": _number(series),
        "log": log,
        "line": line,
    }


def _counters(run: Run, arch: ArchComparison, boots: Mapping[str, Boot]) -> Iterator[Row]:
    """Of each test those that are its evidence, and those that the series claims something of."""
    evidence: Mapping[str, Sequence[Evidence]] = {plan.name: plan.evidence for plan in run.planned}
    claimed = claimed_counters(item.claim for item in arch.claims)
    for test in arch.tests:
        log, line = _place(test.series, boots)
        wanted = dict.fromkeys([*(proof.counter for proof in evidence.get(test.name, ())), *claimed])
        for counter in wanted:
            base, series = test.base.counters.get(counter), test.series.counters.get(counter)
            if base or series:
                before, after = base.delta if base else None, series.delta if series else None
                yield _measure("counter", test.name, counter, "", before, after, log, line)


def _sizes(run: Run, arch: str) -> Iterator[Row]:
    built = {
        cell.variant: cell.build for cell in run.cells if cell.arch == arch and cell.build and cell.build.ok
    }
    base, series = built.get("base"), built.get("series")
    log = clean(series.log if series else base.log if base else "")
    for what, name in (("kernel image", "image_bytes"), ("functions and variables", "symbol_bytes")):
        before, after = (getattr(build, name, 0) or None for build in (base, series))
        if before or after:
            yield _measure("size", "", what, "B", before, after, log, None)


def _measurement(arch: ArchComparison, item: Measurement, boots: Mapping[str, Boot]) -> Row:
    log, line = _place_of(item.test, arch, boots)
    quiet = item.verdict is Verdict.UNCHANGED or item.reason in item.conclusion
    return {
        "measure": clean(item.measure, 40),
        "subject": clean(item.subject, 200),
        "test": clean(item.test, 300),
        "verdict": str(item.verdict),
        "words": clean(item.conclusion if quiet else "; ".join(filter(None, (item.conclusion, item.reason)))),
        "base_marks": clean(item.base_marks),
        "series_marks": clean(item.series_marks),
        "log": log,
        "line": line,
    }


def _splat(arch: str, splat: Any, boots: Mapping[str, Boot]) -> Row:
    example: Splat = splat.example
    boot = next((boots[name] for name in (*splat.series_boots, *splat.base_boots) if name in boots), None)
    return {
        "signature": clean(splat.signature, 500),
        "kind": clean(example.kind, 40),
        "title": clean(splat.title, 500),
        "verdict": str(splat.verdict),
        "base_boots": len(splat.base_boots),
        "series_boots": len(splat.series_boots),
        "test": clean(example.test or "", 300),
        "excerpt": "\n".join(clean(line, 400) for line in example.excerpt)[:_LONGEST_EXCERPT],
        "log": clean(boot.log) if boot else "",
        "line": _integer(example.lines.first),
    }
