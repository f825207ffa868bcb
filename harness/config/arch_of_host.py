# SPDX-License-Identifier: GPL-2.0-only
"""The architecture of a host."""

from __future__ import annotations

from pathlib import Path

from harness.config.host import HostRecord
from harness.config.records import ArchRecord, load_all, pick
from harness.core.errors import UsageError
from harness.core.shipped import CONFIGS


def arch_of(record: HostRecord, configs: Path = CONFIGS) -> ArchRecord:
    """The record of the host's architecture, in one mode.

    Raises:
        UsageError: if there is none of that name.
    """
    records = load_all("arches", ArchRecord, configs)
    modes = {mode.name: mode for each in records.values() for mode in each.in_modes()}
    try:
        return pick("arches", modes, record.arch)
    except UsageError as error:
        raise UsageError(f"{record.file}: arch: {error}", hint=error.hint) from None
