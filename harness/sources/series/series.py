# SPDX-License-Identifier: GPL-2.0-only
"""Series: patches from wherever they come, made into commits on top of a tree."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.core.errors import UsageError
from harness.sources.git.mirror import forget_boundaries, locked_mirror, open_mirror, read_ref
from harness.sources.git.repository import Repository
from harness.sources.series.am import ApplyOptions, apply_mails
from harness.sources.series.commits import CommitRange, place_range
from harness.sources.series.find import SeriesSource, find_source
from harness.sources.series.mail.letter import address, read_letter
from harness.sources.series.mail.mbox import Mail, SeriesError, read_mails
from harness.sources.series.order import OrderedSeries, SeriesChoice, order_series
from results.model.run import FuzzedHunk, Letter, Patch
from results.text import amount, printable

_FORMAT = "2"
"""Part of every cached series' name: raised when the same mails would give other commits."""
_BASE_COMMIT = re.compile(rb"^base-commit: ([0-9a-f]{40})\s*$", re.MULTILINE)
_PREREQUISITE = re.compile(rb"^prerequisite-patch-id: ([0-9a-f]{40})\s*$", re.MULTILINE)


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
    written_on: str = ""
    """The commit that its author based it on (`base-commit:` of git format-patch), if it says so."""
    replayed: bool = False
    """A range whose commits had to be replayed on another base than their own; its notes say so."""
    prerequisites: tuple[str, ...] = ()
    """Patch ids of the patches that it needs below it (`prerequisite-patch-id:`)."""


def prepare_series(
    series: str | Path,
    base_commit: str,
    cache: Path,
    allow_fuzz: bool,
    log: Callable[[str], None],
    *,
    repository: Path | None = None,
    lore_mask: str | None = None,
    choice: SeriesChoice | None = None,
    three_way: bool = False,
) -> AppliedSeries:
    """Apply a series to a commit of the cache's mirror, or find it applied already.

    `series` is an mbox, a directory of patches, `git:[PATH@]BASE..TIP` (without PATH: in
    `repository`, or else in the mirror), or a Message-ID, fetched from lore or from the archive
    at `lore_mask`. The commits of a range are taken as they are, or replayed where `base_commit`
    is not their base; mails are applied with `git am`, by `three_way` also with its `--3way`.

    Raises:
        SeriesError: when it is broken or does not apply.
        UsageError: when there is no such series or base.
        InfrastructureError: when something could not be fetched or written.
    """
    mirror = open_mirror(cache)
    base = read_ref(mirror, base_commit)
    if base is None:
        raise UsageError(f"the mirror holds no commit {base_commit!r}", hint="Prepare the tree first.")
    choice = choice or SeriesChoice()
    source = find_source(series, cache, log, repository=repository, lore_mask=lore_mask)
    options = ApplyOptions(allow_fuzz, three_way, repository)
    name = _name(source, base, choice, options)
    record = cache / "series" / f"{name}.json"
    ref = f"refs/series/{name}"
    if (known := _recall(record)) and known.commit == read_ref(mirror, ref):
        return known
    if isinstance(source, CommitRange):
        applied = _apply_range(mirror, base, source, choice, log)
        own = {commit.commit for commit in source.commits}
        with locked_mirror(cache, log):
            forget_boundaries(mirror, own if applied.commit in own else ())
            mirror.run("update-ref", ref, applied.commit)
    else:
        applied = _apply_mails(mirror, base, source, choice, options, log)
        mirror.run("update-ref", ref, applied.commit)
    _remember(record, applied)
    return applied


def _name(source: SeriesSource | CommitRange, base: str, choice: SeriesChoice, options: ApplyOptions) -> str:
    what = f"range {source.base} {source.tip}" if isinstance(source, CommitRange) else source.digest
    text = f"{_FORMAT} {base} {what} {choice} {options.allow_fuzz} {options.three_way}"
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def _apply_range(
    mirror: Repository, base: str, found: CommitRange, choice: SeriesChoice, log: Callable[[str], None]
) -> AppliedSeries:
    part = found.part(choice.numbers(len(found.patches)))
    placed = place_range(mirror, base, part, log)
    triples = zip(part.patches, placed.commits, placed.patch_ids, strict=True)
    patches = [
        Patch(number, printable(patch.subject), commit, patch_id)
        for number, (patch, commit, patch_id) in enumerate(triples, start=1)
    ]
    first = found.cover or part.patches[0]
    more = len(patches) - 1
    others = f" (and {amount(more, 'more patch', 'more patches')})" if more and not found.cover else ""
    return AppliedSeries(
        commit=placed.commits[-1],
        tree=placed.tree,
        patches=tuple(patches),
        fuzzed=(),
        title=printable(first.subject) + others,
        notes=(*found.notes, *placed.notes),
        letter=Letter(subject=printable(first.subject), author=printable(first.author)),
        written_on=found.base,
        replayed=placed.commits[-1] != part.patches[-1].commit,
    )


def _apply_mails(
    mirror: Repository,
    base: str,
    source: SeriesSource,
    choice: SeriesChoice,
    options: ApplyOptions,
    log: Callable[[str], None],
) -> AppliedSeries:
    mails = _read(source, mirror)
    ordered = _order(source, mails, choice)
    written_on, prerequisites = _trailers(ordered)
    written_on = written_on or source.base
    log(f"applying {len(ordered.patches)} patches of “{ordered.title}”")
    try:
        made = apply_mails(mirror, base, ordered.patches, options, log)
    except SeriesError as error:
        raise _with_base(error, base, written_on, prerequisites) from error
    return AppliedSeries(
        commit=made.patches[-1].commit,
        tree=made.tree,
        patches=_with_mails(made.patches, ordered.patches, source.archive),
        fuzzed=made.fuzzed,
        title=ordered.title,
        notes=tuple(map(printable, (*source.notes, *_asked_for(source, mails), *ordered.notes, *made.notes))),
        letter=read_letter(ordered.first, source.archive),
        written_on=written_on,
        prerequisites=prerequisites,
    )


def _read(source: SeriesSource, mirror: Repository) -> list[Mail]:
    try:
        return [mail for name, content in source.parts for mail in read_mails(name, content, mirror)]
    except SeriesError:
        source.forget()
        raise


def _order(source: SeriesSource, mails: list[Mail], choice: SeriesChoice) -> OrderedSeries:
    try:
        return order_series(mails, source.name, source.order, choice)
    except SeriesError:
        source.forget()  # an archive may not have had all of its mails yet
        raise


def _asked_for(source: SeriesSource, mails: Sequence[Mail]) -> tuple[str, ...]:
    """A note if b4 took a newer version than that of the mail that was named."""
    if not source.archive or source.name in {mail.message_id for mail in mails}:
        return ()
    versions = sorted({mail.version for mail in mails})
    return (f"b4 took {versions[-1]} of the thread of {source.name}, which is no mail of that version",)


def _trailers(ordered: OrderedSeries) -> tuple[str, tuple[str, ...]]:
    """The base and the prerequisites that the cover letter or a patch names."""
    texts = [ordered.first.raw, *(mail.raw for mail in ordered.patches)]
    bases = [found[1].decode() for text in texts if (found := _BASE_COMMIT.search(text))]
    needed = [one.decode() for text in texts for one in _PREREQUISITE.findall(text)]
    return next(iter(bases), ""), tuple(dict.fromkeys(needed))


def _with_base(error: SeriesError, base: str, written_on: str, prerequisites: tuple[str, ...]) -> SeriesError:
    """The refusal, and the commit that the author says the series applies to."""
    if written_on in ("", base):
        return error
    needs = f" with {len(prerequisites)} more patches below it" if prerequisites else ""
    said = f"The series names its base: {written_on}{needs}. The tree is another one: {base}."
    return SeriesError(
        f"{error}\n  base-commit of the series: {written_on}", hint=f"{said} {error.hint}".strip()
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


def _recall(record: Path) -> AppliedSeries | None:
    """Read an applied series, unless its record is gone or damaged."""
    try:
        known: dict[str, Any] = json.loads(record.read_text())
        return AppliedSeries(
            commit=known["commit"],
            tree=known["tree"],
            patches=tuple(Patch(**patch) for patch in known["patches"]),
            fuzzed=tuple(FuzzedHunk(**hunk) for hunk in known["fuzzed"]),
            title=known["title"],
            notes=tuple(known["notes"]),
            letter=Letter(**{**known["letter"], "recipients": tuple(known["letter"]["recipients"])}),
            written_on=known["written_on"],
            replayed=known["replayed"],
            prerequisites=tuple(known["prerequisites"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
