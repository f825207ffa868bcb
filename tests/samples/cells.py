# SPDX-License-Identifier: GPL-2.0-only
"""Builds cells for the tests of comparison from few words."""

from __future__ import annotations

from collections.abc import Sequence

from results.model.run import (
    Boot,
    BootEnd,
    Build,
    Capabilities,
    Cell,
    CompilerWarning,
    CounterChange,
    Evidence,
    LineRange,
    PlannedTest,
    Splat,
    Status,
    TestResult,
)

THP = Capabilities(release="6.12.0", machine="x86_64", page_size=4096, pmd_size=2 << 20, thp=True)
NO_THP = Capabilities(release="6.12.0", machine="s390x", thp=False, facts={"thp_reason": "no EDAT-1"})


def plan(*names: str) -> tuple[PlannedTest, ...]:
    evidence = (Evidence("thp_split_pmd", 1),)
    return tuple(PlannedTest(name, ("/bin/t", name), 30.0, evidence, ("thp",)) for name in names)


def result(word: str, name: str = "t", at: int = 10) -> TestResult:
    """Make a result from a word; idle is a PASS without evidence, silent printed no result."""
    lines = LineRange(at, at + 5)
    moved = {"thp_split_pmd": CounterChange(at, at + 1)}
    match word:
        case "pass":
            return TestResult(name, Status.PASS, "", 1.0, moved, (), lines)
        case "idle":
            still = {"thp_split_pmd": CounterChange(at, at)}
            return TestResult(name, Status.PASS, "", 1.0, still, (), lines)
        case "fail":
            return TestResult(name, Status.FAIL, "data lost", 1.0, moved, (), lines)
        case "skip":
            return TestResult(name, Status.SKIP, "no THP", 1.0, {}, (), lines)
        case "died":
            return TestResult(name, Status.ERROR, "the guest died in this test", lines=lines)
        case "damaged":
            return TestResult(name, Status.ERROR, "would be PASS, but a line is lost", 1.0, moved, (), lines)
        case "silent":
            return TestResult(name, Status.MISS, "printed no result", 1.0, {}, (), lines)
        case "miss":
            return TestResult(name, Status.MISS, "never started")
    raise ValueError(word)


def boot(
    words: Sequence[str] | str,
    end: BootEnd | None = None,
    names: Sequence[str] = ("t",),
    splats: Sequence[Splat] = (),
    capabilities: Capabilities | None = THP,
    number: int = 1,
) -> Boot:
    """Make a boot of one result for each name; ends in a panic if a test died, else well."""
    words = words.split() if isinstance(words, str) else words
    pairs = zip(words, names, strict=True)
    results = [result(word, name, 10 * at) for at, (word, name) in enumerate(pairs, start=1)]
    end = end or (BootEnd.PANIC if "died" in words else BootEnd.DONE)
    started = any(each.lines for each in results)
    return Boot(
        id=f"x86_64-v-{number}",
        purpose="first" if number == 1 else "again",
        machine="qemu",
        accelerator="tcg",
        end=end,
        detail="" if end is BootEnd.DONE else f"ended by {end}",
        seconds=5.0,
        log="x.log",
        capabilities=capabilities if started else None,
        tests=tuple(results),
        splats=tuple(splats),
    )


def build(
    ok: bool = True,
    infrastructure: bool = False,
    warnings: Sequence[CompilerWarning] = (),
    variant: str = "base",
) -> Build:
    error = "" if ok else "\nmm/x.c:1: error: boom\n  1 | x"
    return Build(
        "x86_64", variant, ok, "key", False, 1.0, "c0ffee", "gcc 12",
        warnings=tuple(warnings), error=error, error_is_infrastructure=infrastructure,
    )  # fmt: skip


def cell(*boots: Boot, built: Build | None = None) -> Cell:
    numbered = tuple(boots)
    return Cell("x86_64", "base", built or build(), numbered)


def runs(*words: str) -> Cell:
    """Make a cell of one boot for each run of the only test."""
    return cell(*(boot([word], number=number) for number, word in enumerate(words, start=1)))


def splat(signature: str = "warning | f") -> Splat:
    return Splat("warning", f"WARNING of {signature}", signature, LineRange(3, 9), ("x",))
