# SPDX-License-Identifier: GPL-2.0-only
"""Where the patches of a series come from: files, folders, git ranges, a mail archive."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from errno import EFBIG
from pathlib import Path

from harness.core.errors import UsageError, did_you_mean
from harness.sources.git.mirror import open_mirror
from harness.sources.series.commits import CommitRange, read_range
from harness.sources.series.folder import read_folder
from harness.sources.series.mail.lore import archive_mask, fetch_thread, message_id
from harness.sources.series.mail.mbox import MOST_BYTES, SeriesError
from harness.sources.series.order import Order
from harness.sources.trees.remote import local_commit, open_local, split_revision
from results.files import read_plain

RANGE = "git:"
_PATHS = ("/", "./", "../", "~")
"""How a path begins that can't be the name of a revision."""
_KINDS = (
    "A series is an mbox file, a directory of patches, git:[PATH@]BASE..TIP, "
    "or the Message-ID of a mail on lore.kernel.org."
)


@dataclass(frozen=True, slots=True)
class SeriesSource:
    """The mails of a series as they were found."""

    name: str
    """For messages."""
    parts: tuple[tuple[str, bytes], ...]
    """Name and content of every file, in order."""
    order: Order = Order.NUMBERS
    notes: tuple[str, ...] = ()
    """Files that were left out, and why."""
    cached: Path | None = None
    """Where it was put when it was fetched."""
    archive: str = ""
    """Address of a mail in the archive that it was fetched from, `%s` standing for the Message-ID."""
    base: str = ""
    """The commit that it was written on, if the files say so beside the mails."""

    def forget(self) -> None:
        """Have it fetched again the next time."""
        if self.cached:
            shutil.rmtree(self.cached, ignore_errors=True)

    @property
    def digest(self) -> str:
        """A hash of all that counts."""
        sums = hashlib.sha256(self.order.value.encode())
        for name, content in self.parts:
            sums.update(f"\0{Path(name).name}\0{len(content)}\0".encode(errors="surrogateescape"))
            sums.update(content)
        sums.update("\0".join(self.notes).encode(errors="surrogateescape"))
        return sums.hexdigest()


def find_source(
    series: str | Path,
    cache: Path,
    log: Callable[[str], None],
    *,
    repository: Path | None = None,
    lore_mask: str | None = None,
) -> SeriesSource | CommitRange:
    """Collect the mails of a series, or the commits of a range.

    Raises:
        UsageError: for what names no series.
        SeriesError: for one without patches.
        InfrastructureError: when it can't be fetched.
    """
    text = str(series)
    if text.startswith(RANGE):
        return _from_range(text, cache, repository)
    path = Path(text).expanduser()
    if path.is_dir():
        return _from_folder(path)
    if path.exists():
        return SeriesSource(text, ((text, _content(path)),))
    if identifier := message_id(text):
        thread = fetch_thread(identifier, cache, log, lore_mask)
        files = [*sorted(thread.glob("*.cover")), *sorted(thread.glob("*.mbx"))]
        parts = tuple((identifier, _content(file)) for file in files)
        return SeriesSource(identifier, parts, cached=thread, archive=archive_mask(lore_mask))
    if text.startswith(("http://", "https://")):
        raise UsageError(
            f"the address {text} names no mail by its Message-ID",
            hint="Give the Message-ID that the page shows, or download the mbox and give its file.",
        )
    raise UsageError(
        f"there is no series {text!r}: no such file, and no Message-ID.{_near(path)}",
        hint=_KINDS,
    )


def needs_tree(series: str, repository: Path | None) -> bool:
    """Whether a series is commits of its tree, and can't be looked at before that is in the mirror."""
    return series.startswith(RANGE) and not (split_range(series)[0] or repository)


def _near(path: Path) -> str:
    try:
        return did_you_mean(path.name, [other.name for other in path.parent.iterdir()])
    except OSError:
        return ""


def _content(path: Path) -> bytes:
    try:
        return read_plain(path, MOST_BYTES)
    except OSError as error:
        if error.errno == EFBIG:
            raise SeriesError(
                f"{path} is larger than {MOST_BYTES >> 20} MiB, too large for a series",
                hint="Give the mbox of one thread, not of a mailing list.",
            ) from None
        raise UsageError(
            f"can't read {path}: {error.strerror}", hint="Check the file's permissions."
        ) from error


def _from_folder(folder: Path) -> SeriesSource:
    left = MOST_BYTES

    def read(path: Path) -> bytes:
        nonlocal left
        content = _content(path)
        left -= len(content)
        if left < 0:
            raise SeriesError(
                f"the files of {folder} are larger than {MOST_BYTES >> 20} MiB, too large for a series",
                hint="Give a directory that holds the patches only.",
            )
        return content

    found = read_folder(folder, read)
    order = Order.LISTED if found.is_listed else Order.NAMES if len(found.files) > 1 else Order.NUMBERS
    return SeriesSource(str(folder), found.files, order, found.notes, base=found.base)


def split_range(text: str) -> tuple[Path | None, str, str]:
    """Take `git:[PATH@]BASE..TIP` apart.

    Raises:
        UsageError: if it is no range.
    """
    path, revisions = split_revision(text.removeprefix(RANGE))
    base, dots, tip = revisions.partition("..")
    folder, at, _ = base.rpartition("@")
    if at and not path and folder.startswith(_PATHS):
        raise UsageError(f"there is no folder {folder}", hint="Write git:BASE..TIP or git:PATH@BASE..TIP.")
    if not dots or not base or not tip or tip.startswith("."):
        raise UsageError(f"{text!r} is no git range", hint="Write git:BASE..TIP or git:PATH@BASE..TIP.")
    return path, base, tip


def _from_range(text: str, cache: Path, repository: Path | None) -> CommitRange:
    path, base, tip = split_range(text)
    path = path or repository
    owner = open_local(path) if path else open_mirror(cache)
    return read_range(owner, text, *(local_commit(owner, revision) for revision in (base, tip)))
