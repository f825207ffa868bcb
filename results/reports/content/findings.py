# SPDX-License-Identifier: GPL-2.0-only
"""The findings of a run, worst first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from results.compare.measures.measure import says_more
from results.compare.measures.registry import measured_reason
from results.compare.reason import VERBS
from results.compare.tally import guest_died_in
from results.model.run import (
    SEVERITY,
    ArchComparison,
    Boot,
    Build,
    Cell,
    LeafComparison,
    Measurement,
    Run,
    SplatComparison,
    Status,
    Tally,
    TestComparison,
    Verdict,
)
from results.reports.content import lookup, wording
from results.reports.content.finding import Finding, FindingKind, reproducing
from results.reports.content.folds import was_booted
from results.text import first_line

BAD = (Verdict.REGRESSION, Verdict.INFRASTRUCTURE, Verdict.FLAKY, Verdict.FAILS_ON_BOTH)
_KINDS = {kind: rank for rank, kind in enumerate(FindingKind)}
_WHERE = {"base": "on base", "series": "with the series"}


def findings(run: Run) -> list[Finding]:
    """Everything that went wrong, worst first; what a known failure excuses comes last."""
    found = [finding for arch in run.arches for finding in _of_arch(run, arch)]
    told = run.introduced
    return sorted(
        (replace(one, introduced=told[one.address]) if one.address in told else one for one in found),
        key=lambda finding: (bool(finding.excused), -SEVERITY[finding.verdict], _KINDS[finding.kind]),
    )


def _of_arch(run: Run, arch: ArchComparison) -> Iterator[Finding]:
    found = [
        *(_of_build(run, arch, cell, cell.build) for cell in _cells(run, arch) if _is_broken(cell)),
        *(each for cell in _cells(run, arch) for each in _of_boots(run, arch, cell)),
        *(_of_splat(run, arch, splat) for splat in arch.splats if splat.verdict in BAD),
        *_of_tests(run, arch),
        *_of_measures(run, arch),
        *_of_claims(run, arch),
        *_of_warnings(run, arch),
    ]
    yield from found
    is_told = any(finding.verdict is arch.verdict for finding in found)
    if arch.verdict in BAD and not is_told and was_booted(run, arch):
        yield _finding(run, arch, FindingKind.OTHER, arch.verdict, arch.arch, "; ".join(arch.reasons[:1]))


def _finding(
    run: Run,
    arch: ArchComparison,
    kind: FindingKind,
    verdict: Verdict,
    name: str,
    title: str,
    variant: str = "series",
) -> Finding:
    cell = lookup.cell_of(run, arch.arch, variant)
    profile = cell.build.configuration if cell and cell.build else ""
    return Finding(kind, verdict, arch.arch, name, title, profile=profile)


def _cells(run: Run, arch: ArchComparison) -> list[Cell]:
    return [cell for cell in run.cells if cell.arch == arch.arch]


def _is_broken(cell: Cell) -> bool:
    return cell.build is not None and not cell.build.ok


def _of_build(run: Run, arch: ArchComparison, cell: Cell, build: Build | None) -> Finding:
    assert build is not None
    who = "the series" if cell.variant == "series" else cell.variant
    title = f"{who} could not be built" if build.error_is_infrastructure else f"{who} does not build"
    verdict = Verdict.INFRASTRUCTURE if build.error_is_infrastructure else _blame(arch, cell)
    finding = _finding(run, arch, FindingKind.BUILD, verdict, f"build {cell.variant}", title, cell.variant)
    lines = [line for line in build.error.splitlines() if line.strip()]
    return replace(
        finding,
        reason=first_line(build.error),
        said=tuple(lines[:8]),
        log=build.log,
        command=reproducing(run.id, f"{arch.arch}/{cell.variant}", boots=False),
    )


def _of_boots(run: Run, arch: ArchComparison, cell: Cell) -> Iterator[Finding]:
    """Boots that the kernel ended, and no test or report of the kernel is told for; by the way they ended."""
    told = {boot for splat in arch.splats if splat.verdict in BAD for boot in splat.series_boots}
    bad = [test for test in arch.tests if test.verdict in BAD]
    told |= {tally.boot or "" for test in bad for tally in (test.base, test.series)}
    ends: dict[str, list[Boot]] = {}
    for boot in () if cell.boots_of else cell.boots:
        in_test = any(guest_died_in(boot, result) for result in boot.tests)
        if boot.end.is_kernels and not (boot.id in told and (in_test or boot.splats)):
            ends.setdefault(str(boot.end), []).append(boot)
    for end, boots in ends.items():
        where = _WHERE.get(cell.variant, cell.variant)
        finding = _finding(
            run, arch, FindingKind.BOOT, _blame(arch, cell), f"boot {cell.variant} {end}",
            f"{end} {where}", cell.variant,
        )  # fmt: skip
        yield replace(
            finding,
            reason=boots[0].detail,
            rate=f"{len(boots)} of {wording.count(len(cell.boots), 'boot')} {where}",
            log=boots[0].log,
            command=reproducing(run.id, f"{arch.arch}/{cell.variant}"),
        )


def _blame(arch: ArchComparison, cell: Cell) -> Verdict:
    """Judge the end of a kernel by the architecture's verdict, which considers base and repetitions."""
    if cell.variant == "series" and arch.verdict is Verdict.REGRESSION:
        return Verdict.REGRESSION
    return arch.verdict if arch.verdict in BAD[1:] else Verdict.FAILS_ON_BOTH


def _of_splat(run: Run, arch: ArchComparison, splat: SplatComparison) -> Finding:
    seen = lookup.sightings(run, splat)
    log, lines = (seen[-1][0].log, seen[-1][1].lines) if seen else ("", None)
    cells = lookup.cells_of(run, arch.arch)
    rates = []
    for boots, variant in ((splat.series_boots, "series"), (splat.base_boots, "base")):
        cell = cells[variant]
        total = max(len(cell.boots) if cell else 0, len(boots))
        rates.append(f"{len(boots)} of {wording.count(total, 'boot')} {_WHERE[variant]}")
    finding = _finding(run, arch, FindingKind.SPLAT, splat.verdict, splat.signature, splat.title)
    reason = "" if splat.reason == "only with the series" else splat.reason
    return replace(
        finding,
        reason=f"while {splat.example.test} ran" if splat.example.test and not reason else reason,
        rate=", ".join(rates),
        log=log,
        lines=lines,
        said=() if seen else splat.example.excerpt,
        command=reproducing(run.id, f"{arch.arch}/series", splat.example.test or ""),
    )


def _of_tests(run: Run, arch: ArchComparison) -> Iterator[Finding]:
    """Tests that went wrong; those that never ran for one reason are one finding."""
    silent: dict[tuple[Verdict, str, str], list[TestComparison]] = {}
    for test in arch.tests:
        if test.verdict not in BAD:
            continue
        if _ran(test):
            yield _of_test(run, arch, test)
        elif was_booted(run, arch):
            silent.setdefault((test.verdict, test.reason, test.known_failure), []).append(test)
    for (verdict, reason, known), tests in silent.items():
        if len(tests) == 1:
            yield _of_test(run, arch, tests[0])
            continue
        title = f"{len(tests)} tests {VERBS[verdict][1]}"
        finding = _finding(run, arch, FindingKind.TEST, verdict, reason, title)
        names = ", ".join(test.name for test in tests)
        yield replace(
            finding,
            reason=f"{reason} ({names})",
            excused=known,
            command=reproducing(run.id, f"{arch.arch}/series"),
        )


def _ran(test: TestComparison) -> bool:
    sides = (test.base, test.series)
    return any(tally.boot is not None and tally.status is not Status.MISS for tally in sides)


def _of_test(run: Run, arch: ArchComparison, test: TestComparison) -> Finding:
    tally = _telling(test)
    variant = "base" if tally is test.base else "series"
    boot = lookup.boot_of(run, tally.boot)
    said = tally.reason if tally.reason and tally.reason not in test.reason else ""
    finding = _finding(run, arch, FindingKind.TEST, test.verdict, test.name, _title(test), variant)
    return replace(
        finding,
        reason=_measured_reason(arch, test) or (f"{test.reason}: {said}" if said else test.reason),
        rate=_rate(test) if _ran(test) else "",
        log=boot.log if boot else "",
        lines=tally.lines,
        command=reproducing(run.id, f"{arch.arch}/{variant}", test.name),
        excused=test.known_failure,
    )


def _title(test: TestComparison) -> str:
    one, many = VERBS[test.verdict]
    leaves = failing_leaves(test)
    if not leaves:
        return f"{test.name} {one}"
    verb = one if len(leaves) == 1 else many
    return f"{wording.count(len(leaves), 'subtest')} of {test.name} {verb}"


def failing_leaves(test: TestComparison) -> list[LeafComparison]:
    """Return the named subtests that make the verdict of a test."""
    return [
        leaf for leaf in test.leaves if leaf.verdict is test.verdict and leaf.name and not leaf.known_failure
    ]


def _telling(test: TestComparison) -> Tally:
    """The kernel on which it went wrong; the series, if on both."""
    well = (Status.PASS, Status.SKIP)
    return test.base if test.series.status in well and test.base.status not in well else test.series


def _rate(test: TestComparison) -> str:
    sides = ((test.series, "with the series"), (test.base, "on base"))
    return ", ".join(
        f"{tally.failures} of {wording.count(tally.runs, 'run')} {where}"
        for tally, where in sides
        if tally.runs
    )


def _measured_reason(arch: ArchComparison, test: TestComparison) -> str:
    """What a test measured explains more than its status."""
    for item in arch.measurements:
        if item.test == test.name and item.verdict in BAD and says_more(item, test):
            return measured_reason(item).text
    return ""


def _of_measures(run: Run, arch: ArchComparison) -> Iterator[Finding]:
    """What a test measured, unless it is told of the test itself."""
    tests = {test.name: test for test in arch.tests}
    for item in arch.measurements:
        test = tests.get(item.test)
        if item.verdict in BAD and (test is None or test.verdict not in BAD):
            yield _of_measure(run, arch, item, test)


def _of_measure(run: Run, arch: ArchComparison, item: Measurement, test: TestComparison | None) -> Finding:
    boot = lookup.boot_of(run, test.series.boot) if test else None
    title = f"{item.test} {VERBS[item.verdict][0]}"
    finding = _finding(run, arch, FindingKind.MEASURE, item.verdict, item.test, title)
    return replace(
        finding,
        reason=measured_reason(item).text,
        log=boot.log if boot else "",
        lines=test.series.lines if test else None,
        command=reproducing(run.id, f"{arch.arch}/series", item.test),
    )


def _of_claims(run: Run, arch: ArchComparison) -> Iterator[Finding]:
    for item in arch.claims:
        if item.verdict in BAD and was_booted(run, arch):
            counter = item.claim.counter
            finding = _finding(
                run, arch, FindingKind.CLAIM, item.verdict, counter, f"claim on {counter} does not hold"
            )
            yield replace(finding, reason=item.reason, command=reproducing(run.id, f"{arch.arch}/series"))


def _of_warnings(run: Run, arch: ArchComparison) -> Iterator[Finding]:
    if arch.new_warnings:
        first = arch.new_warnings[0]
        title = wording.count(len(arch.new_warnings), "new compiler warning")
        cell = lookup.cell_of(run, arch.arch, "series")
        finding = _finding(run, arch, FindingKind.WARNING, Verdict.REGRESSION, "warnings", title)
        yield replace(
            finding,
            reason=f"{first.file}:{first.line}: {first.text}",
            log=cell.build.log if cell and cell.build else "",
            said=tuple(f"{each.file}:{each.line}: {each.text}" for each in arch.new_warnings),
            command=reproducing(run.id, f"{arch.arch}/series", boots=False),
        )
