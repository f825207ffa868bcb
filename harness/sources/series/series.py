# SPDX-License-Identifier: GPL-2.0-only
"""Series: patches from wherever they come, made into commits on top of a tree."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.core.errors import UsageError
from harness.sources.git.mirror import open_mirror, read_ref
from harness.sources.git.repository import Repository
from harness.sources.series.am import apply_mails
from harness.sources.series.find import SeriesSource, find_source
from harness.sources.series.letter import address, read_letter
from harness.sources.series.mbox import Mail, SeriesError, read_mails
from harness.sources.series.order import OrderedSeries, order_series
from results.model.run import FuzzedHunk, Letter, Patch

__all__ = ["AppliedSeries", "SeriesError", "prepare_series"]

_FORMAT = "1"
"""Part of every cached series' name: raised when the same mails would give other commits."""


@dataclass(frozen=True, slots=True)
class AppliedSeries:
    """A series on top of its base, ready to be checked out."""

    commit: str
    """Of the last patch."""
    tree: str
    patches: tuple[Patch, ...]
    fuzzed: tuple[FuzzedHunk, ...]
    title: str
    """Of the cover letter, or else of the first patch."""
    notes: tuple[str, ...]
    """What the reader must know: older versions, copies and suggestions left out."""
    letter: Letter


def prepare_series(
    series: str | Path,
    base_commit: str,
    cache: Path,
    allow_fuzz: bool,
    progress: Callable[[str], None],
    *,
    repository: Path | None = None,
    lore_mask: str | None = None,
) -> AppliedSeries:
    """Apply a series to a commit of the cache's mirror, or find it applied already.

    `series` is an mbox, a directory of patches, `git:[PATH@]BASE..TIP` (without PATH: in
    `repository`, or else in the mirror), or a Message-ID, fetched from lore or from the archive
    at `lore_mask`. Raises SeriesError when it is broken or does not apply, UsageError when
    there is no such series or base, InfrastructureError when something could not be fetched or written.
    """
    mirror = open_mirror(cache)
    base = read_ref(mirror, base_commit)
    if base is None:
        raise UsageError(f"the mirror holds no commit {base_commit!r}", hint="prepare the tree first")
    source = find_source(series, cache, progress, repository=repository, lore_mask=lore_mask)
    name = _name(source, base, allow_fuzz)
    record = cache / "series" / f"{name}.json"
    ref = f"refs/series/{name}"
    if known := _recall(record, read_ref(mirror, ref)):
        return known
    applied = _apply(mirror, base, source, allow_fuzz, progress)
    mirror.run("update-ref", ref, applied.commit)
    _remember(record, applied)
    return applied


def _name(source: SeriesSource, base: str, allow_fuzz: bool) -> str:
    text = f"{_FORMAT} {base} {source.digest} {'fuzz' if allow_fuzz else 'exact'}"
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def _apply(
    mirror: Repository, base: str, source: SeriesSource, allow_fuzz: bool, progress: Callable[[str], None]
) -> AppliedSeries:
    ordered = _read(source, mirror)
    progress(f"applying {len(ordered.patches)} patches of “{ordered.title}”")
    made = apply_mails(mirror, base, ordered.patches, allow_fuzz=allow_fuzz, progress=progress)
    return AppliedSeries(
        commit=made.commit,
        tree=mirror.run("rev-parse", f"{made.commit}^{{tree}}"),
        patches=_with_mails(_patches(mirror, base, made.commit), ordered.patches, source.archive),
        fuzzed=made.fuzzed,
        title=ordered.title,
        notes=ordered.notes,
        letter=read_letter(ordered.first, source.archive),
    )


def _read(source: SeriesSource, mirror: Repository) -> OrderedSeries:
    mails: list[Mail] = []
    try:
        for name, content in source.parts:
            mails += read_mails(name, content, mirror)
        return order_series(mails, source.name, keep_order=source.keep_order)
    except SeriesError:
        source.forget()  # an archive may not have had all of its mails yet
        raise


def _patches(mirror: Repository, base: str, tip: str) -> tuple[Patch, ...]:
    log = ("log", "--reverse", "--no-merges")
    diffs = mirror.run_bytes(*log, "--patch", "--full-index", "--binary", f"{base}..{tip}")
    pairs = (line.split() for line in mirror.run("patch-id", "--stable", stdin=diffs).splitlines())
    patch_ids = {commit: patch_id for patch_id, commit in pairs}
    subjects = (
        line.partition(" ") for line in mirror.run(*log, "--format=%H %s", f"{base}..{tip}").splitlines()
    )
    return tuple(
        Patch(number, subject, commit, patch_ids.get(commit, ""))
        for number, (commit, _, subject) in enumerate(subjects, start=1)
    )


def _with_mails(patches: Sequence[Patch], mails: Sequence[Mail], archive: str) -> tuple[Patch, ...]:
    return tuple(
        replace(patch, sha256=hashlib.sha256(mail.raw).hexdigest(), url=address(mail, archive))
        for patch, mail in zip(patches, mails, strict=True)
    )


def _remember(record: Path, applied: AppliedSeries) -> None:
    record.parent.mkdir(parents=True, exist_ok=True)
    fresh = record.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps(asdict(applied), indent=1))
    fresh.replace(record)


def _recall(record: Path, commit: str | None) -> AppliedSeries | None:
    """Read an applied series, unless its record or its commits are gone or disagree."""
    try:
        known: dict[str, Any] = json.loads(record.read_text())
        applied = AppliedSeries(
            commit=known["commit"],
            tree=known["tree"],
            patches=tuple(Patch(**patch) for patch in known["patches"]),
            fuzzed=tuple(FuzzedHunk(**hunk) for hunk in known["fuzzed"]),
            title=known["title"],
            notes=tuple(known["notes"]),
            letter=Letter(**{**known["letter"], "recipients": tuple(known["letter"]["recipients"])}),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return applied if applied.commit == commit else None
