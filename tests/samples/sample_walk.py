# SPDX-License-Identifier: GPL-2.0-only
"""Builds walks from few words: one architecture's patches, each a word for what happens to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from results.journal.journal import Event, PlanFact, WalkScope, patch_variant
from results.model.run import Boot, BootEnd, Cell, CompilerWarning, Patch, Subject
from results.model.walk import ArchColumn, PatchResult, RebuildCheck, Walk
from results.walk.walk import conclude_walk
from tests.samples.cells import boot, build, plan, splat

TESTS = ("mine.one", "mine.two")
WARNING = CompilerWarning("mm/x.c", 3, "-Wunused-variable", "unused variable 'x'")
OTHER_WARNING = CompilerWarning("mm/y.c", 9, "-Wunused-variable", "unused variable 'y'")
HOSTILE = "<script>alert(1)</script>\x1b[31mred\x00 \u202e [bold]"


def cell_of(arch: str, number: int, words: str) -> Cell:
    """A kernel by words, several of which make several faults.

    ok; unbuilt, lost (infrastructure), broken (does not build), dead (does not boot), one and two
    (fail these tests), splat, warns and warns2, flaky, gap (not exercised); `=N` is the image of patch N.
    """
    variant, chosen = patch_variant(number), words.split()
    same = next((word.removeprefix("=") for word in chosen if word.startswith("=")), str(number))
    built = replace(
        build("broken" not in chosen, variant=variant, warnings=_warnings(chosen)),
        arch=arch, image_sha256=f"{same:0>4}" * 16, log=f"logs/{arch}-{number}.log",
        text_bytes=4096, symbol_bytes=1000 + number,
    )  # fmt: skip
    if "unbuilt" in chosen:
        return Cell(arch, variant)
    if "lost" in chosen:
        return Cell(arch, variant, build(False, infrastructure=True, variant=variant))
    if "broken" in chosen:
        return Cell(arch, variant, built)
    boots = tuple(
        replace(each, id=f"{arch}-patch-{number}-{count}", log=f"logs/{arch}-patch-{number}-{count}.log")
        for count, each in enumerate(_boots(chosen), start=1)
    )
    return Cell(arch, variant, built, boots)


def _warnings(words: Sequence[str]) -> tuple[CompilerWarning, ...]:
    known = {"warns": WARNING, "warns2": OTHER_WARNING}
    return tuple(known[word] for word in words if word in known)


def _boots(words: Sequence[str]) -> tuple[Boot, ...]:
    if "dead" in words:
        return tuple(boot("miss miss", BootEnd.PANIC, TESTS, number=number) for number in (1, 2, 3))
    first = ["fail" if name.split(".")[1] in words else "pass" for name in TESTS]
    if "gap" in words:
        first[0] = "idle"
    splats = [splat()] if "splat" in words else []
    again = first
    if "flaky" in words:
        first, again = ["fail", "pass"], ["pass", "pass"]
    needed = "fail" in first or splats
    boots = [boot(first, names=TESTS, splats=splats)]
    return (*boots, boot(again, names=TESTS, splats=splats, number=2)) if needed else tuple(boots)


def walk_of(
    arches: Mapping[str, Sequence[str]],
    kernels: Sequence[int] | None = None,
    numbers: Sequence[int] | None = None,
    boots: bool = True,
    checks: Sequence[RebuildCheck] = (),
    ended: bool = True,
    subject: str = "mm: change",
) -> Walk:
    """A walk; each architecture has a word for base and each patch, see `cell_of`."""
    count = len(next(iter(arches.values())))
    chosen = tuple(numbers or range(count))
    scope = WalkScope(chosen, tuple(kernels or chosen), boots, 0, 7)
    patches = tuple(
        Patch(number, f"{subject} {number}", f"{number:040x}", "f" * 40)
        for number in range(1, chosen[-1] + 1)
    )
    fact = PlanFact(
        id="20260101-000000-walk",
        harness="0.1.0",
        host={"cpus": "2"},
        command=("thp-harness", "walk"),
        subject=Subject("debian-6.12", "6.12.117", "a" * 40, "mine", "Mine", "b" * 40, True, patches),
        planned=plan(*TESTS) if boots else (),
        arches=tuple(arches),
        claims=(),
        allow_unexercised=(),
        digest="d" * 24,
        walk=scope,
    )
    cells = [
        _without_boots(cell_of(arch, number, word), boots)
        for arch, words in arches.items()
        for number, word in zip(chosen, words, strict=True)
    ]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    facts = [Event(now, "check", _as_fact(check)) for check in checks]
    return conclude_walk(
        fact, [Event(now, "plan", {}), *facts, Event(now, "end" if ended else "build", {})], cells
    )


def _without_boots(cell: Cell, boots: bool) -> Cell:
    return cell if boots else replace(cell, boots=())


def _as_fact(check: RebuildCheck) -> dict[str, object]:
    names = ("arch", "number", "ok", "words", "seconds", "log")
    return {name: getattr(check, name) for name in names}


def only(walk: Walk) -> ArchColumn:
    (column,) = walk.columns
    return column


def states(walk: Walk) -> list[str]:
    return [str(step.state) for step in only(walk).steps]


def step_of(walk: Walk, number: int) -> PatchResult:
    return next(step for step in only(walk).steps if step.number == number)


def mixed_walk() -> Walk:
    """Five architectures, and something of everything."""
    return walk_of(
        {
            "x86_64": ["ok", "ok =0", "warns", "warns", "warns one", "warns one two"],
            "arm64": ["ok", "ok", "broken", "ok", "ok", "dead"],
            "s390": ["ok", "gap", "ok", "ok", "flaky", "splat"],
            "powerpc-hash": ["ok"] * 6,
            "sparc": ["lost"] * 6,
        },
        kernels=(0, 1, 2, 2, 4, 5),
        checks=(
            RebuildCheck("x86_64", 1, True, "is equal to the build from scratch", 9.0, "logs/anew.log"),
            RebuildCheck("arm64", 3, None, "could not be rebuilt from scratch: disk full", 1.0, ""),
        ),
    )


def hostile_walk() -> Walk:
    """Every text that a patch or a guest brings is an attack."""
    return walk_of({"x86_64": ["ok", "one splat warns", "broken"]}, subject=HOSTILE)
