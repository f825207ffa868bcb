# SPDX-License-Identifier: GPL-2.0-only
"""What is said of a bisection: who began it, whether architectures agree, the mail, the document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from results.bisect.report import conclude_bisection
from results.bisect.vote import trial
from results.journal.journal import Event, PlanFact
from results.model.bisect import Bisection, BisectScope, CommitNote, EndFact, Mark, Rate, SearchEnding
from results.model.document import to_json
from results.model.run import Cell, Patch, Subject
from results.reports.mail.bisect import mails
from results.reports.mail.text import COLUMNS
from results.reports.terminal.bisect import print_bisection
from tests import published
from tests.samples.cells import boot, build, plan

HOSTILE = "mm: \x1b[31mred \u202e <b> [bold]"
COMMAND = (
    "thp-harness",
    "bisect",
    "--good",
    "1",
    "--bad=3",
    "--arch",
    "x86_64",
    "--until",
    "t fails",
    "--json",
)


def note(number: int, in_series: bool = True) -> CommitNote:
    commit = f"{number:x}" * 40
    name = f"patch/{number}" if in_series else f"commit/{commit[:12]}"
    return CommitNote(commit, name, f"mm: change {number}", "A. Author <author@kernel.example>")


def cell(arch: str, commit: CommitNote, words: str, log: str = "logs/x.log") -> Cell:
    boots = tuple(
        replace(boot(word, number=at), id=f"{arch}-{at}", purpose=trial(at), log=log, command=("qemu", "-x"))
        for at, word in enumerate(words.split(), start=1)
    )
    built = replace(build(), arch=arch, image_sha256=commit.id, commands=("make it",))
    return Cell(arch, commit.name, built, boots)


def found(arch: str, culprit: int, in_series: bool = True) -> tuple[EndFact, list[Cell]]:
    """Good, bad and the culprit with its parent were looked at."""
    notes = {number: note(number, in_series) for number in (0, 3, culprit - 1, culprit)}
    marks = {each.id: Mark.BAD if number >= culprit else Mark.GOOD for number, each in notes.items()}
    end = EndFact(
        arch, SearchEnding.FOUND, "", notes[culprit].id, notes[culprit - 1].id, (), marks,
        tuple(notes.values()),
        Rate(5, 5), "git bisect start\n# first bad commit: [x]",
        ("List <list@kernel.example>",), 0.9934,
    )  # fmt: skip
    cells = [cell(arch, each, "fail" if number >= culprit else "pass pass") for number, each in notes.items()]
    return end, cells


def other(arch: str, ending: SearchEnding, number: int, words: str) -> tuple[EndFact, list[Cell]]:
    commit = note(number)
    mark = {SearchEnding.GOOD_IS_BAD: Mark.BAD, SearchEnding.END_UNJUDGED: Mark.SKIP}.get(ending, Mark.GOOD)
    end = EndFact(arch, ending, "", commit.id, "", (), {commit.id: mark}, (commit,), Rate(0, 30), "", ())
    return end, [cell(arch, commit, words)]


def bisection(
    arches: Mapping[str, tuple[EndFact, list[Cell]] | None], in_series: bool = True, ended: bool = True
) -> Bisection:
    patches = tuple(Patch(n, f"mm: change {n}", f"{n:x}" * 40, "") for n in (1, 2, 3))
    fact = PlanFact(
        id="20260101-000000-bisect",
        harness="0.1.0",
        host={"cpus": "2"},
        command=COMMAND,
        subject=Subject("debian-6.12", "6.12.117", "0" * 40, "mine", "Mine", "3" * 40, True, patches),
        planned=plan("t"),
        arches=tuple(arches),
        claims=(),
        allow_unexercised=(),
        digest="d" * 24,
        bisect=BisectScope("t fails", 0.99, note(0, in_series), note(3, in_series), 3),
    )
    now = datetime(2026, 1, 1, tzinfo=UTC)
    known = [pair for pair in arches.values() if pair]
    facts = [Event(now, "found", json.loads(json.dumps(asdict(end)))) for end, _ in known]
    events = [Event(now, "plan", {}), *facts, Event(now, "end" if ended else "build", {})]
    return conclude_bisection(fact, events, [each for _, cells in known for each in cells])


def test_the_culprit_is_named_and_stands_on_its_parent() -> None:
    result = bisection({"x86_64": found("x86_64", 2)})
    (arch,) = result.arches
    assert (result.exit_code, result.complete) == (0, True)
    assert result.headline == "The first bad commit is patch 2 (mm: change 2) on x86_64."
    assert (arch.culprit, arch.before) == (note(2), note(1))
    words = {look.commit.name: look.words for look in arch.looks}
    assert words["patch/2"] == "bad: seen in 1 of 1 boot"
    assert words["patch/1"] == "good: clean in 2 boots"


@pytest.mark.parametrize(
    ("second", "code", "headline"),
    [
        (
            found("arm64", 2), 0,
            "The first bad commit is patch 2 (mm: change 2) on x86_64 and arm64; all architectures agree.",
        ),
        (
            found("arm64", 1), 0,
            "The architectures disagree: patch 2 (mm: change 2) on x86_64; patch 1 (mm: change 1) on arm64.",
        ),
        (
            other("arm64", SearchEnding.BAD_IS_GOOD, 3, "pass"), 0,
            "The first bad commit is patch 2 (mm: change 2) on x86_64. "
            "arm64: bad is good: patch 3 does not have the symptom in 30 boots: t passes (arm64-1).",
        ),
        (
            other("arm64", SearchEnding.END_UNJUDGED, 3, "skip"), 3,
            "The first bad commit is patch 2 (mm: change 2) on x86_64. "
            "arm64: patch 3 could not be judged: t was not exercised: skipped: no THP (arm64-1).",
        ),
        (
            None, 3,
            "The first bad commit is patch 2 (mm: change 2) on x86_64. arm64: not tested: see the messages.",
        ),
    ],
)  # fmt: skip
def test_architectures_agree_or_not(
    second: tuple[EndFact, list[Cell]] | None, code: int, headline: str
) -> None:
    result = bisection({"x86_64": found("x86_64", 2), "arm64": second})
    assert (result.headline, result.exit_code) == (headline, code)


def test_ends_that_are_wrong_everywhere_are_the_users_mistake() -> None:
    result = bisection({"x86_64": other("x86_64", SearchEnding.GOOD_IS_BAD, 0, "fail")})
    assert result.exit_code == 2
    assert result.headline == (
        "No culprit. x86_64: good is bad: patch 0 has the symptom, too: t fails: data lost (x86_64-1)."
    )
    assert mails(result).startswith("No culprit.")


def test_an_interrupted_bisection_says_so() -> None:
    result = bisection({"x86_64": None}, ended=False)
    assert (result.exit_code, result.complete) == (3, False)
    assert "the search is not complete" in result.headline


def test_the_mail_is_ready_to_be_sent() -> None:
    mail = mails(bisection({"x86_64": found("x86_64", 2), "arm64": found("arm64", 2)}))
    head, _, body = mail.partition("\n\n")
    assert head.splitlines()[:2] == [
        'To: "A. Author" <author@kernel.example>',
        "Cc: List <list@kernel.example>",
    ]
    assert "Subject: [REGRESSION] mm: change 2: t fails on x86_64 and arm64" in head.replace("\n ", " ")
    again = "thp-harness bisect --until 't fails' --arch x86_64 --arch arm64 --good 1 --bad 2"
    assert f"\n  {again}\n" in body
    assert "t fails: data lost" in body
    assert "(logs/x.log:10-15)" in body
    assert "# first bad commit: [x]" in body
    assert "Fixes:" not in body
    prose = [line for line in mail.splitlines() if again not in line]
    assert max(map(len, prose)) <= COLUMNS


def test_a_commit_of_a_tree_is_named_as_the_kernel_does() -> None:
    mail = mails(bisection({"x86_64": found("x86_64", 2, in_series=False)}, in_series=False))
    assert mail.endswith(f'\n\nFixes: {"2" * 12} ("mm: change 2")\n')
    assert f"--good {'1' * 12} --bad {'2' * 12}" in mail


def test_the_document_follows_its_schema() -> None:
    result = bisection({"x86_64": found("x86_64", 2), "arm64": None})
    published.check(json.loads(to_json(result)), "bisect")


def test_hostile_subjects_are_harmless() -> None:
    end, cells = found("x86_64", 2)
    bad = tuple(replace(each, subject=HOSTILE, author=f"{HOSTILE} <a@b>") for each in end.commits)
    result = bisection({"x86_64": (replace(end, commits=bad), cells)})
    output = StringIO()
    print_bisection(result, Console(file=output, width=100), Path("/folder"))
    for text in (mails(result), output.getvalue()):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "[bold]" in text
