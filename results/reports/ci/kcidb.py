# SPDX-License-Identifier: GPL-2.0-only
"""A run as a KCIDB 5.3 report (https://docs.kernelci.org/components/kcidb/), for the owner of its origin.

KCIDB knows kernels and test runs, not comparisons: base and series are a checkout each, every run
of every test is a test of its build, and counters are tests with a `number`. What KCIDB has no
word for is in `misc`. A pass without evidence is DONE: it proves nothing about the kernel.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from results.compare.evidence import unmet_evidence
from results.compare.tally import boot_is_infrastructures
from results.journal.journal import Origin
from results.model.document import plain
from results.model.run import Boot, BootEnd, Build, Cell, Patch, Run, Splat, Status, TestResult
from results.reports.content import excerpt, lookup, measured, wording
from results.reports.content.finding import Finding
from results.reports.content.findings import findings

ORIGIN = "thp_harness"
VERSION = {"major": 5, "minor": 3}

_EXCERPT_CHARACTERS = 16384
_EXCERPT_LINES = 100
_LINE_CHARACTERS = 2000
_TAIL_LINES = 40
_COMMIT = re.compile(r"[0-9a-f]{40}")

_UNITS: Mapping[str, tuple[tuple[str, str], float]] = {
    "": (("", ""), 1),
    "%": (("%", ""), 1),
    "B": (("B", "binary"), 1),
    "ns": (("s", "metric"), 1e-9),
}
"""Unit and prefix of KCIDB's numbers, and what a number of ours is multiplied with."""

Node = dict[str, Any]


@dataclass(frozen=True)
class Submission:
    """What a report needs beyond its run."""

    run: Run
    run_dir: Path
    tree: Origin | None = None
    """Where the tree came from; None in runs of older versions of the program."""
    origin: str = ORIGIN
    """Name of the CI system, as KCIDB knows it."""
    url: str = ""
    """Address at which the run folder can be read; without one, logs are excerpts only."""

    def id(self, *parts: str) -> str:
        """Name a thing of this run."""
        return f"{self.origin}:{wording.visible('/'.join((self.run.id, *parts)))}"

    @cached_property
    def _findings(self) -> Mapping[tuple[str, str], Finding]:
        return {(finding.arch, finding.name): finding for finding in reversed(findings(self.run))}

    def finding(self, arch: str, name: str) -> Finding | None:
        """Return the finding of a test, or of the signature of a report of the kernel."""
        return self._findings.get((arch, name))

    def link(self, log: str) -> Node:
        """Say where a log can be read, if it can."""
        return {"log_url": f"{self.url.rstrip('/')}/{quote(log)}"} if self.url and log else {}


def to_kcidb(submission: Submission) -> str:
    """Write the report as one JSON document."""
    run = submission.run
    built = [cell for cell in run.cells if cell.build]
    issues, incidents = _splats(submission)
    report = {
        "version": VERSION,
        "checkouts": [_checkout(submission, variant) for variant in ("base", "series")],
        "builds": [_build(submission, cell, cell.build) for cell in built if cell.build],
        "tests": [test for cell in built for test in _tests(submission, cell)],
        "issues": issues,
        "incidents": incidents,
    }
    return json.dumps(plain(report), indent=2, allow_nan=False) + "\n"


def _checkout(of: Submission, variant: str) -> Node:
    subject = of.run.subject
    patches = [*subject.tree_fixes, *(subject.patches if variant == "series" else ())]
    return {
        "id": of.id(variant),
        "origin": of.origin,
        "tree_name": _text(subject.tree),
        "valid": True,
        "start_time": of.run.started,
        "comment": _text(
            f"{wording.series_name(subject)} on {subject.tree} {subject.tree_version}"
            if variant == "series"
            else f"{subject.tree} {subject.tree_version}"
        ),
        "git_commit_name": _text(subject.tree_version),
        **_revision(of, patches),
        **_introduction(of, variant),
        "misc": {
            "variant": variant,
            "commit": subject.series_commit if variant == "series" else subject.base_commit,
            "stand_in": subject.stand_in and variant == "series",
            "patches": [_text(patch.subject) for patch in patches],
        },
    }


def _revision(of: Submission, patches: Sequence[Patch]) -> Node:
    """The commit below all patches, and their sum: KCIDB takes the two for the name of what was tested.

    The commit of a Debian package is made by us, and the same everywhere. Without the sums (runs of
    older versions have none) there is no name, rather than one that base has, too.
    """
    subject, tree = of.run.subject, of.tree
    commit = tree.commit if tree else "" if subject.tree_fixes else subject.base_commit
    if not _COMMIT.fullmatch(commit) or not all(patch.sha256 for patch in patches):
        return {}
    node: Node = {"git_commit_hash": commit, **_patchset(patches)}
    if tree and re.fullmatch(r"https://[^\s\0]+", tree.url):
        node["git_repository_url"] = tree.url
    return node


def _patchset(patches: Sequence[Patch]) -> Node:
    """The sum of the sums of all patches, and where they are, if all of them are in an archive."""
    if not patches:
        return {"patchset_hash": ""}
    sums = "".join(f"{patch.sha256}\n" for patch in patches)
    node: Node = {"patchset_hash": hashlib.sha256(sums.encode()).hexdigest()}
    if all(patch.url for patch in patches):
        node["patchset_files"] = [
            {"name": f"{number:04}.patch", "url": patch.url} for number, patch in enumerate(patches, 1)
        ]
    return node


def _introduction(of: Submission, variant: str) -> Node:
    letter = of.run.subject.letter
    return {"message_id": letter.message_id} if letter and letter.message_id and variant == "series" else {}


def _build(of: Submission, cell: Cell, build: Build) -> Node:
    failed = Status.MISS if build.error_is_infrastructure else Status.FAIL
    error = [] if build.ok else [*build.error.splitlines(), *_tail(of, build.log)]
    node = {
        "checkout_id": of.id(cell.variant),
        "id": of.id(cell.arch, cell.variant),
        "origin": of.origin,
        "architecture": _architecture(cell.arch),
        "compiler": _text(build.compiler),
        "config_name": _text(build.configuration),
        "command": _text("\n".join(build.commands)),
        **_duration(build.seconds),
        "status": Status.PASS if build.ok else failed,
        "log_excerpt": _excerpt(error),
        **of.link(build.log),
        "misc": {
            "arch": cell.arch,
            "variant": cell.variant,
            "commit": build.commit,
            "cached": build.cached,
            "image_sha256": build.image_sha256,
            "image_bytes": build.image_bytes,
            "warnings": len(build.warnings),
            "log": build.log,
        },
    }
    return {key: item for key, item in node.items() if item != ""}


def _tests(of: Submission, cell: Cell) -> Iterator[Node]:
    """Every boot, every test in it, and what was counted and measured."""
    for boot in cell.boots:
        yield _boot(of, cell, boot)
        for result in boot.tests:
            if result.lines is not None or boot.end is not BootEnd.DONE:
                yield _test(of, cell, boot, result)
                yield from _counters(of, cell, boot, result)
    yield from _measurements(of, cell)


def _run_of(of: Submission, cell: Cell, boot: Boot, name: str, path: str) -> Node:
    """What all test objects of a boot have; equal images are booted once, and said to be."""
    node: Node = {
        "build_id": of.id(cell.arch, cell.variant),
        "id": of.id(cell.arch, cell.variant, boot.id, name),
        "origin": of.origin,
        "path": _path(path),
        "environment": {"comment": _text(f"{boot.machine}, {boot.accelerator}")},
        "misc": {"boot": boot.id},
    }
    if cell.boots_of:
        node["comment"] = f"booted as {cell.boots_of}: its kernel is the same bytes"
    return node


def _boot(of: Submission, cell: Cell, boot: Boot) -> Node:
    node = _run_of(of, cell, boot, "boot", "boot")
    status = Status.FAIL if boot.end.is_kernels else Status.PASS
    node["status"] = Status.MISS if boot_is_infrastructures(boot) else status
    node |= _duration(boot.seconds) | of.link(boot.log)
    if boot.end is not BootEnd.DONE:
        node["log_excerpt"] = _excerpt([f"{boot.end}: {boot.detail}", *_tail(of, boot.log)])
    node["misc"] |= {"purpose": boot.purpose, "end": boot.end, "detail": _text(boot.detail), "log": boot.log}
    return node


def _test(of: Submission, cell: Cell, boot: Boot, result: TestResult) -> Node:
    node = _run_of(of, cell, boot, result.name, result.name)
    unproven = result.status is Status.PASS and _unproven(of.run, result)
    node["status"] = Status.DONE if unproven else result.status
    node |= _duration(result.seconds) | of.link(boot.log)
    if result.output or result.reason:
        node["log_excerpt"] = _excerpt([*filter(None, [result.reason]), *result.output])
    reason = f"passed without evidence: {unproven}" if unproven else result.reason
    node["misc"] |= {
        "reason": _text(reason),
        "log": wording.place(boot.log, result.lines),
        **_judged(of, cell, result.name),
    }
    return node


def _unproven(run: Run, result: TestResult) -> str | None:
    planned = next((test for test in run.planned if test.name == result.name), None)
    return unmet_evidence(result.counters, planned) if planned else None


def _judged(of: Submission, cell: Cell, name: str) -> Node:
    """The verdict on the series, which KCIDB could only guess from single runs."""
    if cell.variant == "base":
        return {}
    tests = [(arch, test) for arch in of.run.arches if arch.arch == cell.arch for test in arch.tests]
    found = next((measured.worst(arch, test) for arch, test in tests if test.name == name), None)
    if found is None:
        return {}
    finding = of.finding(cell.arch, name)
    return {
        "verdict": found.verdict,
        "verdict_reason": _text(found.reason),
        **({"finding": _finding(finding)} if finding else {}),
    }


def _finding(finding: Finding) -> Node:
    return {
        "title": _text(finding.title),
        **{name.replace(" ", "_"): _text(value) for name, value in finding.facts},
        "command": _text(finding.command),
    }


def _counters(of: Submission, cell: Cell, boot: Boot, result: TestResult) -> Iterator[Node]:
    """Changes of the counters that the run is about; one that the kernel lacks has no number."""
    if result.status in (Status.SKIP, Status.MISS):
        return
    for counter in lookup.wanted_counters(of.run):
        change = result.counters.get(counter)
        if change is not None and change.delta is not None:
            name = f"{result.name}.{counter}"
            yield _run_of(of, cell, boot, name, name) | _number(change.delta)


def _measurements(of: Submission, cell: Cell) -> Iterator[Node]:
    items = (item for arch in of.run.arches if arch.arch == cell.arch for item in arch.measurements)
    for item, reading in measured.tracked(items):
        value = reading.base if cell.variant == "base" else reading.series
        if value is not None:
            unit, size = _UNITS[reading.unit]
            yield from _measured(of, cell, item.test, reading.name, _number(value * size, *unit))


def _measured(of: Submission, cell: Cell, test: str, what: str, number: Node) -> Iterator[Node]:
    boot = next((boot for boot in cell.boots if any(result.name == test for result in boot.tests)), None)
    if boot is not None:
        name = f"{test}.{re.sub(r'[^A-Za-z0-9]+', '_', what)}"
        yield _run_of(of, cell, boot, name, name) | number


def _duration(seconds: float | None) -> Node:
    """Seconds, if they make sense."""
    return {"duration": seconds} if seconds is not None and 0 <= seconds < math.inf else {}


def _number(value: float, unit: str = "", prefix: str = "") -> Node:
    number = {"value": value, "unit": unit, "prefix": prefix}
    return {"status": Status.DONE, "number": {key: item for key, item in number.items() if item != ""}}


def _splats(of: Submission) -> tuple[list[Node], list[Node]]:
    """Every error report of a kernel is an issue by its signature, and an incident where it was seen."""
    issues: dict[str, Node] = {}
    incidents = []
    for cell in of.run.cells:
        for boot in cell.boots if cell.build else ():
            for number, splat in enumerate(boot.splats, 1):
                issue = _issue(of, splat, of.finding(cell.arch, splat.signature))
                issues[issue["id"]] = issue
                incidents.append(
                    {
                        "id": of.id(cell.arch, cell.variant, boot.id, f"splat-{number}"),
                        "origin": of.origin,
                        "issue_id": issue["id"],
                        "issue_version": issue["version"],
                        "build_id": of.id(cell.arch, cell.variant),
                        "test_id": of.id(cell.arch, cell.variant, boot.id, "boot"),
                        "present": True,
                        "comment": _text(f"{splat.title} ({wording.place(boot.log, splat.lines)})"),
                    }
                )
    return list(issues.values()), incidents


def _issue(of: Submission, splat: Splat, finding: Finding | None) -> Node:
    return {
        "id": f"{of.origin}:{wording.visible(excerpt.cut_line(splat.signature))}",
        "version": 1,
        "origin": of.origin,
        "report_subject": _text(splat.title),
        "culprit": {"code": True},
        "misc": {"kind": _text(splat.kind), **({"finding": _finding(finding)} if finding else {})},
    }


def _architecture(arch: str) -> str:
    """The kernel's architecture; the mode in our names is part of the configuration's."""
    return re.sub(r"[^a-z0-9_]", "_", arch.partition("-")[0].lower())


def _path(name: str) -> str:
    parts = (re.sub(r"[^a-zA-Z0-9_-]", "_", part) for part in name.split("."))
    return ".".join(filter(None, parts))


def _text(text: str) -> str:
    return "\n".join(wording.visible(excerpt.cut_line(line, _LINE_CHARACTERS)) for line in text.split("\n"))


def _tail(of: Submission, log: str) -> list[str]:
    return [line for _, line in excerpt.read_tail(of.run_dir, log, _TAIL_LINES) or ()]


def _excerpt(lines: Sequence[str]) -> str:
    shown = "\n".join(_text(line) for line in excerpt.shorten(lines, _EXCERPT_LINES))
    return shown[-_EXCERPT_CHARACTERS:]
