# SPDX-License-Identifier: GPL-2.0-only
"""Warnings go to the right object, and the first error is found, in kbuild's own words."""

from __future__ import annotations

from pathlib import Path

from harness.build.kernel.diagnostics import first_error, merge, step_of, warnings_by_object
from harness.build.kernel.warnings import close_ledger, open_ledger
from results.model.run import CompilerWarning

TREE = Path("/src/linux")
OUTPUT = """\
  CC      mm/huge_memory.o
/src/linux/mm/huge_memory.c: In function 'split':
/src/linux/mm/huge_memory.c:12:6: warning: unused variable 'x' [-Wunused-variable]
   12 |  int x;
      |      ^
  CC      mm/rmap.o
  LD [M]  mm/x.o
../../mm/mmap.c:7:1: warning: no previous prototype [-Wmissing-prototypes]
  AR      mm/built-in.a
  OBJCOPY arch/x86/boot/vmlinux.bin
WARNING: modpost: vmlinux: section mismatch in reference: a (section: .text) -> b (section: .init.text)
vmlinux.o: warning: objtool: f+0x1: unreachable instruction
""".splitlines()


def test_steps() -> None:
    assert step_of("  CC      mm/huge_memory.o") == "mm/huge_memory.o"
    assert step_of("  CC [M]  fs/x.o") == "fs/x.o"
    assert step_of("  HOSTCC  scripts/basic/fixdep") == "scripts/basic/fixdep"
    assert step_of("make[1]: Entering directory 'x'") is None
    assert step_of("   12 |  int x;") is None


def test_warnings_belong_to_the_object_that_was_made() -> None:
    found = warnings_by_object(OUTPUT, TREE)
    assert found["mm/huge_memory.o"] == [
        CompilerWarning("mm/huge_memory.c", 12, "-Wunused-variable", "unused variable 'x'")
    ]
    assert found["mm/rmap.o"] == []
    assert found["mm/x.o"] == [
        CompilerWarning("mm/mmap.c", 7, "-Wmissing-prototypes", "no previous prototype")
    ]
    last = found["arch/x86/boot/vmlinux.bin"]
    assert [warning.file for warning in last] == ["modpost", "vmlinux.o"]


def test_an_object_made_again_replaces_its_warnings() -> None:
    old = warnings_by_object(OUTPUT, TREE)
    new = warnings_by_object(["  CC      mm/huge_memory.o"], TREE)
    merged = merge(old, new)
    assert "mm/huge_memory.o" not in merged
    assert "mm/x.o" in merged


def test_the_first_error_comes_with_its_context() -> None:
    lines = [f"  CC      a{number}.o" for number in range(20)]
    lines[10:10] = [
        "/src/linux/mm/x.c: In function 'f':",
        "/src/linux/mm/x.c:3:2: error: 'y' undeclared",
        "    3 |  y = 1;",
    ]
    lines.append("make: *** [Makefile:224: __sub-make] Error 2")
    text = first_error(lines, TREE)
    assert text.splitlines()[0] == "mm/x.c:3:2: error: 'y' undeclared"
    assert "In function 'f'" in text
    assert "3 |  y = 1;" in text
    assert "__sub-make" not in text


def test_without_a_known_error_the_end_is_shown() -> None:
    assert first_error(["one", "two"], TREE) == "one\ntwo"


def test_warnings_outlive_incremental_builds(tmp_path: Path) -> None:
    log = tmp_path / "build.log"
    known = open_ledger(tmp_path, TREE, log)
    for warning in (each for made in warnings_by_object(OUTPUT, TREE).values() for each in made):
        (tmp_path / warning.file).parent.mkdir(exist_ok=True)
        (tmp_path / warning.file).touch()
    assert len(close_ledger(tmp_path, TREE, known, OUTPUT)) == 4
    known = open_ledger(tmp_path, TREE, log)
    assert len(close_ledger(tmp_path, TREE, known, ["  CC      mm/rmap.o"])) == 4
    known = open_ledger(tmp_path, TREE, log)
    assert len(close_ledger(tmp_path, TREE, known, ["  CC      mm/huge_memory.o"])) == 3


def test_a_killed_build_is_read_from_its_log(tmp_path: Path) -> None:
    objects, log = tmp_path / "objects", tmp_path / "build.log"
    objects.mkdir()
    open_ledger(objects, TREE, log)
    log.write_text("\n".join(OUTPUT))  # … and then it is killed
    (objects / "mm.o").touch()
    known = open_ledger(objects, TREE, tmp_path / "next.log")
    assert "mm/huge_memory.o" in known
    assert (objects / "mm.o").exists()


def test_objects_of_unknown_history_are_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "mm").mkdir()
    (tmp_path / "mm" / "rmap.o").touch()
    assert open_ledger(tmp_path, TREE, tmp_path / "build.log") == {}
    assert not (tmp_path / "mm").exists()
