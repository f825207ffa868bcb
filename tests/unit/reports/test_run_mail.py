# SPDX-License-Identifier: GPL-2.0-only
"""The mail that tells a mailing list what came out, and the block that goes into a cover letter."""

from __future__ import annotations

import re
from dataclasses import replace
from email import message_from_bytes, message_from_string
from email.message import Message
from email.policy import default
from pathlib import Path

import pytest

from results.model.run import Letter, Run, Verdict
from results.reports.mail.run import cover_block, report_mail
from results.reports.mail.text import COLUMNS, MIME
from tests.program import Invoke
from tests.samples.golden_runs import NAMES, RUNS, golden_run
from tests.samples.sample_life import long_splat_run
from tests.samples.sample_numbers import measured_run
from tests.samples.sample_parts import TESTS, write_logs
from tests.samples.sample_run import HOSTILE, green_run, hostile_run, regression_run, troubled_run
from tests.samples.tiny_kernel import git

NOWHERE = Path("/nonexistent")
LETTER = Letter(
    "[PATCH v3 00/24] mm: thp: lazy PTE page table allocation at PMD split time",
    "Jo Author <jo@example.org>",
    "20260101.1-1-jo@example.org",
    ("linux-mm@kvack.org", "Jo Author <jo@example.org>", "Rev Iewer <rev@example.org>"),
)


def answering(run: Run, letter: Letter = LETTER) -> Run:
    return replace(run, subject=replace(run.subject, letter=letter, stand_in=False))


def headers(text: str) -> Message:
    return message_from_string(text)


def prose(text: str) -> list[str]:
    """Lines that a person wrote, as it were: no quoted log, no command."""
    return [line for line in text.splitlines() if not line.lstrip().startswith(("| ", "thp-harness "))]


def test_it_answers_the_cover_letter() -> None:
    mail = headers(report_mail(answering(regression_run()), NOWHERE, ("me@example.org",)))
    assert mail["In-Reply-To"] == mail["References"] == "<20260101.1-1-jo@example.org>"
    assert mail["To"] == "Jo Author <jo@example.org>"
    others = [address.strip() for address in mail["Cc"].split(",")]
    assert others == ["linux-mm@kvack.org", "Rev Iewer <rev@example.org>", "me@example.org"]
    assert " ".join(mail["Subject"].split()) == f"Re: {LETTER.subject}"
    assert "\nHi Jo,\n" in report_mail(answering(regression_run()), NOWHERE)


def test_a_series_that_nobody_sent_has_no_thread() -> None:
    for run in (regression_run(), answering(regression_run(), replace(LETTER, message_id=""))):
        mail = headers(report_mail(run, NOWHERE))
        assert mail["In-Reply-To"] is None
        assert mail["Subject"].startswith("Test report: ")


def test_headers_are_encoded_and_the_body_says_how(tmp_path: Path) -> None:
    """RFC 2047, RFC 2045: what mailing lists' archives and git send-email read."""
    letter = Letter(
        "[PATCH 0/3] mm: größere Seiten → fewer faults", "Jürgen Groß <jg@example.org>", "1@example.org",
        ("linux-mm@kvack.org", '"Doe, Zoë" <zoe@example.org>'),
    )  # fmt: skip
    text = report_mail(answering(regression_run(), letter), NOWHERE)
    head, _, body = text.partition("\n\n")
    assert head.isascii()
    assert not body.isascii()
    mail = message_from_bytes(text.encode(), policy=default)
    assert mail["Subject"] == f"Re: {letter.subject}"
    assert [address.display_name for address in mail["To"].addresses] == ["Jürgen Groß"]
    assert [address.addr_spec for address in mail["Cc"].addresses] == [
        "linux-mm@kvack.org",
        "zoe@example.org",
    ]
    assert mail.get_content() == f"{body}"
    assert max(map(len, head.splitlines())) <= COLUMNS + 6  # an encoded word ends where it may


def test_the_subject_names_the_worst_finding() -> None:
    subject = " ".join(headers(report_mail(regression_run(), NOWHERE))["Subject"].split())
    assert subject.startswith(f"Test report: {TESTS[3]} fails with the series [arm64] and 3 more: ")


def test_a_splat_keeps_its_guilty_frames(tmp_path: Path) -> None:
    run = long_splat_run()
    write_logs(run, tmp_path)
    quoted = re.findall(r"^  \| (.*)$", report_mail(run, tmp_path), re.M)
    assert any("__split_huge_pmd_locked" in line for line in quoted)
    assert not any("ret_from_fork" in line for line in quoted)


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_run_fits_into_72_columns(name: str) -> None:
    for text in (report_mail(answering(golden_run(name)), RUNS / name), cover_block(golden_run(name))):
        assert max(map(len, prose(text))) <= COLUMNS
        assert text.isascii()


def test_what_was_tested_is_three_lines() -> None:
    text = report_mail(answering(green_run()), NOWHERE)
    block = next(part for part in text.split("\n\n") if part.startswith("  tree "))
    assert [line.split()[0] for line in block.splitlines()] == ["tree", "series", "on"]


def test_evidence_is_told() -> None:
    assert "  arm64: thp_split_pmd +16 | +16" in report_mail(green_run(), NOWHERE)
    measured = report_mail(measured_run(), NOWHERE)
    assert "Every allocation of" in measured
    assert "page tables" in measured


def test_a_regression_has_its_lines(tmp_path: Path) -> None:
    run = regression_run()
    write_logs(run, tmp_path)
    text = report_mail(run, tmp_path)
    part = text[text.index(f"Regression on arm64: {TESTS[3]}") :]
    assert "(logs/arm64-series-1.log:" in part
    assert re.search(r"^  \| .*THP:5f0c:", part, re.MULTILINE)
    assert "thp-harness repro arm64/series" in part
    assert "1 new compiler warning" in part


def test_the_worst_comes_first() -> None:
    text = report_mail(regression_run(), NOWHERE)
    assert text.index("Regression on arm64") < text.index("Flaky on arm64")


def test_what_was_not_tested_is_said_and_why() -> None:
    text = report_mail(regression_run(), NOWHERE)
    assert f"  - {TESTS[12]} not exercised on arm64: thp_split_pmd did not" in text
    text = report_mail(troubled_run(), NOWHERE)
    assert f"  - {TESTS[5]} unsupported on x86_64: " in text
    assert "could not fault in a huge page" in text.replace("\n    ", " ")


def test_a_stand_in_and_an_unfinished_run_are_named_before_the_verdict() -> None:
    for text in (report_mail(troubled_run(), NOWHERE), cover_block(troubled_run())):
        assert "INCOMPLETE" in text
        assert text.index("STAND-IN") < text.index("Regression on x86_64")
    assert "STAND-IN" not in report_mail(answering(green_run()), NOWHERE)


def test_a_build_that_fails_is_no_zero() -> None:
    text = report_mail(troubled_run(), NOWHERE)
    assert "| no kernel" in text
    assert "No space left on device" in text


def test_a_known_failure_is_called_one() -> None:
    run = green_run()
    arch = run.arches[0]
    known = replace(arch.tests[0], verdict=Verdict.FAILS_ON_BOTH, reason="fails", known_failure="an old bug")
    run = replace(run, arches=(replace(arch, tests=(known, *arch.tests[1:])), *run.arches[1:]))
    assert "known failure: an old bug" in report_mail(run, NOWHERE)


def test_hostile_text_makes_no_header_and_no_line_of_its_own() -> None:
    letter = Letter(f"{HOSTILE}\nBcc: all@example.org", f"{HOSTILE}\n <a@b>", HOSTILE, (HOSTILE, "x\nBcc: y"))
    text = report_mail(answering(hostile_run(), letter), NOWHERE)
    names = {"To", "Cc", "Subject", "In-Reply-To", "References"}
    assert set(headers(text).keys()) - {name.partition(":")[0] for name in MIME} == names
    assert not set(text) & {"\x1b", "\x00", "\u202e", "\ud800"}


@pytest.mark.parametrize(
    "text",
    [
        "---\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-1\n+2",
        "Index: x\n===",
        "From a Mon",
        "-- \nme",
    ],
)
def test_a_cover_letter_block_disturbs_no_patch(tmp_path: Path, text: str) -> None:
    run = regression_run()
    arch = replace(run.arches[1], reasons=(text,))
    tests = tuple(replace(test, reason=text) for test in arch.tests)
    run = replace(run, headline=text, arches=(run.arches[0], replace(arch, tests=tests)))
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "base")
    (tmp_path / "x").write_text("1\n")
    git(tmp_path, "add", "x")
    git(tmp_path, "commit", "--quiet", "-m", "mm: one\n\nWhy.")
    patch = git(tmp_path, "format-patch", "--stdout", "-1") + "\n"
    (tmp_path / "series.mbox").write_text(patch.replace("\n---\n", f"\n---\n{cover_block(run)}\n", 1))
    git(tmp_path, "reset", "--quiet", "--hard", "HEAD~1")
    git(tmp_path, "am", "--quiet", "series.mbox")
    assert git(tmp_path, "log", "--format=%B").strip() == "mm: one\n\nWhy.\n\nbase"
    assert git(tmp_path, "show", "HEAD:x").strip() == "1"


def test_the_command(invoke: Invoke) -> None:
    folder = str(RUNS / NAMES[0])
    assert invoke("export", "mail", folder, "--cc", "me@example.org").stdout.startswith(
        "Cc: me@example.org\n"
    )
    assert invoke("export", "mail", folder, "--cover-letter").stdout == cover_block(golden_run(NAMES[0]))
    assert invoke("export", "mail", folder, "--cover-letter", "--cc", "x@y").code == 2
