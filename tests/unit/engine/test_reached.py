# SPDX-License-Identifier: GPL-2.0-only
"""Counters of a boot through the real gcov(1): which of the changed lines ran."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.build.kernel.profile import NOTES, keep_notes
from harness.build.toolchain import find_gcov
from harness.core.errors import InfrastructureError
from harness.engine.reached import CountedKernel, read_reached
from harness.sources.series.changed_code import ChangedCode
from harness.sources.series.guards import Guard
from results.journal.journal import BootFact
from results.model.reached import BOOT, ChangedFile, DiffRow, ReachedFact
from results.model.run import BootEnd
from tests.samples.counters import report_object, report_ran
from tests.samples.guestlog import NONCE, GuestLog

HEADER = """int other(void);
static inline int clamp_order(int order)
{
	if (order > 9)
		return other();
	return order;
}
"""
UTIL = """#include "order.h"
#define CHECK(ret) do { if (ret < 0) return -12; } while (0)
int split(int order)
{
	CHECK(order);
	return clamp_order(order);
}
#ifdef CONFIG_FS_DAX
int dax(void) { return 1; }
#endif
"""
MAIN = """#include <stdlib.h>
int split(int order);
int other(void);
int main(int argc, char **argv)
{
	(void)argc;
	return split(atoi(argv[1])) - other();
}
"""
FILES = {
    "include/order.h": HEADER,
    "mm/util.c": UTIL,
    "fs/util.c": "int other(void)\n{\n\treturn 0;\n}\n",
    "main.c": MAIN,
}


def changed(path: str) -> ChangedFile:
    rows = (DiffRow("+", text, number, 1) for number, text in enumerate(FILES[path].splitlines(), start=1))
    return ChangedFile(path, (tuple(rows),))


CODE = ChangedCode(
    files=(changed("include/order.h"), changed("mm/util.c"), changed("fs/util.c")),
    objects=("mm/util.o", "fs/util.o"),
    guards={"mm/util.c": {9: (Guard(("CONFIG_FS_DAX",)),), 5: ()}},
)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that is built as kbuild builds a kernel: sources in one folder, objects in another."""
    tree, objects = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("objects")
    for name, content in FILES.items():
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_text(content)
        (objects / name).parent.mkdir(exist_ok=True)
    for name in ("mm/util", "fs/util", "main"):
        flags = () if name == "main" else ("-fprofile-arcs", "-ftest-coverage")
        command = ("gcc", "-Os", *flags, "-I", tree / "include", "-c", "-o", f"{name}.o", tree / f"{name}.c")
        subprocess.run(command, cwd=objects, check=True)
    linking = ("gcc", "--coverage", "-o", "program", "main.o", "mm/util.o", "fs/util.o")
    subprocess.run(linking, cwd=objects, check=True)
    return objects / "program"


def count(program: Path, *orders: int) -> dict[str, bytes]:
    """Run the program with each order; returns the contents of the .gcda files, which are then removed."""
    for order in orders:
        subprocess.run((program, str(order)), check=False)  # its status is what it computes
    files = {name: program.parent / f"{name}.gcda" for name in ("mm/util", "fs/util")}
    found = {name: file.read_bytes() for name, file in files.items()}
    for file in files.values():
        file.unlink()
    return found


def read(program: Path, folder: Path, log: GuestLog, *tests: str) -> ReachedFact:
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "boot.log").write_text("\n".join(log.lines) + "\n")
    (folder / ".config").write_text("CONFIG_MMU=y\n# CONFIG_FS_DAX is not set\n")
    keep_notes(program.parent, CODE.objects, folder / NOTES)
    fact = BootFact(
        id="x86_64-reached-1", arch="x86_64", variant="reached", purpose="first", nonce=NONCE, tests=tests,
        machine="qemu", accelerator="tcg", end=BootEnd.DONE, detail="", seconds=1.0, log="logs/boot.log",
        command=(),
    )  # fmt: skip
    return read_reached(fact, folder, CountedKernel(folder, "gcov", CODE))


def test_each_line_is_told_with_the_tests_that_ran_it(program: Path, tmp_path: Path) -> None:
    ran = {"small": count(program, 3), "wrong": count(program, -1)}
    log = GuestLog().begin(2)
    numbered = list(enumerate((test, name) for test in ran for name in ran[test]))
    for number, (
        test,
        name,
    ) in numbered:  # a program's file has another length in each run, a kernel's has not
        empty = bytes(len(ran[test][name]))
        report_object(log, number, f"/cache/objects/x86_64/{name}.gcda", empty, empty)
    for index, test in enumerate(ran, start=1):
        log.start(index, test)
        for number, (which, name) in numbered:
            if which == test:
                report_ran(log, index, number, bytes(len(ran[test][name])), ran[test][name])
        log.say(f"gcov all {index}").end(index)
    fact = read(program, tmp_path, log.done(2), "small", "wrong")
    assert not fact.problems
    assert fact.code == {"include/order.h": (2, 4, 5), "mm/util.c": (3, 5, 6), "fs/util.c": (1, 3)}
    ran_in = {test.test: test.lines for test in fact.tests}
    assert ran_in[BOOT] == {}
    assert ran_in["small"]["include/order.h"] == (2, 4)
    assert ran_in["small"]["mm/util.c"] == (3, 5, 6)
    assert ran_in["wrong"] == {"mm/util.c": (3, 5), "fs/util.c": (1, 3)}
    assert fact.kept_out == {"mm/util.c": {9: "CONFIG_FS_DAX is not set"}}


def test_a_kernel_that_ends_before_its_first_test_has_code_that_nothing_ran(
    program: Path, tmp_path: Path
) -> None:
    fact = read(program, tmp_path, GuestLog().kernel("Kernel panic - not syncing"), "small")
    assert fact.code["mm/util.c"] == (3, 5, 6)
    assert fact.tests == ()
    assert "no counters" in fact.problems[0]


def test_a_missing_gcov_is_named() -> None:
    with pytest.raises(InfrastructureError, match="no-such-linux-gnu-gcov is missing"):
        find_gcov("no-such-linux-gnu-")
