# SPDX-License-Identifier: GPL-2.0-only
"""The journal: what was written is read again, whatever a crash did to the file."""

from __future__ import annotations

import json
import re
import resource
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from results.journal.assemble import CellFacts, assemble, read_plan
from results.journal.journal import (
    JOURNAL,
    VERSION,
    BootFact,
    Journal,
    JournalError,
    PlanFact,
    TwinFact,
    WalkScope,
    damaged_lines,
    decode,
    folder_kind,
    is_complete,
    read_events,
)
from results.model.bisect import BisectScope, CommitNote
from results.model.document import FolderKind
from results.model.run import Boot, BootEnd, Build, Claim, Evidence, PlannedTest, Subject, Verdict

PLAN = PlanFact(
    id="20260101-000000-x86_64",
    harness="0.1.0",
    host={"cpus": "2"},
    command=("thp-harness", "run"),
    subject=Subject("debian-6.12", "6.12.117", "a" * 40, "standin", "Stand-in", "b" * 40, True),
    planned=(PlannedTest("pmd_split.mremap", ("/bin/pmd_split", "mremap"), 20.0, (Evidence("x", 1),)),),
    arches=("x86_64",),
    claims=(Claim("thp_split_pmd_failed", "absent", "0"),),
    allow_unexercised=(),
    digest="d" * 24,
)
BUILD = Build("x86_64", "base", True, "k" * 24, False, 41.5, "a" * 40, "gcc 12")
BOOT = BootFact(
    id="x86_64-base-1",
    arch="x86_64",
    variant="base",
    purpose="first",
    nonce="0" * 16,
    tests=("pmd_split.mremap",),
    machine="qemu",
    accelerator="tcg",
    end=BootEnd.HANG,
    detail="nothing on the console for 60 s",
    seconds=63.2,
    log="logs/x86_64-base-1.log",
    command=("qemu-system-x86_64",),
)


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    journal = Journal(tmp_path)
    journal.append("plan", PLAN)
    journal.append("build", BUILD)
    journal.append("boot", BOOT)
    return tmp_path


def without_sums(journal: Path) -> str:
    """The text of a journal as older versions wrote it."""
    return re.sub(r', "sum": "[0-9a-f]{16}"}$', "}", journal.read_text(), flags=re.MULTILINE)


def names(run_dir: Path) -> list[str]:
    return [event.name for event in read_events(run_dir)]


def test_facts_survive_the_round_trip(run_dir: Path) -> None:
    plan, build, boot = read_events(run_dir)
    assert decode(PlanFact, plan) == PLAN
    assert decode(Build, build) == BUILD
    assert decode(BootFact, boot) == BOOT
    assert datetime.now(UTC) - plan.time < timedelta(minutes=1)


def test_a_fact_is_one_line_and_in_the_file_at_once(run_dir: Path) -> None:
    lines = (run_dir / JOURNAL).read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["plan", "build", "boot"]


@pytest.mark.parametrize("kept", [1, 20, 400, -1])
def test_a_line_that_a_crash_cut_is_dropped_and_the_next_one_is_whole(run_dir: Path, kept: int) -> None:
    path = run_dir / JOURNAL
    *whole, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole) + last.rstrip(b"\n")[:kept])
    assert names(run_dir) == ["plan", "build"]
    Journal(run_dir).append("resume")
    assert names(run_dir) == ["plan", "build", "resume"]


def test_a_whole_last_line_without_its_line_end_counts(run_dir: Path) -> None:
    path = run_dir / JOURNAL
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    Journal(run_dir).append("end")
    assert names(run_dir) == ["plan", "build", "boot", "end"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\xff\xfe\x00",
        b"null",
        b"[]",
        b'"plan"',
        b"{}",
        b'{"time": 5, "event": "build", "fact": {}}',
        b'{"time": "yesterday", "event": "build", "fact": {}}',
        b"\0" * 4096,
    ],
)
def test_lines_that_are_no_facts_are_passed_over(run_dir: Path, garbage: bytes) -> None:
    path = run_dir / JOURNAL
    path.write_bytes(garbage + b"\n" + path.read_bytes() + garbage + b"\n")
    assert names(run_dir) == ["plan", "build", "boot"]


def test_every_changed_bit_of_a_journal_is_told(run_dir: Path) -> None:
    path = run_dir / JOURNAL
    content = path.read_bytes()
    random = Random(1)
    for _ in range(300):
        place = random.randrange(len(content) - 1)
        changed = bytearray(content)
        changed[place] ^= 1 << random.randrange(8)
        path.write_bytes(changed)
        assert damaged_lines(run_dir), (place, bytes(changed[place - 20 : place + 20]))


def test_a_journal_of_an_older_version_is_read_and_continued(run_dir: Path) -> None:
    path = run_dir / JOURNAL
    path.write_text(without_sums(path))
    Journal(run_dir).append("end")
    assert names(run_dir) == ["plan", "build", "boot", "end"]
    assert damaged_lines(run_dir) == ()


def test_a_run_whose_journal_lost_a_fact_is_incomplete_until_it_is_resumed(run_dir: Path) -> None:
    journal = Journal(run_dir)
    journal.append("end")
    path = run_dir / JOURNAL
    path.write_bytes(path.read_bytes().replace(b'"boot"', b'"root"'))
    assert damaged_lines(run_dir) == (3,)
    assert not is_complete(list(read_events(run_dir)))
    run = assemble(run_dir)
    assert (run.verdict, run.exit_code) == (Verdict.INFRASTRUCTURE, 3)
    assert "the same command does again what is lost" in run.headline
    journal.append("resume")
    journal.append("end")
    assert is_complete(list(read_events(run_dir)))


def test_a_fact_that_is_lost_together_with_the_end_counts_as_lost(run_dir: Path) -> None:
    Journal(run_dir).append("end")
    path = run_dir / JOURNAL
    *lines, boot, end = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join((*lines, boot.replace(b"\n", b"\x0b"), end)))
    assert damaged_lines(run_dir) == (3,)
    run = assemble(run_dir)
    assert (run.verdict, run.exit_code, run.complete) == (Verdict.INFRASTRUCTURE, 3, False)


def test_a_full_disk_cuts_no_fact_and_loses_none(run_dir: Path) -> None:
    """With a limit on the size of files write(2) writes less, and then fails, as on a full disk."""
    path = run_dir / JOURNAL
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            Journal(run_dir).append("boot", BOOT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    Journal(run_dir).append("boot", BOOT)
    assert names(run_dir) == ["plan", "build", "boot", "boot"]


def test_facts_of_many_threads_are_whole(run_dir: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: Journal(run_dir).append("boot", BOOT), range(50)))
    assert names(run_dir).count("boot") == 51
    assert damaged_lines(run_dir) == ()


def test_a_folder_without_a_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"is not a run folder: events\.jsonl: No such file"):
        list(read_events(tmp_path))


def test_a_journal_without_a_plan(tmp_path: Path) -> None:
    Journal(tmp_path).append("end")
    with pytest.raises(JournalError, match="has no plan"):
        assemble(tmp_path)


def test_the_plan_of_another_version_is_refused(run_dir: Path) -> None:
    path = run_dir / JOURNAL
    path.write_text(without_sums(path).replace(f'"version": {VERSION}', f'"version": {VERSION + 1}'))
    with pytest.raises(JournalError, match=f"version {VERSION + 1}"):
        read_plan(read_events(run_dir))


@pytest.mark.parametrize(
    ("word", "other"), [('"end": "hang"', '"end": "exploded"'), ('"seconds": 63.2', '"duration": 63.2')]
)
def test_a_fact_of_another_version_is_refused(run_dir: Path, word: str, other: str) -> None:
    path = run_dir / JOURNAL
    text = without_sums(path)
    assert word in text
    path.write_text(text.replace(word, other))
    with pytest.raises(JournalError, match="a 'boot' fact can't be read"):
        decode(BootFact, list(read_events(run_dir))[-1])


def test_a_boot_whose_log_is_gone_is_told(run_dir: Path) -> None:
    with pytest.raises(JournalError, match="console log of boot x86_64-base-1"):
        assemble(run_dir)


def test_an_interrupted_run_is_incomplete(run_dir: Path) -> None:
    (run_dir / "logs").mkdir()
    (run_dir / BOOT.log).touch()
    assert not assemble(run_dir).complete
    Journal(run_dir).append("end")
    assert assemble(run_dir).complete


def test_the_boots_of_a_kernel_speak_for_another_that_is_the_same_bytes(run_dir: Path) -> None:
    (run_dir / "logs").mkdir()
    (run_dir / BOOT.log).touch()
    journal = Journal(run_dir)
    journal.append("build", replace(BUILD, variant="series"))
    base, series = assemble(run_dir).cells
    assert (len(base.boots), len(series.boots)) == (1, 0)

    journal.append("twin", TwinFact("x86_64", "series", "base"))
    base, series = assemble(run_dir).cells
    assert series.boots == base.boots != ()
    assert (base.boots_of, series.boots_of) == ("", "base")


def test_a_run_that_is_taken_up_again_may_boot_the_other_of_two_equal_kernels(tmp_path: Path) -> None:
    """Interrupted before the one had booted, it may come to the other first the next time."""
    (tmp_path / "logs").mkdir()
    (tmp_path / BOOT.log).touch()
    journal = Journal(tmp_path)
    journal.append("plan", PLAN)
    journal.append("build", BUILD)
    journal.append("build", replace(BUILD, variant="series"))
    journal.append("twin", TwinFact("x86_64", "base", "series"))
    journal.append("resume")
    journal.append("boot", BOOT)
    journal.append("twin", TwinFact("x86_64", "series", "base"))
    base, series = assemble(tmp_path).cells
    assert series.boots == base.boots != ()
    assert (base.boots_of, series.boots_of) == ("", "base")


NOTE = CommitNote("a" * 40, "patch/0", "title", "author")
WALK = replace(PLAN, walk=WalkScope((0, 1), (0, 1), True, 0, 1), kind=FolderKind.WALK)
BISECT = replace(PLAN, bisect=BisectScope("does not boot", 0.9, NOTE, NOTE, 1), kind=FolderKind.BISECT)


@pytest.mark.parametrize("plan", [PLAN, WALK, BISECT], ids=lambda plan: str(plan.kind))
def test_the_kind_of_a_folder_is_in_its_plan_and_older_plans_are_read(tmp_path: Path, plan: PlanFact) -> None:
    Journal(tmp_path).append("plan", plan)
    assert folder_kind(read_events(tmp_path)) is plan.kind
    file = tmp_path / JOURNAL
    event = json.loads(without_sums(file))
    del event["fact"]["kind"]
    file.write_text(json.dumps(event) + "\n")
    assert folder_kind(read_events(tmp_path)) is plan.kind
    assert read_plan(read_events(tmp_path)) == plan


def test_a_kind_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    Journal(tmp_path).append("plan", PLAN)
    file = tmp_path / JOURNAL
    file.write_text(without_sums(file).replace('"kind": "run"', '"kind": "profile"'))
    with pytest.raises(JournalError, match="kind 'profile', which this program does not know"):
        folder_kind(read_events(tmp_path))


def seen(number: int) -> Boot:
    return Boot(f"b-{number}", "first", "qemu", "tcg", BootEnd.DONE, "", 1.0, "logs/x", (), None, (), ())


def test_a_cell_shares_the_boots_of_its_twin_until_it_is_booted_itself() -> None:
    facts = CellFacts()
    facts.add_build(BUILD)
    facts.add_boot(BOOT, seen(1))
    facts.add_twin(TwinFact("x86_64", "series", "base"))
    shared = facts.cell("x86_64", "series")
    assert (shared.boots, shared.boots_of, shared.build) == ((seen(1),), "base", None)
    facts.add_boot(replace(BOOT, variant="series"), seen(2))
    assert (facts.cell("x86_64", "series").boots, facts.cell("x86_64", "series").boots_of) == ((seen(2),), "")
    assert [cell.variant for cell in facts.cells(PLAN)] == ["base", "series"]
