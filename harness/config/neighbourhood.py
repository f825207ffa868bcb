# SPDX-License-Identifier: GPL-2.0-only
"""The configurations in which the objects of a series are compiled; `configs/neighbourhood.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from harness.config.record import Items, Record, Word

TEST_KERNEL = "test"
"""A base: the small kernel that `run` boots, where there is one, or else the defconfig."""
DEFCONFIG = "defconfig"
"""A base: the one that the record of the architecture names."""
Symbols = Mapping[str, str]
"""Without `CONFIG_`: `THP: n`."""


class Configuration(Record):
    """One configuration."""

    name: Word
    why: str
    """What it finds."""
    base: str
    """`test`, `defconfig`, or another make target that writes a .config."""
    symbols: Symbols = Field(default_factory=dict)
    """What is asked for on top of the base; a symbol that an architecture lacks is told."""
    on: Literal["all", "first"] = "all"
    """Architectures: all, or the first one of the command and those that only compile."""
    is_firm: bool = True
    """An architecture without one of the symbols has no such configuration."""


class Neighbourhood(Record):
    """All of them, in the order in which they are tried."""

    name: str
    about: str
    always: Symbols
    """Asked for in each, where a value can be had: what only costs time, or makes a warning an error."""
    configurations: Items[Configuration]
    randconfigs: Annotated[int, Field(ge=0, le=1000)]
    """Seeded ones on each architecture, unless the command gives another number."""
    includers: Annotated[int, Field(ge=0)]
    """Most files that are compiled because they include a changed header, of each header."""
    sampled: Items[str]
    """Folders of such files, beside arch/*/mm of a changed header of arch/."""
    rare: Annotated[int, Field(ge=1)]
    """Most lines that mention a name whose conditions count: one on more is too common to tell anything."""
    left_out: Items[str]
    """Folders whose C files are no objects of the kernel."""
    headers: Items[str]
    """Folders with the headers that may define what a changed line uses, without the folders below."""
