# SPDX-License-Identifier: GPL-2.0-only
"""Checks the machine for tools, emulators, disk space and memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from harness.build.ccache import MAX_SIZE, SWITCH, find_ccache, is_switched_off
from harness.build.toolchain import HOST_HEADERS, HOST_TOOLS, find_compiler, find_gcov
from harness.commands.study import DISK_FREE_BYTES
from harness.config.arch import ArchRecord, HerculesFacts
from harness.config.catalogue import find
from harness.config.series import PlanRecord
from harness.core import sandbox
from harness.core.check import Check
from harness.core.errors import HarnessError
from harness.core.workspace import Workspace
from harness.engine.durations import DurationHistory
from harness.machines import emulator
from harness.machines.hercules.machine import Hercules
from harness.machines.qemu import accel
from harness.machines.qemu.machine import Qemu
from harness.plan.plan import DEFAULT_PLAN
from harness.sources.series.mail.lore import find_b4

MEMORY_PER_GUEST_MB = 1024


def chosen_arches(names: Sequence[str]) -> tuple[ArchRecord, ...]:
    """Return the named architectures, or those of a bare `run`.

    Raises:
        UsageError: for an unknown architecture.
    """
    wanted = names or find(PlanRecord, DEFAULT_PLAN).arches
    return tuple(find(ArchRecord, name) for name in wanted)


def verdict(checks: Sequence[Check], packages: Sequence[str]) -> str:
    """Sum up all checks in one sentence, with the one command that installs everything that is missing."""
    wrong = [check for check in checks if check.ok is False]
    install = f"sudo {_install(packages)}" if packages else ""
    if not wrong:
        return f"Ready. Optional: {install}" if install else "Ready: `thp-harness run` can start."
    by_hand = [check for check in wrong if check.fix and not (install and check.fix.startswith("apt-get "))]
    steps = [*([install] if install else []), *(f"{check.name}: {check.fix}" for check in by_hand)]
    names = ", ".join(check.name for check in wrong)
    return "\n".join((f"Not ready: {names}." + (" To mend:" if steps else ""), *(f"  {it}" for it in steps)))


def examine(arches: Sequence[ArchRecord], workspace: Workspace) -> tuple[Check, ...]:
    """Check everything that runs on these architectures need."""
    history = DurationHistory(workspace.state)
    return (
        *_check_tools(),
        _check_ccache(workspace),
        _check_sandbox(),
        *(check for arch in arches for check in _check_arch(arch, workspace, history)),
        *_check_folders(workspace),
        _check_memory(),
    )


def _check_tools() -> Iterator[Check]:
    lacking = [tool for tool in HOST_TOOLS if not shutil.which(tool)]
    packages = [HOST_TOOLS[tool] for tool in lacking]
    for header, package in HOST_HEADERS.items():
        if not Path(header).exists():
            lacking.append(header)
            packages.append(package)
    if lacking:
        yield Check("build tools", False, f"missing: {', '.join(lacking)}", _install(packages))
    else:
        yield Check("build tools", True, ", ".join(HOST_TOOLS))
    b4 = find_b4()
    yield Check(
        "b4",
        True if b4 else None,
        b4 or "missing: only series from lore need it",
        "" if b4 else "pip install b4",
    )


def _check_ccache(workspace: Workspace) -> Check:
    if is_switched_off():
        return Check("ccache", None, f"not used: {SWITCH}=0")
    try:
        ccache = find_ccache(workspace.cache)
    except HarnessError as error:
        return Check("ccache", False, str(error))
    if ccache is None:
        return Check("ccache", None, "missing: builds do without", "apt-get install ccache")
    return Check("ccache", True, f"{ccache.version}, at most {MAX_SIZE} in {ccache.folder}")


def _check_sandbox() -> Check:
    """Check that strangers' Makefiles and guests are confined; runs do without, and say so."""
    if reason := sandbox.why_not():
        fix = "" if shutil.which(sandbox.PROGRAM) else f"apt-get install {sandbox.PACKAGE}"
        return Check("sandbox", None, f"not used: {reason}", fix)
    return Check("sandbox", True, f"{sandbox.PACKAGE}: builds and guests have no network and no home folder")


def _install(packages: Sequence[str]) -> str:
    return f"apt-get install {' '.join(dict.fromkeys(packages))}"


def _check_arch(arch: ArchRecord, workspace: Workspace, history: DurationHistory) -> Iterator[Check]:
    yield _attempt(f"{arch.name}: compiler", lambda: find_compiler(arch).version)
    gcov = _attempt(f"{arch.name}: gcov", lambda: find_gcov(arch.compiler.prefix))
    yield gcov if gcov.ok else replace(gcov, ok=None)
    qemu = _attempt(f"{arch.name}: QEMU", lambda: f"{arch.qemu.binary} {emulator.require(arch.qemu)}")
    yield qemu
    if qemu.ok:
        yield _check_accelerator(arch, workspace)
    if arch.hercules:
        yield _check_hercules(arch.name, arch.hercules, arch.qemu.tcg_lacks)
    kinds = [Qemu.name, *([Hercules.name] if arch.hercules else [])]
    seen = [f"{kind}: {found}" for kind in kinds if (found := history.machine(arch.name, kind))]
    yield Check(
        f"{arch.name}: huge pages",
        True if seen else None,
        "; ".join(seen) or "not known before the first run",
    )


def _check_hercules(name: str, facts: HerculesFacts, lacking: Sequence[str]) -> Check:
    """Check Hercules; a missing one is no error, for QEMU boots the architecture, too."""
    check = _attempt(f"{name}: Hercules", lambda: f"{facts.binary} {emulator.require(facts)}")
    if check.ok:
        return check
    return replace(check, ok=None, detail=f"{check.detail}: no test of {', '.join(lacking)} under emulation")


def _attempt(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except HarnessError as error:
        return Check(name, False, str(error), error.hint)


def _check_accelerator(arch: ArchRecord, workspace: Workspace) -> Check:
    name = f"{arch.name}: KVM"
    known = accel.without_boot(arch.qemu) or accel.recall(
        workspace.cache / accel.MEMORY, arch.qemu, emulator.version(arch.qemu)
    )
    if known is None:
        return Check(name, None, "not tried yet: the first run boots a guest with it")
    if known.name == "kvm":
        return Check(name, True, "a guest has booted with it")
    return Check(name, None, f"emulation (TCG): {known.note or 'this host is of another architecture'}")


def _check_folders(workspace: Workspace) -> Iterator[Check]:
    for label, folder in (("cache folder", workspace.cache), ("state folder", workspace.state)):
        there = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(there).free
        if not os.access(there, os.W_OK):
            yield Check(label, False, f"{there} can't be written", "Set XDG_CACHE_HOME and XDG_STATE_HOME.")
        elif free < DISK_FREE_BYTES:
            yield Check(label, False, f"{there}: {free >> 20} MiB free", "Make room, or set XDG_CACHE_HOME.")
        else:
            yield Check(label, True, f"{folder}: {free >> 30} GiB free")


def _check_memory() -> Check:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    enough = memory > 2 * MEMORY_PER_GUEST_MB
    return Check("memory", enough, f"{memory} MiB", "" if enough else "A guest needs 1 GiB of its own.")


def print_checks(checks: Sequence[Check], console: Console) -> None:
    """Print each check on a line, followed by its fix."""
    words = {True: ("ok", "green"), False: ("MISSING", "bold red"), None: ("-", "yellow")}
    width = max(len(check.name) for check in checks)
    for check in checks:
        word, style = words[check.ok]
        console.print(f"{word:>8}  ", style=style, end="", highlight=False)
        console.print(f"{check.name:{width}}  {check.detail}", markup=False, highlight=False, soft_wrap=True)
        if check.fix:
            console.print(
                f"{'':10}{'':{width}}  fix: {check.fix}", markup=False, highlight=False, soft_wrap=True
            )
