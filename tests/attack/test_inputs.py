# SPDX-License-Identifier: GPL-2.0-only
"""Mutated records, series and run folders: each is read, or refused in one sentence, within its bounds."""

from __future__ import annotations

import io
import json
import shutil
from contextlib import redirect_stdout
from pathlib import Path
from random import Random
from typing import Any

import pytest

from harness.cli.export import _find
from harness.cli.terminal import EscapingConsole
from harness.commands.reports import report_again
from harness.config.arch import ArchRecord
from harness.config.catalogue import load
from harness.config.host import HostRecord
from harness.config.known_failures import FailureList
from harness.config.lab import LabRecord
from harness.config.record import Record
from harness.config.series import SeriesRecord
from harness.config.suite import SuiteRecord
from harness.core.shipped import CONFIGS
from harness.core.workspace import Workspace
from harness.sources.git.repository import Repository
from harness.sources.series.mail.mbox import read_mails
from harness.sources.series.order import Order, order_series
from results.journal.journal import JOURNAL
from results.reports.ci.github import step_summary, workflow_commands
from results.reports.ci.junit import to_junit
from results.reports.ci.kcidb import Submission, to_kcidb
from results.reports.ci.prometheus import to_prometheus
from results.reports.mail.run import report_mail
from tests.attack.bounds import bounded, seeds
from tests.attack.mutate import mutated, mutated_facts
from tests.samples.tiny_kernel import git, make_kernel, make_series

GOLDEN = Path(__file__).parent.parent / "golden" / "runs"


MODELS: tuple[Any, ...] = (ArchRecord, SuiteRecord, HostRecord, LabRecord, SeriesRecord)
RECORDS: tuple[tuple[type[Record], Path], ...] = (
    *((model, file) for model in MODELS for file in sorted((CONFIGS / model.KIND).glob("*.yaml"))),
    (FailureList, CONFIGS / "known-failures.yaml"),
)


@pytest.mark.parametrize("seeds", seeds(a_night=4000))
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_records(tmp_path: Path, seeds: range) -> None:
    for seed in seeds:
        random = Random(seed)
        model, file = random.choice(RECORDS)
        changed = tmp_path / file.name
        changed.write_bytes(mutated(file.read_bytes(), random))
        with bounded(seed):
            load(changed, model)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = make_kernel(tmp_path_factory.mktemp("series") / "linux")
    git(tree, "branch", "base")
    make_series(tree)
    return tree


@pytest.mark.parametrize("seeds", seeds(a_night=1000))
def test_series(kernel: Path, seeds: range) -> None:
    series = git(kernel, "format-patch", "--stdout", "--cover-letter", "base..HEAD").encode() + b"\n"
    for seed in seeds:
        random = Random(seed)
        content = mutated(series, random)
        with bounded(seed):
            mails = read_mails("series.mbox", content, Repository(kernel))
            order_series(mails, "series.mbox", random.choice(tuple(Order)))


@pytest.mark.parametrize("seeds", seeds(a_night=2000))
def test_run_folders(tmp_path: Path, seeds: range) -> None:
    for seed in seeds:
        random = Random(seed)
        folder = tmp_path / f"20270101-000000-{seed}"
        shutil.copytree(random.choice(sorted(path for path in GOLDEN.iterdir() if path.is_dir())), folder)
        for path in random.sample(sorted(folder.rglob("*.log")), k=random.randrange(2)):
            path.write_bytes(mutated(path.read_bytes(), random))
        change_journal(folder / JOURNAL, random)
        printed = io.StringIO()
        with redirect_stdout(printed), bounded(seed):
            report_again(
                folder, Workspace(tmp_path, tmp_path), seed % 2 == 0, EscapingConsole(file=printed), print
            )
            export_all(folder)
        assert "\x1b" not in printed.getvalue(), f"seed {seed}"
        shutil.rmtree(folder)


def change_journal(journal: Path, random: Random) -> None:
    content = journal.read_bytes()
    if random.random() < 0.4:
        journal.write_bytes(mutated(content, random))
        return
    facts = mutated_facts([json.loads(line) for line in content.splitlines()], random)
    journal.write_text("".join(json.dumps(fact) + "\n" for fact in facts))


def export_all(folder: Path) -> None:
    run, run_dir, plan = _find(str(folder))
    for text in (
        to_junit(run), to_prometheus(run), step_summary(run, run_dir), workflow_commands(run),
        to_kcidb(Submission(run, run_dir, plan.origin, "x", "")), report_mail(run, run_dir, ()),
    ):  # fmt: skip
        assert isinstance(text, str)
