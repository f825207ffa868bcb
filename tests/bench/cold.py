"""The cold run: from empty folders to a verdict, against the plain script from nothing."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.boot import Bootable, choose_accelerator
from harness.build.cache import sha256_of
from harness.machine import qemu
from harness.manifest import new_nonce, render
from harness.plan import Plan, planned_tests
from harness.process import Children
from results.console import read_report
from results.model import PlannedTest, Status
from tests.bench import plain
from tests.bench.bench import Bench, BenchError, PastRun, environment, read_past_run, run_to_end
from tests.bench.clock import Pairs, Span, clocked
from tests.bench.figure import Measured, against


def cold_run(bench: Bench) -> Measured:
    """Once each; the kernels of the two must be the same, byte for byte."""
    bench.say("cold-run takes ten minutes or more; it means something on an idle machine only")
    with tempfile.TemporaryDirectory(prefix="cold-", dir=bench.folder) as name:
        folder = Path(name)
        if bench.harness_first:
            harness, past = _harness(bench, folder / "xdg")
            by_hand = _plain(bench, folder / "plain")
        else:
            by_hand = _plain(bench, folder / "plain")
            harness, past = _harness(bench, folder / "xdg")
        _require_same_kernels(bench.plan, past, folder / "plain")
        _leave_to_others(bench, folder / "xdg")
        measured = against(Pairs(((by_hand, harness),)))
        bench.say(f"cold-run: {measured.words}; removing gigabytes of sources")
    order = "harness first, so plain" if bench.harness_first else "plain first, so harness"
    costs = " and ".join(
        f"{span.cpu:.0f} s of CPU (others {span.disturbance:.0%})" for span in (by_hand, harness)
    )
    return Measured(measured.ratios, f"{measured.words}; {costs}; {order} found compilers in the page cache")


def _harness(bench: Bench, xdg: Path) -> tuple[Span, PastRun]:
    cost = clocked(lambda: bench.run_harness(xdg, _follow(bench, "harness")))
    return cost, read_past_run(bench.workspace(xdg).find_run("latest"))


def _follow(bench: Bench, side: str) -> Callable[[str], None]:
    """Tell every line with the seconds since now: it shows where the time goes."""
    started = time.monotonic()
    return lambda line: bench.say(f"{side} {time.monotonic() - started:6.1f} s  {line}")


def _plain(bench: Bench, folder: Path) -> Span:
    """Both halves of the script. Between them the accelerator is chosen, which a person knows."""
    folder.mkdir(parents=True)
    plan = bench.plan
    arch = plan.arches[0]
    nonce, planned = new_nonce(), planned_tests(plan.suites)
    (folder / plain.MANIFEST).write_text(render(nonce, planned, arch.guest.time_scale, arch.guest.finish))
    build = plain.write(folder / "build.sh", plain.build_script(plan, folder))
    cost = clocked(lambda: _sh(build, _follow(bench, "plain")))
    accelerator = _accelerator(plan, folder)
    commands = [plain.boot_command(arch, folder, variant, accelerator) for variant in plain.VARIANTS]
    boots = plain.write(folder / "boots.sh", plain.boot_script(commands, folder))
    cost += clocked(lambda: _sh(boots))
    for log in sorted(folder.glob("plain-*.log")):
        _require_passes(log, nonce, planned)
    return cost


def _require_passes(log: Path, nonce: str, planned: Sequence[PlannedTest]) -> None:
    with log.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        tests = read_report(lines, nonce, planned).tests
    if [test.status for test in tests] != [Status.PASS] * len(planned):
        raise BenchError(f"the plain script's boot did not pass its tests: {log.read_text()[-2000:]}")


def _sh(script: Path, on_line: Callable[[str], None] = lambda line: None) -> None:
    run_to_end(("sh", str(script)), environment(), on_line)


def _accelerator(plan: Plan, folder: Path) -> str:
    arch = plan.arches[0]
    image = folder / "base" / "build" / arch.kernel.image
    bootable = Bootable(arch, image, folder / "initramfs.cpio")
    return choose_accelerator(bootable, qemu.require(arch.qemu), folder, Children()).name


def _require_same_kernels(plan: Plan, past: PastRun, folder: Path) -> None:
    image = plan.arches[0].kernel.image
    for build in past.builds:
        if sha256_of(folder / build.variant / "build" / image) != build.image_sha256:
            raise BenchError(f"the plain script's {build.variant} kernel is not the harness' one")


def _leave_to_others(bench: Bench, xdg: Path) -> None:
    """Warm runs may have the kernels, if they have none yet."""
    if not bench.xdg.exists():
        shutil.move(xdg, bench.xdg)
