# SPDX-License-Identifier: GPL-2.0-only
"""Programs of the tree's own: one that does not compile is said by name, and takes nothing else with it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.build.guest.programs import ProgramError, build_programs
from harness.build.toolchain import Compiler
from harness.config.suite import CaseRecord, ProgramRecord, SuiteRecord

pytestmark = pytest.mark.skipif(not shutil.which("cpio"), reason="cpio is not installed")

NATIVE = Compiler("", "the machine's own")
GOOD = '#include "local_config.h"\nint helped(void);\nint main(void) { return helped(); }\n'
BAD = "#ifndef WANTED\n#error not for this architecture\n#endif\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A kernel tree of three files."""
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "good.c").write_text(GOOD)
    (folder / "bad.c").write_text(BAD + GOOD)
    (folder / "helper.c").write_text("int helped(void) { return 0; }\n")
    return folder


def suite(**cases: CaseRecord) -> SuiteRecord:
    shared = ProgramRecord(name="mine", tree_sources=("helper.c",))
    return SuiteRecord(name="mine", about="Mine", program=shared, evidence={}, cases=cases)


def built(suite: SuiteRecord, tree: Path, base: Path | None = None) -> Path:
    """Build, and unpack the archive; returns the folder of the programs."""

    @contextmanager
    def sources(of: Path) -> Iterator[Path]:
        yield of

    of_base = (lambda: sources(base)) if base else None
    archive = build_programs(NATIVE, [suite], lambda: sources(tree), "tree", tree.parent / "cache", of_base)
    folder = tree.parent / "guest"
    folder.mkdir(exist_ok=True)
    command = ("cpio", "-idu", "--quiet", "bin/*")
    subprocess.run(command, input=archive.read_bytes(), cwd=folder, check=True)
    return folder / "bin"


def run(program: Path) -> tuple[int, str]:
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.slow
def test_what_does_not_compile_is_skipped_with_the_compilers_words(tree: Path) -> None:
    cases = {name: CaseRecord(sources=(f"{name}.c",)) for name in ("good", "bad")}
    programs = built(suite(**cases), tree)
    assert run(programs / "mine" / "good") == (0, "")
    code, said = run(programs / "mine" / "bad")
    assert code == 4
    assert "# SKIP it does not compile here: bad.c:2:2: error: #error not for this architecture" in said


@pytest.mark.slow
def test_what_compiles_from_the_sources_of_base_only_is_blamed_on_the_series(tree: Path) -> None:
    base = tree.parent / "base"
    shutil.copytree(tree, base)
    (base / "bad.c").write_text(GOOD)
    (base / "worse.c").write_text(BAD)
    (tree / "worse.c").write_text(BAD)
    cases = {name: CaseRecord(sources=(f"{name}.c",)) for name in ("bad", "worse")}
    programs = built(suite(**cases), tree, base)
    assert "here: no longer compiles with the series: bad.c:2:2: error: " in run(programs / "mine" / "bad")[1]
    assert "no longer compiles" not in run(programs / "mine" / "worse")[1]


@pytest.mark.slow
def test_flags_of_a_case_are_the_compilers(tree: Path) -> None:
    programs = built(suite(bad=CaseRecord(sources=("bad.c",), flags=("-DWANTED",))), tree)
    assert run(programs / "mine" / "bad") == (0, "")


@pytest.mark.slow
def test_the_only_program_of_a_suite_must_compile(tree: Path) -> None:
    lone = ProgramRecord(name="mine", tree_sources=("bad.c", "helper.c"))
    broken = SuiteRecord(name="mine", about="Mine", program=lone, evidence={}, cases={"all": CaseRecord()})
    with pytest.raises(ProgramError, match="not for this architecture"):
        built(broken, tree)
