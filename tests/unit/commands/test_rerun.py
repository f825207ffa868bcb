# SPDX-License-Identifier: GPL-2.0-only
"""Reruns: what many boots of one kernel come to, and that nothing else gets into the count."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from results.journal.assemble import read_boot
from results.journal.journal import RERUN, BootFact, Journal, JournalError, decode, read_events
from results.model.document import to_json
from results.model.rerun import Rerun
from results.model.run import BootEnd, Evidence, PlannedTest
from results.reports.content.wording import percent
from results.reports.terminal.rerun import print_rerun
from results.rerun.rerun import (
    ROUND,
    RerunFact,
    RerunSubject,
    RoundFact,
    assemble_rerun,
    rounds_done,
)
from tests import published
from tests.samples.guestlog import NONCE, GuestLog

TESTS = (
    PlannedTest("pmd_split.munmap", ("/bin/pmd_split", "munmap"), 20.0, (Evidence("thp_split_pmd", 1),)),
    PlannedTest("pmd_split.gup", ("/bin/pmd_split", "gup"), 20.0, (Evidence("thp_split_pmd", 9),)),
)
OOPS = (
    "BUG: kernel NULL pointer dereference, address: 0000000000000010",
    "RIP: 0010:split_huge_pmd_address+0x1f/0x60",
    "Call Trace:",
    " __split_vma+0x1a0/0x2c0",
)
WARNING = (
    "------------[ cut here ]------------",
    "WARNING: CPU: 0 PID: 77 at mm/huge_memory.c:2100 split_huge_pmd+0x10/0x20",
    "RIP: 0010:split_huge_pmd+0x10/0x20",
    "Call Trace:",
    " unmap_page_range+0x1/0x2",
    "---[ end trace 0000000000000000 ]---",
)


class Folder:
    """A rerun's folder, filled boot by boot; each boot is a round of its own."""

    def __init__(self, path: Path, times: int, tests: Sequence[PlannedTest] = TESTS[:1]) -> None:
        self.path = path
        self.tests = tuple(tests)
        (path / "logs").mkdir(parents=True)
        self.journal = Journal(path)
        subject = RerunSubject("x86_64", "base", "5" * 64)
        self.journal.append(
            RERUN, RerunFact("the-rerun", "0.1.0", "the-run", times, (subject,), self.tests, "d" * 24)
        )
        self.rounds = 0

    def boot(
        self, log: GuestLog, end: BootEnd = BootEnd.DONE, *, name: str = "", finished: bool = True
    ) -> None:
        name = name or f"x86_64-base-{self.rounds + 1}-1"
        (self.path / "logs" / f"{name}.log").write_text("\n".join(log.lines) + "\n")
        names = tuple(test.name for test in self.tests)
        fact = BootFact(
            name, "x86_64", "base", "first", NONCE, names, "qemu", "tcg", end, str(end), 2.0,
            f"logs/{name}.log", ("qemu-system-x86_64",),
        )  # fmt: skip
        self.journal.append("boot", fact)
        if finished:
            self.rounds += 1
            self.journal.append(ROUND, RoundFact("x86_64", "base", self.rounds, (name,)))

    def passing(self, count: int = 1) -> Folder:
        for _ in range(count):
            self.boot(GuestLog().begin(1).test(1, "pmd_split.munmap", ["ok 1"]).done(1))
        return self

    def failing(self, count: int = 1) -> Folder:
        for _ in range(count):
            said = ["# pmd_split.c:12: lost a page", "not ok 1"]
            self.boot(GuestLog().begin(1).test(1, "pmd_split.munmap", said, "exit 1").done(1))
        return self

    def read(self) -> Rerun:
        self.journal.append("end")
        rerun = assemble_rerun(self.path)
        published.check(json.loads(to_json(rerun)), "rerun")
        return rerun


def shown(rerun: Rerun) -> str:
    stream = io.StringIO()
    print_rerun(rerun, Console(file=stream, width=100), Path("/the/folder"))
    return stream.getvalue()


def test_a_failure_has_a_rate_and_an_interval(tmp_path: Path) -> None:
    rerun = Folder(tmp_path / "rerun", 10).passing(7).failing(3).read()
    (test,) = rerun.cells[0].tests
    assert (test.passed, test.failed, test.other) == (7, 3, 0)
    assert test.failing
    assert test.failing.seen == pytest.approx(0.3)
    assert (round(test.failing.low, 4), round(test.failing.high, 4)) == (0.0667, 0.6525)
    assert test.reasons == {"pmd_split.c:12: lost a page": 3}
    assert test.boots == ("x86_64-base-8-1", "x86_64-base-9-1", "x86_64-base-10-1")
    assert (rerun.exit_code, rerun.complete) == (1, True)
    page = shown(rerun)
    assert "3 of 10" in page
    assert "30 % (6.7 % to 65.2 %)" in page
    assert "3 × pmd_split.c:12: lost a page" in page


def test_nothing_that_failed_is_no_proof_that_nothing_can(tmp_path: Path) -> None:
    rerun = Folder(tmp_path / "rerun", 20).passing(20).read()
    (test,) = rerun.cells[0].tests
    assert test.failing
    assert (test.failing.seen, test.failing.low) == (0, 0)
    assert test.failing.high == pytest.approx(0.1684, abs=1e-4)
    assert rerun.exit_code == 0
    assert "No failure in 20 rounds" in shown(rerun)


def test_faults_of_the_machine_are_left_out_and_counted(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "rerun", 4).passing(2)
    folder.boot(GuestLog().begin(1).start(1, "pmd_split.munmap"), BootEnd.MACHINE)
    folder.boot(GuestLog().kernel("slow"), BootEnd.TIMEOUT)
    rerun = folder.read()
    (cell,) = rerun.cells
    assert (cell.rounds, cell.boots, cell.left_out) == (4, 2, 2)
    assert (cell.tests[0].passed, cell.tests[0].failed, cell.tests[0].left_out) == (2, 0, 1)
    assert rerun.exit_code == 0


def test_only_faults_of_the_machine_say_nothing(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "rerun", 2)
    folder.boot(GuestLog(), BootEnd.MACHINE)
    rerun = folder.read()
    assert rerun.exit_code == 3
    assert rerun.cells[0].tests[0].failing is None
    assert "No result for x86_64/base" in shown(rerun)


def test_a_guest_that_dies_counts_against_the_test_and_the_kernel(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "rerun", 4).passing(3)
    log = GuestLog().begin(1).start(1, "pmd_split.munmap").kernel(*OOPS)
    log.kernel("Kernel panic - not syncing: Fatal exception")
    folder.boot(log, BootEnd.PANIC)
    rerun = folder.read()
    (cell,) = rerun.cells
    assert cell.tests[0].failed == 1
    assert cell.died == ("x86_64-base-4-1",)
    assert cell.dying
    assert cell.dying.seen == 0.25
    assert rerun.exit_code == 1
    assert "the guest died in 1 of 4 boots" in shown(rerun)


def test_a_splat_has_a_rate_even_if_every_test_passes(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "rerun", 4).passing(3)
    log = GuestLog().begin(1).start(1, "pmd_split.munmap").kernel(*WARNING).out(1, "ok 1").end(1).done(1)
    folder.boot(log)
    rerun = folder.read()
    (cell,) = rerun.cells
    assert cell.tests[0].failed == 0
    (splat,) = cell.splats
    assert (splat.boots, splat.coming.seen) == (("x86_64-base-4-1",), 0.25)
    assert rerun.exit_code == 1
    assert "rate: 1 of 4 boots, 25 % (0.6 % to 80.6 %)" in shown(rerun)


def test_a_pass_without_evidence_is_neither_a_pass_nor_a_failure(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "rerun", 1, TESTS)
    log = GuestLog().begin(2).test(1, "pmd_split.munmap", ["ok 1"]).test(2, "pmd_split.gup", ["ok 1"])
    folder.boot(log.done(2))
    munmap, gup = folder.read().cells[0].tests
    assert (munmap.passed, munmap.other) == (1, 0)
    assert (gup.passed, gup.failed, gup.other, gup.failing) == (0, 0, 1, None)
    assert "passed without evidence" in next(iter(gup.reasons))


def test_a_round_that_was_cut_short_counts_once(tmp_path: Path) -> None:
    """It is begun again, and its boots have the same names; nothing of the first attempt is left."""
    folder = Folder(tmp_path / "rerun", 2).passing()
    name = "x86_64-base-2-1"
    log = GuestLog().begin(1).test(1, "pmd_split.munmap", ["not ok 1"], "exit 1").done(1)
    folder.boot(log, name=name, finished=False)
    assert not assemble_rerun(folder.path).complete
    assert assemble_rerun(folder.path).cells[0].boots == 1
    folder.boot(GuestLog().begin(1).test(1, "pmd_split.munmap", ["ok 1"]).done(1), name=name)
    (cell,) = folder.read().cells
    assert (cell.rounds, cell.boots, cell.tests[0].passed, cell.tests[0].failed) == (2, 2, 2, 0)


def test_a_rerun_that_lost_a_boot_has_no_result_and_does_its_round_again(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "rerun", 2).failing().passing()
    folder.journal.append("end")
    journal = folder.path / "events.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"id": "x86_64-base-1-1"', b'"id": "x86_64-base-7-1"'))
    rerun = assemble_rerun(folder.path)
    assert (rerun.exit_code, rerun.complete) == (3, False)
    assert "does again what is lost" in rerun.headline
    assert [done.number for done in rounds_done(list(read_events(folder.path)))] == [2]


def test_the_spread_of_times(tmp_path: Path) -> None:
    spread = Folder(tmp_path / "rerun", 3).passing(2).failing().read().cells[0].tests[0].seconds
    assert spread
    assert (spread.least, spread.median, spread.most) == (1.5, 1.5, 1.5)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    Journal(tmp_path).append("end")
    with pytest.raises(JournalError, match="no rerun"):
        assemble_rerun(tmp_path)


@pytest.mark.parametrize(
    ("share", "words"),
    [(0, "0 %"), (1, "100 %"), (0.5, "50 %"), (1e-9, "< 0.1 %"), (1 - 1e-9, "> 99.9 %"), (0.3333, "33.3 %")],
)
def test_a_share_is_never_rounded_to_certainty(share: float, words: str) -> None:
    assert percent(share) == words


def test_boots_that_are_parsed_already_need_no_log(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "rerun", 2).passing(2)
    facts = [decode(BootFact, event) for event in read_events(folder.path) if event.name == "boot"]
    parsed = {fact.id: read_boot(fact, folder.tests, folder.path) for fact in facts}
    whole = assemble_rerun(folder.path)
    shutil.rmtree(folder.path / "logs")
    assert assemble_rerun(folder.path, parsed) == whole
    with pytest.raises(JournalError, match="console log of boot"):
        assemble_rerun(folder.path)
