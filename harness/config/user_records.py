# SPDX-License-Identifier: GPL-2.0-only
"""Records that a person may keep for themselves: beside those of `configs/`, in a folder of their own."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, PrivateAttr

from harness.config.records import Record, load_all
from harness.core.shipped import CONFIGS
from harness.core.workspace import PROGRAM


def one_word(text: str) -> str:
    """A text that a shell takes for one word; for pydantic."""
    if not text or shlex.quote(text) != text:
        raise ValueError(f"'{text}' must be one word, of letters, digits and @%+=:,./-_")
    return text


Word = Annotated[str, AfterValidator(one_word)]
Seconds = Annotated[float, Field(gt=0)]


class OwnRecord(Record):
    """A record that knows its folder: files that it names are relative to it."""

    name: Word
    _home: Path = PrivateAttr(CONFIGS)

    def path(self, text: str) -> Path:
        """A file that the record names, relative to the record."""
        return self._home / Path(text).expanduser()

    @property
    def file(self) -> Path:
        """The record's own."""
        return self._home / f"{self.name}.yaml"


AnyOwnRecord = TypeVar("AnyOwnRecord", bound=OwnRecord)


def own_records(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of a person's own records, by the XDG base directory specification."""
    home = Path(environment.get("HOME") or Path.home())
    return Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / PROGRAM


def load_with_own(
    kind: str, model: type[AnyOwnRecord], configs: Path = CONFIGS, own: Path | None = None
) -> Mapping[str, AnyOwnRecord]:
    """All records of a kind by name; a person's own counts before one of `configs/`.

    Raises:
        UsageError: for a wrong record, with file and line.
    """
    found: dict[str, AnyOwnRecord] = {}
    for folder in (configs, own or own_records()):
        for name, record in load_all(kind, model, folder).items():
            record._home = folder / kind
            found[name] = record
    return found
