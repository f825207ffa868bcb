# SPDX-License-Identifier: GPL-2.0-only
"""The archives are what cpio and the kernel read."""

from __future__ import annotations

import io
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

from harness.build.guest.initramfs import Entry, archive, as_one, console, text, unpacked
from harness.build.guest.manifest import new_nonce, overlay, render
from harness.machines.host.remote.guest import as_tar
from results.model.run import PlannedTest


def test_archives_are_reproducible_and_aligned() -> None:
    one = archive({"a/b": text("x"), "c": text("yy")})
    two = archive({"c": text("yy"), "a/b": text("x")})
    assert one == two
    assert len(one) % 4 == 0
    assert len(archive({"a": text("x")}) + archive({"b": text("y")})) % 4 == 0


@pytest.mark.skipif(not shutil.which("cpio"), reason="cpio is not installed")
def test_cpio_unpacks_it(tmp_path: Path) -> None:
    entries = {"bin/tool": Entry(stat.S_IFREG | 0o755, b"#!/bin/sh\n"), "thp/manifest": text("nonce 1\n")}
    subprocess.run(["cpio", "-id", "--quiet"], input=archive(entries), cwd=tmp_path, check=True)
    assert (tmp_path / "thp" / "manifest").read_text() == "nonce 1\n"
    assert (tmp_path / "bin" / "tool").stat().st_mode & 0o777 == 0o755


@pytest.mark.skipif(not shutil.which("cpio"), reason="cpio is not installed")
def test_several_archives_become_one_that_cpio_reads_to_its_end(tmp_path: Path) -> None:
    first = archive({"bin/tool": Entry(stat.S_IFREG | 0o755, b"#!/bin/sh\n"), "empty": text("")})
    both = as_one(first + b"\0" * 20 + archive({"thp/manifest": text("nonce 1\n")}))
    subprocess.run(["cpio", "-id", "--quiet"], input=both, cwd=tmp_path, check=True)
    assert (tmp_path / "thp" / "manifest").read_text() == "nonce 1\n"
    assert (tmp_path / "bin" / "tool").read_bytes() == b"#!/bin/sh\n"
    assert as_one(both) == both


def test_what_a_host_unpacks_is_what_the_kernel_would() -> None:
    programs = archive({"bin/tool": Entry(stat.S_IFREG | 0o755, b"#!"), "dev/console": console()})
    both = programs + archive({"thp/manifest": text("old\n")}) + b"\0" * 8
    files = unpacked(both + archive({"thp/manifest": text("new\n")}))
    assert files["bin/tool"] == Entry(stat.S_IFREG | 0o755, b"#!")
    assert files["dev/console"] == console()
    assert files["thp/manifest"].content == b"new\n"
    with tarfile.open(fileobj=io.BytesIO(as_tar(both))) as packed:
        assert {member.name: member.mode for member in packed} == {"bin/tool": 0o755, "thp/manifest": 0o644}
        assert packed.extractfile("thp/manifest").read() == b"old\n"  # type: ignore[union-attr]


@pytest.mark.parametrize("damaged", [b"x", archive({"a": text("b")})[:50], archive({"a": text("b")})[4:]])
def test_what_is_no_archive_is_not_made_one(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="no member of a newc archive"):
        as_one(damaged)


def test_the_manifest_says_what_to_run() -> None:
    test = PlannedTest("pmd_split.munmap", ("/bin/pmd_split", "munmap"), 20.0)
    lines = render("00112233445566ff", [test], 4.0, "restart").splitlines()
    assert lines[0] == "nonce 00112233445566ff"
    assert "test pmd_split.munmap 80000 /bin/pmd_split munmap" in lines
    assert lines[-1] == "finish restart"
    assert b"thp/manifest" in overlay("\n".join(lines))


def test_the_manifest_watches_the_counters_that_tests_ask_for() -> None:
    tests = [
        PlannedTest("a", ("/bin/a",), 20.0, watch=("pgfault", "meminfo.AnonHugePages", "no such")),
        PlannedTest("c", ("/bin/c",), 20.0, watch=("/sys/fs/cgroup/memory.stat:slab", "/etc/passwd")),
        PlannedTest("b", ("/bin/b",), 20.0, watch=("pgfault",)),
    ]
    lines = render("00112233445566ff", tests, 1.0, "restart").splitlines()
    assert [line for line in lines if line.startswith("watch ")] == [
        "watch vmstat thp_",
        "watch vmstat nr_page_table_pages",
        "watch meminfo PageTables",
        "watch vmstat pgfault",
        "watch meminfo AnonHugePages",
        "watch file /sys/fs/cgroup/memory.stat:slab",
    ]


def test_where_programs_are_not_alone_they_have_a_folder() -> None:
    test = PlannedTest("mm.x", ("/bin/selftest", "/bin/mm/x", "/dev/x", "a/bin/b"), 20.0)
    lines = render("00112233445566ff", [test], 1.0, "restart", root="/var/lib/t").splitlines()
    assert "test mm.x 20000 /var/lib/t/bin/selftest /var/lib/t/bin/mm/x /dev/x a/bin/b" in lines
    assert {"channel /var/lib/t/log", "attempted /var/lib/t/attempted"} <= set(lines)


def test_nonces_differ() -> None:
    assert len({new_nonce() for _ in range(50)}) == 50
    assert len(new_nonce()) == 16
