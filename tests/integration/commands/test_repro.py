# SPDX-License-Identifier: GPL-2.0-only
"""A cell by hand: scripts that really build and boot, a shell and a debugger on real kernels, reruns."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from results.journal.journal import JOURNAL, read_events
from results.rerun.rerun import rounds_done
from tests.integration.processes import Marker
from tests.integration.stub_tree import make_stub_tree
from tests.integration.typist import Typist, typist
from tests.program import PROGRAM, Answer, Program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CTRL_C = b"\x03"
OTHER_ARCH = "s390"


@pytest.fixture(scope="module")
def stub_run(thp_harness: Program, base_kernel: Path, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """A run of a tree that builds in a moment, and whose kernel boots."""
    folder = tmp_path_factory.mktemp("stub")
    tree = make_stub_tree(folder / "linux", base_kernel)
    program = Program(thp_harness.cache_home, folder / "state")
    answer = program("run", *tree.arguments, "--tests", "pmd_split")
    assert answer.code == 0, answer.stderr
    return program


def without_us(folder: Path) -> dict[str, str]:
    """An environment that has neither the program nor its Python."""
    path = [part for part in os.environ["PATH"].split(os.pathsep) if not (Path(part) / PROGRAM.name).exists()]
    return {"PATH": os.pathsep.join(path), "HOME": str(folder)}


def run_script(script: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(script), *arguments],
        cwd=folder, env=without_us(folder), capture_output=True, text=True, errors="replace", timeout=300,
        check=False,
    )  # fmt: skip


def test_the_script_builds_the_same_image_and_boots_it_without_us(stub_run: Program, tmp_path: Path) -> None:
    script = tmp_path / "repro.sh"
    answer = stub_run("repro", "x86_64/series", "-o", str(script))
    assert answer.code == 0, answer.stderr
    folder = tmp_path / "empty"
    folder.mkdir()
    assert shutil.which("thp-harness", path=without_us(folder)["PATH"]) is None
    done = run_script(script, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The sources of series are those of the run" in done.stdout
    assert "SAME IMAGE as in the run" in done.stdout
    assert "pmd_split.munmap: exit 0\n" in done.stdout
    assert "11 tests ended\n" in done.stdout
    assert "WARNING" not in done.stderr


@pytest.mark.skipif(not shutil.which("cpio"), reason="needs cpio")
def test_the_script_for_one_test_runs_only_that(stub_run: Program, tmp_path: Path) -> None:
    script = tmp_path / "repro.sh"
    assert stub_run("repro", "x86_64/base", "--test", "*.mremap", "-o", str(script)).code == 0
    done = run_script(script, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pmd_split.mremap: exit 0\n1 tests ended\n" in done.stdout


def sit_down(program: Program, marker: Marker, *arguments: str) -> Iterator[Typist]:
    with typist([str(PROGRAM), "repro", *arguments], program.environment(marker.environment)) as terminal:
        yield terminal


@pytest.fixture
def at_x86_64(thp_harness: Program, ab_run: Answer, marker: Marker) -> Iterator[Typist]:
    run = Path(ab_run.json["run_dir"]).name
    yield from sit_down(thp_harness, marker, "x86_64/series", "--run", run, "--shell")


def test_a_shell_on_the_console(at_x86_64: Typist, thp_harness: Program) -> None:
    shell = at_x86_64
    shell.expect("thp# ")
    shell.type("pmd_split munmap")
    assert "ok 1 pmd_split.munmap" in shell.expect("thp# ")
    shell.type("echo one 'two  three' > /tmp/file")
    shell.expect("thp# ")
    shell.type("echo four >> /tmp/file")
    shell.expect("thp# ")
    shell.type("cat < /tmp/file")
    assert "one two  three\nfour\n" in shell.expect("thp# ")
    shell.type("cd /proc")
    shell.expect("thp# ")
    shell.type("pwd")
    assert "/proc\n" in shell.expect("thp# ")
    shell.type("no_such_program")
    assert "No such file or directory" in shell.expect("thp# ")
    shell.type("cat")
    shell.type("echoed once by the terminal")
    shell.expect("echoed once by the terminal")
    shell.expect("echoed once by the terminal")
    os.write(shell.terminal, CTRL_C)
    assert "killed by signal 2" in shell.expect("thp# ")
    shell.type("exit")
    assert shell.wait() == 0


def test_ctrl_a_x_ends_the_machine(thp_harness: Program, ab_run: Answer, marker: Marker) -> None:
    run = Path(ab_run.json["run_dir"]).name
    with typist(
        [str(PROGRAM), "repro", "x86_64/base", "--run", run, "--shell"],
        thp_harness.environment(marker.environment),
    ) as terminal:
        terminal.expect("Ctrl-A X ends it at once")
        terminal.expect("Linux version")
        os.write(terminal.terminal, b"\x01x")
        assert terminal.wait() == 0


@pytest.mark.timeout(2000)
def test_a_shell_on_another_architecture(thp_harness: Program, marker: Marker, tmp_path: Path) -> None:
    program = Program(thp_harness.cache_home, tmp_path / "state")
    answer = program("run", "--arch", OTHER_ARCH, "--tests", "small_pages", timeout=1800)
    assert answer.code == 0, answer.stderr
    for shell in sit_down(program, marker, f"{OTHER_ARCH}/base", "--shell"):
        assert "Hercules" in shell.expect("thp# ")
        shell.type("cat /proc/version")
        assert "Linux version" in shell.expect("thp# ")
        shell.type("pmd_split --small munmap")
        assert "ok 1" in shell.expect("thp# ")
        shell.type("poweroff")
        assert shell.wait() == 0


def test_the_machine_waits_for_its_debugger(thp_harness: Program, ab_run: Answer, marker: Marker) -> None:
    run = Path(ab_run.json["run_dir"]).name
    process = thp_harness.start("repro", "x86_64/base", "--run", run, "--gdb", env=marker.environment)
    assert process.stderr
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "target remote" in line:
            break
    words = lines[-1].split()
    assert words[0] == "gdb-multiarch"
    assert Path(words[1]).name == "vmlinux"
    stub = Path(lines[-1].partition("target remote ")[2].partition("'")[0])
    until = time.monotonic() + 60
    while not stub.exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    with socket.socket(socket.AF_UNIX) as gdb:
        gdb.settimeout(60)
        gdb.connect(str(stub))
        gdb.sendall(packet(b"qSupported:multiprocess+"))
        assert b"PacketSize=" in answer_of(gdb)
        gdb.sendall(b"+" + packet(b"?"))
        assert answer_of(gdb).startswith((b"+$T05", b"+$S05", b"$T05"))
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert not stub.parent.exists()


def packet(content: bytes) -> bytes:
    """As "GDB Remote Serial Protocol" in gdb's manual frames it."""
    return b"$" + content + b"#%02x" % (sum(content) % 256)


def answer_of(gdb: socket.socket) -> bytes:
    got = b""
    while b"#" not in got[:-2]:
        chunk = gdb.recv(4096)
        assert chunk, got
        got += chunk
    return got


def rounds_in(reruns: Path) -> set[int]:
    """Numbers of the rounds that a rerun has kept."""
    events = [event for journal in reruns.glob(f"*/{JOURNAL}") for event in read_events(journal.parent)]
    return {each.number for each in rounds_done(events)}


def wait_until(holds: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Wait while the program works; its time is bounded by that of the test."""
    while not holds():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def test_a_rerun_counts_and_goes_on_where_it_was_stopped(
    thp_harness: Program, ab_run: Answer, marker: Marker, tmp_path: Path
) -> None:
    program = Program(thp_harness.cache_home, tmp_path / "state")
    command = (
        "rerun",
        "x86_64/base",
        "--run",
        ab_run.json["run_dir"],
        "--times",
        "5",
        "--test",
        "pmd_split.m*",
    )
    first = program.start(*command, env=marker.environment)
    reruns = program.state_home / "thp-harness" / "reruns"
    wait_until(lambda: rounds_in(reruns), first)
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)
    assert first.returncode == 130
    done = rounds_in(reruns)
    answer = program(*command, "--json")
    assert answer.code == 0, answer.stderr
    assert "resuming the interrupted rerun" in answer.stderr
    booted = {number for number in range(1, 6) if f"round {number} of 5" in answer.stderr}
    assert booted == {1, 2, 3, 4, 5} - done
    (cell,) = answer.json["cells"]
    assert (cell["rounds"], cell["boots"], cell["left_out"], answer.json["complete"]) == (5, 5, 0, True)
    assert len(cell["tests"]) == 7
    for test in cell["tests"]:
        assert (test["passed"], test["failed"]) == (5, 0)
        assert test["failing"]["high"] == pytest.approx(0.5218, abs=1e-4)
    folder = Path(answer.json["run_dir"])
    assert not list((folder / "boots").iterdir())
    (folder / "rerun.json").unlink()
    assert program("report", folder.name, "--json").json == answer.json
    assert (folder / "rerun.json").exists()
    assert [one["kind"] for one in program("results", "list", "--json").json["folders"]] == ["rerun"]
