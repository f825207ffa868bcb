# SPDX-License-Identifier: GPL-2.0-only
"""Records of LAVA labs; those that exist belong to the user, not in a repository."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from harness.config.arch import ArchRecord
from harness.config.record import Items, NamedRecord, Record, Seconds, Word
from harness.core.errors import InfrastructureError, UsageError
from results.files import read_plain

_MOST_BYTES = 4 << 10
_TOKEN = re.compile(r"[!-~]{8,}")


def _address(text: str) -> str:
    """An address without a login in it: that would end in logs."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"'{text}' is not an http or https address")
    if "@" in parts.netloc:
        raise ValueError("user and token do not belong into an address; see `user:` and `token:`")
    return text.rstrip("/")


Address = Annotated[str, AfterValidator(_address)]


class TokenFacts(Record):
    """Where the token is; one of the two is given. It is in no record, and is never printed."""

    file: str = ""
    """The token is its first line; only the owner may read the file."""
    variable: str = ""
    """Of the environment."""

    @model_validator(mode="after")
    def _one_place(self) -> TokenFacts:
        if bool(self.file) == bool(self.variable):
            raise ValueError("one of file and variable must be given")
        return self


class ArtifactFacts(Record):
    """Where kernels and initramfs are put, so that the lab's machines can fetch them."""

    url: Address
    """What stands before the name of a file; the lab's machines must reach it."""
    folder: str = ""
    """What a web server of yours shows under that address."""
    command: Items[str] = ()
    """Puts a file there: {file} is its path here, {name} what it is called there."""
    keep_days: float = Field(default=7, gt=0)
    """What lies in the folder for longer is removed."""

    @model_validator(mode="after")
    def _one_way(self) -> ArtifactFacts:
        if bool(self.folder) == bool(self.command):
            raise ValueError("one of folder and command must be given")
        if self.command and not all(
            any(mark in word for word in self.command) for mark in ("{file}", "{name}")
        ):
            raise ValueError("the command must have {file} and {name}")
        return self


class BoardFacts(Record):
    """How the boards of one architecture boot a kernel: as tuxlava knows it, or as the lab's pages say."""

    tuxlava: str = ""
    """A device of tuxlava, which then says all but the command line."""
    device_type: str = ""
    """Device type of the lab; by default that of tuxlava."""
    method: str = ""
    """LAVA's boot method: u-boot, grub, ipxe, …; `qemu` for emulators."""
    commands: str = "ramdisk"
    """Which of the device type's boot commands boots a kernel with an initramfs."""
    kernel_type: Literal["", "image", "uimage", "zimage"] = ""
    """What U-Boot must know of the image."""
    dtb: str = ""
    """Address of a device tree, where the boot loader has none."""
    context: Mapping[str, str | int | bool | Items[str]] = Field(default_factory=dict)
    """Variables for the lab's template of the device type."""
    tags: Items[str] = ()
    """Only boards that have these."""
    cmdline: Items[Word]
    """Kernel parameters; an emulator's are not used."""
    time_scale: float = Field(default=1.0, gt=0)
    """Time-outs of tests are multiplied by this."""
    kconfig: Items[str] = ()
    """Configuration fragments that its kernels need, as for `--kconfig`."""
    lacks: Items[str] = ()
    """Capabilities that it is known not to have, as `tcg_lacks` of an architecture."""

    @model_validator(mode="after")
    def _one_source(self) -> BoardFacts:
        if self.tuxlava and self.method:
            raise ValueError("tuxlava says the method itself: give one of the two")
        if not self.tuxlava and not (self.device_type and self.method):
            raise ValueError("without tuxlava, device_type and method must be given")
        return self


class LabLimits(Record):
    """Time-outs in seconds."""

    call_seconds: Seconds = 20
    """For one answer of the lab."""
    poll_seconds: Seconds = 5
    """Between two looks at a job."""
    queue_seconds: Seconds = 4 * 3600
    """A job that waits longer for a board is cancelled."""
    deploy_seconds: Seconds = 900
    """From the board's being there to the first words on its console."""
    boot_seconds: Seconds = 120
    """From there to the first test: boot loaders fetch files and wait for a key."""
    lag_seconds: Seconds = 30
    """Delay of the lab's log behind the console."""
    silent_seconds: Seconds = 600
    """Give up after this long without a valid reply."""
    finish_seconds: Seconds = 60
    """From the end of the tests until the job has switched its board off."""


class LabRecord(NamedRecord):
    """One lab; `configs/labs/*.yaml` or `~/.config/thp-harness/labs/*.yaml`."""

    KIND = "labs"
    NOUN = "lab"

    about: str
    uri: Address
    """Of its XML-RPC interface; it ends in /RPC2."""
    user: Word
    token: TokenFacts
    artifacts: ArtifactFacts
    boards: Mapping[str, BoardFacts] = Field(min_length=1)
    """By names of `configs/arches`."""
    priority: Literal["low", "medium", "high"] = "medium"
    visibility: Literal["public", "personal"] = "public"
    """Who may see the jobs."""
    groups: Items[str] = ()
    """Instead of everybody, these groups of the lab may see them."""
    defconfig: str | None = None
    """What its kernels are configured from, as for `--defconfig`."""
    limits: LabLimits = LabLimits()

    def job_page(self, job: int) -> str:
        """Address of a job's page."""
        return f"{self.uri.removesuffix('/RPC2')}/scheduler/job/{job}"

    @property
    def is_private(self) -> bool:
        """Whether the token is protected on its way: by HTTPS, or because no network is used."""
        parts = urlsplit(self.uri)
        return parts.scheme == "https" or _is_this_machine(parts.hostname or "")


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def board_of(record: LabRecord, arch: ArchRecord) -> BoardFacts:
    """The boards of an architecture; its modes share them.

    Raises:
        UsageError: if the record has none.
    """
    if not (board := record.boards.get(arch.name) or record.boards.get(arch.kernel_name)):
        raise UsageError(
            f"lab {record.name} has no boards for {arch.name}",
            hint=f"{record.file} has: {', '.join(record.boards)}.",
        )
    return board


def read_token(record: LabRecord, environment: Mapping[str, str] = os.environ) -> str:
    """The secret that goes with the user's name; keep it out of everything that is shown.

    Raises:
        UsageError: if its file is also for others.
        InfrastructureError: if it is not there.
    """
    facts = record.token
    if facts.variable:
        where, text = f"${facts.variable}", environment.get(facts.variable, "")
    else:
        where, text = str(record.path(facts.file)), _first_line(record.path(facts.file))
    if not _TOKEN.fullmatch(text):
        raise InfrastructureError(
            f"lab {record.name}: {where} holds no token",
            hint="Make one on the lab's page `API | Authentication Tokens`, and put it there.",
        )
    return text


def _first_line(path: Path) -> str:
    try:
        if path.stat().st_mode & 0o077:
            raise UsageError(f"{path}: others may read this token", hint=f"chmod 600 {path}")
        return next(iter(read_plain(path, _MOST_BYTES).decode("utf-8", "replace").splitlines()), "").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise InfrastructureError(f"{path}: {error.strerror}") from None
