# SPDX-License-Identifier: GPL-2.0-only
"""The kinds of machine that can boot an architecture here, and which test goes to which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from harness.config.arch import ArchRecord
from harness.core.process import Children
from harness.machines.base import BootFiles, Machine
from harness.machines.hercules.machine import Hercules
from harness.machines.host.boot import HOST
from harness.machines.host.initramfs_boot import PhysicalHost
from harness.machines.host.installed_boot import InstalledSystem
from harness.machines.host.lease import HostLease
from harness.machines.host.remote.guest import guest_folder
from harness.machines.lava.lab import Lab
from harness.machines.lava.machine import LavaBoard
from harness.machines.lava.submission import recall_nonce
from harness.machines.qemu.accel import Accelerator
from harness.machines.qemu.machine import Qemu
from results.model.run import ICOUNT, PlannedTest

PANIC_SECONDS = "panic=10"
"""A restart cuts off what a slow console has not shown yet."""
SAME_ADDRESSES = ("nokaslr", "norandmaps")
"""Equal kernels then run the same instructions in each boot."""
MUTE_NOTE = "the host has no console: the log is what pstore kept of it, and kernel errors may be missing"


@dataclass(frozen=True, slots=True)
class MachineKind:
    """A kind of machine that is installed here and can boot an architecture."""

    name: str
    cpus: int
    cmdline: tuple[str, ...]
    """Kernel parameters that this machine needs."""
    time_scale: float
    """Time-outs are multiplied by this."""
    make: Callable[[BootFiles, Path, Children], Machine]
    """Makes one for one boot; the path is a folder that it may create and must remove."""
    lacks: tuple[str, ...] = ()
    """Capabilities that it is known not to have."""
    channel: str = ""
    """The guest's block device that carries its log; empty where the console does."""
    root: str = ""
    """Where the guest's programs stand on a system that has others, too; their log is a file there."""
    notes: tuple[str, ...] = ()
    """What the reader of a report must know of it."""
    boot_silence: float = 0.0
    """Seconds without console output before the first test that are never called a hang."""
    finish: Literal["", "poweroff", "restart"] = ""
    """What the guest program does at its end; empty where the architecture says it."""
    watchdog_seconds: int = 0
    """Limit of its watchdog, which the guest program arms if there is one; 0 leaves it alone."""
    mute: bool = False
    """Nothing is heard of a boot before it is over."""
    alone: AbstractContextManager[Any] = field(default_factory=nullcontext)
    """Held for each boot, where there is only one such machine."""
    lag: float = 0.0
    """Delay of the console in seconds."""
    counts: bool = False
    """Whether its clock counts the guest's instructions; it runs the tests that need this, and no others."""
    recall: Callable[[Path], str] = lambda folder: ""
    """The nonce of a boot with that folder that a killed run left going on; empty if there is none."""

    def can_run(self, test: PlannedTest) -> bool:
        """Whether nothing that the test needs is known to be missing."""
        return (ICOUNT in test.needs) is self.counts and not set(test.needs) & set(self.lacks)


def qemu_kind(arch: ArchRecord, accelerator: Accelerator) -> MachineKind:
    """QEMU with KVM, emulation, or emulation that counts instructions."""
    facts = arch.qemu
    emulated = accelerator.name != "kvm"
    counts = accelerator.name == ICOUNT
    return MachineKind(
        name=Qemu.name,
        cpus=1 if counts else facts.cpus,
        cmdline=(*arch.guest.cmdline, *facts.cmdline, *(SAME_ADDRESSES if counts else ())),
        time_scale=arch.guest.time_scale if emulated else 1.0,
        make=lambda files, folder, children: Qemu(facts, files, accelerator.name, children),
        lacks=facts.tcg_lacks if emulated else (),
        notes=(accelerator.note,) if accelerator.note else (),
        counts=counts,
    )


def hercules_kind(arch: ArchRecord) -> MachineKind | None:
    """The Hercules emulator, if the architecture's record has it."""
    facts = arch.hercules
    if facts is None:
        return None
    return MachineKind(
        name=Hercules.name,
        cpus=facts.cpus,
        cmdline=(*arch.guest.cmdline, *facts.cmdline),
        time_scale=arch.guest.time_scale,
        make=lambda files, folder, children: Hercules(facts, files, folder, children),
        channel=facts.channel,
        notes=facts.limits,
    )


def host_kind(lease: HostLease) -> MachineKind:
    """A physical host, which must come back: what we boot on it restarts it."""
    record, limits = lease.record, lease.record.limits
    told = f"booted on the physical host {record.name} ({record.about}), not on an emulator"
    kind = MachineKind(
        name=f"{HOST}{record.name}",
        cpus=0,
        cmdline=(PANIC_SECONDS, *record.cmdline),
        time_scale=record.time_scale,
        make=lambda files, folder, children: PhysicalHost(lease, files, children),
        lacks=record.lacks,
        notes=(told, *((MUTE_NOTE,) if record.is_mute else ())),
        boot_silence=limits.boot_seconds + (limits.back_seconds if record.is_mute else 0),
        finish="restart",
        watchdog_seconds=limits.watchdog_seconds,
        mute=record.is_mute,
        alone=lease.boots,
    )
    return _with_its_system(kind, lease) if record.system else kind


def _with_its_system(kind: MachineKind, lease: HostLease) -> MachineKind:
    """The system that is installed on a physical host, started by the kernel under test."""
    record, limits = lease.record, lease.record.limits
    told = f"tests ran on the system that is installed on the physical host {record.name} ({record.about})"
    return replace(
        kind,
        make=lambda files, folder, children: InstalledSystem(lease, files, folder, children),
        root=guest_folder(record),
        notes=(told,),
        boot_silence=limits.boot_seconds + limits.back_seconds,
        mute=False,
        lag=limits.outage_seconds,
    )


def lab_kind(lab: Lab, arch: ArchRecord) -> MachineKind:
    """The boards of a lab; how many there are is the lab's affair, and so are their queues."""
    record, board = lab.record, lab.board(arch)
    return MachineKind(
        name=f"lab {record.name}",
        cpus=0,
        cmdline=board.cmdline,
        time_scale=board.time_scale,
        make=lambda files, folder, children: LavaBoard(lab, arch, files, folder, children),
        lacks=board.lacks,
        notes=(f"booted in the lab {record.name} ({record.about})",),
        boot_silence=record.limits.boot_seconds,
        lag=record.limits.lag_seconds,
        recall=recall_nonce,
    )


def share_out(
    planned: Sequence[PlannedTest], kinds: Sequence[MachineKind]
) -> tuple[tuple[MachineKind, tuple[PlannedTest, ...]], ...]:
    """Give each test to the first kind that can run it; if none can, to the first of all.

    Kinds that get no test are left out.
    """
    shares: list[list[PlannedTest]] = [[] for _ in kinds]
    for test in planned:
        chosen = next((number for number, kind in enumerate(kinds) if kind.can_run(test)), 0)
        shares[chosen].append(test)
    return tuple((kind, tuple(share)) for kind, share in zip(kinds, shares, strict=True) if share)
