# SPDX-License-Identifier: GPL-2.0-only
"""Shards of a plan joined into one run: the same that one machine would have come to, or said to be less."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.commands.join import join_shards
from harness.core.errors import UsageError
from harness.core.workspace import Workspace
from harness.engine.plan_fact import plan_fact
from harness.plan.plan import Plan, PlanRequest, make_plan
from harness.plan.prepare import Checkouts, prepare
from harness.plan.shard import Shard
from results.journal.assemble import assemble
from results.journal.journal import VARIANTS, Journal
from tests import published
from tests.program import Invoke, Program
from tests.samples.past_run import TESTS, PastRun
from tests.samples.tiny_kernel import git, make_kernel, make_series

ARCHES = ("x86_64", "arm64", "riscv64")
HOST = {"system": "Debian 12", "cpus": "2"}


class Machines:
    """Several machines that each take a part of the same plan."""

    def __init__(self, program: Program, folder: Path) -> None:
        self.program, self.folder = program, folder
        tree = make_kernel(folder / "linux")
        git(tree, "branch", "base")
        make_series(tree)
        git(tree, "branch", "topic")
        self.request = PlanRequest(arches=ARCHES, tree=f"{tree}@base", series=f"git:{tree}@base..topic")
        self.checkouts: Checkouts = prepare(make_plan(self.request), program.cache, lambda line: None)

    def run(self, shard: str = "", name: str = "", *, ends: bool = True, **asked: Any) -> Path:
        """The folder of a run, or of a shard's, in which all is well."""
        part = Shard.from_text(shard) if shard else None
        plan = make_plan(replace(self.request, shard=part, **asked))
        run_dir = self.folder / (name or f"machine-{shard[:1]}") / f"20270331-12000{shard[:1] or 0}-run"
        for inner in ("logs", "boots"):
            (run_dir / inner).mkdir(parents=True)
        command = ("thp-harness", "run", *(("--shard", shard) if shard else ()), "-j2")
        fact = plan_fact(plan, self.checkouts, TESTS, command)
        journal = Journal(run_dir)
        journal.append("plan", replace(fact, id=run_dir.name, host={**HOST, "cpus": shard[:1] or "2"}))
        for arch in plan.arches:
            self._boot(run_dir, replace(plan, arches=(arch,)))
        journal.append("end" if ends else "interrupted")
        return run_dir

    def _boot(self, run_dir: Path, plan: Plan) -> None:
        past = PastRun(run_dir, self.program.cache, plan, self.checkouts)
        for variant in VARIANTS:
            past.build(variant, key="k", image_sha256=variant)
            past.boot(variant)


@pytest.fixture(scope="module")
def tree_of_all(tmp_path_factory: pytest.TempPathFactory) -> Machines:
    folder = tmp_path_factory.mktemp("machines")
    return Machines(Program(folder / "cache", folder / "state"), folder)


@pytest.fixture
def machines(tree_of_all: Machines, tmp_path: Path) -> Machines:
    tree_of_all.folder = tmp_path
    return tree_of_all


@pytest.fixture
def join(tmp_path: Path) -> Callable[..., Any]:
    workspace = Workspace(tmp_path / "c", tmp_path / "s")

    def call(*folders: Path, said: list[str] | None = None) -> Any:
        return join_shards(folders, workspace, (said if said is not None else []).append)

    return call


def test_shards_make_the_run_that_one_machine_would_have_made(
    machines: Machines, join: Callable[..., Any]
) -> None:
    alone = assemble(machines.run(name="alone"))
    run, run_dir = join(*(machines.run(f"{number}/3") for number in (2, 3, 1)))
    assert (run.verdict, run.headline, run.exit_code) == (alone.verdict, alone.headline, alone.exit_code)
    assert [arch.arch for arch in run.arches] == list(ARCHES)
    assert run.arches == alone.arches
    assert [cell.boots[0].tests for cell in run.cells] == [cell.boots[0].tests for cell in alone.cells]
    assert (run.complete, run.command) == (True, ("thp-harness", "run", "-j2"))
    assert run.host == {"machines": "3", "system": "Debian 12", "cpus": "1 × 1, 1 × 2, 1 × 3"}
    assert assemble(run_dir) == run
    assert (run_dir / "logs" / "arm64-series-1.log").exists()


def test_a_missing_shard_is_named_and_never_green(machines: Machines, join: Callable[..., Any]) -> None:
    said: list[str] = []
    folders = [machines.run("1/3"), machines.run("2/3", name="later")]
    run, run_dir = join(*folders, said=said)
    (lost,) = make_plan(replace(machines.request, shard=Shard(3, 3))).arches
    assert said == [f"shard 3/3 is missing: nothing is known of {lost.name}"]
    assert run.exit_code == 3
    assert {cell.build.error for cell in run.cells if cell.arch == lost.name and cell.build} == {
        "shard 3/3 is missing"
    }
    whole, again = join(*folders, machines.run("3/3"))
    assert (whole.exit_code, again) == (0, run_dir)


def test_the_same_plan_run_another_night_is_another_run(machines: Machines, join: Callable[..., Any]) -> None:
    _, one = join(machines.run("1/2"))
    _, other = join(machines.run("2/2"))
    assert one != other


def test_a_shard_that_was_stopped_makes_the_whole_incomplete(
    machines: Machines, join: Callable[..., Any]
) -> None:
    run, _ = join(machines.run("1/2"), machines.run("2/2", ends=False))
    assert (run.complete, run.exit_code) == (False, 3)


def test_a_shard_with_a_damaged_journal_is_not_joined(machines: Machines, join: Callable[..., Any]) -> None:
    damaged = machines.run("2/2")
    journal = damaged / "events.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"variant": "base"', b'"variant": "bass"', 1))
    with pytest.raises(UsageError, match=r"a line of events\.jsonl is damaged: run the shard again"):
        join(machines.run("1/2"), damaged)


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ([("1/2", {"name": "again"})], "are both shard 1/2"),
        ([("2/2", {"always_boot": True})], "are shards of different plans"),
        ([("2/3", {})], "are shards of different plans"),
        ([("2/2", {"arches": ("x86_64", "arm64")})], "are shards of different plans"),
        ([("", {"name": "whole"})], "is no shard: it was run without --shard"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    machines: Machines, join: Callable[..., Any], others: list[tuple[str, dict[str, Any]]], said: str
) -> None:
    folders = [machines.run("1/2"), *(machines.run(shard, **how) for shard, how in others)]
    with pytest.raises(UsageError, match=said):
        join(*folders)


def test_a_shard_is_not_taken_up_by_another_run(machines: Machines) -> None:
    """Each has a digest of its own, and a joined run has one that no run has."""
    facts = [
        plan_fact(make_plan(replace(machines.request, **asked)), machines.checkouts, TESTS, ())
        for asked in ({}, {"shard": Shard(1, 3)}, {"arches": ("x86_64",)}, {"shard": Shard(2, 3)})
    ]
    assert len({fact.digest for fact in facts}) == len(facts)
    assert len({fact.shard.plan for fact in facts if fact.shard}) == 1


def test_a_run_is_taken_up_by_the_same_sources_of_the_program_only(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(machines.request)
    digests = {plan_fact(plan, machines.checkouts, TESTS, ()).digest for _ in range(2)}
    monkeypatch.setattr("harness.engine.plan_fact.program_version", lambda: "0.1.0+other")
    assert len(digests | {plan_fact(plan, machines.checkouts, TESTS, ()).digest}) == 2


def test_the_command_joins_prints_and_imports(machines: Machines, invoke: Invoke) -> None:
    folders = [machines.run("1/2").parent, machines.run("2/2").parent]
    answer = invoke("results", "import", "--join", *map(str, folders), "--json")
    assert answer.code == 0, answer.stderr
    published.check({key: value for key, value in answer.json.items() if key != "run_dir"}, "results")
    assert Path(answer.json["run_dir"], "report.html").exists()
    listed = invoke("results", "list", "--json").json["folders"]
    assert [one["path"] for one in listed] == [answer.json["run_dir"]]
    assert "No regression" in invoke("results", "import", "--join", *map(str, folders)).stdout
    assert len(invoke("results", "list", "--json").json["folders"]) == 1


@pytest.mark.parametrize("places", [(), ("/proc/self",)])
def test_nothing_to_join_is_told(invoke: Invoke, places: tuple[str, ...]) -> None:
    answer = invoke("results", "import", "--join", *places)
    assert answer.code == 2
    assert "--join" in answer.stderr


def test_a_damaged_shard_is_named(machines: Machines, join: Callable[..., Any]) -> None:
    folder = machines.run("1/2")
    (folder / "events.jsonl").write_text(
        json.dumps({"time": "2027-03-31", "event": "end", "fact": {}}) + "\n"
    )
    with pytest.raises(UsageError, match=r"machine-1/.*the journal has no plan"):
        join(folder)
