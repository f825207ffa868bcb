# SPDX-License-Identifier: GPL-2.0-only
"""What a worker's machine can do, as it tells the controller; and the tags that steps are placed by.

What is looked at is what `thp-harness doctor` looks at. A tag is there only if the thing really is:
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
"""Of a machine's memory, for everything that is no guest."""
MEMORY = "memory-mb"
"""dask's resource for the memory of guests."""


@dataclass(frozen=True, slots=True)
class Ability:
    """What one worker can do."""

    worker: str
    """Name of the worker; a new one whenever it starts."""
    machine: str
    """Name of its machine."""
    harness: str
    """The program's version, with a sum of its sources."""
    cores: int
    memory_mb: int
    compilers: Mapping[str, str] = field(default_factory=dict)
    """Architecture → the compiler's version line."""
    qemu: Mapping[str, str] = field(default_factory=dict)
    """Architecture → the emulator's version."""
    hercules: Mapping[str, str] = field(default_factory=dict)
    kvm: tuple[str, ...] = ()
    """Architectures of which a guest has booted with KVM."""
    kvm_untried: tuple[str, ...] = ()
    """Those for which /dev/kvm is there and was never tried."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """Architecture → why there is no KVM."""

    @property
    def tags(self) -> frozenset[str]:
        """What steps may ask for."""
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
        """For dask: every tag as often as there can be steps at once, and the memory."""
        return {**dict.fromkeys(self.tags, float(steps)), MEMORY: float(self.memory_mb)}

    def as_document(self) -> dict[str, Any]:
        """Plain values, to send and to print."""
        return asdict(self)


def from_document(document: Mapping[str, Any]) -> Ability:
    """What `as_document` made."""
    lists = {name: tuple(document[name]) for name in ("kvm", "kvm_untried")}
    return Ability(**{**document, **lists})


def harness_tag(version: str) -> str:
    """Says: is of this very version of the program."""
    return f"harness {version}"


def toolchain_tag(arch: str, version: str) -> str:
    """Says: has this compiler, and all else that builds of the architecture need."""
    return f"toolchain-{arch} {version}"


def qemu_tag(arch: str, version: str) -> str:
    """Says: has this version of the architecture's QEMU."""
    return f"qemu-{arch} {version}"


def hercules_tag(arch: str, version: str) -> str:
    """Says: has this version of Hercules."""
    return f"hercules-{arch} {version}"


def kvm_tag(arch: str) -> str:
    """Says: a guest of the architecture has booted with KVM there."""
    return f"kvm-{arch}"


def demand(tags: frozenset[str], memory_mb: int) -> dict[str, float]:
    """What a step asks of dask: our version, one of each of its tags, and room for its guest."""
    wanted = sorted({harness_tag(program_version()), *tags})
    return {**dict.fromkeys(wanted, 1.0), **({MEMORY: float(memory_mb)} if memory_mb else {})}


def look_around(cores: int, cache_folder: Path) -> Ability:
    """What this machine can do for a worker with so many cores."""
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
