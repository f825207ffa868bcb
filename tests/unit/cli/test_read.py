# SPDX-License-Identifier: GPL-2.0-only
"""`thp-harness read`: what it prints, from files of any kind and from stdin."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.cli.main import main

LOG = "TAP version 13\n1..3\nok 1 a\n# x.c:3: lost\nnot ok 2 b\nok 3 c # SKIP no swap\n"


def run(*arguments: str, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(main, ["read", *arguments], input=stdin)


def test_what_is_wrong_comes_first_with_its_lines(tmp_path: Path) -> None:
    log = tmp_path / "boot.log"
    log.write_text(LOG)
    done = run(str(log))
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        f"{log}:4-5: FAIL b: x.c:3: lost",
        f"{log}: SKIP 1 result: no swap",
        f"{log}: 0 reports of the kernel, 1 failed, 1 skipped, 1 passed",
    ]
    assert f"{log}:3: PASS a" in run("--all", str(log)).stdout


@pytest.mark.parametrize("pack", [str.encode, lambda text: gzip.compress(text.encode()),
                                  lambda text: bz2.compress(text.encode()),
                                  lambda text: lzma.compress(text.encode())])  # fmt: skip
def test_stdin_and_compressed_files(tmp_path: Path, pack: Callable[[str], bytes]) -> None:
    log = tmp_path / "log"
    log.write_bytes(pack(LOG))
    for done in (run(str(log)), run("-", stdin=pack(LOG))):
        assert done.exit_code == 1
        assert ":4-5: FAIL b: x.c:3: lost" in done.stdout


def test_json(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(LOG)
    document = json.loads(run("--json", str(log)).stdout)
    assert (document["schema"], document["exit_code"]) == ("thp-harness/read/1", 1)
    (leaf,) = [leaf for leaf in document["logs"][0]["tests"][0]["leaves"] if leaf["status"] == "FAIL"]
    assert (leaf["path"], leaf["lines"]) == (["b"], {"first": 4, "last": 5})


def test_many_failures_are_cut_unless_all_are_asked_for(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"not ok {number} x{number}\n" for number in range(1, 51)))
    shown = run(str(log)).stdout.splitlines()
    assert len(shown) == 23
    assert shown[20] == f"{log}: … 30 more (--all)"
    assert len(run("--all", str(log)).stdout.splitlines()) == 52


def test_control_characters_are_shown(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("1..1\nnot ok 1 a\x07[bold]\n")
    assert "FAIL a\\x07[bold]" in run(str(log)).stdout


def test_mistakes(tmp_path: Path) -> None:
    assert run().exit_code == 2
    assert "does not exist" in run(str(tmp_path / "none")).stderr
    damaged = tmp_path / "log.gz"
    damaged.write_bytes(gzip.compress(LOG.encode() * 100)[:-12])
    done = run(str(damaged))
    assert done.exit_code == 2
    assert "the compressed file is damaged" in done.stderr
