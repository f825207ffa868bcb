# SPDX-License-Identifier: GPL-2.0-only
"""Records of physical hosts; those that exist belong to the user, not in a repository."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from harness.config.arch import ArchRecord, find_mode
from harness.config.catalogue import Folders
from harness.config.record import Items, NamedRecord, Record, Seconds, Word, one_word
from harness.core.errors import UsageError


def _absolute(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError(f"'{text}' must be an absolute path")
    return one_word(text)


def _jump(text: str) -> str:
    if text and not re.fullmatch(r"(?:[^@:\s]+@)?[^@:\s]+(?::[0-9]+)?", text):
        raise ValueError(f"'{text}' is not [USER@]ADDRESS[:PORT]")
    return text


PathThere = Annotated[str, AfterValidator(_absolute)]


class SshFacts(Record):
    """The way to the host. Host keys must be known; there are no passwords."""

    address: Word
    port: int = Field(default=22, ge=1, le=65535)
    user: Word = "root"
    """If not root, `sudo -n` must work for it."""
    key: str = ""
    """File of the private key; empty means those of the agent and the usual ones in ~/.ssh."""
    known_hosts: str = "~/.ssh/known_hosts"
    jump: Annotated[str, AfterValidator(_jump)] = ""
    """A host to go through, `[USER@]ADDRESS[:PORT]`, with the same keys and the same known hosts."""


class ConsoleFacts(Record):
    """Where the host's console comes from; one of the first four is given."""

    command: Items[str] = ()
    """Its output is the console, its input types on it: `ipmitool … sol activate`, `console NAME`."""
    socket: str = ""
    """A Unix socket."""
    file: str = ""
    """A file to which another program writes the console; nothing can be typed then."""
    pstore: bool = False
    """There is none: what our kernel leaves in ramoops is read when the host is back."""
    break_text: str = ""
    """What makes a BREAK when it is typed: `~B` for ipmitool."""
    break_command: Items[str] = ()
    """A command that makes a BREAK."""

    @model_validator(mode="after")
    def _one_source(self) -> ConsoleFacts:
        if sum(map(bool, (self.command, self.socket, self.file, self.pstore))) != 1:
            raise ValueError("one of command, socket, file and pstore must be given")
        if (self.file or self.pstore) and (self.break_text or self.break_command):
            raise ValueError("nothing can be typed where the console is a file or pstore")
        return self

    @property
    def has_break(self) -> bool:
        """Whether SysRq can be typed on it."""
        return bool(self.break_text or self.break_command)


class BootFacts(Record):
    """How our kernel is started."""

    method: Literal["kexec", "grub-once", "bootctl-once", "command"] = "kexec"
    command: Items[str] = ()
    """For `command`: a command here that selects our kernel, or the host's own, for the next boot."""
    seconds: Seconds = 60
    """Time-out of the start."""

    @model_validator(mode="after")
    def _whole(self) -> BootFacts:
        if (self.method == "command") != bool(self.command):
            raise ValueError("`method: command` and a command belong together")
        return self


class SystemFacts(Record):
    """How the system that is installed there gets up under a kernel of ours."""

    initramfs: PathThere
    """On the host: its own, or one that was made for our kernels."""


class LabgridFacts(Record):
    """Power by labgrid, an optional extra."""

    environment: Word
    """Its environment configuration, a file."""
    target: Word = "main"
    """The host's name there."""


class PowerFacts(Record):
    """How the host is restarted, from the gentlest to the last way."""

    reboot: str = "reboot"
    """A command on the host, as root."""
    nmi: Items[str] = ()
    """A command here that interrupts a kernel which is deaf to all else: `ipmitool … chassis power diag`."""
    cycle: Items[str] = ()
    """A command here: power off and on again."""
    off: Items[str] = ()
    on: Items[str] = ()
    """Two commands here, for a switch that has no `cycle`, or where that fails on a machine that is off."""
    labgrid: LabgridFacts | None = None
    """Has labgrid do all three of these."""
    off_seconds: Seconds = 5
    """How long it stays off between the two."""
    seconds: Seconds = 60
    """How long one command may take."""

    @model_validator(mode="after")
    def _both(self) -> PowerFacts:
        if bool(self.off) != bool(self.on):
            raise ValueError("off and on belong together")
        if self.labgrid and (self.cycle or self.off):
            raise ValueError("labgrid does cycle, off and on itself: leave them out")
        return self


class HostLimits(Record):
    """Time-outs in seconds, unless the name says another unit."""

    connect_seconds: Seconds = 10
    banner_seconds: Seconds = 2
    """A forwarded port takes connections at once, also without an SSH server behind it."""
    boot_seconds: Seconds = 60
    """From the start to the first words of our kernel. Without kexec that takes shutdown and firmware in."""
    step_seconds: Seconds = 60
    """Silence on the console after which a way to restart counts as failed."""
    back_seconds: Seconds = 600
    """From a restart until the host's own kernel answers."""
    outage_seconds: Seconds = 120
    """Time without an answer that a kernel of the installed system may take."""
    watchdog_seconds: int = Field(default=120, ge=0)
    """The watchdog restarts the host when pid 1 did not run for this long; 0: it is not armed."""
    reserve_hours: Annotated[float, Field(gt=0, le=24 * 14)] = 4
    """Duration of a reservation that is not renewed."""


class HostRecord(NamedRecord):
    """One physical host; `configs/hosts/*.yaml` or `~/.config/thp-harness/hosts/*.yaml`."""

    KIND = "hosts"
    NOUN = "host"

    about: str
    arch: str
    """A name of `configs/arches`."""
    ssh: SshFacts
    cmdline: Items[str]
    """Kernel parameters for this machine, its console among them; an emulator's are not used."""
    time_scale: float = Field(default=1.0, gt=0)
    """Time-outs of tests are multiplied by this."""
    kconfig: Items[str] = ()
    """Configuration fragments that its kernels need, as for `--kconfig`."""
    defconfig: str | None = None
    """What its kernels are configured from, as for `--defconfig`."""
    lacks: Items[str] = ()
    """Capabilities that it is known not to have, as `tcg_lacks` of an architecture."""
    kexec_options: Items[str] = ("-c",)
    """How the kernel is loaded: `-c` and `-s` are the two system calls of kexec(8)."""
    folder: PathThere = "/var/lib/thp-harness"
    """On the host, for the reservation and what the installed system runs; it must outlive a restart."""
    uploads: PathThere = "/tmp"
    """On the host, for a kernel and its initramfs."""
    despite_users: bool = False
    """Boot it although users are logged in."""
    boot: BootFacts = BootFacts()
    system: SystemFacts | None = None
    """Tests run on the installed system; without it from an initramfs of ours."""
    console: ConsoleFacts | None = None
    power: PowerFacts = PowerFacts()
    limits: HostLimits = HostLimits()

    @property
    def is_mute(self) -> bool:
        """Whether nothing is heard of it while our kernel runs."""
        return self.console is not None and self.console.pstore


def arch_of(record: HostRecord, folders: Folders = None) -> ArchRecord:
    """Read the record of the host's architecture, in one mode.

    Raises:
        UsageError: if there is none of that name.
    """
    try:
        return find_mode(record.arch, folders)
    except UsageError as error:
        raise UsageError(f"{record.file}: arch: {error}", hint=error.hint) from None
