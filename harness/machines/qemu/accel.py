# SPDX-License-Identifier: GPL-2.0-only
"""Which accelerator really works here.

That /dev/kvm opens and answers proves nothing: on some paravirtual hosts every ioctl succeeds
and a guest hangs in its first instructions. So KVM counts as usable only after a guest of that
architecture has booted with it; the answer is remembered for this host, QEMU and kernel.
"""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from harness.config.arch import QemuFacts

KVM_DEVICE = Path("/dev/kvm")
MEMORY = "accelerators.json"
"""Name of the file in the cache folder that remembers the answers."""


@dataclass(frozen=True, slots=True)
class Accelerator:
    """The choice, and a note for the report where KVM is there but does not work."""

    name: str
    note: str = ""


def without_boot(facts: QemuFacts) -> Accelerator | None:
    """The choice where it needs no boot to make: None means that KVM must be tried."""
    if facts.kvm_host != platform.machine():
        return Accelerator("tcg")
    if not KVM_DEVICE.exists():
        return Accelerator("tcg", f"{KVM_DEVICE} does not exist")
    if not os.access(KVM_DEVICE, os.R_OK | os.W_OK):
        return Accelerator("tcg", f"{KVM_DEVICE} can't be opened (is the user in group kvm?)")
    return None


def recall(memory: Path, facts: QemuFacts, version: str) -> Accelerator | None:
    """The remembered answer of an earlier boot with KVM on this very host, if there is one."""
    try:
        usable = json.loads(memory.read_text())[_host_key(facts, version)]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return _answer(bool(usable))


def remember(memory: Path, facts: QemuFacts, version: str, usable: bool) -> Accelerator:
    """Keep the answer of a boot with KVM for the next time."""
    try:
        answers = json.loads(memory.read_text())
    except (OSError, ValueError):
        answers = {}
    answers[_host_key(facts, version)] = usable
    draft = memory.with_suffix(".new")
    draft.write_text(json.dumps(answers, indent=2, sort_keys=True) + "\n")
    draft.replace(memory)
    return _answer(usable)


def _answer(usable: bool) -> Accelerator:
    if usable:
        return Accelerator("kvm")
    return Accelerator("tcg", f"{KVM_DEVICE} answers, but a guest does not boot with it")


def _host_key(facts: QemuFacts, version: str) -> str:
    host = platform.uname()
    return f"{facts.binary} {version} on {host.release} {host.version} {_cpu_model()}"


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
