# SPDX-License-Identifier: GPL-2.0-only
"""A board of a lab as a machine, and everything that can be wrong with a lab. The lab is a real server, its
boards are programs that print a console; nothing here starts a kernel."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from harness.build.guest.initramfs import archive, text
from harness.config.arch import ArchRecord
from harness.config.catalogue import find
from harness.config.lab import LabRecord
from harness.core.errors import InfrastructureError
from harness.core.process import Children
from harness.machines.base import BootFiles
from harness.machines.kinds import lab_kind
from harness.machines.lava.lab import Lab, open_lab
from harness.machines.lava.log import JobLog
from harness.machines.lava.machine import LavaBoard
from harness.machines.lava.submission import recall, recall_nonce
from harness.machines.watch import Limits, WatchOutcome, watch
from results.model.run import BootEnd
from tests.lava.jobs import Job
from tests.lava.server import TOKEN, LavaLab, lava_lab
from tests.private_sshd import write_record
from tests.samples.guestlog import NONCE, frame

pytestmark = pytest.mark.slow  # it waits for a lab that hangs, and for silent kernels

LIMITS = Limits(total=60, boot_silence=20, test_silence=20, backtrace=0, power_off=10)
HASTY = Limits(total=60, boot_silence=2, test_silence=2, backtrace=0, power_off=2)
BOARD = {"device_type": "qemu", "method": "qemu", "cmdline": ["console=ttyS0"]}
BANNER = "[    0.000000] Linux version 6.12.117 (gcc) #1 SMP\r\n"
REPORT = f"[    0.5] {frame(1, 'hello 1')}\r\n[    0.9] {frame(2, 'done 3')}\r\n"
PANIC = "[    0.7] Kernel panic - not syncing: dead\r\n"


def saying(words: str, then: str = "") -> Callable[[Job, Mapping[str, Path]], list[str]]:
    """A board that shows our kernel's command line and these words, and then does what the shell is told."""

    def board(job: Job, files: Mapping[str, Path]) -> list[str]:
        token = re.search(r"thp\.token=\w+", job.text)
        assert token
        shown = f"U-Boot 2026\r\n{BANNER}[    0.0] Kernel command line: {token[0]}\r\n{words}"
        console = files["kernel"].with_name("console")
        console.write_text(shown)
        return ["sh", "-c", f"cat {console}; {then}"]

    return board


HANGS = "exec sleep 30"


@dataclass
class Place:
    """A lab, how it is known here, and one boot in it."""

    lab: LavaLab
    home: Path
    children: Children
    kernel: bytes = b"kernel"

    @property
    def folder(self) -> Path:
        return self.home / "x86_64-base-1.machine"

    def opened(self, **changes: Any) -> Lab:
        limits = {"poll_seconds": 0.05, **changes.pop("limits", {})}
        write_record(self.home, self.lab.record(BOARD, limits=limits, **changes), "labs")
        return open_lab(find(LabRecord, "testlab", (self.home / "thp-harness",)), [ARCH])

    def machine(self, **changes: Any) -> LavaBoard:
        kernel, initramfs = self.home / "image", self.home / "one.cpio"
        kernel.write_bytes(self.kernel)
        initramfs.write_bytes(archive({"init": text("")}) + archive({"thp/manifest": text("nonce")}))
        files = BootFiles(kernel, initramfs, ("console=ttyS0",), NONCE, 60)
        made = lab_kind(self.opened(**changes), ARCH).make(files, self.folder, self.children)
        assert isinstance(made, LavaBoard)
        return made

    def boot(self, patience: Limits = LIMITS, **changes: Any) -> tuple[WatchOutcome, str]:
        log = io.BytesIO()
        outcome = asyncio.run(watch(self.machine(**changes), NONCE, patience, log))
        return outcome, log.getvalue().decode()


ARCH = find(ArchRecord, "x86_64")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("LAVA_TOKEN", TOKEN)
    (tmp_path / "files").mkdir()
    with lava_lab(tmp_path / "files", board=saying(REPORT), checks=False) as lab:
        yield Place(lab, tmp_path, Children())


def test_a_boot_is_a_job_and_its_console_comes_back(place: Place) -> None:
    outcome, log = place.boot()
    assert outcome.end is BootEnd.DONE
    assert log.replace("\n", "\r\n").endswith(REPORT)
    assert outcome.notes == (f"LAVA job http://127.0.0.1:{place.lab.port}/scheduler/job/1 on qemu01",)
    (job,) = place.lab.jobs.values()
    assert job.health == "Complete"
    assert job.name.startswith("thp-harness x86_64-base-1 ")
    assert (place.home / "x86_64-base-1.job.yaml").read_text() == job.text
    assert not place.folder.exists()
    assert [path.suffix for path in place.lab.folder.iterdir()] == [".image"]  # it is for the next boots, too
    assert TOKEN not in job.text + log + repr(outcome)


def test_a_panic_is_the_kernels_and_ends_the_job(place: Place) -> None:
    place.lab.board = saying(PANIC, HANGS)
    outcome, _ = place.boot(replace(LIMITS, power_off=1))
    assert (outcome.end, outcome.detail) == (BootEnd.PANIC, "Kernel panic - not syncing: dead")
    assert place.lab.jobs[1].ended.wait(60)
    assert place.lab.jobs[1].health == "Canceled"


def test_a_kernel_that_resets_is_told_from_the_one_that_follows(place: Place) -> None:
    place.lab.board = saying(
        f"[    0.5] {frame(1, 'hello 1')}\r\nU-Boot 2026\r\n{BANNER}other words\r\n", HANGS
    )
    outcome, log = place.boot()
    assert outcome.end is BootEnd.REBOOT
    assert "other words" not in log


def test_a_kernel_that_says_nothing_any_more_hangs(place: Place) -> None:
    place.lab.board = saying("", HANGS)
    outcome, _ = place.boot(HASTY)
    assert outcome.end is BootEnd.HANG


# A lab that fails says nothing of the kernel.


def test_a_job_that_ends_by_itself_is_the_labs_failure(place: Place) -> None:
    place.lab.board = saying("")
    outcome, _ = place.boot()
    assert outcome.end is BootEnd.MACHINE
    assert "is Incomplete, but its log ends before our report does (Infrastructure: Conn" in outcome.detail


def test_a_log_that_is_cut_is_the_labs_failure(place: Place) -> None:
    place.lab.cut = 6
    outcome, log = place.boot()
    assert outcome.end is BootEnd.MACHINE
    assert "is Complete, but its log ends before our report does" in outcome.detail
    assert "Linux version" in log


def test_a_file_that_does_not_get_there_is_the_labs_failure(place: Place) -> None:
    wrong = {"folder": str(place.lab.folder), "url": f"{place.lab.files}/elsewhere"}
    outcome, _ = place.boot(artifacts=wrong)
    assert outcome.end is BootEnd.MACHINE
    assert "(Job: http://127.0.0.1:" in outcome.detail


def seen(lab: LavaLab) -> Callable[[], bool]:
    """Whether what the board of a lab says was fetched once."""
    fetched = []

    def answers(method: str) -> int:
        job = lab.jobs.get(1)
        if method == "scheduler.jobs.logs" and job and "command line" in "".join(job.log):
            fetched.append(method)
        return 0

    lab.swallows = answers
    return lambda: bool(fetched)


def test_a_lost_job_is_the_labs_failure(place: Place) -> None:
    place.lab.board, begun = saying("", HANGS), seen(place.lab)

    def lose(method: str) -> int:
        if begun() and 1 in place.lab.jobs:
            place.lab.jobs.pop(1).cancel()
        return 0

    place.lab.status = lose
    outcome, _ = place.boot()
    assert outcome.end is BootEnd.MACHINE
    assert "Job '1' was not found" in outcome.detail


def test_a_lab_that_breaks_down_in_mid_boot_is_not_taken_for_a_silent_kernel(place: Place) -> None:
    place.lab.board, begun = saying("", HANGS), seen(place.lab)
    place.lab.status = lambda method: 500 if begun() else 0
    outcome, _ = place.boot(replace(LIMITS, boot_silence=10))
    assert outcome.end is BootEnd.MACHINE
    assert "HTTP 500" in outcome.detail
    assert "the job could not be cancelled" in str(outcome.notes)


def test_a_lab_that_hangs_is_given_up(place: Place) -> None:
    place.lab.board, begun = saying("", HANGS), seen(place.lab)
    place.lab.slow = lambda method: 10.0 if begun() else 0.0
    outcome, _ = place.boot(limits={"call_seconds": 5, "silent_seconds": 0.1})
    assert outcome.end is BootEnd.MACHINE
    assert "no answer for 5 s, and no answer for 0 s" in outcome.detail


def test_a_lab_that_is_away_for_a_moment_is_waited_for(place: Place) -> None:
    bad = iter([500, 502, 503] * 3)
    place.lab.status = lambda method: next(bad, 0) if method.startswith("scheduler.jobs") else 0
    outcome, _ = place.boot()
    assert outcome.end is BootEnd.DONE


@pytest.mark.parametrize("lost", [500, 401])
def test_a_job_whose_number_got_lost_is_not_submitted_twice(place: Place, lost: int) -> None:
    """401 can't pass: then it is no answer of the lab's, but a refusal."""
    once = iter([lost])
    place.lab.swallows = lambda method: next(once, 0) if method == "scheduler.jobs.submit" else 0
    outcome, _ = place.boot()
    assert outcome.end is (BootEnd.DONE if lost == 500 else BootEnd.MACHINE)
    assert len(place.lab.jobs) == 1


def test_no_board_is_waited_for_longer_than_the_record_says(place: Place) -> None:
    place.lab.runs = False
    outcome, _ = place.boot(limits={"queue_seconds": 0.5})
    assert outcome.end is BootEnd.MACHINE
    assert "waited for a board for 0 s" in outcome.detail
    assert place.lab.jobs[1].ended.wait(60)
    assert place.lab.jobs[1].health == "Canceled"


def test_a_board_that_says_nothing_is_not_waited_for_longer_than_the_record_says(place: Place) -> None:
    place.lab.board = lambda job, files: ["sleep", "30"]
    outcome, _ = place.boot(limits={"deploy_seconds": 0.5})
    assert (outcome.end, "had a board that said nothing" in outcome.detail) == (BootEnd.MACHINE, True)


def test_a_refused_token_is_told_at_once(place: Place) -> None:
    place.lab.token = "another"
    with pytest.raises(InfrastructureError, match="user ci or the token is refused") as refused:
        place.opened()
    assert TOKEN not in str(refused.value) + refused.value.hint


def test_a_missing_device_type_is_told_at_once(place: Place) -> None:
    place.lab.types = ("panda", "beaglebone-black")
    with pytest.raises(InfrastructureError, match="no boards of type qemu, which x86_64 needs") as refused:
        place.opened()
    assert refused.value.hint == "It has: panda, beaglebone-black."


# Runs that are stopped


def stopped_boot(place: Place) -> None:
    """A boot that is stopped as soon as its board has said something."""

    def stop() -> None:
        deadline = time.monotonic() + 30
        while not (place.lab.jobs and place.lab.jobs[1].log[3:]) and time.monotonic() < deadline:
            time.sleep(0.02)
        place.children.end_all()

    stopper = threading.Thread(target=stop)
    stopper.start()
    place.boot()
    stopper.join()


def test_a_stopped_boot_cancels_its_job(place: Place) -> None:
    place.lab.board = saying("", HANGS)
    stopped_boot(place)
    assert place.lab.jobs[1].ended.wait(60)
    assert place.lab.jobs[1].health == "Canceled"
    assert recall_nonce(place.folder) == ""


def test_a_job_that_could_not_be_cancelled_is_found_again(place: Place) -> None:
    place.lab.board = saying(REPORT, HANGS)
    place.lab.status = lambda method: 500 if method.endswith("cancel") or "logs" in method else 0
    place.lab.end = lambda job: None
    stopped_boot(place)
    assert recall_nonce(place.folder) == NONCE
    place.children, place.lab.status = Children(), lambda method: 0
    outcome, _ = place.boot()
    assert (outcome.end, len(place.lab.jobs)) == (BootEnd.DONE, 1)
    assert not place.folder.exists()


def left_behind(place: Place, **changes: Any) -> None:
    """What a killed run leaves of a boot whose job is over by now."""
    place.boot()
    (job,) = place.lab.jobs.values()
    place.folder.mkdir()
    left = {"nonce": NONCE, "name": job.name, "digest": hashlib.sha256(job.text.encode()).hexdigest()}
    (place.folder / "job.json").write_text(json.dumps({**left, "job": 1, **changes}))


@pytest.mark.parametrize(
    ("changes", "jobs"),
    [({}, 1), ({"job": None}, 1), ({"job": 77}, 2)],
    ids=["its number is known", "its number is not known", "it is lost"],
)
def test_a_killed_run_finds_its_job_again(place: Place, changes: dict[str, Any], jobs: int) -> None:
    left_behind(place, **changes)
    outcome, _ = place.boot()
    assert (outcome.end, len(place.lab.jobs)) == (BootEnd.DONE, jobs)


def test_a_job_for_another_kernel_is_cancelled(place: Place) -> None:
    left_behind(place)
    place.lab.jobs[1].state, place.kernel = "Running", b"another kernel"
    outcome, _ = place.boot()
    assert (outcome.end, len(place.lab.jobs)) == (BootEnd.DONE, 2)
    assert place.lab.jobs[1].health == "Canceled"


def test_a_job_that_was_cancelled_meanwhile_is_submitted_anew(place: Place) -> None:
    left_behind(place)
    place.lab.jobs[1].health = "Canceled"
    outcome, _ = place.boot()
    assert (outcome.end, len(place.lab.jobs)) == (BootEnd.DONE, 2)


@pytest.mark.parametrize(
    "content", ["", "[]", '{"nonce": "x"}', '{"nonce": "", "name": "", "digest": "", "job": "x"}']
)
def test_a_damaged_note_of_a_job_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "job.json").write_text(content)
    assert recall(tmp_path) is None


# Logs


def line(message: str, level: str = "target") -> bytes:
    return f'- {{"dt": "2026-11-23T18:00:00", "lvl": "{level}", "msg": {message}}}\n'.encode()


def test_only_what_the_board_printed_is_its_console() -> None:
    log = JobLog()
    piece = line('"start: 1 deploy"', "info") + line('"[    0.0] one"') + line('{"case": "job"}', "results")
    assert log.take(piece + line('!!binary "dHdv"'), last=False) == b"[    0.0] one\ntwo\n"
    assert (log.lines, log.damaged) == (4, 0)
    assert log.take(b"[]", last=True) == b""
    assert log.lines == 4


def test_a_piece_may_end_within_a_line() -> None:
    log, whole = JobLog(), line('"one"') + line('"two"')
    assert log.take(whole[:-9], last=False) == b"one\n"
    assert log.lines == 1
    assert log.take(line('"two"'), last=True) == b"two\n"


@pytest.mark.parametrize(
    "damaged", [b"- {\n", b"- [1]\n", b"\xff\xfe\n", b"- &a [*a]\n", b"- !!python/name:os\n"]
)
def test_a_damaged_line_costs_only_itself(damaged: bytes) -> None:
    log = JobLog()
    assert log.take(line('"one"') + damaged + line('"two"'), last=False) == b"one\ntwo\n"
    assert (log.lines, log.damaged) == (3, 1)


def test_quotes_of_old_labs_are_put_right_in_the_report_alone() -> None:
    said = frame(3, 'out 1 say "yes"')
    old = json.dumps(f"[    1.0] {said}".replace('"', '\\"'))
    assert JobLog().take(line(old), last=True).decode() == f"[    1.0] {said}\n"
    assert JobLog().take(line(json.dumps('a \\"kernel\\" message')), last=True) == b'a \\"kernel\\" message\n'
