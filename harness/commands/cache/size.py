# SPDX-License-Identifier: GPL-2.0-only
"""Sizes and ages: as people write them, and as they read them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from harness.core.errors import UsageError

LIMIT_VARIABLE = "THP_HARNESS_CACHE_SIZE"
DEFAULT_LIMIT = 30 << 30

_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*([MGT])(?:i?B)?", re.IGNORECASE | re.ASCII)
_UNITS = {"M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_AGES = (("day", 86400), ("hour", 3600), ("minute", 60))


def parse_size(text: str, name: str) -> int:
    """Bytes of `20G` or `1.5 TiB`; a unit is needed, and is always a power of 1024.

    Raises:
        UsageError: for anything else; `name` says where it was written.
    """
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise UsageError(
            f"{name}: '{text}' is not a size", hint="Write a number with M, G or T: 500M, 20G, 1.5T."
        )
    return int(float(found[1]) * _UNITS[found[2].upper()])


def size_limit(environment: Mapping[str, str] = os.environ) -> int:
    """The most bytes that the cache may have after a run.

    Raises:
        UsageError: if the environment names something that is no size.
    """
    text = environment.get(LIMIT_VARIABLE)
    return DEFAULT_LIMIT if text is None else parse_size(text, LIMIT_VARIABLE)


def show_size(size: int) -> str:
    """For people: `4.5 GiB`, `12 MiB`, `3 KiB`."""
    if size >= 1 << 30:
        return f"{size / (1 << 30):.1f} GiB"
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{-(-size >> 10)} KiB"


def show_age(seconds: float) -> str:
    """For people: `3 days`, `1 hour`, `now`."""
    for unit, length in _AGES:
        if (number := int(seconds // length)) > 0:
            return f"{number} {unit}{'s' if number > 1 else ''}"
    return "now"


def disk_usage(path: Path) -> int:
    """Bytes that a file or folder takes on its disk; what vanishes meanwhile does not count."""
    used, folders = 0, []
    try:
        status = path.lstat()
        used = status.st_blocks * 512
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                else:
                    used += entry.stat(follow_symlinks=False).st_blocks * 512
    except OSError:
        pass
    return used + sum(disk_usage(folder) for folder in folders)
