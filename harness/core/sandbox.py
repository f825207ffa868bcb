# SPDX-License-Identifier: GPL-2.0-only
"""bubblewrap around commands that run what strangers wrote: Makefiles, compilers on their sources, guests.

In the sandbox there are the system's programs, the files that the command needs, and nothing else: no home
folder, no network, no other process. All paths are the same as outside, for they get into objects. Whatever
a command starts ends with it: its process namespace does.

SIGTERM to the process group reaches the command, which can remove a half-written file, but does not end
bubblewrap before; SIGKILL ends both. bwrap(1) has --new-session against ioctl(TIOCSTI): whoever starts a
command must make a session for it, which has no terminal and, unlike with that option, keeps its group.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.core.usage import within_limit

SWITCH = "THP_HARNESS_SANDBOX"
"""`0` in the environment: do without."""
READ_SWITCH = "THP_HARNESS_SANDBOX_READ"
"""Further paths to show, separated by colons, for tools outside of system folders."""
PROGRAM, PACKAGE = "bwrap", "bubblewrap"
NOBODY = 65534
"""User and group of a command that does not need root's files (/etc/passwd of all Linux systems)."""
_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt"),
    *("/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d"),
)
"""Programs and their libraries. The rest of /etc is nobody's business."""
_ROOTS_PROC = ("--ro-bind", "/proc/sys", "/proc/sys", "--ro-bind-try", *2 * ("/proc/sysrq-trigger",))
"""User 0 may write there even without capabilities, into the kernel of all (proc(5))."""
_TEMPORARY = "/tmp"
_TEMPORARY_BYTES = 2 << 30
_LONGEST_FILE = 8 << 30
"""Bytes; vmlinux with debug sections is the longest."""
_PROBE_SECONDS = 20
_SIGNALLED = 128
"""bwrap and shells add the signal that ended a command to this (bash(1), EXIT STATUS)."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Paths and devices that a command may use besides the system's programs."""

    readable: tuple[Path, ...] = ()
    """Files, or folders with all that is below."""
    writable: tuple[Path, ...] = ()
    devices: tuple[Path, ...] = ()
    network: bool = False
    unprivileged: bool = False
    """Run as `nobody` if we are root: see `grant`."""

    def around(self, command: Sequence[str], guard: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the command in the sandbox; as it is, where `why_not` says that there is none.

        The program is that of our PATH. Who can't read its folder must not get another of the same name.
        The words of `guard` come before it, and run with our rights to the files that we have open.
        """
        if why_not():
            return (*guard, *command)
        return self._wrapped((shutil.which(command[0]) or command[0], *command[1:]), guard)

    def grant(self) -> None:
        """Let `nobody` read the readable files, and have the writable folders with their files."""
        if not self._drops_root or why_not():
            return
        for path in self.readable:
            path.chmod(path.stat().st_mode | 0o444)
        for folder in self.writable:
            for path in (folder, *folder.iterdir()):
                if path not in self.readable:
                    os.chown(path, NOBODY, NOBODY)

    def _wrapped(self, command: Sequence[str], guard: Sequence[str] = ()) -> tuple[str, ...]:
        return (
            *("prlimit", "--core=0", f"--fsize={within_limit(resource.RLIMIT_FSIZE, _LONGEST_FILE)}", "--"),
            *("env", "--ignore-signal=TERM", PROGRAM),
            *("--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"),
            *(() if self.network else ("--unshare-net",)),
            *("--die-with-parent", "--setenv", "HOME", _TEMPORARY, "--unsetenv", "TMPDIR"),
            *("--proc", "/proc", "--dev", "/dev", "--size", str(_TEMPORARY_BYTES), "--tmpfs", _TEMPORARY),
            *(_ROOTS_PROC if is_root() else ()),
            *self._mounts(installed(command[0])),
            *("--remount-ro", "/dev", "--remount-ro", "/", "--cap-drop", "ALL"),
            *(("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID") if self._drops_root else ()),
            *("--", *guard, *self._without_root(("env", "--default-signal=TERM", *command))),
        )

    @property
    def _drops_root(self) -> bool:
        return self.unprivileged and is_root()

    def _without_root(self, command: Sequence[str]) -> tuple[str, ...]:
        if not self._drops_root:
            return tuple(command)
        groups = ",".join(str(path.stat().st_gid) for path in self.devices)
        return (
            *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--inh-caps=-all"),
            *((f"--groups={groups}",) if groups else ("--clear-groups",)),
            *("--", *command),
        )

    def _mounts(self, program: Sequence[Path]) -> Iterator[str]:
        """Parents come before what is mounted over a part of them."""
        shown = (*map(Path, _SYSTEM), *program, *_also_readable())
        how = {path.absolute(): "--ro-bind" for path in (*shown, *self.readable) if path.exists()}
        how |= {path.absolute(): "--bind" for path in self.writable}
        how |= dict.fromkeys(self.devices, "--dev-bind")
        links = dict(link for path in how for link in _links(path))
        real = {path.resolve(): option for path, option in how.items()}
        for path, option in sorted(real.items()):
            yield from _parents(path, real)
            yield from (option, str(path), str(path))
        for link, target in sorted(links.items()):
            if not any(link.is_relative_to(path) for path in real):
                yield from ("--symlink", target, str(link))


def installed(program: str) -> tuple[Path, ...]:
    """Return where a program and what it starts and reads are unpacked: the folder above its bin/."""
    path = shutil.which(program)
    folder = Path(path).resolve().parent if path else None
    return (folder.parent if folder.name == "bin" else folder,) if folder else ()


def is_root() -> bool:
    """Whether a command could do anything on this machine."""
    return os.geteuid() == 0


def exit_status(status: int) -> int:
    """Return the status of a command from that of its sandbox; negative for a signal, as in subprocess."""
    return _SIGNALLED - status if status > _SIGNALLED and not why_not() else status


def is_switched_off() -> bool:
    """Whether the user wants to do without."""
    return os.environ.get(SWITCH) == "0"


def switch_off() -> None:
    """Do without, in this process and all that it starts."""
    os.environ[SWITCH] = "0"


def why_not() -> str:
    """Return why commands run without a sandbox; empty if they run in one."""
    return "it was switched off" if is_switched_off() else _trouble(shutil.which(PROGRAM) or "")


@cache
def _trouble(program: str) -> str:
    """Return what keeps bubblewrap from working: no package, or a kernel that allows no namespaces."""
    if not program:
        return f"{PACKAGE} is not installed"
    try:
        answer = subprocess.run(
            Sandbox(unprivileged=True)._wrapped(("true",)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_PROBE_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{PROGRAM} does not run: {error}"
    said = answer.stderr.strip().rpartition("\n")[2]
    return (said or f"{PROGRAM} exits with status {answer.returncode}") if answer.returncode else ""


def note() -> str:
    """Return what the reader of a report must know: that strangers' code had no bounds. Else empty."""
    reason = why_not()
    return f"built and booted without a sandbox, with all rights of the user: {reason}" if reason else ""


def _also_readable() -> Iterator[Path]:
    return map(Path, filter(None, os.environ.get(READ_SWITCH, "").split(":")))


def _parents(path: Path, shown: Iterable[Path]) -> Iterator[str]:
    """The folders above a path that are not there; those that bwrap makes are closed to `nobody`."""
    for parent in reversed(path.parents[:-1]):
        if not any(parent.is_relative_to(place) for place in shown):
            yield from ("--perms", "0755", "--dir", str(parent))


def _links(path: Path) -> Iterator[tuple[Path, str]]:
    """Symbolic links on the way to a path, with their targets."""
    for part in (*reversed(path.parents), path):
        if part.is_symlink():
            target = str(part.readlink())
            yield part, target
            yield from _links(Path(os.path.normpath(part.parent / target / path.relative_to(part))))
            return
