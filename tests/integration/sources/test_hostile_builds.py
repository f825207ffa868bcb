# SPDX-License-Identifier: GPL-2.0-only
"""Trees whose Makefiles and sources attack the machine that builds them."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from harness.build.ccache import FOLDER, SWITCH
from harness.build.kernel.binutils import Binutils
from harness.core import sandbox
from harness.core.errors import InfrastructureError
from harness.core.process import Bounds, Children
from harness.sources.git.repository import Repository
from harness.sources.series.am import ApplyOptions, apply_mails
from harness.sources.series.mail.mbox import read_mails
from results.model.run import Build
from tests.integration.processes import Marker
from tests.integration.sources.test_stub_builds import Bench
from tests.integration.stub_tree import MAKEFILE, StubTree, make_stub_tree
from tests.samples.tiny_kernel import commit, git

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("x86_64-linux-gnu-gcc"), reason="needs x86_64-linux-gnu-gcc"),
    pytest.mark.skipif(bool(sandbox.why_not()), reason=f"no sandbox here: {sandbox.why_not()}"),
]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(SWITCH, "0")
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def build(cache: Path, recipe: str, **files: str) -> Build:
    """Build a tree whose kernel is linked by a shell command of the attacker's."""
    return Bench(hostile_tree(cache.parent, recipe, **files), cache).build()


def hostile_tree(folder: Path, recipe: str, **files: str) -> StubTree:
    """Make a tree with a series whose Makefile runs `recipe`."""
    (folder / "image").write_text("finished")
    makefile = MAKEFILE.replace("GATE", "/gate").replace("\t@cp image $@\n", f"\t@{recipe}\n\t@cp image $@\n")
    assert recipe in makefile
    return make_stub_tree(folder / "tree", folder / "image", series={"Makefile": makefile, **files})


def test_what_a_harmless_tree_does_works(cache: Path) -> None:
    made = build(cache, "echo harmless > $(O)/note")
    assert made.ok, made.error
    assert (cache / "objects" / "x86_64" / "note").read_text() == "harmless\n"


@pytest.mark.parametrize("place", ["cache/builds/x", "cache/objects/x86_64.origin", "tree/mm/x", "x"])
def test_what_it_writes_beside_its_objects_is_never_seen(cache: Path, place: str) -> None:
    build(cache, f"mkdir -p {cache.parent / place}; echo evil > {cache.parent / place}/x; true")
    assert not (cache.parent / place).exists()


def test_its_tree_is_read_only(cache: Path) -> None:
    made = build(cache, "echo 'int evil;' > mm/evil.c")
    assert not made.ok
    assert "Read-only file system" in made.error


def test_it_can_not_read_home(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "key").write_text("secret")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    made = build(cache, f"cat $$HOME/key {tmp_path}/home/key /etc/shadow > $(O)/loot 2>&1; true")
    assert made.ok, made.error
    loot = (cache / "objects" / "x86_64" / "loot").read_text()
    assert "secret" not in loot
    assert loot.count("No such file") == 3


def test_it_can_not_reach_the_network(cache: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        made = build(cache, f"bash -c ': < /dev/tcp/127.0.0.1/{port}'")
    assert not made.ok
    assert "Connection refused" in made.error


def test_its_daemon_ends_with_the_build(cache: Path, marker: Marker) -> None:
    made = build(cache, "setsid sh -c 'trap \"\" TERM HUP; exec sleep 1000' >/dev/null 2>&1 & sleep 0.2")
    assert made.ok, made.error
    assert marker.left_after(5) == {}


def test_a_recipe_that_traps_sigterm_is_killed(
    cache: Path, marker: Marker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.core.process.GRACE_SECONDS", 0.5)
    monkeypatch.setattr("harness.core.process.BUILD", Bounds(seconds=60, silence=2, output=8 << 20))
    started = time.monotonic()
    made = build(cache, "trap '' TERM; while :; do sleep 1; done")
    assert time.monotonic() - started < 30
    assert not made.ok
    assert made.error_is_infrastructure, "it may be the machine that is slow"
    assert made.error == "make was ended: no output for 2 s"
    assert marker.left_after(5) == {}


def test_a_fifo_that_is_included_ends_at_the_limit(
    cache: Path, marker: Marker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.core.process.BUILD", Bounds(seconds=60, silence=2, output=8 << 20))
    made = build(cache, "mkfifo $(O)/fifo; echo '#include \"fifo\"' > $(O)/x.c; gcc -c -o $(O)/x.o $(O)/x.c")
    assert not made.ok
    assert made.error == "make was ended: no output for 2 s"
    assert marker.left_after(5) == {}


def test_endless_output_is_cut_and_is_the_trees_fault(cache: Path, marker: Marker) -> None:
    made = build(cache, "yes")
    assert not made.ok
    assert not made.error_is_infrastructure
    assert made.error == "make was ended: more than 8 MiB of output"
    assert (cache / "build.log").stat().st_size < 9 << 20
    assert marker.left_after(5) == {}


def bound_build(monkeypatch: pytest.MonkeyPatch, **bounds: int) -> None:
    monkeypatch.setattr("harness.core.process.BUILD", Bounds(60, 30, 8 << 20, **bounds))


def test_a_fork_bomb_ends_at_the_limit_and_is_told(
    cache: Path, marker: Marker, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound_build(monkeypatch, processes=300)
    made = build(cache, "bash -c 'bomb() { bomb & bomb & sleep 5; }; bomb'")
    assert not made.ok
    assert not made.error_is_infrastructure
    assert made.error == "make was ended: more than 300 processes at once"
    assert marker.left_after(5) == {}


def test_a_program_that_takes_all_memory_ends_and_is_no_failure_of_the_tree(
    cache: Path, marker: Marker, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound_build(monkeypatch, memory=300 << 20)
    made = build(cache, "tail /dev/zero")
    assert not made.ok
    assert made.error_is_infrastructure
    assert "memory exhausted" in made.error
    assert marker.left_after(5) == {}


def test_many_programs_that_take_all_memory_together_end_as_well(
    cache: Path, marker: Marker, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound_build(monkeypatch, memory=300 << 20)
    one = "head -c 100000000 /dev/zero | (sleep 1; perl -e '$$x = <STDIN>; sleep 30') &"
    made = build(cache, f"for i in 1 2 3 4 5; do {one} done; wait")
    assert not made.ok
    assert made.error_is_infrastructure
    assert made.error == "make was ended: more than 300 MiB of memory"
    assert marker.left_after(5) == {}


def test_a_file_without_end_is_cut(cache: Path) -> None:
    made = build(cache, "truncate -s 9G $(O)/long")
    assert not made.ok
    assert "File size limit exceeded" in made.error or "File too large" in made.error


@pytest.mark.parametrize(
    "left",
    [
        "ln -sf {secret} $(O)/System.map",
        "rm -rf $(O)/arch/x86; ln -s {folder} $(O)/arch/x86; true",
        "rm -f $(O)/.config; mkfifo $(O)/.config",
    ],
    ids=["file", "folder", "fifo"],
)
def test_a_way_out_of_its_objects_is_found(cache: Path, tmp_path: Path, left: str) -> None:
    (tmp_path / "secret").write_text("secret")
    made = build(cache, left.format(secret=tmp_path / "secret", folder=tmp_path))
    assert not made.ok
    assert not list(cache.glob("builds/*/*")), "nothing of it is kept"


def test_ctrl_c_lets_make_clean_up(cache: Path, marker: Marker) -> None:
    """A half-written object would be believed by the next make."""
    half = cache / "objects" / "x86_64" / "arch" / "x86" / "boot" / "bzImage"

    def interrupt() -> None:
        until = time.monotonic() + 60
        while not half.exists() and time.monotonic() < until:
            time.sleep(0.02)
        for process in marker.processes("make"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, 15)

    thread = threading.Thread(target=interrupt)
    thread.start()
    made = build(cache, "echo half > $@; sleep 1000")
    thread.join()
    assert not made.ok
    assert not half.exists()


def test_what_a_series_left_is_linked_into_no_other_kernel(cache: Path) -> None:
    """Objects that are newer than their sources: make would take them."""
    weak = "echo '__attribute__((weak)) int evil;' | gcc -x c -c -o $$each -"
    evil = f"for each in $(objects); do {weak}; done"
    bench = Bench(hostile_tree(cache.parent, f"{evil}; ld -r -o $(O)/vmlinux $(objects)"), cache)
    git(bench.tree.path, "checkout", "-q", "base")
    before = symbols(cache, bench.build())
    git(bench.tree.path, "checkout", "-q", "topic")
    assert "evil" in symbols(cache, bench.build(origin="hostile"))
    commit(bench.tree.path, "harmless", {"mm/more.c": "int more;\n", "Makefile": MAKEFILE})
    assert symbols(cache, bench.build(origin="harmless")) == {*before, "more"}
    git(bench.tree.path, "checkout", "-q", "base")
    commit(bench.tree.path, "the tree goes on", {"mm/later.c": "int later;\n"})
    assert symbols(cache, bench.build()) == {*before, "later"}


def symbols(cache: Path, made: Build) -> set[str]:
    assert made.ok, made.error
    (entry,) = cache.glob(f"builds/*/{made.key}")
    listing = subprocess.run(("nm", entry / "vmlinux"), capture_output=True, text=True, check=True).stdout
    return {line.split()[-1] for line in listing.splitlines()}


@pytest.mark.parametrize("tool", ["size", "nm", "objdump", "objcopy"])
def test_a_tool_that_an_object_takes_over_reads_and_writes_nothing(tmp_path: Path, tool: str) -> None:
    """As a fault of binutils would let it."""
    (tmp_path / "secret").write_text("secret")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("size", "nm", "objdump", "objcopy"):
        hostile = f"cat {tmp_path}/secret; echo > {tmp_path}/written; echo > $1.x"
        (tools / f"x-{name}").write_text(f"#!/bin/sh\n{hostile if name == tool else 'echo .debug_info'}\n")
        (tools / f"x-{name}").chmod(0o755)
    (tmp_path / "objects").mkdir()
    (tmp_path / "entry").mkdir()
    vmlinux = tmp_path / "objects" / "vmlinux"
    vmlinux.write_text("object")
    binutils = Binutils(f"{tools}/x-", Children())
    assert binutils.sizes(vmlinux) == (0, 0, 0)
    assert binutils.symbol_bytes(vmlinux) == 0
    with contextlib.suppress(InfrastructureError):
        binutils.copy_without_debug(vmlinux, tmp_path / "entry" / "vmlinux")
    assert not (tmp_path / "written").exists()
    assert [path.name for path in vmlinux.parent.iterdir()] == ["vmlinux"]
    _, said = binutils._run(tool, vmlinux)
    assert "secret\n" not in said


def test_a_git_that_a_patch_takes_over_reads_nothing(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("secret")
    tree = hostile_tree(tmp_path, "true")
    mirror = Repository(tree.path / ".git")
    loot = tree.path / ".git" / "objects" / "loot"
    (tmp_path / "tools").mkdir()
    git_itself = shutil.which("git")
    hostile = f"cat {tmp_path}/secret >{loot} 2>&1; echo > {tmp_path}/written"
    script = f'#!/bin/sh\ncase " $* " in *" am "*) {hostile} ;; esac\nexec {git_itself} "$@"\n'
    (tmp_path / "tools" / "git").write_text(script)
    (tmp_path / "tools" / "git").chmod(0o755)
    patch = git(tree.path, "format-patch", "--stdout", "base..topic").encode() + b"\n"
    mails = tuple(read_mails("series.mbox", patch, mirror))
    base = git(tree.path, "rev-parse", "base")
    monkeypatch.setenv("PATH", str(tmp_path / "tools"), prepend=os.pathsep)
    applied = apply_mails(mirror, base, mails, ApplyOptions(), print)
    assert applied.tree == git(tree.path, "rev-parse", "topic^{tree}")
    assert "No such file" in loot.read_text()
    assert not (tmp_path / "written").exists()


@pytest.mark.skipif(not shutil.which("ccache"), reason="ccache is not installed")
def test_a_series_reads_ccache_and_leaves_nothing_in_it(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SWITCH)
    evil = f"echo evil > {cache}/{FOLDER}/evil; echo 'int evil;' > $(O)/e.c; $(CC) -c -o $(O)/e.o $(O)/e.c"
    bench = Bench(hostile_tree(cache.parent, f"{{ {evil}; }} > $(O)/said 2>&1; true"), cache)
    git(bench.tree.path, "checkout", "-q", "base")
    assert bench.build().ok
    before = ccache_files(cache)
    assert len(before) > 3
    git(bench.tree.path, "checkout", "-q", "topic")
    made = bench.build(origin="hostile")
    assert made.ok, made.error
    assert "Read-only file system" in (cache / "objects" / "x86_64" / "said").read_text()
    assert (cache / "objects" / "x86_64" / "e.o").is_file(), "it compiled, with ccache"
    assert ccache_files(cache) == before


def ccache_files(cache: Path) -> dict[str, bytes]:
    """The objects in it, and not its statistics and locks."""
    files = (path for path in (cache / FOLDER).rglob("*") if path.is_file() and path.name[-1:] in "RM")
    return {str(path): path.read_bytes() for path in files}
