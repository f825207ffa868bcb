# SPDX-License-Identifier: GPL-2.0-only
"""A board of a LAVA lab as a machine: the boot is a job there, its console is read from the job's log.

Kernel and initramfs go to where the lab fetches them. A job that ends without the end of our report, and
without another kernel's words on the console, says nothing of the kernel, whatever the lab calls it.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from pathlib import Path

from harness.build.guest.initramfs import as_one
from harness.config.arch import ArchRecord
from harness.core.errors import InfrastructureError
from harness.core.process import Children
from harness.machines.base import BootEnding, BootFiles
from harness.machines.console_filter import ConsoleFilter
from harness.machines.lava.artifacts import Published
from harness.machines.lava.follow import Follower
from harness.machines.lava.job import WantedBoot, as_yaml, definition
from harness.machines.lava.lab import Lab
from harness.machines.lava.server import JobUnknown, LabError
from harness.machines.lava.submission import JobSubmission, forget, submit_once

POLL_SECONDS = 0.05
WAIT_SECONDS = 0.2


class LavaBoard:
    """One boot in a lab; see `harness.machines.base.Machine`."""

    accelerator = "lava"
    panicked = False
    """Panics are visible only on the console."""

    def __init__(
        self, lab: Lab, arch: ArchRecord, files: BootFiles, folder: Path, children: Children
    ) -> None:
        """`folder` keeps the number of the job until the boot ends; the definition stays beside it."""
        self.name = f"lab {lab.record.name}"
        self._lab = lab
        self._arch = arch
        self._folder = folder
        self._definition = folder.with_suffix(".job.yaml")
        self._children = children
        token = f"thp.token={hashlib.sha256(files.nonce.encode()).hexdigest()[:16]}"
        self._files = files
        self._cmdline = (token, *files.cmdline)
        self._screen = ConsoleFilter(token)
        self._end_mark = re.compile(rb"THP:" + files.nonce.encode() + rb":\d+:[0-9a-f]{8} done \d")
        self._initramfs: Published | None = None
        self._job: int | None = None
        self._follower: Follower | None = None
        self._done = False

    @property
    def command(self) -> tuple[str, ...]:
        """What submits the same job once more, for people."""
        return ("lavacli", "--uri", self._lab.record.uri, "jobs", "submit", str(self._definition))

    async def start(self) -> None:
        """Have the job run, and wait until its board says something."""
        await asyncio.to_thread(self._start)

    def _start(self) -> None:
        server = self._lab.server
        wanted = self._wanted()
        text = as_yaml(definition(self._lab.record, self._lab.board(self._arch), wanted))
        self._definition.write_text(text)
        submission = JobSubmission(self._files.nonce, wanted.name, "")
        self._job = submit_once(server, self._folder, submission, text, lambda: self._children.stopping)
        self._follower = Follower(server, self._job)
        self._follower.start()
        self._await_board(self._follower)

    def _wanted(self) -> WantedBoot:
        depot, files = self._lab.depot, self._files
        self._initramfs = initramfs = depot.put(as_one(files.initramfs.read_bytes()), ".cpio")
        kernel = depot.put(files.kernel.read_bytes(), ".image")
        return WantedBoot(
            name=f"thp-harness {self._folder.stem} {kernel.sha256[:8]}-{initramfs.sha256[:8]}",
            kernel=kernel,
            initramfs=initramfs,
            cmdline=self._cmdline,
            nonce=files.nonce,
            seconds=files.seconds,
        )

    def _await_board(self, follower: Follower) -> None:
        """Queues are long, and files are big: neither is the kernel's silence."""
        limits = self._lab.record.limits
        since, waited_in_queue = time.monotonic(), True
        while not (follower.talks or follower.over or self._children.stopping):
            if waited_in_queue and not follower.state.waits:
                since, waited_in_queue = time.monotonic(), False
            limit = limits.queue_seconds if waited_in_queue else limits.deploy_seconds
            if time.monotonic() - since > limit:
                what = "waited for a board" if waited_in_queue else "had a board that said nothing"
                raise InfrastructureError(f"{self._page} {what} for {limit:.0f} s")
            time.sleep(WAIT_SECONDS)

    @property
    def _page(self) -> str:
        return f"LAVA job {self._lab.record.job_page(self._job)}" if self._job else "no LAVA job"

    async def read(self) -> bytes:
        """Next bytes of the console, until our kernel's words end.

        Raises:
            InfrastructureError: if the lab does not answer while somebody's patience ends: that the board
                is silent can't be known then.
        """
        assert self._follower
        try:
            while not self._screen.over:
                over = self._follower.over or self._children.stopping
                if chunk := self._follower.take():
                    if kept := self._screen.pass_on(chunk):
                        self._done = self._done or bool(self._end_mark.search(kept))
                        return kept
                elif over:
                    return b""
                else:
                    await asyncio.sleep(POLL_SECONDS)
            return b""
        except asyncio.CancelledError:
            if why := self._follower.out_of_sight:
                raise InfrastructureError(why) from None
            raise

    async def interrupt(self) -> None:
        """LAVA has no way to send an NMI or a BREAK."""

    async def stop(self) -> BootEnding:
        """See that the job is over, or cancel it."""
        return await asyncio.to_thread(self._stop)

    def _stop(self) -> BootEnding:
        follower, uncancelled = self._follower, ""
        if follower and self._done and not self._children.stopping:
            self._await_end(follower)
        if follower:
            follower.stop()
        if self._job and not (follower and follower.state.over):
            uncancelled = self._cancel(self._job)
        if not (uncancelled and self._children.stopping):
            forget(self._folder)  # else the next run must find the job
        if self._initramfs and not uncancelled:
            self._lab.depot.drop(self._initramfs)
        return self._ending(follower, uncancelled)

    def _await_end(self, follower: Follower) -> None:
        """LAVA still has to switch the board off; a job that is cancelled then looks as if it had failed."""
        deadline = time.monotonic() + self._lab.record.limits.finish_seconds
        while not (follower.over or self._children.stopping) and time.monotonic() < deadline:
            time.sleep(WAIT_SECONDS)

    def _cancel(self, job: int) -> str:
        """Why it could not be cancelled; a job that is not there any more needs no end."""
        try:
            self._lab.server.cancel(job)
        except JobUnknown:
            return ""
        except LabError as error:
            return str(error)
        return ""

    def _ending(self, follower: Follower | None, uncancelled: str) -> BootEnding:
        if follower is None:
            return BootEnding(broken=True, detail="never started", notes=(self._page,) if self._job else ())
        state = follower.state
        notes = (
            f"{self._page}{f' on {state.device}' if state.device else ''}",
            *((f"{follower.damaged} lines of the job's log could not be read",) if follower.damaged else ()),
            *((f"the job could not be cancelled: {uncancelled}",) if uncancelled else ()),
        )
        if self._done or self._screen.over:
            return BootEnding(broken=False, detail="", notes=notes)
        trouble = follower.trouble
        if not trouble and state.over:
            trouble = f"{self._page} is {state.health}, but its log ends before our report does"
            trouble += f" ({state.error})" if state.error else ""
        return BootEnding(broken=bool(trouble), detail=trouble, notes=notes)
