# SPDX-License-Identifier: GPL-2.0-only
"""A small series of which some lines ran."""

from __future__ import annotations

from collections.abc import Mapping

from results.compare.reached.judge import CountedArch, ReachedBoot, judge_reached
from results.model.reached import BOOT, ChangedFile, DiffRow, LinesOfTest, ReachedFact, ReachedRun
from results.model.run import PlannedTest
from tests.samples.sample_parts import build_of

CODE = {
    "mm/huge_memory.c": (
        "\tpgtable = pte_alloc_one(mm);",
        "\tif (!pgtable)",
        "\t\treturn -ENOMEM;",
        "\tsplit_count++;",
        "\t/* a comment */",
    ),
    "fs/dax.c": ("\tif (err)", "\t\treturn VM_FAULT_OOM;", "\t\tgoto out;"),
}
PATCHES = {"mm/huge_memory.c": 1, "fs/dax.c": 2}
PLANNED = (
    PlannedTest("pmd_split.munmap", ("/bin/pmd_split", "munmap"), 30.0),
    PlannedTest(
        "fault_sweep.munmap", ("/bin/fault_sweep", "munmap"), 30.0,
        unharmed=("/bin/fault_sweep", "--unharmed", "munmap"),
    ),
)  # fmt: skip


def changed_files(texts: Mapping[str, tuple[str, ...]] = CODE) -> tuple[ChangedFile, ...]:
    """The series as a diff: each file has a context line, a removed line, and the added ones from line 11."""
    return tuple(
        ChangedFile(
            path,
            (
                (
                    DiffRow(" ", "{", 10),
                    DiffRow("-", "\told();"),
                    *(
                        DiffRow("+", text, 11 + number, PATCHES.get(path, 1))
                        for number, text in enumerate(lines)
                    ),
                ),
            ),
        )
        for path, lines in texts.items()
    )


def counted(arch: str, tests: Mapping[str, tuple[int, ...]], dax: bool = False) -> CountedArch:
    """What the boot of an architecture says; `tests` are the lines of mm/huge_memory.c that each ran."""
    code = {"mm/huge_memory.c": (11, 12, 13, 14), **({"fs/dax.c": (11, 12)} if dax else {})}
    kept_out = {} if dax else {"fs/dax.c": dict.fromkeys((11, 12, 13), "CONFIG_FS_DAX is not set")}
    ran = tuple(LinesOfTest(name, {"mm/huge_memory.c": lines}) for name, lines in tests.items())
    fact = ReachedFact(arch, f"{arch}-reached-1", code, kept_out, ran)
    boot = ReachedBoot(f"logs/{arch}-reached-1.log", 20.0)
    return CountedArch(arch, build_of(arch, "reached"), [boot], {fact.boot: fact})


def reached_run(percent: float | None = None) -> ReachedRun:
    """On x86_64 all but one line ran, one of them only in the sweep; on arm64 fewer."""
    x86_64 = {
        BOOT: (),
        "pmd_split.munmap": (11, 12),
        "fault_sweep.munmap": (11, 12, 13),
        "fault_sweep.munmap_unharmed": (11, 12),
    }
    arm64 = {"pmd_split.munmap": (11,)}
    return judge_reached(
        changed_files(), PLANNED, (counted("x86_64", x86_64), counted("arm64", arm64)), percent
    )
