# SPDX-License-Identifier: GPL-2.0-only
"""A recorded regression in a damaged folder: its verdict may be lost, but never turns green."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from random import Random

import pytest

from results.journal.assemble import assemble
from results.journal.journal import (
    END,
    JOURNAL,
    RESUME,
    BootFact,
    Journal,
    PlanFact,
    is_complete,
    read_events,
)
from results.model.run import BootEnd, Evidence, PlannedTest, Verdict
from tests.attack.bounds import bounded, seeds
from tests.attack.mutate import mutated
from tests.samples.sample_run import green_run

CONSOLE = Path(__file__).parent.parent / "golden" / "console"
NONCE = "00c0ffee5eed1234"
NAMES = re.findall(r"^test (\S+)", (CONSOLE / "all.manifest").read_text(), re.MULTILINE)
BOOTS = {
    "base-1": "x86_64-base.log",
    "series-1": "x86_64-breaks-mremap.log",
    "series-2": "x86_64-breaks-mremap.log",
}


@pytest.fixture(scope="module")
def regression(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a complete run of two kernels, with the logs of real boots."""
    folder = tmp_path_factory.mktemp("regression")
    (folder / "logs").mkdir()
    sample = green_run()
    plan = PlanFact(
        id="20270101-000000-regression",
        harness="0.1.0",
        host={},
        command=("thp-harness", "run"),
        subject=sample.subject,
        planned=tuple(
            PlannedTest(name, ("/bin/x",), 80.0, (Evidence("thp_split_pmd", 1),)) for name in NAMES
        ),
        arches=("x86_64",),
        claims=(),
        allow_unexercised=(),
        digest="d" * 24,
    )
    journal = Journal(folder)
    journal.append("plan", plan)
    for cell in sample.cells[:2]:
        assert cell.build
        journal.append("build", cell.build)
    for name, log in BOOTS.items():
        (folder / "logs" / f"{name}.log").write_bytes((CONSOLE / log).read_bytes())
        journal.append("boot", boot_fact(name))
    journal.append(END)
    run = assemble(folder)
    assert (run.verdict, run.exit_code, run.complete) == (Verdict.REGRESSION, 1, True)
    return folder


def boot_fact(name: str) -> BootFact:
    return BootFact(
        id=name,
        arch="x86_64",
        variant=name.partition("-")[0],
        purpose="first",
        nonce=NONCE,
        tests=tuple(NAMES),
        machine="qemu",
        accelerator="tcg",
        end=BootEnd.DONE,
        detail="all tests ran",
        seconds=3.0,
        log=f"logs/{name}.log",
        command=("qemu-system-x86_64",),
    )


def copy_of(folder: Path, to: Path) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    return Path(shutil.copytree(folder, to))


@pytest.mark.parametrize("step", [997, pytest.param(1, marks=pytest.mark.nightly)])
def test_no_run_is_complete_with_a_changed_bit_in_its_journal(
    regression: Path, tmp_path: Path, step: int
) -> None:
    """Of all bits, each alone."""
    content = (regression / JOURNAL).read_bytes()
    for place in range(0, 8 * len(content), step):
        changed = bytearray(content)
        changed[place // 8] ^= 1 << place % 8
        (tmp_path / JOURNAL).write_bytes(changed)
        assert not is_complete(list(read_events(tmp_path))), f"bit {place}"


@pytest.mark.parametrize("seeds", seeds(a_night=1000))
def test_a_damaged_journal_has_no_verdict(regression: Path, tmp_path: Path, seeds: range) -> None:
    folder = copy_of(regression, tmp_path / "run")
    content = (folder / JOURNAL).read_bytes()
    for seed in seeds:
        random, changed = Random(seed), bytearray(content)
        for _ in range(random.choice((1, 1, 2, 5, 50))):
            changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
        (folder / JOURNAL).write_bytes(changed)
        with bounded(seed):
            run = assemble(folder)
            assert (run.exit_code, run.complete) == (3, False), f"seed {seed}"
            assert all("damaged line of the journal" in arch.reasons[0] for arch in run.arches)


def test_what_a_damaged_line_said_is_done_again(regression: Path, tmp_path: Path) -> None:
    folder = copy_of(regression, tmp_path / "run")
    journal = folder / JOURNAL
    journal.write_bytes(journal.read_bytes().replace(b'"id": "series-1"', b'"id": "series-9"'))
    assert assemble(folder).exit_code == 3
    Journal(folder).append(RESUME)
    assert assemble(folder).exit_code == 3, "a boot is lacking, and the end"
    Journal(folder).append("boot", boot_fact("series-1"))
    Journal(folder).append(END)
    run = assemble(folder)
    assert (run.verdict, run.exit_code, run.complete) == (Verdict.REGRESSION, 1, True)


@pytest.mark.parametrize("seeds", seeds(a_night=3000))
def test_no_console_log_that_was_damaged_later_makes_a_run_green(
    regression: Path, tmp_path: Path, seeds: range
) -> None:
    folder = copy_of(regression, tmp_path / "run")
    for seed in seeds:
        random = Random(seed)
        for name in ("series-1", "series-2"):
            log = folder / "logs" / f"{name}.log"
            log.write_bytes(mutated((regression / "logs" / log.name).read_bytes(), random))
        with bounded(seed):
            assert assemble(folder).exit_code in (1, 3), f"seed {seed}"
