# SPDX-License-Identifier: GPL-2.0-only
"""Finds records: by name in the program's folder and the user's, or by the path of a file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from harness.config.record import NamedRecord, Record, is_path
from harness.config.strict_yaml import find_line, parse
from harness.core.errors import UsageError, did_you_mean
from harness.core.shipped import CONFIGS
from harness.core.workspace import PROGRAM
from results.files import read_plain

AnyRecord = TypeVar("AnyRecord", bound=Record)
AnyNamed = TypeVar("AnyNamed", bound=NamedRecord)
T = TypeVar("T")
_MOST_BYTES = 1 << 20
"""Of a record: the largest of `configs/` has 4 KiB."""
Folders = Sequence[Path] | None
"""Folders that hold a folder for each kind of record; a later one overrides those before it.
None: those of `record_folders`."""


def user_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the user's records, by the XDG base directory specification."""
    home = Path(environment.get("HOME") or Path.home())
    return Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / PROGRAM


def record_folders() -> tuple[Path, ...]:
    """Return the program's `configs/` and the user's folder; a user's record overrides a shipped one."""
    return (CONFIGS, user_folder())


def files(kind: str, suffix: str = ".yaml", folders: Folders = None) -> Mapping[str, Path]:
    """Return the files of a kind by name, sorted; `kconfig` has files with the suffix `.config`."""
    found = [path for folder in folders or record_folders() for path in (folder / kind).glob(f"*{suffix}")]
    return dict(sorted({path.name.removesuffix(suffix): path for path in found}.items()))


def load_all(model: type[AnyNamed], folders: Folders = None) -> Mapping[str, AnyNamed]:
    """Read all records of a kind, by name.

    Raises:
        UsageError: if a record is wrong, or its name is not its file's.
    """
    return {name: _load_named(path, model) for name, path in files(model.KIND, folders=folders).items()}


def find(model: type[AnyNamed], name: str, folders: Folders = None) -> AnyNamed:
    """Read one record by its name, or by its path if `name` ends in `.yaml`.

    Raises:
        UsageError: if it is wrong; for an unknown name, with the known ones and the nearest.
    """
    if is_path(name):
        return load(Path(name), model)
    return _load_named(pick(model, files(model.KIND, folders=folders), name), model)


def pick(model: type[NamedRecord], known: Mapping[str, T], name: str) -> T:
    """Return what a name of a kind of record stands for.

    Raises:
        UsageError: for an unknown name, with the known ones and the nearest.
    """
    if name in known:
        return known[name]
    message = f"unknown {model.NOUN} '{name}'.{did_you_mean(name, known)}"
    folder = user_folder() / model.KIND
    raise UsageError(message, hint=f"Known: {', '.join(known) or 'none'}; or a file, {folder}/NAME.yaml.")


def _load_named(path: Path, model: type[AnyNamed]) -> AnyNamed:
    record = load(path, model)
    if record.name != path.stem:
        raise UsageError(f"{path}: name '{record.name}' must be the file's name, '{path.stem}'")
    return record


def load(path: Path, model: type[AnyRecord]) -> AnyRecord:
    """Read one record.

    Raises:
        UsageError: with file, line and what is wrong.
    """
    record: AnyRecord = _read(path, _text(path), model)
    return record


@cache  # slow, and several commands read the same records more than once; records are immutable
def _read(path: Path, text: str, model: type[AnyRecord]) -> AnyRecord:
    node, data = parse(path, text)
    try:
        record = model.model_validate(data)
    except ValidationError as error:
        complaints = [_complaint(path, node, details) for details in error.errors()]
        known = ", ".join(model.model_fields)
        raise UsageError("\n".join(complaints), hint=f"Known keys: {known}.") from None
    if isinstance(record, NamedRecord):
        record._file = path
    return record


def _text(path: Path) -> str:
    try:
        return read_plain(path, _MOST_BYTES).decode("utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text (byte {error.start})") from None


def _complaint(path: Path, node: yaml.Node, details: Any) -> str:
    """One validation error as `file:line: key: what is wrong`."""
    location = [part for part in details["loc"] if not str(part).startswith(("function-", "literal["))]
    where = ".".join(str(part) for part in location)
    message = details["msg"][0].lower() + details["msg"][1:]
    if details["type"] == "extra_forbidden":
        message = "unknown key"
    elif details["type"] == "missing":
        message = "this key is missing"
    elif details["type"] == "string_type":
        message = f"must be text, not {details['input']!r}; write it in quotes"
    return f"{path}:{find_line(node, location)}: {f'{where}: ' if where else ''}{message}"
