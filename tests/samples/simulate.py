# SPDX-License-Identifier: GPL-2.0-only
"""Earlier nights, made up from one real run: to show and try the dashboard before there is a history.

Nothing here was ever booted. A made-up run says so in `simulated`, in its name, its headline, the title of
its series, and every line of its logs. The story is always the same:

- a test breaks with the series on one architecture after the first third of the nights, and is mended after
  the second; while it is broken the kernel also reports a warning;
- another test fails now and then on another architecture from the middle on;
- a third fails on both kernels, everywhere, in the last two nights;
- in one night an architecture's machine fails, and in two nights a test is missing;
- every time is a tenth shorter, and every page-table cost a fifth lower, before the middle than after it.

The same template and seed always give the same nights. `python -m tests.samples.simulate RUN` writes those
before a run into the state folder, and imports them into the store of results.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random

from harness.commands.results_store import opened, store_address
from harness.core.workspace import from_environment
from results.model.document import from_json, to_json
from results.model.run import (
    SEVERITY,
    ArchComparison,
    Boot,
    Cell,
    LineRange,
    Reading,
    Run,
    Splat,
    SplatComparison,
    Status,
    Tally,
    TestComparison,
    Verdict,
)

MARK = "[simulated]"
_NOISE = 0.015
_LINES_EACH = 3
_HEAD_LINES = 2


def simulate(template: Run, nights: int, seed: int) -> Iterator[Run]:
    """Make up the nights before a run, the oldest first.

    Raises:
        ValueError: if the run compared nothing, so that there is nothing to tell a story of.
    """
    if not any(arch.tests for arch in template.arches):
        raise ValueError("the run compared no test")
    for place in range(nights):
        yield _Teller(template, nights, place, Random(f"{seed} {place}")).run()


def write_simulated(run: Run, home: Path) -> Path:
    """Write a made-up run's folder: its results, and logs that have what its results point at.

    Raises:
        OSError: if it can't be written.
    """
    folder = home / run.id
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    for boot in (boot for cell in run.cells for boot in cell.boots):
        (folder / boot.log).write_text("".join(f"{line}\n" for line in _log(run, boot)), errors="replace")
    (folder / "results.json").write_text(to_json(run), encoding="utf-8")
    return folder


def _log(run: Run, boot: Boot) -> Iterator[str]:
    yield f"{MARK} no kernel was booted for this log"
    yield f"{MARK} {boot.id}, {boot.detail}"
    arch = next(arch for arch in run.arches if boot.id.startswith(f"{arch.arch}-"))
    for test in arch.tests:
        tally = test.series if "-series-" in boot.id else test.base
        yield f"{MARK} start {test.name}"
        yield f"{MARK} {tally.reason or 'it ran'}"
        yield f"{MARK} end {test.name} {tally.status}"
    for splat in arch.splats:
        if boot.id in (*splat.base_boots, *splat.series_boots):
            yield from splat.example.excerpt


class _Teller:
    """Tells one night."""

    def __init__(self, template: Run, nights: int, place: int, random: Random) -> None:
        self.template, self.nights, self.place, self.random = template, nights, place, random
        third = max(1, nights // 3)
        self.broken = third <= place < 2 * third
        self.flaking = place >= nights // 2 and place % 3 == 1
        self.torn = place >= nights - 2
        self.dead = place == nights // 4
        self.missing = place in (nights // 5, nights // 5 + 1)
        arches = [arch for arch in template.arches if arch.tests]
        self.first, self.second = arches[0].arch, arches[-1].arch

    def run(self) -> Run:
        """The whole night."""
        template = self.template
        at = _moment(template.started) - timedelta(days=self.nights - self.place)
        at += timedelta(minutes=self.random.randrange(40))
        arches = tuple(self._arch(arch) for arch in template.arches)
        verdict = max((arch.verdict for arch in arches), key=SEVERITY.__getitem__)
        subject = replace(
            template.subject,
            base_commit=self._commit("base"),
            series_commit=self._commit("series"),
            series_title=f"{template.subject.series_title or template.subject.series} {MARK}",
        )
        return replace(
            template,
            id=f"{at:%Y%m%d-%H%M%S}-simulated",
            started=at.isoformat(),
            seconds=round(template.seconds * self.random.uniform(0.9, 1.1), 1),
            host={"simulated": "no machine was behind this run"},
            command=(),
            subject=subject,
            cells=tuple(map(self._cell, template.cells)),
            arches=arches,
            verdict=verdict,
            headline=f"{MARK} {_headline(arches, verdict)}",
            exit_code={Verdict.REGRESSION: 1, Verdict.UNCHANGED: 0}.get(verdict, 3),
            complete=True,
            simulated=True,
        )

    def _commit(self, what: str) -> str:
        # A new commit of the tree every third night, as a calm tree has it.
        return sha256(f"{MARK} {what} {self.place // 3}".encode()).hexdigest()[:40]

    def _cell(self, cell: Cell) -> Cell:
        build = replace(cell.build, commands=(), warnings=(), log="") if cell.build else None
        name = f"{cell.arch}-{cell.variant}-1"
        boots = tuple(
            replace(
                boot, id=name, log=f"logs/{name}.log", detail=f"{MARK} all tests ran", command=(), tests=(),
                splats=(), notes=(MARK,),
            )
            for boot in cell.boots[:1]
        )  # fmt: skip
        return replace(cell, build=build, boots=boots)

    def _arch(self, arch: ArchComparison) -> ArchComparison:
        tests = tuple(self._test(arch.arch, place, test) for place, test in enumerate(arch.tests))
        splats = self._splats(arch.arch, len(tests))
        worst = [test for test in tests if not (test.known_gap or test.known_failure)]
        verdicts = [test.verdict for test in worst] + [splat.verdict for splat in splats]
        verdict = max(verdicts, key=SEVERITY.__getitem__, default=Verdict.UNCHANGED)
        told = [f"{test.name}: {test.reason}" for test in worst if test.verdict not in _QUIET]
        return replace(
            arch,
            verdict=verdict,
            reasons=tuple(told[:5]),
            tests=tests,
            splats=splats,
            new_warnings=(),
            measurements=tuple(
                replace(one, readings=tuple(self._reading(each) for each in one.readings))
                for one in arch.measurements
            ),
            notes=(),
        )

    def _test(self, arch: str, place: int, test: TestComparison) -> TestComparison:
        test = replace(
            test,
            base=self._tally(arch, "base", place, test.base),
            series=self._tally(arch, "series", place, test.series),
        )
        if self.dead and arch == self.second:
            return _turned(
                test, Verdict.INFRASTRUCTURE, Status.MISS, "the machine died before the test", both=True
            )
        if test.verdict is not Verdict.UNCHANGED:
            return test
        number = self._number(arch, test.name)
        if number == 0 and self.broken and arch == self.first:
            return _turned(
                test, Verdict.REGRESSION, Status.FAIL, "expected 0x5a in the moved half, found 0x00"
            )
        if number == 1 and self.flaking and arch == self.second:
            reason = "failed once on the series, passed when run again (1 of 3 runs failed)"
            return _turned(test, Verdict.FLAKY, Status.FAIL, reason, rate=(1, 3))
        if number == 2 and self.torn:
            return _turned(test, Verdict.FAILS_ON_BOTH, Status.FAIL, "fails on both kernels", both=True)
        if number == 3 and self.missing and arch == self.first:
            return _turned(
                test, Verdict.NOT_EXERCISED, Status.MISS, "planned, but no result was ever seen", both=True
            )
        return test

    def _number(self, arch: str, name: str) -> int:
        """Which test of those that pass in the template this is."""
        found = next(one for one in self.template.arches if one.arch == arch)
        fine = [test.name for test in found.tests if test.verdict is Verdict.UNCHANGED]
        return fine.index(name)

    def _tally(self, arch: str, variant: str, place: int, tally: Tally) -> Tally:
        first = _HEAD_LINES + 1 + place * _LINES_EACH
        seconds = tally.seconds
        if seconds is not None:
            seconds = round(seconds * self.random.gauss(1, _NOISE), 4)
        booted = tally.boot is not None
        return replace(
            tally,
            seconds=seconds,
            boot=f"{arch}-{variant}-1" if booted else None,
            lines=LineRange(first, first + _LINES_EACH - 1) if booted else None,
        )

    def _splats(self, arch: str, tests: int) -> tuple[SplatComparison, ...]:
        if not self.broken or arch != self.first:
            return ()
        line = _HEAD_LINES + tests * _LINES_EACH + 1
        excerpt = (f"{MARK} WARNING: CPU: 0 PID: 61 at mm/mremap.c:214 move_huge_pmd+0x1a0/0x2c0",)
        title = f"WARNING at mm/mremap.c:214 {MARK}"
        splat = Splat(
            "warning", title, "warning:move_huge_pmd:move_page_tables", LineRange(line, line), excerpt
        )
        boots = (f"{arch}-series-1",)
        return (SplatComparison(splat.signature, title, (), boots, Verdict.REGRESSION, splat),)

    def _reading(self, reading: Reading) -> Reading:
        """In the middle, operations get slower and page tables dearer."""
        early = self.place < self.nights // 2
        factor = {"ns": 0.9 if early else 1.0, "B": 0.8 if early else 1.0}.get(reading.unit, 1.0)
        if reading.unit == "ns":
            factor *= self.random.gauss(1, _NOISE)
        return (
            reading if reading.series is None else replace(reading, series=round(reading.series * factor, 1))
        )


_QUIET = (Verdict.UNCHANGED, Verdict.UNSUPPORTED, Verdict.NOT_EXERCISED)


def _turned(
    test: TestComparison,
    verdict: Verdict,
    status: Status,
    reason: str,
    *,
    both: bool = False,
    rate: tuple[int, int] = (2, 2),
) -> TestComparison:
    """A test that came out another way, on the series or on both kernels."""
    failures, runs = rate if status is Status.FAIL else (0, 0)

    def bad(tally: Tally) -> Tally:
        return replace(tally, status=status, exercised=False, reason=reason, failures=failures, runs=runs)

    base = bad(test.base) if both else test.base
    return replace(test, base=base, series=bad(test.series), verdict=verdict, reason=reason)


def _headline(arches: tuple[ArchComparison, ...], verdict: Verdict) -> str:
    where = [arch.arch for arch in arches if arch.verdict is verdict]
    if verdict in _QUIET:
        return f"No regression on {len(arches)} architectures."
    return f"{str(verdict).capitalize()} on {', '.join(where)}."


def _moment(iso: str) -> datetime:
    moment = datetime.fromisoformat(iso)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def main(arguments: Sequence[str]) -> None:
    """Write the nights before a run into `simulated` of the state folder, and import them into the store."""
    parser = ArgumentParser(prog="python -m tests.samples.simulate", description=main.__doc__)
    parser.add_argument("run", metavar="RUN", nargs="?", default="latest", help="folder or name of a run")
    parser.add_argument("--nights", metavar="N", type=int, default=28, help="number of nights")
    parser.add_argument("--seed", metavar="N", type=int, default=1, help="random seed")
    chosen = parser.parse_args(arguments)
    workspace = from_environment()
    template = from_json(Run, (workspace.find_run(chosen.run) / "results.json").read_text(encoding="utf-8"))
    home = workspace.state / "simulated"
    folders = [write_simulated(run, home) for run in simulate(template, chosen.nights, chosen.seed)]
    with opened(store_address(workspace)) as store:
        imported = store.import_folders(folders)
    print(
        f"{len(folders)} nights in {home}; {sum(one.state == 'new' for one in imported)} new in {store.name}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
