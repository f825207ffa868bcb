# SPDX-License-Identifier: GPL-2.0-only
"""What all records have in common: values that are checked, of a file that is known."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Annotated, ClassVar, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return text


def one_word(text: str) -> str:
    """Check that a shell takes a text for one word; for pydantic.

    Raises:
        ValueError: if it does not.
    """
    if not text or shlex.quote(text) != text:
        raise ValueError(f"'{text}' must be one word, of letters, digits and @%+=:,./-_")
    return text


T = TypeVar("T")
Items = Annotated[tuple[T, ...], BeforeValidator(_as_tuple)]
"""A YAML list; kept as a tuple because records are immutable."""
Word = Annotated[str, AfterValidator(one_word)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Seconds = Annotated[float, Field(gt=0)]


class Record(BaseModel):
    """Base of all records: no unknown keys, no silent conversions, no changes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NamedRecord(Record):
    """A record with a file of its own, `KIND/NAME.yaml` in one of the folders of records."""

    KIND: ClassVar[str]
    """Name of the folder."""
    NOUN: ClassVar[str]
    """For messages."""

    name: Word
    _file: Path | None = PrivateAttr(None)

    @property
    def file(self) -> Path:
        """The file that holds the record; its name alone if it was not read from one."""
        return self._file or Path(f"{self.name}.yaml")

    @property
    def in_file(self) -> bool:
        """Tell whether the record was read from a file, and not made of options."""
        return self._file is not None

    def path(self, text: str) -> Path:
        """Return the path of a file that the record names, relative to the record."""
        return self.file.parent / Path(text).expanduser()

    def reference(self, name: str) -> str:
        """Return the name of another record; a path is relative to this record."""
        return str(self.path(name)) if is_path(name) else name


def is_path(name: str) -> bool:
    """Tell whether the user, or a record, gives another record by its file."""
    return name.endswith((".yaml", ".yml"))
