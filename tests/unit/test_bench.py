"""The figures' own machinery: names, limits, the scripts that stand for a person's typing."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import cast
from unittest.mock import Mock

import pytest

from harness.build import programs
from harness.manifest import PATH_IN_GUEST
from harness.plan import Plan, Request, make_plan
from tests.bench import __main__ as command
from tests.bench import clock, cold, plain
from tests.bench.bench import ARCH, Bench, BenchError, PastRun
from tests.bench.clock import Pairs, Span, clocked, interleaved
from tests.bench.figure import Figure, Measured, against, judge
from tests.bench.figures import BY_NAME, FIGURES


@pytest.fixture
def plan() -> Plan:
    return make_plan(Request(arches=(ARCH,), jobs=3))


def check_syntax(script: str) -> None:
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)


class TestPlainScripts:
    def test_build(self, plan: Plan, tmp_path: Path) -> None:
        script = plain.build_script(plan, tmp_path / "with 'odd' name")
        check_syntax(script)
        assert f"-j{plan.jobs} {plan.arches[0].kernel.target}" in script
        assert all(f"/{name}.config" in script for name in plan.arches[0].kernel.fragments)
        assert script.count("patch -s -p1") == len(plain.sources_of(plan).patches)

    def test_boot(self, plan: Plan, tmp_path: Path) -> None:
        commands = [
            plain.boot_command(plan.arches[0], tmp_path, variant, "tcg") for variant in plain.VARIANTS
        ]
        script = plain.boot_script(commands, tmp_path)
        check_syntax(script)
        assert script.count(plan.arches[0].qemu.binary) == 2

    def test_initramfs_has_the_entries_of_ours(self, plan: Plan, tmp_path: Path) -> None:
        for name in ("init", *(suite.program.name for suite in plan.suites)):
            (tmp_path / name).touch()
        ours = {*programs._entries(tmp_path, plan.suites), PATH_IN_GUEST}
        listed = [line.split()[:2] for line in plain.initramfs_entries(plan.suites)]
        assert {name.removeprefix("/") for kind, name in listed if kind != "dir"} == ours

    def test_other_sources_are_refused(self, tmp_path: Path) -> None:
        series = make_plan(Request(arches=(ARCH,), series=str(tmp_path)))
        with pytest.raises(BenchError, match="folder of patches"):
            plain.sources_of(series)


class TestFigures:
    def test_names_are_unique(self) -> None:
        assert len(BY_NAME) == len(FIGURES)

    def test_the_median_decides(self) -> None:
        figure = Figure("f", 1.05, "one thing against another", lambda bench: Measured((), ""))
        assert judge(figure, Measured((1.0, 1.05, 9.0), "")).holds
        assert not judge(figure, Measured((1.0, 1.06, 1.07), "")).holds

    def test_pairs(self) -> None:
        measured = against(pairs((2.0, 3.0), (4.0, 4.0)))
        assert measured.ratios == (1.5, 1.0)
        assert measured.words == "plain 3.00 s (2.00–4.00), harness 3.50 s (3.00–4.00)"

    def test_a_busy_machine_is_told(self) -> None:
        busy = replace(pairs((1.0, 1.0)), busy=True)
        assert "NOT TO BE TRUSTED" in against(busy).words


def pairs(*seconds: tuple[float, float]) -> Pairs:
    return Pairs(tuple((Span(plain, 0.0, 0.0), Span(harness, 0.0, 0.0)) for plain, harness in seconds))


class TestClock:
    def test_pairs_are_interleaved(self) -> None:
        order: list[str] = []
        interleaved(2, lambda: order.append("plain"), lambda: order.append("harness"))
        assert order[:4] == ["plain", "harness"] * 2

    def interleave(self, monkeypatch: pytest.MonkeyPatch, *others: float) -> Pairs:
        """Six pairs are wanted; others' CPU seconds of one second each, the last for ever."""
        seen = iter(others)
        last = others[-1]
        monkeypatch.setattr("os.cpu_count", lambda: 1)
        monkeypatch.setattr(clock, "clocked", lambda action: Span(1.0, 1.0, next(seen, last)))
        return interleaved(6, lambda: None, lambda: None)

    def test_disturbed_pairs_are_left_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = self.interleave(monkeypatch, 0.9, 0.0, 0.0, 0.9, 0.01)
        assert (len(found.spans), found.left_out, found.busy) == (6, 2, False)

    def test_patience_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = self.interleave(monkeypatch, 0.5)
        assert (len(found.spans), found.busy) == (12, True)

    def test_others_are_told_from_us(self) -> None:
        span = clocked(lambda: sum(range(5_000_000)))
        assert span.cpu > 0
        assert span.wall >= span.cpu * 0.9


class TestColdRun:
    def test_leaves_its_kernels_to_the_other_figures(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def harness(bench: Bench, xdg: Path) -> tuple[Span, PastRun]:
            (xdg / "cache").mkdir(parents=True)
            return Span(300.0, 500.0, 60.0), cast("PastRun", Mock(builds=()))

        monkeypatch.setattr(cold, "_harness", harness)
        monkeypatch.setattr(cold, "_plain", lambda bench, folder: Span(290.0, 490.0, 0.0))
        measured = cold.cold_run(Bench(tmp_path, lambda text: None))
        assert measured.ratios == (300 / 290,)
        assert "plain 290.00 s, harness 300.00 s; 490 s of CPU (others 0%)" in measured.words
        assert [path.name for path in tmp_path.iterdir()] == ["xdg"]


class TestCommand:
    def run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *figures: Figure) -> tuple[int, object]:
        monkeypatch.setattr(command, "FIGURES", figures)
        monkeypatch.setattr(command, "BY_NAME", {figure.name: figure for figure in figures})
        output = tmp_path / "bench.json"
        status = command.main(["--workspace", str(tmp_path / "w"), "--output", str(output)])
        return status, json.loads(output.read_text())

    def test_document(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        figure = Figure("quick", 1.05, "this against that", lambda bench: Measured((1.0, 1.01, 1.2), "3 s"))
        status, document = self.run(tmp_path, monkeypatch, figure)
        assert status == 0
        assert document == [
            {
                "name": "quick",
                "ratio": 1.01,
                "limit": 1.05,
                "holds": True,
                "what": "this against that: median of 3 (1.00–1.20); 3 s",
            }
        ]
        assert capsys.readouterr().out.count("\n") == 1

    def test_a_figure_that_does_not_hold_or_could_not_be_measured(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(bench: Bench) -> Measured:
            raise BenchError("no kernel")

        good = Figure("good", 1.0, "", lambda bench: Measured((1.0,), ""))
        slow = Figure("slow", 1.0, "", lambda bench: Measured((1.1,), ""))
        lost = Figure("lost", 1.0, "", broken)
        assert self.run(tmp_path, monkeypatch, good, slow)[0] == 1
        status, document = self.run(tmp_path, monkeypatch, lost, good)
        assert status == 1
        assert isinstance(document, list)
        assert (document[0]["ratio"], document[0]["holds"]) == (None, False)
        assert document[0]["what"].endswith("could not be measured: no kernel")
        assert document[1]["holds"]

    @pytest.mark.parametrize("option", ["--only", "--skip"])
    def test_unknown_name(self, option: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as ending:
            command.main([option, "nonsense"])
        assert ending.value.code == 2
        said = capsys.readouterr().err
        assert "nonsense" in said
        assert all(name in said for name in BY_NAME)
