# SPDX-License-Identifier: GPL-2.0-only
"""One boot on any machine: manifest, initramfs, console watch, and the recorded fact."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.build.guest.manifest import new_nonce, overlay, render
from harness.config.arch import ArchRecord, BootLimits
from harness.core.errors import InfrastructureError
from harness.core.process import Children
from harness.machines.base import BootFiles, Machine
from harness.machines.kinds import MachineKind, qemu_kind
from harness.machines.qemu import accel
from harness.machines.watch import Limits, WatchOutcome, watch
from results.journal.journal import REACHED, BootFact
from results.model.run import BootEnd, PlannedTest

COMMON_CMDLINE = ("panic=-1", "panic_print=0x40", "printk.devkmsg=on")
"""A panic prints the backtrace of every CPU and resets (Documentation/admin-guide/kernel-parameters.txt).
The CPU that panics may wait for the CPU at fault. The parameters of a machine follow these, and the last of
two equal parameters counts."""
KVM_PROBE = Limits(total=20, boot_silence=3, test_silence=5, backtrace=0, power_off=3)
"""A working KVM boots the small kernel in a second or two."""


@dataclass(frozen=True, slots=True)
class Bootable:
    """A kernel of one architecture and its programs."""

    arch: ArchRecord
    kernel: Path
    programs: Path
    """The initramfs without a manifest."""


@dataclass(frozen=True, slots=True)
class BootRequest:
    """One boot of a run."""

    id: str
    variant: str
    purpose: str
    tests: tuple[PlannedTest, ...]


def limits_for(
    tests: Sequence[PlannedTest],
    facts: BootLimits,
    time_scale: float,
    boot_silence: float = 0.0,
    lag: float = 0.0,
) -> Limits:
    """Return the time limits of a boot, in seconds: each test has its own time-out.

    `boot_silence` is the lower bound of the limit before the first test; `lag` is the delay of the console.
    """
    longest = max((test.timeout_seconds for test in tests), default=0.0)
    total = facts.start_seconds + sum(test.timeout_seconds for test in tests)
    return Limits(
        total=total * time_scale + boot_silence + lag,
        boot_silence=max(facts.silence_seconds * time_scale, boot_silence) + lag,
        test_silence=(longest + facts.test_slack_seconds) * time_scale + lag,
        backtrace=facts.backtrace_seconds,
        power_off=facts.power_off_seconds + lag,
    )


def boot(
    bootable: Bootable,
    kind: MachineKind,
    request: BootRequest,
    run_dir: Path,
    children: Children,
) -> BootFact:
    """Boot once; the console log and the initramfs stay in the run folder.

    Raises:
        InfrastructureError: if the run folder can't be written.
    """
    initramfs = run_dir / "boots" / f"{request.id}.cpio"
    nonce = kind.recall(_own_folder(initramfs)) or new_nonce()
    finish = kind.finish or bootable.arch.guest.finish
    manifest = render(
        nonce,
        request.tests,
        kind.time_scale,
        finish,
        kind.channel,
        watchdog=kind.watchdog_seconds,
        root=kind.root,
        gcov=request.variant == REACHED,
    )
    log = run_dir / "logs" / f"{request.id}.log"
    limits = _limits(kind, bootable.arch.guest.limits, request.tests)
    files = _files(bootable, kind, initramfs, nonce, limits.total)
    machine = kind.make(files, _own_folder(initramfs), children)
    try:
        _write_initramfs(initramfs, bootable.programs, manifest)
        outcome = _watch(machine, nonce, limits, log)
        kept = _keep(outcome.kept, log.with_suffix(".pstore"))
    except OSError as error:
        raise InfrastructureError(f"{error.filename or run_dir}: {error.strerror}") from None
    return BootFact(
        id=request.id,
        arch=bootable.arch.name,
        variant=request.variant,
        purpose=request.purpose,
        nonce=nonce,
        tests=tuple(test.name for test in request.tests),
        machine=machine.name,
        accelerator=machine.accelerator,
        end=outcome.end,
        detail=outcome.detail,
        seconds=outcome.seconds,
        log=str(log.relative_to(run_dir)),
        command=machine.command,
        notes=(
            *kind.notes,
            *outcome.notes,
            *((f"kept from pstore: {kept.relative_to(run_dir)}",) if kept else ()),
        ),
        signals={str(number): name for number, name in bootable.arch.guest.signals.items()},
    )


def _limits(kind: MachineKind, facts: BootLimits, tests: Sequence[PlannedTest]) -> Limits:
    limits = limits_for(tests, facts, kind.time_scale, kind.boot_silence, kind.lag)
    if kind.mute:
        return replace(limits, boot_silence=limits.total, test_silence=limits.total)
    return limits


def _keep(files: Mapping[str, bytes], folder: Path) -> Path | None:
    """Write the files of the guest into a folder; returns it, or None without files."""
    if not files:
        return None
    folder.mkdir()
    for name, content in files.items():
        (folder / name.replace("/", "-")).write_bytes(content)
    return folder


def choose_accelerator(
    bootable: Bootable, version: str, cache: Path, children: Children
) -> accel.Accelerator:
    """Return KVM if a guest of this architecture has booted with it on this host, else TCG."""
    facts = bootable.arch.qemu
    memory = cache / accel.MEMORY
    known = accel.without_boot(facts) or accel.recall(memory, facts, version)
    if known:
        return known
    initramfs, log = cache / "kvm-probe.cpio", cache / "kvm-probe.log"
    nonce = new_nonce()
    _write_initramfs(initramfs, bootable.programs, render(nonce, (), 1.0, bootable.arch.guest.finish))
    kind = qemu_kind(bootable.arch, accel.Accelerator("kvm"))
    files = _files(bootable, kind, initramfs, nonce, KVM_PROBE.total)
    machine = kind.make(files, _own_folder(initramfs), children)
    outcome = _watch(machine, nonce, KVM_PROBE, log)
    if outcome.end is BootEnd.MACHINE:
        return accel.Accelerator("tcg", f"KVM could not be tried: {outcome.detail}")
    return accel.remember(memory, facts, version, usable=outcome.end is BootEnd.DONE)


def _files(bootable: Bootable, kind: MachineKind, initramfs: Path, nonce: str, seconds: float) -> BootFiles:
    return BootFiles(bootable.kernel, initramfs, (*COMMON_CMDLINE, *kind.cmdline), nonce, seconds)


def _own_folder(initramfs: Path) -> Path:
    """Return the folder that the machine of a boot may use."""
    return initramfs.with_suffix(".machine")


def _write_initramfs(path: Path, programs: Path, manifest: str) -> None:
    with path.open("wb") as target:
        with programs.open("rb") as source:
            shutil.copyfileobj(source, target)
        target.write(overlay(manifest))


def _watch(machine: Machine, nonce: str, limits: Limits, log: Path) -> WatchOutcome:
    with log.open("wb") as file:
        return asyncio.run(watch(machine, nonce, limits, file))
