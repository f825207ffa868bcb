# SPDX-License-Identifier: GPL-2.0-only
"""The abilities that a worker reports to the controller, and the tags by which steps are placed.

The checks are those of `thp-harness doctor`. A tag is there only if the tool is:
`kvm-x86_64` takes a guest that has booted with KVM on that machine.
"""

from __future__ import annotations

import os
import platform
import shutil
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.build.toolchain import HOST_HEADERS, HOST_TOOLS, find_compiler
from harness.config.arch import ArchRecord
from harness.config.catalogue import load_all
from harness.core.errors import HarnessError
from harness.core.version import program_version
from harness.machines import emulator
from harness.machines.qemu import accel

KEPT_FREE_MB = 512
"""Memory of a machine that guests do not get."""
MEMORY = "memory-mb"
"""dask's resource for the memory of guests."""


@dataclass(frozen=True, slots=True)
class Ability:
    """Abilities of one worker."""

    worker: str
    """Name of the worker; changes with each start."""
    machine: str
    """Name of its machine."""
    harness: str
    """As `program_version`."""
    cores: int
    memory_mb: int
    compilers: Mapping[str, str] = field(default_factory=dict)
    """Architecture → the compiler's version line."""
    qemu: Mapping[str, str] = field(default_factory=dict)
    """Architecture → the emulator's version."""
    hercules: Mapping[str, str] = field(default_factory=dict)
    kvm: tuple[str, ...] = ()
    """Architectures with a guest that booted with KVM."""
    kvm_untried: tuple[str, ...] = ()
    """Architectures whose /dev/kvm was never tried."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """Architecture → reason why KVM is missing."""

    @property
    def tags(self) -> frozenset[str]:
        """Tags that steps may ask for."""
        return frozenset(
            (
                harness_tag(self.harness),
                *(toolchain_tag(arch, version) for arch, version in self.compilers.items()),
                *(qemu_tag(arch, version) for arch, version in self.qemu.items()),
                *(hercules_tag(arch, version) for arch, version in self.hercules.items()),
                *(kvm_tag(arch) for arch in self.kvm),
            )
        )

    def resources(self, steps: int) -> dict[str, float]:
        """Return the resources for dask: each tag once for each concurrent step, and the memory in MiB."""
        return {**dict.fromkeys(self.tags, float(steps)), MEMORY: float(self.memory_mb)}

    def as_document(self) -> dict[str, Any]:
        """Return plain values, to send and to print."""
        return asdict(self)


def from_document(document: Mapping[str, Any]) -> Ability:
    """Read what `as_document` returned."""
    lists = {name: tuple(document[name]) for name in ("kvm", "kvm_untried")}
    return Ability(**{**document, **lists})


def harness_tag(version: str) -> str:
    """Return the tag of a version of the program."""
    return f"harness {version}"


def toolchain_tag(arch: str, version: str) -> str:
    """Return the tag of a compiler, with all tools that builds for the architecture need."""
    return f"toolchain-{arch} {version}"


def qemu_tag(arch: str, version: str) -> str:
    """Return the tag of a version of QEMU."""
    return f"qemu-{arch} {version}"


def hercules_tag(arch: str, version: str) -> str:
    """Return the tag of a version of Hercules."""
    return f"hercules-{arch} {version}"


def kvm_tag(arch: str) -> str:
    """Return the tag of KVM that has booted a guest."""
    return f"kvm-{arch}"


def demand(tags: frozenset[str], memory_mb: int) -> dict[str, float]:
    """Return the resources of a step for dask: our version, its tags, and memory for its guest in MiB."""
    wanted = sorted({harness_tag(program_version()), *tags})
    return {**dict.fromkeys(wanted, 1.0), **({MEMORY: float(memory_mb)} if memory_mb else {})}


def look_around(cores: int, cache_folder: Path) -> Ability:
    """Find the abilities of this machine, for a worker with `cores` CPUs."""
    arches = load_all(ArchRecord)
    compilers: dict[str, str] = {}
    qemu: dict[str, str] = {}
    hercules: dict[str, str] = {}
    can_build = all(map(shutil.which, HOST_TOOLS)) and all(Path(path).exists() for path in HOST_HEADERS)
    for name, arch in arches.items():
        with suppress(HarnessError):
            if can_build:
                compilers[name] = find_compiler(arch).version
        with suppress(HarnessError):
            qemu[name] = emulator.require(arch.qemu)
        with suppress(HarnessError):
            if arch.hercules:
                hercules[name] = emulator.require(arch.hercules)
    answers = {name: _accelerator(arches[name], version, cache_folder) for name, version in qemu.items()}
    return Ability(
        worker=f"{platform.node()}-{uuid.uuid4().hex[:8]}",
        machine=platform.node(),
        harness=program_version(),
        cores=cores,
        memory_mb=_memory_mb(),
        compilers=compilers,
        qemu=qemu,
        hercules=hercules,
        kvm=tuple(name for name, answer in answers.items() if answer and answer.name == "kvm"),
        kvm_untried=tuple(name for name, answer in answers.items() if answer is None),
        notes={name: answer.note for name, answer in answers.items() if answer and answer.note},
    )


def _accelerator(arch: ArchRecord, version: str, cache_folder: Path) -> accel.Accelerator | None:
    return accel.without_boot(arch.qemu) or accel.recall(cache_folder / accel.MEMORY, arch.qemu, version)


def _memory_mb() -> int:
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    return max(installed - KEPT_FREE_MB, 0)
