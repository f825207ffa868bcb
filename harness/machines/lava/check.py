# SPDX-License-Identifier: GPL-2.0-only
"""Looks a lab over: what a run in it needs, what is wrong, and how to put it right."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from harness.config.lab import BoardFacts, LabRecord, read_token
from harness.core.check import Check
from harness.core.errors import HarnessError, InfrastructureError
from harness.machines.lava.artifacts import ArtifactStore
from harness.machines.lava.job import as_yaml, example
from harness.machines.lava.server import LabServer, TokenRefused

SCHEMA = "thp-harness/lab-check/1"
SAMPLE = b"thp-harness can put files here\n"


def examine(record: LabRecord) -> tuple[Check, ...]:
    """Look at everything; what can't be reached leaves out what lies behind it."""
    return (*_check_lab(record), *_check_artifacts(record))


def as_document(record: LabRecord, checks: tuple[Check, ...]) -> dict[str, Any]:
    """For JSON; see docs/lab-check.schema.json."""
    return {"schema": SCHEMA, "lab": record.name, "checks": [check.as_document() for check in checks]}


def _check_lab(record: LabRecord) -> Iterator[Check]:
    if not record.is_private:
        yield Check("encryption", None, f"{record.uri} is not encrypted", "Is there an https address?")
    try:
        server = LabServer(record, read_token(record))
        yield Check("reachable", True, f"{record.uri}, LAVA {server.version()}")
        who = server.whoami()
        types = server.device_types()
    except TokenRefused as error:
        yield Check("login", False, str(error), error.hint)
        return
    except HarnessError as error:
        yield Check("reachable", False, str(error), error.hint)
        return
    if not who:
        yield Check("login", False, "the lab rejects the token", f"`user:` and `token:` in {record.file}")
        return
    yield Check("login", True, who)
    for arch, board in record.boards.items():
        yield _check_board(record, server, arch, board, types)


def _check_board(
    record: LabRecord, server: LabServer, arch: str, board: BoardFacts, types: tuple[str, ...]
) -> Check:
    """Whether there are such boards, and LAVA's schema takes our jobs for them."""
    name = f"boards for {arch}"
    try:
        job = example(record, board)
        if job["device_type"] not in types:
            return Check(
                name, False, f"no device type {job['device_type']}", f"The lab has: {', '.join(types)}."
            )
        complaint = server.complaint(as_yaml(job))
    except HarnessError as error:
        return Check(name, False, str(error), error.hint)
    if complaint:
        return Check(name, False, f"the lab would not take our job: {complaint}", "Correct `context:`.")
    return Check(name, True, f"device type {job['device_type']}; the lab would take our job")


def _check_artifacts(record: LabRecord) -> Iterator[Check]:
    """Put a file there, and fetch it as the lab would, but from here."""
    depot = ArtifactStore(record)
    try:
        sample = depot.put(SAMPLE, ".txt")
    except InfrastructureError as error:
        yield Check("artifacts", False, str(error), error.hint)
        return
    try:
        with urllib.request.urlopen(sample.url, timeout=record.limits.call_seconds) as answer:
            found = answer.read(len(SAMPLE) + 1)
    except (OSError, ValueError, urllib.error.URLError) as error:
        yield Check("artifacts", False, f"{sample.url}: {error}", "Does a web server show the folder there?")
    else:
        fine = found == SAMPLE
        said = "files get there" if fine else "there is another file than was put there"
        yield Check("artifacts", fine, f"{record.artifacts.url}: {said}", "" if fine else "Correct `url:`.")
    finally:
        depot.drop(sample)
