# SPDX-License-Identifier: GPL-2.0-only
"""What the exports make of recorded runs, of troubled ones, and of hostile ones."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from junitparser import JUnitXml
from kcidb_io.schema import V5_3
from markdown_it import MarkdownIt
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from results.journal.journal import Origin
from results.model.document import from_json, to_json
from results.model.run import Cell, CounterChange, Letter, Run, Status, Verdict
from results.reports.ci.github import step_summary, workflow_commands
from results.reports.ci.junit import to_junit
from results.reports.ci.kcidb import Submission, to_kcidb
from results.reports.ci.prometheus import to_prometheus
from results.reports.content.findings import findings
from results.reports.html.run import render_html
from results.reports.mail.run import cover_block, report_mail
from results.reports.terminal.run import print_run
from tests.program import Invoke
from tests.samples.golden_runs import NAMES, RUNS, check_golden, golden_run
from tests.samples.sample_numbers import measured_run
from tests.samples.sample_run import green_run, hostile_run, regression_run, troubled_run

NOWHERE = Path("/nonexistent")
SAMPLES = (green_run, regression_run, troubled_run, measured_run, hostile_run)
LONG = "x" * 1_000_000
TRICKS = (
    "a\nb\r\n::error::forged\n",
    "\x00\x1b]0;title\x07\x9b31m",
    "]]></failure><testcase name='forged'>",
    '"} 1\nthp_harness_forged 1\n# HELP x',
    "##[error]forged",
    "[[ATTACHMENT|/etc/passwd]]",
    "\u202e\ud800\ufffe\uffff",
)


def tricked(text: str) -> Run:
    """A run in which a guest, a compiler and a series say nothing but this."""
    sample = regression_run()
    run = json.loads(to_json(replace(sample, arches=sample.arches[1:], cells=sample.cells[2:])))

    def everywhere(part: object, key: str = "") -> object:
        if isinstance(part, dict):
            return {name: everywhere(item, name) for name, item in part.items()}
        if isinstance(part, list):
            return [everywhere(item, key) for item in part]
        return text if isinstance(part, str) and key in UNTRUSTED else part

    return from_json(Run, json.dumps(everywhere(run)))


TAGS = {
    "h2", "h3", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "blockquote", "details",
    "summary", "pre",
}  # fmt: skip
UNTRUSTED = (
    "reason", "reasons", "headline", "output", "title", "excerpt", "text", "detail", "error", "compiler",
    "series_title", "subject", "tree", "tree_version", "notes", "command", "signature", "release",
)  # fmt: skip


def kcidb(run: Run, tree: Origin | None = None, url: str = "") -> dict[str, list[dict[str, Any]]]:
    """The report, checked by KernelCI's own package as KCIDB does it on arrival."""
    text = to_kcidb(Submission(run, NOWHERE, tree, url=url))
    report = json.loads(text)
    V5_3.validate_exactly(report)
    assert "\\u0000" not in text
    for kind in ("checkouts", "builds", "tests", "issues", "incidents"):
        ids = [item["id"] for item in report[kind]]
        assert len(ids) == len(set(ids))
    known = {item["id"] for kind in ("checkouts", "builds", "tests") for item in report[kind]}
    assert {item["checkout_id"] for item in report["builds"]} <= known
    assert {item["build_id"] for item in (*report["tests"], *report["incidents"])} <= known
    assert {item["test_id"] for item in report["incidents"]} <= known
    return dict(report)


def gauges(run: Run) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The samples, read by Prometheus' own parser; no series stands there twice."""
    found = {}
    for family in text_string_to_metric_families(to_prometheus(run)):
        assert family.type == "gauge"
        assert family.documentation
        for sample in family.samples:
            key = sample.name.removeprefix("thp_harness_"), frozenset(sample.labels.items())
            assert key not in found
            found[key] = sample.value
    return found


@pytest.mark.slow
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.__name__)
def test_promtool_finds_nothing_to_say_of_the_metrics(sample: Callable[[], Run]) -> None:
    metrics = to_prometheus(sample())
    said = subprocess.run(
        ["promtool", "check", "metrics"], input=metrics, capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stderr) == (0, "")


def gauge(run: Run, name: str, **labels: str) -> float | None:
    return gauges(run).get((name, frozenset(labels.items())))


def check_commands(text: str) -> None:
    """Every line is one command of ours, as the runner takes it apart; it shows ten of a kind."""
    for line in text.splitlines():
        assert re.fullmatch(r"::(error|warning) title=[^:,]+::\S.*", line)
    assert max(text.count("::error "), text.count("::warning ")) <= 10


def check_markdown(text: str) -> None:
    """What it is rendered to has only the parts that we put there."""
    html = MarkdownIt("commonmark").enable("table").render(text)
    tags = set(re.findall(r"<(?!!)/?([a-zA-Z0-9]+)", html))
    assert tags <= TAGS
    rows = [row for row in text.splitlines() if row.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    assert not any(line.startswith("::") for line in text.splitlines())


@pytest.mark.parametrize("name", NAMES)
def test_recorded_runs(name: str) -> None:
    run, folder = golden_run(name), RUNS / name
    check_golden(name, "kcidb.json", to_kcidb(Submission(run, folder)))
    check_golden(name, "thp_harness.prom", to_prometheus(run))
    check_golden(name, "junit.xml", to_junit(run))
    check_golden(name, "mail.txt", report_mail(run, folder))
    check_golden(name, "cover-letter.txt", cover_block(run))
    check_golden(name, "summary.md", step_summary(run, folder))
    check_golden(name, "commands.txt", workflow_commands(run))
    kcidb(run)
    gauges(run)
    check_commands(workflow_commands(run))
    check_markdown(step_summary(run, folder))


def test_findings_link_to_their_pages_where_the_folder_is_published() -> None:
    run, url = regression_run(), "https://ci.example/run/"
    page = f"https://ci.example/run/findings/{findings(run)[0].page}.html"
    assert f"](<{page}>)" in step_summary(run, NOWHERE, url)
    assert f"\n  {page}\n" in report_mail(run, NOWHERE, url=url)
    assert f"\n  {page}\n" in cover_block(run, url)
    assert "findings/" not in step_summary(run, NOWHERE) + report_mail(run, NOWHERE)


def test_every_report_says_how_the_series_was_read(tmp_path: Path) -> None:
    note = "left out 0003-debug.patch: it holds no diff"
    run = green_run()
    run = replace(run, subject=replace(run.subject, notes=(note,)))
    screen = Console(file=io.StringIO(), width=80)
    print_run(run, screen, tmp_path)
    assert isinstance(screen.file, io.StringIO)
    texts = (
        screen.file.getvalue(), render_html(run, tmp_path), report_mail(run, tmp_path),
        step_summary(run, tmp_path), to_json(run),
    )  # fmt: skip
    assert [note in " ".join(text.split()) for text in texts] == [True] * 5


@pytest.mark.parametrize("sample", SAMPLES)
def test_everything_is_valid(sample: Callable[[], Run]) -> None:
    run = sample()
    kcidb(run)
    gauges(run)
    check_commands(workflow_commands(run))
    check_markdown(step_summary(run, NOWHERE))
    kcidb(replace(run, cells=(), arches=()))
    gauges(replace(run, cells=(), arches=()))


@pytest.mark.parametrize("text", TRICKS, ids=lambda text: ascii(text[:12]))
def test_whatever_a_guest_says_stays_text(text: str) -> None:
    run = tricked(text)
    report, junit = json.dumps(kcidb(run)), to_junit(run)
    assert not any(name == "forged" for name, _ in gauges(run))
    assert "forged" not in {case.name for suite in JUnitXml.fromstring(junit.encode()) for case in suite}
    assert "[[ATTACHMENT" not in junit
    mail, cover = report_mail(run, NOWHERE), cover_block(run)
    summary, commands = step_summary(run, NOWHERE), workflow_commands(run)
    check_commands(commands)
    check_markdown(summary)
    for written in (junit, to_prometheus(run), report, mail, cover, summary, commands):
        assert not set(written) & {"\x00", "\x1b", "\x9b", "\u202e"}


def test_a_line_of_a_megabyte_is_cut() -> None:
    run = regression_run()
    arch = run.arches[1]
    boot = run.cells[2].boots[0]
    loud = replace(boot.tests[0], output=(LONG,), reason=LONG)
    cell = replace(run.cells[2], boots=(replace(boot, detail=LONG, tests=(loud, *boot.tests[1:])),))
    test = replace(arch.tests[0], reason=LONG, verdict=Verdict.REGRESSION)
    spoiled = replace(
        run,
        headline=LONG,
        cells=(*run.cells[:2], cell, *run.cells[3:]),
        arches=(run.arches[0], replace(arch, reasons=(LONG,), tests=(test, *arch.tests[1:]))),
    )
    mails = (report_mail(spoiled, NOWHERE), cover_block(spoiled), step_summary(spoiled, NOWHERE))
    for written in (to_junit(spoiled), to_prometheus(spoiled), json.dumps(kcidb(spoiled)), *mails):
        assert len(written) < 300_000


class TestKcidb:
    def test_base_and_series_are_checkouts_of_one_commit(self) -> None:
        base, series = kcidb(told_of(green_run()), tree=Origin("a" * 40, url="https://git.example/linux"))[
            "checkouts"
        ]
        assert (base["git_commit_hash"], base["patchset_hash"]) == ("a" * 40, "")
        assert series["git_commit_hash"] == "a" * 40
        assert len(str(series["patchset_hash"])) == 64
        assert series["git_repository_url"] == "https://git.example/linux"
        assert series["message_id"] == "1@example.org"
        assert "message_id" not in base

    def test_patches_of_an_archive_are_named(self) -> None:
        _, series = kcidb(told_of(green_run()), tree=Origin("a" * 40))["checkouts"]
        files = series["patchset_files"]
        assert isinstance(files, list)
        assert files[0] == {"name": "0001.patch", "url": "https://lore.example/all/1@example.org/raw"}

    def test_without_sums_nothing_claims_to_be_the_same_revision(self) -> None:
        _, series = kcidb(green_run(), tree=Origin("a" * 40))["checkouts"]
        assert "git_commit_hash" not in series

    def test_a_pass_without_evidence_is_no_pass(self) -> None:
        run = green_run()
        boot = run.cells[0].boots[0]
        idle = replace(boot.tests[0], counters={"thp_split_pmd": CounterChange(3, 3)})
        cell = replace(run.cells[0], boots=(replace(boot, tests=(idle, *boot.tests[1:])),))
        tests = kcidb(replace(run, cells=(cell, *run.cells[1:])))["tests"]
        found = [test for test in tests if test["path"] == idle.name]
        assert [test["status"] for test in found] == ["DONE", "PASS", "PASS", "PASS"]

    def test_counters_are_numbers(self) -> None:
        tests = kcidb(green_run())["tests"]
        found = [test for test in tests if str(test["path"]).endswith(".thp_split_pmd")]
        assert found
        assert all(test["status"] == "DONE" and test["number"] for test in found)

    def test_logs_have_addresses_if_somebody_says_where(self) -> None:
        report = kcidb(green_run(), url="https://ci.example/run/")
        assert report["builds"][0]["log_url"].startswith("https://ci.example/run/logs/")
        assert "log_url" not in kcidb(green_run())["builds"][0]

    def test_a_splat_is_an_issue(self) -> None:
        report = kcidb(troubled_run())
        assert [issue["report_subject"] for issue in report["issues"]] == [
            "kernel BUG at mm/huge_memory.c:2871!"
        ]
        assert len(report["incidents"]) == 1

    def test_a_lost_machine_is_not_the_kernels(self) -> None:
        report = kcidb(troubled_run())
        status = {test["id"].rpartition("/x86_64/")[2]: test["status"] for test in report["tests"]}
        assert status["series/x86_64-series-1/boot"] == "FAIL"
        assert status["series/x86_64-series-2/boot"] == "MISS"
        failed = [build for build in report["builds"] if build["status"] != "PASS"]
        assert [build["status"] for build in failed] == ["MISS"]
        assert "No space left" in str(failed[0]["log_excerpt"])


def told_of(run: Run) -> Run:
    """The run of a series that came from an archive."""
    patches = tuple(
        replace(
            patch,
            sha256=f"{patch.number:064}",
            url=f"https://lore.example/all/{patch.number}@example.org/raw",
        )
        for patch in run.subject.patches
    )
    letter = Letter("[PATCH v3 0/4] mm: let PMD splits fail", "A. Author <a@example.org>", "1@example.org")
    return replace(run, subject=replace(run.subject, patches=patches, letter=letter))


class TestCommand:
    RUN = str(RUNS / NAMES[0])

    @pytest.mark.parametrize("kind", ["junit", "kcidb", "json", "prometheus", "mail"])
    def test_stdout_and_file_are_the_same(self, invoke: Invoke, tmp_path: Path, kind: str) -> None:
        printed = invoke("export", kind, self.RUN)
        assert (printed.code, printed.stderr) == (0, "")
        assert invoke("export", kind, self.RUN, "-o", str(tmp_path / "out")).stdout == ""
        assert (tmp_path / "out").read_text() == printed.stdout
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    def test_json_is_the_document_of_the_run(self, invoke: Invoke) -> None:
        assert from_json(Run, invoke("export", "json", self.RUN).stdout) == golden_run(NAMES[0])

    @pytest.mark.parametrize("option", ["--origin=Mine", "--origin=a:b", "--url=ftp://x", "--url=https:///x"])
    def test_what_kcidb_would_refuse(self, invoke: Invoke, option: str) -> None:
        answer = invoke("export", "kcidb", self.RUN, option)
        assert (answer.code, answer.stdout) == (2, "")

    def test_no_run(self, invoke: Invoke, tmp_path: Path) -> None:
        for name, words in (
            ("latest", "no run yet"),
            ("gone", "no run 'gone'"),
            (str(tmp_path), "not a run folder"),
        ):
            answer = invoke("export", "junit", name)
            assert answer.code == 2
            assert words in answer.stderr

    @pytest.mark.parametrize("kind", ["walk", "bisection"])
    def test_only_runs(self, invoke: Invoke, tmp_path: Path, kind: str) -> None:
        first = json.loads((RUNS / NAMES[0] / "events.jsonl").read_text().splitlines()[0])
        note = {"id": "a" * 40, "name": "patch/1", "subject": "s", "author": "a"}
        if kind == "walk":
            first["fact"]["walk"] = {"numbers": [0], "kernels": [0], "boots": True, "checks": 0, "seed": 0}
        else:
            ends = {"good": note, "bad": note, "commits": 1}
            first["fact"]["bisect"] = {"until": "t fails", "confidence": 0.9, **ends}
        (tmp_path / "events.jsonl").write_text(json.dumps(first) + "\n")
        answer = invoke("export", "mail", str(tmp_path))
        assert answer.code == 2
        assert f"is a {kind}, and only runs can be exported" in answer.stderr

    def test_half_written(self, invoke: Invoke, tmp_path: Path) -> None:
        folder = tmp_path / "half"
        shutil.copytree(RUNS / NAMES[0], folder)
        journal = (folder / "events.jsonl").read_text()
        (folder / "events.jsonl").write_text(journal[: len(journal) * 2 // 3])
        for kind in ("junit", "kcidb", "json", "prometheus", "mail"):
            assert invoke("export", kind, str(folder)).code == 0

    def test_a_file_that_cannot_be_written(self, invoke: Invoke, tmp_path: Path) -> None:
        answer = invoke("export", "junit", self.RUN, "-o", str(tmp_path / "no" / "such"))
        assert answer.code == 3
        assert "No such file or directory" in answer.stderr

    def test_github_without_a_workflow(self, invoke: Invoke) -> None:
        answer = invoke("export", "github", self.RUN)
        assert answer.stdout == step_summary(golden_run(NAMES[0]), RUNS / NAMES[0])

    def test_github_in_a_workflow(self, invoke: Invoke, tmp_path: Path) -> None:
        summary = tmp_path / "summary.md"
        summary.write_text("of an earlier step\n")
        answer = invoke("export", "github", self.RUN, env={"GITHUB_STEP_SUMMARY": str(summary)})
        assert answer.stdout.startswith("::warning title=flaky on x86_64%3A page allocation failure")
        assert summary.read_text().startswith("of an earlier step\n## ≈ Flaky: page allocation failure")

    def test_to_a_device(self, invoke: Invoke) -> None:
        assert invoke("export", "junit", self.RUN, "-o", "/dev/null").code == 0


class TestPrometheus:
    def test_a_verdict_is_a_state_set(self) -> None:
        assert gauge(regression_run(), "verdict", arch="arm64", verdict="regression") == 1
        assert gauge(regression_run(), "verdict", arch="arm64", verdict="unchanged") == 0
        assert gauge(regression_run(), "run_exit_code") == 1

    def test_what_a_kernel_lacks_is_no_sample(self) -> None:
        run = green_run()
        assert (
            gauge(run, "event_change", arch="arm64", variant="base", counter="thp_split_pmd_failed") is None
        )
        assert gauge(run, "event_change", arch="arm64", variant="base", counter="thp_split_pmd") == 16

    def test_measurements(self) -> None:
        labels = {"arch": "x86_64", "measure": "pgtable_cost", "test": "pgtable_cost.cost"}
        what = "page tables per THP"
        found = [
            gauge(measured_run(), "measured_bytes", variant=variant, what=what, **labels)
            for variant in ("base", "series")
        ]
        assert found == [4096, 0]
        labels = {"arch": "x86_64", "measure": "fault_sweep", "verdict": "regression"}
        assert gauge(measured_run(), "measured_verdicts", **labels) == 2

    def test_times(self) -> None:
        run = green_run()
        assert gauge(run, "build_seconds", arch="arm64", variant="base") == 212.4
        assert gauge(run, "boot_seconds", arch="arm64", variant="base") == run.cells[2].boots[0].seconds


def test_equal_images_are_said_to_have_been_booted_once() -> None:
    run = green_run()
    base, series = run.cells[:2]
    twin = Cell(series.arch, series.variant, series.build, base.boots, "base")
    report = kcidb(replace(run, cells=(base, twin, *run.cells[2:])))
    said = [test for test in report["tests"] if "/x86_64/series/" in str(test["id"])]
    assert all("same bytes" in str(test["comment"]) for test in said)
    assert {test["status"] for test in said if test["path"] == "boot"} == {Status.PASS}
