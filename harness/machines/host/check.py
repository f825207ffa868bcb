# SPDX-License-Identifier: GPL-2.0-only
"""Looks a host over: what a run on it needs, what is wrong, and how to put it right."""

from __future__ import annotations

import secrets
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness.config.arch import ArchRecord
from harness.config.host import HostRecord
from harness.core.check import Check
from harness.core.errors import InfrastructureError
from harness.machines.host import labgrid_power
from harness.machines.host.remote.console import open_console
from harness.machines.host.remote.reservation import current
from harness.machines.host.remote.ssh import KeyRefused, Link, LinkError, LoginRefused, connected
from harness.machines.host.remote.state import HostStateFile
from harness.machines.host.start import grub, systemd_boot
from harness.machines.host.start.bootloader import BootEntry

SCHEMA = "thp-harness/host-check/1"
ROOM_MB = 64
"""A kernel and its initramfs fit into this."""
SYSTEM_ROOM_MB = 16
"""What runs on the installed system, and its log."""
SYSTEM_PROGRAMS = ("tar", "gzip", "truncate", "setsid", "base64")
"""What puts our programs there, and reads the log."""
_IN_MEMORY = ("tmpfs", "ramfs", "rootfs")
CONSOLE_SECONDS = 8.0
KEXEC_FIX = "apt-get install kexec-tools"


def examine(record: HostRecord, arch: ArchRecord, memory: HostStateFile) -> tuple[Check, ...]:
    """Look at everything, from the outside inwards; what can't be reached leaves out what lies behind it."""
    return (*_check_standing(record, memory), *_check_way(record, arch, memory), *_check_power(record))


def as_document(record: HostRecord, checks: tuple[Check, ...]) -> dict[str, Any]:
    """For JSON; see docs/host-check.schema.json."""
    return {"schema": SCHEMA, "host": record.name, "checks": [check.as_document() for check in checks]}


def _check_standing(record: HostRecord, memory: HostStateFile) -> Iterator[Check]:
    standing = memory.standing()
    fix = f"thp-harness hosts recover {record.name}"
    if standing.needs_care:
        yield Check("state", False, f"needs care: {standing.needs_care}", fix)
    elif standing.away:
        yield Check("state", False, f"away with a kernel of ours since {standing.away.since}", fix)
    else:
        yield Check("state", True, "ok")


def _check_way(record: HostRecord, arch: ArchRecord, memory: HostStateFile) -> Iterator[Check]:
    where = f"{record.ssh.address}:{record.ssh.port}"
    try:
        with connected(record) as link:
            yield Check("reachable", True, where)
            yield Check("host key", True, f"the one in {record.path(record.ssh.known_hosts)}")
            yield Check("login", True, f"{record.ssh.user}@{where}")
            yield from _check_inside(link, arch)
    except KeyRefused as error:
        yield Check("reachable", True, where)
        yield Check("host key", False, str(error), error.hint)
    except LoginRefused as error:
        yield Check("reachable", True, where)
        yield Check("host key", True, f"the one in {record.path(record.ssh.known_hosts)}")
        yield Check("login", False, str(error), error.hint)
    except LinkError as error:
        yield Check("reachable", False, str(error), error.hint)


def _check_inside(link: Link, arch: ArchRecord) -> Iterator[Check]:
    record = link.record
    yield _check_arch(link, arch)
    initramfs_mb = _size_mb(link, record.system.initramfs) if record.system else None
    yield _check_room(link, record.uploads, ROOM_MB + (initramfs_mb or 0))
    yield _check_users(link, record)
    root = link.run_as_root("id -u")
    if root.code or root.out.strip() != "0":
        line = f"{record.ssh.user} ALL=(ALL) NOPASSWD: ALL"
        yield Check(
            "root", False, f"sudo: {root.complaint}", f"There: echo '{line}' >/etc/sudoers.d/thp-harness"
        )
        return
    yield Check("root", True, "root" if record.ssh.user == "root" else "sudo without a password")
    yield from _check_method(link, record)
    yield _check_presence(link, "watchdog", "/dev/watchdog", "a dead host waits for its power switch")
    yield _check_presence(link, "pstore", "/sys/fs/pstore", "a crash leaves its words on the console only")
    yield _check_reservation(link)
    if record.system:
        yield _check_initramfs(record, record.system.initramfs, initramfs_mb)
        yield _check_programs(link)
        yield _check_folder(link, record)
    yield _check_log(link, record)


def _check_log(link: Link, record: HostRecord) -> Check:
    """The way on which the log comes here."""
    if record.system and (record.console is None or record.is_mute):
        return Check("console", None, "none is read: the last words of a kernel that dies may be missing")
    return _check_ramoops(link, record) if record.is_mute else _check_console(link, record)


def _check_arch(link: Link, arch: ArchRecord) -> Check:
    seen = link.run("uname -m; uname -r").out.split()
    machine, release = seen if len(seen) == 2 else ("", "")
    if machine == arch.qemu.kvm_host:
        return Check("architecture", True, f"{machine}, its own kernel is {release}")
    detail = f"{machine or 'unknown'}, but {arch.name} is {arch.qemu.kvm_host}"
    return Check("architecture", False, detail, f"Correct `arch:` in {link.record.file}.")


def _size_mb(link: Link, path: str) -> int | None:
    """In MiB, rounded up; None if it is no file, or root may not be asked."""
    quoted = shlex.quote(path)
    said = link.run_as_root(f"test -f {quoted} && test -s {quoted} && stat -L -c %s {quoted}")
    return None if said.code else -(-int(said.out) >> 20)


def _check_room(link: Link, folder: str, needed: int) -> Check:
    said = link.run(f"df -Pk {shlex.quote(folder)} | tail -n 1 && test -w {shlex.quote(folder)}")
    fields = said.out.split()
    if said.code or len(fields) < 4 or not fields[3].isdigit():
        return Check("disk", False, f"{folder} can't be written", "Name another folder as `uploads:`.")
    free = int(fields[3]) >> 10
    enough = free >= needed
    fix = "" if enough else f"Make room: {needed} MiB are needed; or name another folder as `uploads:`."
    return Check("disk", enough, f"{folder}: {free} MiB free", fix)


def _check_users(link: Link, record: HostRecord) -> Check:
    found = link.users()
    if not found:
        return Check("users", True, "no user is logged in")
    if record.despite_users:
        return Check("users", None, f"logged in: {', '.join(found)}; the record says to go on all the same")
    fix = "Ask them to log out, or set `despite_users: true` in the record."
    return Check("users", False, f"logged in: {', '.join(found)}", fix)


def _check_method(link: Link, record: HostRecord) -> Iterator[Check]:
    match record.boot.method:
        case "kexec":
            yield _check_kexec(link)
            yield _check_loadable(link)
        case "grub-once":
            yield _check_menu(link, "grub", grub.MENU)
        case "bootctl-once":
            yield _check_menu(link, "systemd-boot", systemd_boot.MENU)
        case "command":
            name = record.boot.command[0]
            there = shutil.which(name) is not None
            detail = f"{name} (not tried)" if there else f"{name} is not installed here"
            yield Check("boot command", there, detail, "" if there else f"Install {name}.")


def _check_initramfs(record: HostRecord, path: str, size_mb: int | None) -> Check:
    if size_mb is None:
        return Check("initramfs", False, f"no file {path}", f"Correct `system:` in {record.file}.")
    return Check("initramfs", True, f"{path}, {size_mb} MiB, for the installed system")


def _check_programs(link: Link) -> Check:
    look = f"for name in {' '.join(SYSTEM_PROGRAMS)}; do command -v $name >/dev/null || echo $name; done"
    if missing := link.run_as_root(look).out.split():
        names = ", ".join(missing)
        return Check("programs", False, f"its system has no {names}", f"There: install {names}.")
    return Check("programs", True, f"its system has {', '.join(SYSTEM_PROGRAMS)}")


def _check_folder(link: Link, record: HostRecord) -> Check:
    """Where our programs and their log stand; it may not exist yet."""
    look = f'place={shlex.quote(record.folder)}; until [ -d "$place" ]; do place=$(dirname "$place"); done'
    said = link.run_as_root(f'{look}; df -PkT "$place" | tail -n 1; cat /proc/mounts')
    where, *mounts = said.out.splitlines() or [""]
    fields = where.split()
    fix = f"Name one on a disk from which programs can run as `folder:` in {record.file}."
    if said.code or len(fields) < 7 or not fields[4].isdigit():
        return Check("folder", False, f"{record.folder} can't be looked at: {said.complaint}", fix)
    kind, free, point = fields[1], int(fields[4]) >> 10, fields[6]
    if kind in _IN_MEMORY:
        return Check("folder", False, f"{record.folder} is in memory ({kind}): a restart loses the log", fix)
    options = next((line.split()[3].split(",") for line in mounts[::-1] if line.split()[1] == point), [])
    if barred := [option for option in options if option in ("noexec", "ro")]:
        return Check("folder", False, f"{record.folder}: {point} is mounted {', '.join(barred)}", fix)
    if free < SYSTEM_ROOM_MB:
        more = f"Make room: {SYSTEM_ROOM_MB} MiB are needed; or name another folder as `folder:`."
        return Check("folder", False, f"{record.folder}: {free} MiB free", more)
    return Check("folder", True, f"{record.folder}: {kind}, {free} MiB free")


def _check_menu(link: Link, name: str, menu: BootEntry) -> Check:
    if trouble := menu.unfit(link):
        fix = 'Use another `boot:` method, or see "Other ways to start it" in docs/hosts.md.'
        return Check(name, False, trouble, fix)
    return Check(name, True, "can start another kernel once")


def _check_kexec(link: Link) -> Check:
    said = link.run_as_root("PATH=$PATH:/sbin:/usr/sbin kexec -v")
    if said.code:
        return Check("kexec", False, f"not there: {said.complaint}", f"There: {KEXEC_FIX}")
    return Check("kexec", True, said.out.strip())


def _check_loadable(link: Link) -> Check:
    """Whether the kernel lets another one be loaded (Documentation/admin-guide/sysctl/kernel.rst)."""
    said = link.run_as_root("cat /sys/kernel/kexec_loaded && cat /proc/sys/kernel/kexec_load_disabled")
    if said.code:
        fix = "Boot a kernel with CONFIG_KEXEC there."
        return Check("kernel", False, "its kernel has no kexec (/sys/kernel/kexec_loaded)", fix)
    if said.out.split()[-1] != "0":
        fix = "It lasts until the next boot: see what sets it in /etc/sysctl.d."
        return Check("kernel", False, "kernel.kexec_load_disabled is set", fix)
    lockdown = link.run_as_root("cat /sys/kernel/security/lockdown").out
    if "[integrity]" in lockdown or "[confidentiality]" in lockdown:
        fix = "Switch Secure Boot off: only signed kernels can be loaded with it."
        return Check("kernel", False, f"its kernel is locked down: {lockdown.strip()}", fix)
    return Check("kernel", True, "takes another kernel by kexec")


def _check_presence(link: Link, name: str, path: str, without: str) -> Check:
    there = link.run_as_root(f"test -e {path}").code == 0
    return Check(name, True if there else None, path if there else f"no {path}: {without}")


def _check_reservation(link: Link) -> Check:
    try:
        found = current(link)
    except LinkError as error:
        return Check("reserved", False, str(error), "See `folder:` in the record.")
    return Check("reserved", None if found else True, str(found) if found else "no")


def _check_ramoops(link: Link, record: HostRecord) -> Check:
    """Both kernels must look for the log in the same memory (Documentation/admin-guide/ramoops.rst)."""
    said = link.run_as_root("cd /sys/module/ramoops/parameters && grep . *").out
    theirs = dict(line.split(":", 1) for line in said.splitlines() if ":" in line)
    fix = f'See "A host without a console" in docs/hosts.md, and `cmdline:` in {record.file}.'
    if not theirs:
        return Check("console", False, "is to be read from pstore, but its kernel has no ramoops", fix)
    words = (word.partition("=") for word in record.cmdline if word.startswith("ramoops."))
    ours = {name.removeprefix("ramoops."): value for name, _, value in words}
    differ = [
        f"{name} is {theirs.get(name)} there"
        for name in ours
        if _number(ours[name]) != _number(theirs.get(name))
    ]
    if differ:
        return Check("console", False, f"ramoops of both kernels differ: {', '.join(differ)}", fix)
    if not _number(theirs.get("console_size")):
        return Check("console", False, "ramoops.console_size is 0: it keeps no log", fix)
    return Check(
        "console", None, "none: the log is read from pstore afterwards, and kernel errors may be missing"
    )


def _number(text: str | None) -> int:
    try:
        return int(text or "0", 0)
    except ValueError:
        return -1


def _check_console(link: Link, record: HostRecord) -> Check:
    """Write a line to the kernel log of the host, and look for it on the console."""
    try:
        console = open_console(record)
    except InfrastructureError as error:
        return Check("console", False, str(error), error.hint)
    try:
        word = f"thp-harness-{secrets.token_hex(4)}"
        said = link.run_as_root(f"echo '<1>{word}' >/dev/kmsg")
        if said.code:
            return Check(
                "console", None, f"opened, but the kernel could not be made to speak: {said.complaint}"
            )
        if _heard(console.take, word):
            return Check("console", True, "what the kernel says comes out there")
    finally:
        console.close()
    fix = "Is `console=` on its kernel command line? Is it another machine's console?"
    return Check("console", False, "opened, but what the kernel says does not come out there", fix)


def _heard(take: Callable[[], bytes], word: str) -> bool:
    seen, deadline = b"", time.monotonic() + CONSOLE_SECONDS
    while time.monotonic() < deadline:
        seen += take()
        if word.encode() in seen:
            return True
        time.sleep(0.05)
    return False


def _check_power(record: HostRecord) -> Iterator[Check]:
    power = record.power
    names = dict.fromkeys(command[0] for command in (power.nmi, power.cycle, power.off, power.on) if command)
    missing = [name for name in names if not shutil.which(name)]
    if missing:
        words = ", ".join(missing)
        yield Check("power", False, f"{words} is not installed here", f"Install {words}.")
    elif power.labgrid:
        yield _check_labgrid(record, record.path(power.labgrid.environment), power.labgrid.target)
    elif not (power.cycle or power.off):
        detail = "no `cycle:`: a host that hangs must be reset by hand"
        yield Check("power", None, detail, f"Add `power:` to {record.file}.")
    else:
        yield Check("power", True, f"{', '.join(names)} (not tried)")


def _check_labgrid(record: HostRecord, environment: Path, target: str) -> Check:
    """Its drivers for the power get ready, but do nothing."""
    if not labgrid_power.is_installed():
        return Check("power", False, "labgrid is not installed here", labgrid_power.FIX)
    if not environment.is_file():
        return Check("power", False, f"no file {environment}", f"Correct `power:` in {record.file}.")
    command = labgrid_power.command(environment, target, labgrid_power.CHECK)
    try:
        said = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=record.power.seconds
        )
    except subprocess.TimeoutExpired:
        detail = f"labgrid gets no driver ready within {record.power.seconds:.0f} s"
        return Check("power", False, detail, f"Look at {environment}.")
    if said.returncode:
        words = (said.stderr.splitlines() or ["it says nothing"])[-1]
        return Check("power", False, words, f"Look at {environment}.")
    return Check("power", True, f"labgrid: {target} of {environment} (not tried)")
