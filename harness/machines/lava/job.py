# SPDX-License-Identifier: GPL-2.0-only
"""A boot as the definition of a LAVA job: deploy a kernel and an initramfs, boot, and wait for our last line.

The keys are those of LAVA's documentation on job definitions. There is no `test` action, since our first
process is no shell: it reports on the console, and LAVA's log has that. For emulators and boards that
tuxlava knows, it says how they are booted; what it says of logins and shells is left out.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness.config.lab import BoardFacts, LabRecord
from harness.core.errors import UsageError
from harness.machines.lava.artifacts import Published

EMULATOR = "qemu"
DONE = "THP:{nonce}:[0-9]+:[0-9a-f]{{8}} done [0-9]"
"""The end of the report, for LAVA's regular expressions (docs/guest-protocol.md)."""
POWER_OFF_MINUTES = 5


@dataclass(frozen=True, slots=True)
class WantedBoot:
    """What a job is to do."""

    name: str
    kernel: Published
    initramfs: Published
    cmdline: tuple[str, ...]
    nonce: str
    seconds: float
    """The longest that it may take from the first words on the console."""


def definition(record: LabRecord, board: BoardFacts, wanted: WantedBoot) -> dict[str, Any]:
    """The job, in the order in which people read it.

    Raises:
        UsageError: if tuxlava is asked for, and missing or without such a device.
    """
    job = _of_tuxlava(board, wanted) if board.tuxlava else _of_record(board, wanted)
    deploy, boot = (_action(job, name) for name in ("deploy", "boot"))
    for part in deploy.get("images", deploy).values():
        if isinstance(part, dict) and (sha256 := _sums(wanted).get(part.get("url", ""))):
            part["sha256sum"] = sha256
    deploy_minutes = _minutes(record.limits.deploy_seconds)
    boot_minutes = _minutes(wanted.seconds + record.limits.deploy_seconds)
    deploy["timeout"], boot["timeout"] = {"minutes": deploy_minutes}, {"minutes": boot_minutes}
    boot.pop("auto_login", None)
    boot["prompts"] = [DONE.format(nonce=wanted.nonce)]
    boot["ignore_kernel_messages"] = True  # a panic is for us to read, to its last line
    head = {
        "device_type": board.device_type or job["device_type"],
        "job_name": wanted.name,
        "priority": record.priority,
        "visibility": {"group": list(record.groups)} if record.groups else record.visibility,
        "timeouts": {
            "job": {"minutes": deploy_minutes + boot_minutes + POWER_OFF_MINUTES},
            "action": {"minutes": boot_minutes},
            "connection": {"minutes": min(boot_minutes, POWER_OFF_MINUTES)},
        },
        **({"tags": list(board.tags)} if board.tags else {}),
        "context": {**job.get("context", {}), **_context(board)},
    }
    return {**head, "actions": [{"deploy": deploy}, {"boot": boot}]}


def as_yaml(job: Mapping[str, Any]) -> str:
    """The text that LAVA gets; equal for equal jobs."""
    return yaml.safe_dump(dict(job), sort_keys=False, width=1000)


def example(record: LabRecord, board: BoardFacts) -> dict[str, Any]:
    """A job as a run would make it, for files that are not there."""
    kernel, initramfs = (
        Published(f"thp-{suffix}", f"{record.artifacts.url}/thp-example.{suffix}", "0" * 64)
        for suffix in ("image", "cpio")
    )
    return definition(
        record, board, WantedBoot("thp-harness example", kernel, initramfs, board.cmdline, "0" * 16, 300)
    )


def _of_record(board: BoardFacts, wanted: WantedBoot) -> dict[str, Any]:
    emulated = board.method == EMULATOR
    deploy = _to_emulator(wanted) if emulated else _by_network(board, wanted)
    boot = {"method": board.method, **({} if emulated else {"commands": board.commands})}
    arguments = {} if emulated else {"extra_kernel_args": " ".join(wanted.cmdline)}
    return {
        "device_type": board.device_type,
        "context": arguments,
        "actions": [{"deploy": deploy}, {"boot": boot}],
    }


def _to_emulator(wanted: WantedBoot) -> dict[str, Any]:
    images = {
        "kernel": {
            "image_arg": f'-kernel {{kernel}} -append "{" ".join(wanted.cmdline)}"',
            "url": wanted.kernel.url,
        },
        "ramdisk": {"image_arg": "-initrd {ramdisk}", "url": wanted.initramfs.url},
    }
    return {"to": "tmpfs", "os": "oe", "images": images}


def _by_network(board: BoardFacts, wanted: WantedBoot) -> dict[str, Any]:
    kind = {"type": board.kernel_type} if board.kernel_type else {}
    return {
        "to": "tftp",
        "os": "oe",
        "kernel": {"url": wanted.kernel.url, **kind},
        "ramdisk": {"url": wanted.initramfs.url},
        **({"dtb": {"url": board.dtb}} if board.dtb else {}),
    }


def _of_tuxlava(board: BoardFacts, wanted: WantedBoot) -> dict[str, Any]:
    try:
        from tuxlava.exceptions import TuxLavaException
        from tuxlava.jobs import Job
    except ImportError:
        raise UsageError(
            f"tuxlava is not installed, and it has to say how {board.tuxlava} is booted",
            hint="pip install 'thp-harness[lab]'",
        ) from None
    with tempfile.TemporaryDirectory() as folder:
        job = Job(
            device=board.tuxlava,
            kernel=wanted.kernel.url,
            rootfs=wanted.initramfs.url,
            boot_args=" ".join(wanted.cmdline),
            dtb=board.dtb or None,
            tmpdir=Path(folder),
        )
        try:
            job.initialize()
        except TuxLavaException as error:
            said = str(error).partition(" Available:")[0]
            raise UsageError(f"tuxlava: {said}", hint="`tuxlava --list-devices` names them.") from None
        made: dict[str, Any] = yaml.safe_load(job.render())
    made.get("context", {}).pop("no_network", None)  # labs of 2023 refuse what they don't know
    return made


def _action(job: Mapping[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(action[name] for action in job["actions"] if name in action)
    return dict(found)


def _sums(wanted: WantedBoot) -> dict[str, str]:
    return {file.url: file.sha256 for file in (wanted.kernel, wanted.initramfs)}


def _context(board: BoardFacts) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in board.context.items()}


def _minutes(seconds: float) -> int:
    return max(1, math.ceil(seconds / 60))
