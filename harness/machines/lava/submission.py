# SPDX-License-Identifier: GPL-2.0-only
"""A boot's job in a lab, submitted once: a file keeps its number while the boot lasts.

Whoever takes up an interrupted run finds the job there, and its nonce; a job that the lab may or may not
have got, since its answer was lost, is looked for by its name.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from harness.machines.lava.server import CANCELED, JobUnknown, LabError, LabServer, LabSilent

FILE = "job.json"


@dataclass(frozen=True, slots=True)
class JobSubmission:
    """A job that was to be submitted."""

    nonce: str
    name: str
    digest: str
    """Of its definition."""
    job: int | None = None
    """Its number; None as long as the lab has not told it."""


def recall(folder: Path) -> JobSubmission | None:
    """What a boot that did not come to its end has left."""
    try:
        found = json.loads((folder / FILE).read_text())
        return JobSubmission(
            str(found["nonce"]), str(found["name"]), str(found["digest"]), found["job"] and int(found["job"])
        )
    except (OSError, ValueError, LookupError, TypeError):
        return None


def recall_nonce(folder: Path) -> str:
    """The nonce of the boot that did not come to its end; empty if there is none."""
    left = recall(folder)
    return left.nonce if left else ""


def forget(folder: Path) -> None:
    """The boot has come to its end."""
    (folder / FILE).unlink(missing_ok=True)
    if folder.is_dir():
        folder.rmdir()


def submit_once(
    server: LabServer, folder: Path, wanted: JobSubmission, text: str, stopping: Callable[[], bool]
) -> int:
    """The job that runs a definition: the one that is there already, or a new one.

    Raises:
        InfrastructureError: if the lab does not take it.
    """
    wanted = replace(wanted, digest=hashlib.sha256(text.encode()).hexdigest())
    left = recall(folder)
    if left and left.digest == wanted.digest:
        wanted = left
    elif left and left.job:
        _cancel(server, left.job)
    _keep(folder, wanted)
    job = _patiently(server, lambda: _still_there(server, wanted) or server.submit(text), stopping)
    _keep(folder, replace(wanted, job=job))
    return job


def _patiently(server: LabServer, ask: Callable[[], int], stopping: Callable[[], bool]) -> int:
    """Ask until there is an answer; a lab that has lost its tongue may still have taken the job."""
    limits = server.record.limits
    deadline = time.monotonic() + limits.silent_seconds
    while True:
        try:
            return ask()
        except LabSilent:
            if stopping() or time.monotonic() > deadline:
                raise
        time.sleep(limits.poll_seconds)


def _still_there(server: LabServer, wanted: JobSubmission) -> int | None:
    """Return the id of the job, if the lab has it and it is not cancelled."""
    if not wanted.job:
        return server.find(wanted.name)
    try:
        return None if server.state(wanted.job).health == CANCELED else wanted.job
    except JobUnknown:
        return None


def _cancel(server: LabServer, job: int) -> None:
    try:
        server.cancel(job)
    except LabError:
        return  # it has its own time-outs


def _keep(folder: Path, submission: JobSubmission) -> None:
    folder.mkdir(exist_ok=True)
    new = folder / f"{FILE}.new"
    with new.open("w") as file:
        json.dump(asdict(submission), file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / FILE)
