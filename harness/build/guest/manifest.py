# SPDX-License-Identifier: GPL-2.0-only
"""Writes the manifest that tells the guest program what to do; see docs/guest-protocol.md."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Literal

from harness.build.guest import initramfs
from results.compare.evidence import MEMINFO, WATCHED, is_readable
from results.model.run import PlannedTest

OUTPUT_BYTES = 256 << 10
COUNTER_BYTES = 256 << 10
"""Counters of one test, encoded; a fork storm moves some KiB."""
PATH_IN_GUEST = "thp/manifest"
PROGRAMS = "/bin/"
"""Words of a test's command that begin so are programs of the guest."""
LOG = "log"
ATTEMPTED = "attempted"


def new_nonce() -> str:
    """Sixteen hexadecimal digits that mark one boot's lines."""
    return secrets.token_hex(8)


def render(
    nonce: str,
    tests: Sequence[PlannedTest],
    time_scale: float,
    finish: Literal["poweroff", "restart"],
    channel: str = "",
    shell: str = "",
    watchdog: int = 0,
    root: str = "",
    gcov: bool = False,
) -> str:
    """The manifest's text; test time-outs are stretched by `time_scale`.

    `channel` is the guest's block device that the report goes to; empty where the console carries it.
    `shell` is the program that a person gets after the tests; empty for none.
    `watchdog` is the limit of the machine's watchdog in seconds; 0 leaves it alone.
    `root` is the folder of the guest's programs where they are not alone; report and marks go to files in it.
    `gcov` asks for the counters of a kernel with CONFIG_GCOV_KERNEL.
    """
    lines = [
        f"nonce {nonce}",
        *((f"channel {channel}",) if channel else ()),
        *((f"channel {root}/{LOG}", f"attempted {root}/{ATTEMPTED}") if root else ()),
        *((f"watchdog {watchdog}",) if watchdog else ()),
        *(_watch(counter) for counter in dict.fromkeys((*WATCHED, *_asked_for(tests)))),
        f"limit output {OUTPUT_BYTES}",
        *((f"gcov {COUNTER_BYTES}",) if gcov else ()),
        *(
            f"test {test.name} {round(test.timeout_seconds * time_scale * 1000)} "
            + " ".join(root + word if word.startswith(PROGRAMS) else word for word in test.argv)
            for test in tests
        ),
        *((f"shell {shell}",) if shell else ()),
        f"finish {finish}",
    ]
    return "\n".join(lines) + "\n"


def _asked_for(tests: Sequence[PlannedTest]) -> list[str]:
    return [counter for test in tests for counter in test.watch if is_readable(counter)]


def _watch(counter: str) -> str:
    """The line that asks for a number in a file, or for counters of /proc/vmstat that begin so."""
    if counter.startswith("/"):
        return f"watch file {counter}"
    if counter.startswith(MEMINFO):
        return f"watch meminfo {counter.removeprefix(MEMINFO)}"
    return f"watch vmstat {counter}"


def overlay(manifest: str) -> bytes:
    """The manifest as an archive to append to the shared initramfs."""
    return initramfs.archive({PATH_IN_GUEST: initramfs.text(manifest)})
