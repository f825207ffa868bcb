# SPDX-License-Identifier: GPL-2.0-only
"""Warnings go to the right object, and the first error is found, in kbuild's own words."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.build.kernel.diagnostics import (
    crashed_objects,
    errors_by_object,
    failed_object,
    first_error,
    has_clock_skew,
    is_machines_fault,
    merge,
    step_of,
    warnings_by_object,
)
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


@pytest.mark.parametrize(
    "line",
    [
        "mm/rmap.c:3:10: fatal error: cannot write: No space left on device",
        "x86_64-linux-gnu-gcc: fatal error: Killed signal terminated program cc1",
        "cc1: out of memory allocating 65536 bytes after a total of 4096 bytes",
        "make[3]: *** [scripts/Makefile.build:229: mm/rmap.o] Killed",
        "make[2]: *** [scripts/Makefile.build:478: mm] Terminated",
    ],
)
def test_a_machine_without_room_is_not_the_sources_fault(line: str) -> None:
    assert is_machines_fault(["  CC      mm/rmap.o", line])


def test_an_error_of_the_sources_is_theirs() -> None:
    assert not is_machines_fault(OUTPUT)
    assert not is_machines_fault(["make[3]: *** [scripts/Makefile.build:229: mm/rmap.o] Error 1"])


@pytest.mark.parametrize(
    "line",
    [
        "make[3]: Warning: File 'mm/rmap.c' has modification time 86399 s in the future",
        "make[3]: warning:  Clock skew detected.  Your build may be incomplete.",
        "make: warning:  Clock skew detected.  Your build may be incomplete.",
    ],
)
def test_a_clock_that_was_set_back_is_seen(line: str) -> None:
    assert has_clock_skew([*OUTPUT, line])
    assert not has_clock_skew(OUTPUT)


def test_the_object_that_failed_is_named() -> None:
    lines = [
        "make[3]: *** [/src/linux/scripts/Makefile.build:229: mm/rmap.o] Error 1",
        "make[2]: *** [/src/linux/scripts/Makefile.build:478: mm] Error 2",
        "make: *** [Makefile:224: __sub-make] Error 2",
    ]
    assert failed_object(lines) == "mm/rmap.o"
    assert failed_object(lines[1:]) == ""
    assert failed_object(["make[2]: *** [scripts/Makefile.vmlinux_o:61: vmlinux.o] Error 1"]) == "vmlinux.o"


BROKEN = """\
  CC      mm/mincore.o
/src/linux/mm/mincore.c: In function 'do_mincore':
/src/linux/mm/mincore.c:195:24: error: 'THP_SPLIT_PMD' undeclared (first use in this function)
/src/linux/mm/mincore.c:196:9: error: unused [-Werror=unused-variable]
make[3]: *** [/src/linux/scripts/Makefile.build:229: mm/mincore.o] Error 1
  CC      mm/rmap.o
  CC      mm/asm.o
cc1: what the compiler can't do
make[3]: *** [/src/linux/scripts/Makefile.build:229: mm/asm.o] Error 1
  CC      mm/ice.o
mm/ice.c:1:5: internal compiler error: in f, at g.c:1
make[3]: *** [/src/linux/scripts/Makefile.build:229: mm/ice.o] Error 1
make[2]: *** [/src/linux/Makefile:1234: mm] Error 2
""".splitlines()


def test_errors_belong_to_the_object_that_was_not_made() -> None:
    found = errors_by_object(BROKEN, TREE)
    assert found["mm/mincore.o"] == [
        CompilerWarning("mm/mincore.c", 195, "", "'THP_SPLIT_PMD' undeclared (first use in this function)"),
        CompilerWarning("mm/mincore.c", 196, "-Wunused-variable", "unused"),
    ]
    assert "mm/rmap.o" not in found
    assert found["mm/asm.o"] == [CompilerWarning("mm/asm.o", 0, "", "cc1: what the compiler can't do")]


def test_a_crash_is_told_from_an_error() -> None:
    assert crashed_objects(BROKEN) == ("mm/ice.o",)
