# SPDX-License-Identifier: GPL-2.0-only
"""How kernels are configured and booted: as the harness does it, or as a person would.

What the person knows stands in `by_hand/`: symbols to debug memory management, what each architecture
needs to boot, and its machine, where that is another one. Everything else is left to kconfig.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.config.arch import ArchRecord
from harness.config.catalogue import load
from harness.config.record import Items, Record
from harness.core.shipped import CONFIGS
from tests.bench.bench import BenchError

FOLDER = Path(__file__).parent / "by_hand"
COMMON = "common"
KNOWN = tuple(sorted(path.stem for path in FOLDER.glob("*.config") if path.stem != COMMON))
"""Architectures that a person knows how to boot."""


@dataclass(frozen=True, slots=True)
class Way:
    """One architecture's kernels: how they are configured, on which machine they boot."""

    arch: ArchRecord
    fragments: tuple[Path, ...]
    """On top of tinyconfig, in this order."""


class OtherMachine(Record):
    """The machine that a person takes; `by_hand/ARCH.yaml`."""

    machine: str
    cmdline: Items[str]
    finish: Literal["poweroff", "restart"]


def as_harness(arch: ArchRecord) -> Way:
    """With the fragments and the machine that the harness uses."""
    names = (*arch.kernel.fragments, *arch.kernel.diet)
    return Way(arch, tuple(CONFIGS / "kconfig" / f"{name}.config" for name in names))


def by_hand(arch: ArchRecord) -> Way:
    """As a person would.

    Raises:
        BenchError: if nobody has said how.
    """
    if arch.name not in KNOWN:
        raise BenchError(f"{FOLDER} does not say how {arch.name} is configured by hand")
    fragments = (FOLDER / f"{COMMON}.config", FOLDER / f"{arch.name}.config")
    other = FOLDER / f"{arch.name}.yaml"
    return Way(_on(load(other, OtherMachine), arch) if other.exists() else arch, fragments)


def _on(other: OtherMachine, arch: ArchRecord) -> ArchRecord:
    qemu = arch.qemu.model_copy(update={"machine": other.machine, "devices": ()})
    guest = arch.guest.model_copy(update={"cmdline": other.cmdline, "finish": other.finish})
    return arch.model_copy(update={"qemu": qemu, "guest": guest})
