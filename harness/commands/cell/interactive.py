# SPDX-License-Identifier: GPL-2.0-only
"""Boots a cached kernel interactively: with a shell on the console, or halted for a debugger."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tempfile
import termios
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from harness.build.build_cache import IMAGE, VMLINUX
from harness.build.guest.manifest import new_nonce, overlay, render
from harness.build.guest.shell import PATH_IN_GUEST, build_shell
from harness.build.toolchain import find_compiler
from harness.commands.cell.cell import RecordedCell
from harness.core.errors import InfrastructureError, UsageError
from harness.core.process import GRACE_SECONDS, Children, dying_with_us, lifeline
from harness.engine.boot import COMMON_CMDLINE, Bootable, choose_accelerator
from harness.machines import emulator
from harness.machines.base import BootFiles
from harness.machines.kinds import MachineKind, qemu_kind
from harness.machines.qemu.machine import command_line
from results.model.run import PlannedTest

CONSOLE = "stdio,id=console,signal=off"
CONSOLE_WITH_MONITOR = "stdio,id=console,mux=on,signal=off"
"""Ctrl-A X ends QEMU, Ctrl-A C switches to its monitor and back (qemu(1), "Keys in the character backend
multiplexer")."""
RANDOM_ADDRESS = "CONFIG_RANDOMIZE_BASE=y"


@dataclass(frozen=True, slots=True)
class InteractiveRequest:
    """The options of an interactive boot."""

    past: RecordedCell
    tests: tuple[PlannedTest, ...]
    """Tests that run before the shell."""
    shell: bool
    gdb: bool


def boot_for_person(request: InteractiveRequest, cache: Path, log: Callable[[str], None]) -> int:
    """Boot the kernel of a cell under QEMU and wait for its end; returns the exit status.

    Raises:
        UsageError: if there is no terminal, or a tool is missing.
        InfrastructureError: if the kernel is missing, or QEMU fails.
    """
    if request.shell and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("--shell needs a terminal", hint="Where there is none, script(1) makes one.")
    kernel = request.past.kernel(cache)
    arch = request.past.arch
    with tempfile.TemporaryDirectory(prefix="thp-") as folder:
        initramfs = Path(folder) / "initramfs.cpio"
        programs = _programs(request, cache, log)
        initramfs.write_bytes(b"".join(path.read_bytes() for path in programs))
        bootable = Bootable(arch, kernel / IMAGE, initramfs)
        accelerator = choose_accelerator(bootable, emulator.require(arch.qemu), cache, Children())
        kind = qemu_kind(arch, accelerator)
        with initramfs.open("ab") as file:
            file.write(overlay(_manifest(request, kind)))
        command = _command(request, bootable, kind, accelerator.name, Path(folder) / "gdb")
        for line in _instructions(request, kernel, Path(folder) / "gdb"):
            log(line)
        return _run(command, interactive=request.shell)


def _programs(request: InteractiveRequest, cache: Path, log: Callable[[str], None]) -> list[Path]:
    """Return the parts of the initramfs; the last of several files with the same name counts."""
    if not request.shell:
        return [request.past.programs()]
    shell = build_shell(find_compiler(request.past.arch), cache)
    try:
        return [request.past.programs(), shell]
    except InfrastructureError as error:
        if request.tests:
            raise
        log(f"{error}; there is only the shell")
        return [shell]


def _manifest(request: InteractiveRequest, kind: MachineKind) -> str:
    finish = request.past.arch.guest.finish
    shell = PATH_IN_GUEST if request.shell else ""
    return render(new_nonce(), request.tests, kind.time_scale, finish, kind.channel, shell)


def _command(
    request: InteractiveRequest, bootable: Bootable, kind: MachineKind, accelerator: str, stub: Path
) -> tuple[str, ...]:
    random = RANDOM_ADDRESS in (bootable.kernel.parent / ".config").read_text().splitlines()
    fixed = ("nokaslr",) if request.gdb and random else ()
    files = BootFiles(bootable.kernel, bootable.programs, (*kind.cmdline, *COMMON_CMDLINE, *fixed))
    command = command_line(bootable.arch.qemu, files, accelerator)
    if request.shell:
        command = tuple(CONSOLE_WITH_MONITOR if word == CONSOLE else word for word in command)
        command = (*command, "-mon", "chardev=console,mode=readline")
    return (*command, "-S", "-gdb", f"unix:{stub},server=on,wait=off") if request.gdb else command


def _instructions(request: InteractiveRequest, kernel: Path, stub: Path) -> Iterator[str]:
    arch = request.past.arch
    if request.past.host:
        yield f"the run booted this kernel on the host {request.past.host}; it may lack the drivers for QEMU."
    if arch.hercules:
        lacks = f" QEMU has no {', '.join(arch.qemu.tcg_lacks)}." if arch.qemu.tcg_lacks else ""
        yield f"{arch.name} runs on QEMU here: the consoles of Hercules lose input and output.{lacks}"
    if request.gdb:
        if not shutil.which("gdb-multiarch"):
            yield "gdb-multiarch is not installed: apt-get install gdb-multiarch"
        words = ("gdb-multiarch", str(kernel / VMLINUX), "-ex", f"target remote {stub}")
        yield "The machine waits for its debugger. In another terminal:"
        yield f"  {shlex.join((*words, '-ex', 'hbreak start_kernel', '-ex', 'continue'))}"
    if request.shell:
        yield "`exit` stops the machine, Ctrl-A X ends it at once."
    else:
        yield "Ctrl-C ends the machine."


def _run(command: Sequence[str], *, interactive: bool) -> int:
    """Run QEMU on the terminal if it is interactive, else until Ctrl-C."""
    stdin = None if interactive else subprocess.DEVNULL
    with (
        _terminal_restored(),
        subprocess.Popen(
            dying_with_us(command, "KILL"),
            stdin=stdin,
            start_new_session=not interactive,
            pass_fds=[lifeline()],
        ) as process,
    ):
        try:
            status = process.wait()
        except KeyboardInterrupt:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_SECONDS)
            process.kill()
            return 0
    if status:
        raise InfrastructureError(f"{command[0]} ended with status {status}")
    return 0


@contextmanager
def _terminal_restored() -> Iterator[None]:
    """Restore the terminal, which QEMU leaves raw if it is killed."""
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
