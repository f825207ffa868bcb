# SPDX-License-Identifier: GPL-2.0-only
"""The figures' own machinery: names, limits, the scripts that stand for a person's typing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import jsonschema
import pytest
from rich.console import Console

from harness.build.guest import programs
from harness.build.guest.manifest import PATH_IN_GUEST
from harness.build.kernel.kconfig import read_symbols
from harness.config.arch import ArchRecord
from harness.config.catalogue import find
from harness.core.progress import Progress
from harness.core.progress import clock as clock_for_people
from harness.plan.plan import Plan, PlanRequest, make_plan
from results.journal.journal import Event
from tests.bench import __main__ as command
from tests.bench import by_hand, clock, cold, matrix, plain, timeline
from tests.bench.bench import ARCH, Bench, BenchError, PastRun, run_to_end
from tests.bench.clock import Pairs, Span, clocked, interleaved
from tests.bench.figure import Figure, Measured, against, judge
from tests.bench.figures import BY_NAME, FIGURES
from tests.bench.memory import PeakMemory
from tests.bench.patches import Walked

SCHEMA = Path(__file__).parents[3] / "docs" / "bench.schema.json"


@pytest.fixture
def plan() -> Plan:
    return make_plan(PlanRequest(arches=(ARCH,), jobs=3))


def check_syntax(script: str) -> None:
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)


class TestPlainScripts:
    def test_build(self, plan: Plan, tmp_path: Path) -> None:
        ways = [by_hand.as_harness(arch) for arch in plan.arches]
        script = plain.build_script(plan, ways, tmp_path / "with 'odd' name")
        check_syntax(script)
        assert f"-j{plan.jobs} {plan.arches[0].kernel.target}" in script
        kernel = plan.arches[0].kernel
        assert all(f"/{name}.config" in script for name in (*kernel.fragments, *kernel.diet))
        found = plain.sources_of(plan)
        assert script.count("-d base/src") == len(found.fixes) > 0
        assert script.count("-d series/src") == len(found.patches)
        assert "apt-get -qq download" in script

    def test_matrix(self, tmp_path: Path) -> None:
        plan = make_plan(PlanRequest(jobs=3))
        ways = [by_hand.by_hand(arch) for arch in plan.arches]
        script = plain.build_script(plan, ways, tmp_path, tmp_path / "linux source.deb")
        check_syntax(script)
        assert "apt-get" not in script
        assert "/diet.config" not in script
        builds = [line for line in script.splitlines() if " -j3 " in line]
        assert len(builds) == 2 * len(plan.arches) == 10
        assert len(set(builds)) == 10

    def test_boot(self, plan: Plan, tmp_path: Path) -> None:
        commands = [
            plain.boot_command(plan.arches[0], tmp_path, variant, "tcg") for variant in plain.VARIANTS
        ]
        script = plain.boot_script(commands, tmp_path)
        check_syntax(script)
        assert script.count(plan.arches[0].qemu.binary) == 2
        assert all(str(plain.boot_log(tmp_path, number)) in script for number in (1, 2))

    def test_initramfs_has_the_entries_of_ours(self, plan: Plan, tmp_path: Path) -> None:
        for name in ("init", *(suite.program.name for suite in plan.suites)):
            (tmp_path / name).touch()
        ours = {*programs._entries(tmp_path, plan.suites, {}), PATH_IN_GUEST}
        listed = [line.split()[:2] for line in plain.initramfs_entries(plan.arches[0], plan.suites)]
        names = [name.removeprefix("/") for kind, name in listed if kind != "dir"]
        assert sorted(names) == sorted(ours)

    def test_other_sources_are_refused(self, tmp_path: Path) -> None:
        series = make_plan(PlanRequest(arches=(ARCH,), series=str(tmp_path)))
        with pytest.raises(BenchError, match="folder of patches"):
            plain.sources_of(series)


class TestByHand:
    def test_every_architecture_of_the_default_plan_is_known(self) -> None:
        assert set(by_hand.KNOWN) >= {arch.name for arch in make_plan(PlanRequest()).arches}

    @pytest.mark.parametrize("name", by_hand.KNOWN)
    def test_fragments_leave_the_defaults_of_kconfig_alone(self, name: str) -> None:
        way = by_hand.by_hand(find(ArchRecord, name))
        asked = [
            item
            for path in way.fragments
            for item in read_symbols(path.read_text().splitlines(), str(path)).items()
        ]
        off = {symbol.removeprefix("CONFIG_") for symbol, value in asked if value == "n"}
        # What tinyconfig itself shrinks, and one of two MMUs
        assert off <= {"SLUB_TINY", "PPC_RADIX_MMU"}

    def test_another_machine_replaces_all_that_belongs_to_ours(self) -> None:
        ours = find(ArchRecord, "x86_64")
        arch = by_hand.by_hand(ours).arch
        assert (arch.qemu.machine, arch.qemu.devices, arch.guest.finish) == ("pc", (), "poweroff")
        assert arch.guest.cmdline == ("console=ttyS0",)
        assert arch.kernel == ours.kernel

    def test_an_architecture_that_nobody_configured(self) -> None:
        with pytest.raises(BenchError, match="riscv64"):
            by_hand.by_hand(find(ArchRecord, "riscv64"))


class TestFigures:
    def test_names_are_unique(self) -> None:
        assert len(BY_NAME) == len(FIGURES)

    def test_the_median_decides(self) -> None:
        figure = Figure("f", 1.05, "one thing against another", lambda bench: Measured((), ""))
        assert judge(figure, Measured((1.0, 1.05, 9.0), "")).holds
        assert not judge(figure, Measured((1.0, 1.06, 1.07), "")).holds

    def test_pairs(self) -> None:
        measured = against(pairs((2.0, 3.0), (4.0, 4.0)))
        assert measured.values == (1.5, 1.0)
        assert measured.words == "plain 3.00 s (2.00–4.00), harness 3.50 s (3.00–4.00)"

    def test_a_busy_machine_is_told(self) -> None:
        busy = replace(pairs((1.0, 1.0)), busy=True)
        assert "NOT TO BE TRUSTED" in against(busy).words

    def test_an_absolute_figure_has_its_unit(self) -> None:
        figure = Figure("f", 150, "a thing", lambda bench: Measured((), ""), "MiB")
        outcome = judge(figure, Measured((85.0,), "words"))
        assert outcome.holds
        assert outcome.as_line().split() == [
            *("f", "85.00", "MiB", "limit", "150.00", "MiB", "holds", "measured", "once;", "words"),
        ]

    def test_small_ratios_are_told_from_their_limit(self) -> None:
        figure = Figure("f", 0.03, "a thing", lambda bench: Measured((), ""))
        assert "0.034  limit 0.030" in judge(figure, Measured((0.034,), "")).as_line()


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
        assert measured.values == (300 / 290,)
        assert "plain 290.00 s, harness 300.00 s; 490 s of CPU (others 0%)" in measured.words
        assert [path.name for path in tmp_path.iterdir()] == ["xdg"]


START = datetime(2026, 1, 1, tzinfo=UTC)


def event(name: str, second: float, arch: str = "", **fact: Any) -> Event:
    return Event(START + timedelta(seconds=second), name, {"arch": arch, **fact})


class TestTimeline:
    def test_the_first_verdict_needs_all_boots_of_its_architecture(self) -> None:
        events = [
            event("plan", 0),
            event("boot", 10, "s390", seconds=3),
            event("build", 11, "s390"),
            event("boot", 20, "sparc", seconds=3),
            event("twin", 21, "sparc"),
            event("boot", 30, "s390", seconds=3),
            event("end", 40),
        ]
        assert timeline.first_verdict(events) == ("sparc", START + timedelta(seconds=21))

    def test_nothing_booted(self) -> None:
        with pytest.raises(BenchError, match="booted nothing"):
            timeline.first_verdict([event("plan", 0)])

    def test_boots_side_by_side_count_once(self) -> None:
        ends = [(10, 5), (12, 6), (13, 1), (30, 10)]  # 5–10, 6–12, 12–13, 20–30
        events = [event("boot", end, "x", seconds=seconds) for end, seconds in ends]
        assert timeline.seconds_of(timeline.boot_spans([event("build", 4, "x"), *events])) == 18

    def test_what_a_walk_does_after_all_kernels_of_base(self) -> None:
        builds = [("x", 0, 90), ("x", 1, 95), ("y", 0, 100), ("x", 2, 105), ("y", 1, 112), ("y", 2, 118)]
        events = [event("build", second, arch, variant=f"patch/{number}") for arch, number, second in builds]
        after = timeline.after_base([event("plan", 0), *events, event("end", 130)])
        assert (after.share, after.seconds) == (0.75, 30)
        walked = Walked(Span(130, 200, 0), Span(200, 380, 0), 2, 2 * after.share, after.seconds)
        assert walked.each == 20
        assert walked.expected(24) == 130 + 22 * 20

    def test_a_walk_without_patches_says_nothing_of_them(self) -> None:
        with pytest.raises(BenchError, match="no patch"):
            timeline.after_base([event("build", 90, "x", variant="patch/0"), event("end", 91)])

    def test_reused_builds(self) -> None:
        told = StringIO()
        progress = Progress(Console(file=told))
        for cell, outcome in (("x86_64 base", "from the cache"), ("x86_64 series", "done")):
            with progress.activity(cell, "build", 300.0) as doing:
                doing.outcome = outcome
        found = timeline.reused_builds(told.getvalue().splitlines())
        assert list(found) == ["x86_64 base"]
        assert found["x86_64 base"] < 60

    @pytest.mark.parametrize(("words", "seconds"), [("0.3 s", 0.3), ("42 s", 42), ("1:07 min", 67)])
    def test_all_the_ways_to_tell_a_time(self, words: str, seconds: float) -> None:
        assert clock_for_people(seconds) == words
        line = f"x86_64 base: build: from the cache ({words})"
        assert timeline.reused_builds([line]) == {"x86_64 base": seconds}


class TestMemory:
    PEAK = "block = bytearray(80 << 20); block[::4096] = bytes(len(block[::4096])); del block"

    UNTIL_SEEN = """
import pathlib, sys, time
done, seen = map(pathlib.Path, sys.argv[1:])
done.touch()
while not seen.exists():
    time.sleep(0.01)
"""

    def peak(self, program: str, folder: Path) -> float:
        """It lives on until somebody has looked at it once more."""
        done, seen = folder / "done", folder / "seen"

        class Memory(PeakMemory):
            def _look(self, process: int) -> None:
                is_done = done.exists()
                super()._look(process)
                if is_done:
                    seen.touch()

        memory = Memory()
        script = f"{program}\n{self.UNTIL_SEEN}"
        run_to_end((sys.executable, "-c", script, str(done), str(seen)), {}, memory=memory)
        return memory.mib

    def test_what_was_given_back_counts(self, tmp_path: Path) -> None:
        assert 80 < self.peak(self.PEAK, tmp_path) < 120

    def test_children_do_not_count(self, tmp_path: Path) -> None:
        child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {self.PEAK!r}], check=True)"
        assert 3 < self.peak(child, tmp_path) < 60


class TestMatrix:
    """The figures of the matrix, with our runs and the script made up."""

    @pytest.fixture
    def calls(self) -> list[str]:
        return []

    @pytest.fixture
    def bench(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: list[str]) -> Bench:
        def step(name: str, outcome: object) -> Callable[[Bench], object]:
            def do(bench: Bench) -> object:
                calls.append(name)
                return outcome

            return do

        events = (event("boot", 120, "sparc", seconds=4), event("boot", 130, "sparc", seconds=4))
        past = cast("PastRun", Mock(boots=[Mock(seconds=4, purpose="first")] * 2, builds=[Mock()] * 2))
        cold = matrix.OurRun(Span(600, 1000, 0), START, past, events, {}, 85.5)
        warm = replace(cold, span=Span(12, 10, 0), reused={"sparc base": 0.2, "sparc series": 0.4})
        monkeypatch.setattr(matrix, "_script", step("script", Span(1000, 1900, 0)))
        monkeypatch.setattr(matrix, "_cold_run", step("cold", cold))
        monkeypatch.setattr(matrix, "_warm_run", step("warm", warm))
        return Bench(tmp_path, lambda text: None, arches=("sparc",))

    def test_values(self, bench: Bench, calls: list[str]) -> None:
        names = ("cold-matrix", "first-verdict", "warm-matrix", "cached-builds", "ten-boots", "memory")
        measured = [BY_NAME[name].measure(bench) for name in names]
        assert [found.values for found in measured] == [(0.6,), (0.13,), (0.02,), (0.4,), (8.0,), (85.5,)]
        assert all("ONLY sparc" in found.words for found in measured)
        assert calls == ["script", "cold", "warm"]

    def test_a_busy_machine_is_told_where_time_is_measured(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("os.cpu_count", lambda: 1)
        monkeypatch.setattr(matrix, "_script", lambda bench: Span(1000, 500, 400))
        assert "others used 40% of the CPUs" in matrix.cold_matrix(bench).words
        assert "others used" not in matrix.warm_matrix(bench).words

    def test_memory_needs_no_script(self, bench: Bench, calls: list[str]) -> None:
        matrix.memory(bench)
        assert calls == ["cold"]

    def test_the_order_can_be_turned_round(self, bench: Bench, calls: list[str]) -> None:
        matrix.cold_matrix(replace(bench, harness_first=True))
        assert calls == ["cold", "script"]

    def test_a_failure_is_not_repeated(
        self, bench: Bench, calls: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(bench: Bench) -> object:
            calls.append("broken")
            raise BenchError("no compiler")

        monkeypatch.setattr(matrix, "_script", broken)
        for name in ("cold-matrix", "first-verdict"):
            with pytest.raises(BenchError, match="no compiler"):
                BY_NAME[name].measure(bench)
        assert calls == ["broken"]


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

    def test_document_follows_its_schema(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(bench: Bench) -> Measured:
            raise BenchError("no kernel")

        figures = (
            Figure("ratio", 1.05, "", lambda bench: Measured((1.0,), "")),
            Figure("absolute", 90, "", lambda bench: Measured((84.25,), ""), "s"),
            Figure("lost", 90, "", broken, "s"),
        )
        _, document = self.run(tmp_path, monkeypatch, *figures)
        schema = json.loads(SCHEMA.read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(document, schema)
        _, absolute, lost = cast("list[Mapping[str, object]]", document)
        assert (absolute["value"], absolute["unit"], absolute["limit"]) == (84.25, "s", 90)
        assert (lost["value"], lost["holds"]) == (None, False)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate([{**absolute, "ratio": 1.0}], schema)

    def test_unknown_architecture(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as ending:
            command.main(["--arch", "vax"])
        assert ending.value.code == 2
        assert "sparc" in capsys.readouterr().err

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
