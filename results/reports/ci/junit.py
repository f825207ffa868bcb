# SPDX-License-Identifier: GPL-2.0-only
"""A run as a JUnit file, laid out as GitLab and Jenkins read it.

One suite per architecture, one case per test: the comparison of both kernels, not each kernel's
own result, because a reader of CI wants to know what the series changed. Classes are
`ARCH.SUITE`, and `ARCH.kernel` for builds, boots, splats, claims and warnings. Names never hold
counts or ids that differ from run to run: both programs follow a case's history by its name.
Both take `[[ATTACHMENT|path]]` in an output for an order to publish that file, so a guest can't print it.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

from junit_xml import TestCase, TestSuite, to_xml_report_string

from results.model.run import (
    ArchComparison,
    Boot,
    BootEnd,
    Build,
    Cell,
    ClaimComparison,
    Run,
    SplatComparison,
    Tally,
    TestComparison,
    Verdict,
)
from results.reports.content import excerpt, lookup, measured, wording

_OUTPUT_LINES = 200
"""Lines of a test's output that are kept of each kernel; GitLab refuses files that grow too big."""

_MESSAGE_CHARACTERS = 2000
_ATTACHMENT = "[[ATTACHMENT|"

_FAILURES = (Verdict.REGRESSION, Verdict.FLAKY, Verdict.FAILS_ON_BOTH)
_SKIPPED = (Verdict.NOT_EXERCISED, Verdict.UNSUPPORTED)


def to_junit(run: Run) -> str:
    """Write the comparison of a run as JUnit XML."""
    suites = [_run_suite(run), *(_suite(run, arch) for arch in run.arches)]
    return _as_read(to_xml_report_string(suites, prettyprint=False))


def _as_read(report: str) -> str:
    """Keep to what the schema of Jenkins' xunit plugin allows (junit-10.xsd): no `disabled`, short times."""
    root = ElementTree.fromstring(report)
    for element in root.iter():
        element.attrib.pop("disabled", None)
        if "time" in element.attrib:
            element.set("time", f"{float(element.attrib['time']):.3f}")
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _run_suite(run: Run) -> TestSuite:
    """Give the run's own verdict a case, so that an unfinished run never looks green."""
    case = _case("run", "verdict", run.seconds)
    if not run.complete:
        _judge(case, Verdict.INFRASTRUCTURE, wording.unfinished("run"), [run.headline])
    elif run.exit_code:
        _judge(case, run.verdict, run.headline)
    return TestSuite("run", [case], timestamp=run.started)


def _suite(run: Run, arch: ArchComparison) -> TestSuite:
    cases = [*(_test_case(run, arch, test) for test in arch.tests), *_kernel_cases(run, arch)]
    return TestSuite(arch.arch, cases, timestamp=run.started, properties=_properties(run, arch))


def _properties(run: Run, arch: ArchComparison) -> dict[str, str]:
    subject = run.subject
    properties = {
        "run": run.id,
        "tree": f"{subject.tree} {subject.tree_version}",
        "base": subject.base_commit,
        "series": wording.series_name(subject),
        "series commit": subject.series_commit,
        "verdict": str(arch.verdict),
        "headline": run.headline,
        "complete": "yes" if run.complete else "no",
    }
    return {key: _short(value) for key, value in properties.items()}


def _test_case(run: Run, arch: ArchComparison, test: TestComparison) -> TestCase:
    """Judge a test by its result or by the numbers that it printed, whichever is worse."""
    suite, _, name = test.name.rpartition(".")
    case = _case(f"{arch.arch}.{suite or 'tests'}", name, test.series.seconds)
    kernels = (("base", test.base), ("series", test.series))
    case.stdout = "\n".join(line for kernel in kernels for line in _output(run, test.name, *kernel))
    items = [item for item in arch.measurements if item.test == test.name]
    numbers = [
        f"{reading.name}: {measured.pair(item, reading.name)}" for item in items for reading in item.readings
    ]
    case.stdout = _lines([case.stdout, *numbers]) if numbers else case.stdout
    said = [f"{variant}: {tally.status} {tally.reason}".rstrip() for variant, tally in kernels]
    said += [words for item in items for words in dict.fromkeys((item.reason, item.conclusion)) if words]
    worst = measured.worst(arch, test)
    if test.known_failure and worst is test:
        case.add_skipped_info(_message("known failure", test.known_failure), _lines([worst.reason, *said]))
        return case
    _judge(case, worst.verdict, worst.reason, said)
    return case


def _output(run: Run, name: str, variant: str, tally: Tally) -> Iterator[str]:
    boot = lookup.boot_of(run, tally.boot)
    result = lookup.result_of(run, name, tally)
    where = wording.place(boot.log, tally.lines) if boot else "no boot"
    yield wording.visible(f"=== {variant}: {tally.status} ({where}) ===")
    if result is not None:
        yield from map(_harmless, excerpt.shorten(result.output, _OUTPUT_LINES))


def _kernel_cases(run: Run, arch: ArchComparison) -> Iterator[TestCase]:
    for variant, cell in lookup.cells_of(run, arch.arch).items():
        yield _build_case(arch, variant, cell.build if cell else None)
        yield _boot_case(arch, variant, cell)
    yield _warnings_case(run, arch)
    yield from (_claim_case(arch, claim) for claim in arch.claims)
    yield from (_splat_case(run, arch, splat) for splat in arch.splats)


def _build_case(arch: ArchComparison, variant: str, build: Build | None) -> TestCase:
    case = _kernel_case(arch, f"{variant} builds", build.seconds if build else None)
    case.stdout = _lines([build.log]) if build and build.log else ""
    if build is None:
        _judge(case, Verdict.NOT_EXERCISED, "not built")
    elif not build.ok and build.error_is_infrastructure:
        _judge(case, Verdict.INFRASTRUCTURE, "the build could not be done", [build.error])
    elif not build.ok:
        _fail(case, "build", "the kernel does not build", [build.error])
    return case


def _boot_case(arch: ArchComparison, variant: str, cell: Cell | None) -> TestCase:
    """Judge all boots of a kernel as one; a machine that failed counts only if no later boot did better."""
    boots = cell.boots if cell else ()
    case = _kernel_case(arch, f"{variant} boots", sum(boot.seconds for boot in boots))
    said = [_boot_words(boot) for boot in boots]
    case.stdout = _lines(said)
    died = [boot for boot in boots if boot.end.is_kernels]
    if not boots:
        _judge(case, Verdict.NOT_EXERCISED, "not booted")
    elif died:
        _fail(case, str(died[0].end), died[0].detail, said)
    elif boots[-1].end is BootEnd.MACHINE:
        _judge(case, Verdict.INFRASTRUCTURE, boots[-1].detail, said)
    return case


def _boot_words(boot: Boot) -> str:
    return f"{boot.id} ({boot.purpose}): {boot.end}: {boot.detail} ({boot.log})"


def _warnings_case(run: Run, arch: ArchComparison) -> TestCase:
    case = _kernel_case(arch, "no new compiler warnings")
    cells = lookup.cells_of(run, arch.arch)
    if not all(cell and cell.build and cell.build.ok for cell in cells.values()):
        _judge(case, Verdict.NOT_EXERCISED, "not both kernels were built")
    elif arch.new_warnings:
        said = [f"{warning.file}:{warning.line}: {warning.text}" for warning in arch.new_warnings]
        _fail(case, "warning", wording.count(len(said), "new compiler warning"), said)
    return case


def _claim_case(arch: ArchComparison, item: ClaimComparison) -> TestCase:
    case = _kernel_case(arch, f"claim {item.claim.counter}")
    said = [
        f"claimed: {item.claim.said}",
        f"seen: base {item.base_seen}, series {item.series_seen}",
    ]
    case.stdout = _lines(said)
    _judge(case, item.verdict, item.reason, said)
    return case


def _splat_case(run: Run, arch: ArchComparison, item: SplatComparison) -> TestCase:
    case = _kernel_case(arch, f"splat {item.signature}")
    places = [wording.place(boot.log, splat.lines) for boot, splat in lookup.sightings(run, item)]
    _judge(case, item.verdict, item.title, [*places, *excerpt.shorten(item.example.excerpt, _OUTPUT_LINES)])
    return case


def _kernel_case(arch: ArchComparison, name: str, seconds: float | None = None) -> TestCase:
    return _case(f"{arch.arch}.kernel", name, seconds)


def _case(classname: str, name: str, seconds: float | None) -> TestCase:
    elapsed = seconds if seconds is not None and 0 <= seconds < float("inf") else None
    return TestCase(_short(name), wording.visible(classname), elapsed_sec=elapsed)


def _judge(case: TestCase, verdict: Verdict, reason: str, said: list[str] | None = None) -> None:
    """Turn a verdict into what JUnit has for it; only exercised passes stay plain passes."""
    if verdict in _FAILURES:
        _fail(case, str(verdict), reason, said or [])
    elif verdict is Verdict.INFRASTRUCTURE:
        case.add_error_info(_message(verdict, reason), _lines(said or []), str(verdict))
    elif verdict in _SKIPPED:
        case.add_skipped_info(_message(verdict, reason), _lines(said or []))


def _fail(case: TestCase, kind: str, reason: str, said: list[str]) -> None:
    case.add_failure_info(_message(kind, reason), _lines(said), kind)


def _message(kind: str, reason: str) -> str:
    return _short(f"{kind}: {reason}" if reason else kind)


def _short(text: str) -> str:
    return _harmless(excerpt.cut_line(text, _MESSAGE_CHARACTERS))


def _harmless(text: str) -> str:
    return wording.visible(text).replace(_ATTACHMENT, "[ [ATTACHMENT|")


def _lines(lines: list[str]) -> str:
    """Join lines that a guest or a compiler may have written."""
    return "\n".join(_harmless(excerpt.cut_line(part)) for line in lines for part in line.split("\n"))
