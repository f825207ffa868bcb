# SPDX-License-Identifier: GPL-2.0-only
"""A cell of a run on a physical host is booted again on that host, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.commands.cell.cell import find_cells
from harness.config.host import HostRecord
from harness.machines.host.remote.reservation import current, release, take
from harness.machines.host.remote.ssh import connected
from harness.machines.host.remote.state import HostStateFile
from tests.private_sshd import PrivateSshd, needs_sshd, private_sshd, write_record
from tests.program import Invoke, Program
from tests.samples.past_run import PastRun, make_past_run

AGAIN = ("rerun", "x86_64/base", "--times", "1", "--json")


@pytest.fixture
def past(program: Program, tmp_path: Path) -> PastRun:
    """A run on the host nearby."""
    run = make_past_run(program, tmp_path)
    for variant in ("base", "series"):
        run.build(variant)
        run.boot(variant, machine="host nearby", accelerator="kexec")
    return run


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateSshd]:
    with private_sshd(tmp_path_factory.mktemp("sshd")) as running:
        running.program("kexec", "#!/bin/sh\necho 'kexec: cannot read it' >&2\nexit 1\n")
        running.program("who", "#!/bin/sh\n")
        yield running


def test_a_cell_knows_the_host_that_booted_it(past: PastRun) -> None:
    assert [cell.host for cell in find_cells(past.run_dir, "x86_64")] == ["nearby", "nearby"]


def test_a_host_that_is_not_known_any_more_is_named(past: PastRun, invoke: Invoke, tmp_path: Path) -> None:
    answer = invoke(*AGAIN, env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert answer.code == 2
    assert "unknown host 'nearby'" in answer.stderr


@pytest.mark.slow
@needs_sshd
def test_a_rerun_goes_to_the_host_and_reserves_it(
    past: PastRun, invoke: Invoke, server: PrivateSshd, program: Program, tmp_path: Path
) -> None:
    """The kernel can't be loaded there: that is the host's fault, and no boot under QEMU takes its place."""
    here = {"XDG_CONFIG_HOME": str(tmp_path)}
    place = server.record(console={"command": ["cat"]})
    write_record(tmp_path, place)
    theirs = HostStateFile(tmp_path / "theirs", "nearby")
    with connected(HostRecord.model_validate(place)) as link:
        take(link, theirs, "debugging", 1)
        refused = invoke(*AGAIN, env=here)
        assert (refused.code, ": debugging, " in refused.stderr) == (3, True)
        assert not list((program.state / "reruns").glob("*")), "nothing has begun"
        release(link, theirs)
        answer = invoke(*AGAIN, env=here)
        assert current(link) is None, "it is given back"
    assert answer.code == 3, answer.stderr
    journal = next((program.state / "reruns").glob("*")) / "events.jsonl"
    facts = journal.read_text()
    assert "could not load the kernel: kexec: cannot read it" in facts
    assert '"machine": "host nearby"' in facts and "qemu" not in facts
