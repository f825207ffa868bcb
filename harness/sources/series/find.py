# SPDX-License-Identifier: GPL-2.0-only
"""Where the patches of a series come from: files, folders, git ranges, a mail archive."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import UsageError
from harness.sources.git.mirror import open_mirror
from harness.sources.git.repository import GitError, Repository
from harness.sources.git.scratch import scratch_repository
from harness.sources.series.lore import archive_mask, fetch_thread, message_id
from harness.sources.series.mbox import SeriesError
from harness.sources.trees.remote import local_commit, open_local
from results.text import abbrev

_PATCH_ENDINGS = (".patch", ".diff", ".eml", ".mbx")
_MOST_PATCHES = 1000
_MOST_BYTES = 64 << 20
_KINDS = (
    "a series is an mbox file, a directory of *.patch files, git:[PATH@]BASE..TIP, "
    "or the Message-ID of a mail on lore.kernel.org"
)


@dataclass(frozen=True, slots=True)
class SeriesSource:
    """The mails of a series as they were found."""

    name: str
    """For messages."""
    parts: tuple[tuple[str, bytes], ...]
    """Name and content of every file, in order."""
    keep_order: bool
    """The order of the parts is the series' order."""
    cached: Path | None = None
    """Where it was put when it was fetched."""
    archive: str = ""
    """Address of a mail in the archive that it was fetched from, `%s` standing for the Message-ID."""

    def forget(self) -> None:
        """Have it fetched anew the next time."""
        if self.cached:
            shutil.rmtree(self.cached, ignore_errors=True)

    @property
    def digest(self) -> str:
        """A hash of all that counts."""
        sums = hashlib.sha256(b"kept" if self.keep_order else b"numbered")
        for name, content in self.parts:
            sums.update(f"\0{Path(name).name}\0{len(content)}\0".encode())
            sums.update(content)
        return sums.hexdigest()


def find_source(
    series: str | Path,
    cache: Path,
    progress: Callable[[str], None],
    *,
    repository: Path | None = None,
    lore_mask: str | None = None,
) -> SeriesSource:
    """Collect the mails of a series.

    Raises UsageError for what names no series, SeriesError for one without patches,
    InfrastructureError when it can't be fetched.
    """
    text = str(series)
    if text.startswith("git:"):
        return _from_range(text, cache, repository)
    path = Path(text).expanduser()
    if path.is_dir():
        return _from_folder(path)
    if path.exists():
        return SeriesSource(text, ((text, _content(path)),), keep_order=False)
    if identifier := message_id(text):
        thread = fetch_thread(identifier, cache, progress, lore_mask)
        files = [*sorted(thread.glob("*.cover")), *sorted(thread.glob("*.mbx"))]
        parts = tuple((identifier, _content(file)) for file in files)
        archive = archive_mask(lore_mask)
        return SeriesSource(identifier, parts, keep_order=False, cached=thread, archive=archive)
    raise UsageError(f"there is no series {text!r}: no such file, and no Message-ID", hint=_KINDS)


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise SeriesError(
                f"{path} is larger than {_MOST_BYTES >> 20} MiB, too large for a series",
                hint="give the mbox of one thread, not of a mailing list",
            )
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"can't read {path}: {error.strerror}", hint="check the file's permissions"
        ) from error


def _from_folder(folder: Path) -> SeriesSource:
    files = sorted(path for path in folder.iterdir() if path.suffix in _PATCH_ENDINGS and path.is_file())
    if not files:
        raise SeriesError(
            f"the directory {folder} holds no *.patch file",
            hint="make them with `git format-patch -o DIR BASE..TIP`",
        )
    return SeriesSource(str(folder), tuple((str(file), _content(file)) for file in files), keep_order=True)


def _from_range(text: str, cache: Path, repository: Path | None) -> SeriesSource:
    path, revisions = _taken_apart(text, repository)
    base, dots, tip = revisions.partition("..")
    if not dots or not base or not tip or tip.startswith("."):
        raise UsageError(f"{text!r} is no git range", hint="write git:BASE..TIP or git:PATH@BASE..TIP")
    owner = open_local(path) if path else open_mirror(cache)
    commits = tuple(local_commit(owner, revision) for revision in (base, tip))
    _require_series(owner, text, *commits)
    patches = _format_patches(owner, *commits)
    return SeriesSource(text, ((text, patches),), keep_order=True)


def _taken_apart(text: str, repository: Path | None) -> tuple[Path | None, str]:
    """Separate the folder before the last @ from the range; a revision may hold an @, too (`HEAD@{1}`)."""
    whole = text.removeprefix("git:")
    place, _, revisions = whole.rpartition("@")
    if place and Path(place).expanduser().is_dir():
        return Path(place), revisions
    return repository, whole


def _require_series(owner: Repository, text: str, base: str, tip: str) -> None:
    """Refuse a range that is no series, before git writes out gigabytes of it."""

    def count(*option: str) -> int:
        return int(owner.run("rev-list", "--count", *option, f"{base}..{tip}"))

    if not (commits := count()):
        raise SeriesError(f"the range {text} is empty: TIP has nothing that BASE lacks", hint="swap the two?")
    if count("--max-parents=0"):
        raise SeriesError(
            f"the range {text} goes back to the beginning of its history: TIP does not descend from BASE",
            hint="name the commit that the series was written on as BASE; deepen a shallow clone first",
        )
    if merges := count("--merges"):
        raise SeriesError(
            f"the range {text} has {merges} merge commits, which are no patches",
            hint="rebase it onto BASE first",
        )
    if commits > _MOST_PATCHES:
        raise SeriesError(
            f"the range {text} has {commits} commits, more than the {_MOST_PATCHES} that count as a series",
            hint="name the commit that the series was written on as BASE",
        )


def _format_patches(owner: Repository, base: str, tip: str) -> bytes:
    """Write the commits of a range as mails, without a say of their repository's configuration."""
    with scratch_repository(owner) as view:
        try:
            return view.run_bytes(
                *("format-patch", "--stdout", "--no-signature", "--full-index", "--binary"),
                *("--numbered", "--diff-algorithm=myers", f"{base}..{tip}"),
            )
        except GitError as error:
            raise SeriesError(
                f"git can't write the commits {abbrev(base)}..{abbrev(tip)} as patches: {error}",
                hint="is the checkout a shallow clone whose history ends inside of the range?",
            ) from error
