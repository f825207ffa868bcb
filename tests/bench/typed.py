# SPDX-License-Identifier: GPL-2.0-only
"""The plain scripts, run and clocked: what the harness is compared with."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from harness.build.guest.manifest import new_nonce, render
from harness.config.arch import ArchRecord
from harness.core.process import Children
from harness.engine.boot import Bootable, choose_accelerator
from harness.machines import emulator
from harness.plan.plan import Plan, planned_tests
from results.console.report import read_report
from results.model.run import PlannedTest, Status
from tests.bench import plain
from tests.bench.bench import Bench, BenchError, environment, run_to_end
from tests.bench.by_hand import Way
from tests.bench.clock import Span, clocked

BOOT_SECONDS = 900
"""A guest that does not switch itself off is ended then; so long, nobody would wait."""


def run_scripts(
    bench: Bench,
    plan: Plan,
    ways: Sequence[Way],
    folder: Path,
    *,
    package: Path | None = None,
    accepted: Collection[Status] = (Status.PASS,),
) -> Span:
    """Build everything, then boot everything.

    Between the two the accelerators are chosen, which a person knows.

    Raises:
        BenchError: if a command fails, or a test of a boot comes out as none of those accepted.
    """
    folder.mkdir(parents=True)
    nonce, planned = new_nonce(), planned_tests(plan.suites)
    for way in ways:
        guest = way.arch.guest
        plain.manifest(way.arch, folder).write_text(render(nonce, planned, guest.time_scale, guest.finish))
    build = plain.write(folder / "build.sh", plain.build_script(plan, ways, folder, package))
    cost = clocked(lambda: run_script(build, follow(bench, "plain")))
    commands = [command for way in ways for command in _boot_commands(way.arch, folder)]
    boots = plain.write(folder / "boots.sh", plain.boot_script(commands, folder))
    cost += clocked(lambda: run_script(boots))
    for number in range(1, len(commands) + 1):
        _require(plain.boot_log(folder, number), nonce, planned, accepted)
    return cost


def follow(bench: Bench, side: str) -> Callable[[str], None]:
    """Tell every line with the seconds since now: it shows where the time goes."""
    started = time.monotonic()
    return lambda line: bench.say(f"{side} {time.monotonic() - started:6.1f} s  {line}")


def _boot_commands(arch: ArchRecord, folder: Path) -> list[tuple[str, ...]]:
    accelerator = _accelerator(arch, folder)
    limit = ("timeout", "--foreground", str(BOOT_SECONDS))
    return [(*limit, *plain.boot_command(arch, folder, variant, accelerator)) for variant in plain.VARIANTS]


def _accelerator(arch: ArchRecord, folder: Path) -> str:
    bootable = Bootable(arch, plain.image(arch, folder, "base"), plain.initramfs(arch, folder))
    return choose_accelerator(bootable, emulator.require(arch.qemu), folder, Children()).name


def _require(log: Path, nonce: str, planned: Sequence[PlannedTest], accepted: Collection[Status]) -> None:
    with log.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        tests = read_report(lines, nonce, planned).tests
    if len(tests) != len(planned) or any(test.status not in accepted for test in tests):
        end = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise BenchError(f"the plain script's boot did not pass its tests: {end}")


def run_script(script: Path, on_line: Callable[[str], None] = lambda line: None) -> None:
    """Run a script to its end; raises BenchError if it fails."""
    run_to_end(("sh", str(script)), environment(), on_line)
