"""The content-addressed store of finished builds.

    CACHE/builds/FORMAT/KEY/   build.json, build.log, image, .config, System.map

An entry appears by one rename when it is whole, and is checked by its image's hash when it is
used; an entry that is torn, older or changed counts as absent and is built again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from harness.errors import InfrastructureError
from results.model import Build, CompilerWarning

FORMAT = "1"
"""Raised whenever the meaning of an entry changes; entries of other formats are left alone."""
RECORD = "build.json"
IMAGE = "image"


def digest(parts: Mapping[str, object]) -> str:
    """Content address of the named inputs: 24 hexadecimal digits."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class BuildCache:
    """Finished builds by key."""

    def __init__(self, cache: Path) -> None:
        self.folder = cache / "builds" / FORMAT

    def lookup(self, key: str) -> tuple[Build, Path] | None:
        """A whole and unchanged entry and its folder, or None."""
        entry = self.folder / key
        try:
            build = _read_record(entry / RECORD)
            whole = build.key == key and sha256_of(entry / IMAGE) == build.image_sha256
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return (build, entry) if whole else None

    def store(self, build: Build, fill: Callable[[Path], None]) -> Path:
        """Add an entry: `fill` puts the files into a folder, which then gets its final name.

        Raises:
            InfrastructureError: if the cache can't be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=".new-", dir=self.folder))
        except OSError as error:
            raise InfrastructureError(f"{self.folder} can't be written: {error.strerror}") from None
        try:
            fill(draft)
            (draft / RECORD).write_text(json.dumps(asdict(build), indent=2) + "\n")
            return self._publish(draft, self.folder / build.key)
        except OSError as error:
            raise InfrastructureError(f"{self.folder}: {error.strerror}") from None
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _publish(self, draft: Path, entry: Path) -> Path:
        """Give a draft its name; an entry in its place is broken, or as good as this one."""
        draft.chmod(0o755)
        if entry.exists():
            shutil.rmtree(entry, ignore_errors=True)
        draft.rename(entry)
        return entry


def _read_record(path: Path) -> Build:
    record = json.loads(path.read_text())
    record["warnings"] = tuple(CompilerWarning(**warning) for warning in record["warnings"])
    record["commands"] = tuple(record["commands"])
    return Build(**record)
