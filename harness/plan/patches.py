# SPDX-License-Identifier: GPL-2.0-only
"""Which patches of a series to walk through, and which of them change no kernel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path, PurePosixPath

from harness.config.catalogue import load
from harness.config.record import Items, Record
from harness.core.errors import UsageError
from harness.core.shipped import CONFIGS
from harness.plan.prepare import Checkouts, patch_commit
from harness.sources.git.mirror import open_mirror, tree_hash
from harness.sources.series.changed_code import ChangedCode, read_changed_code
from results.journal.journal import patch_variant
from results.model.run import Subject
from results.text import amount


class InertRecord(Record):
    """Paths that no kernel is built from; `configs/inert.yaml`."""

    name: str
    about: str
    folders: Items[str]
    """With a slash at the end, from the top of the tree."""
    files: Items[str]
    but_not: Items[str]
    """Shell patterns of file names that count wherever they are."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The patches that the user asked for; all of them if nothing is said."""

    only: tuple[int, ...] = ()
    first: int | None = None


def choose(choice: Choice, count: int) -> tuple[int, ...]:
    """Numbers of the patches to walk through, in order.

    Base is always there, as what every patch is compared with, and so is the patch before each that
    was asked for: without it the two cannot be told apart.

    Raises:
        UsageError: if the series has no such patch.
    """
    for option, number in (*(("--only", number) for number in choice.only), ("--from", choice.first)):
        if number is not None and not 1 <= number <= count:
            raise UsageError(
                f"{option} {number}: the series has {amount(count, 'patch', 'patches')}",
                hint=f"Choose from 1 to {count}; base is always there.",
            )
    asked = choice.only or range(choice.first or 1, count + 1)
    return tuple(sorted({0, *asked, *(number - 1 for number in asked)}))


def with_patches(checkouts: Checkouts, numbers: Iterable[int], cache: Path) -> Checkouts:
    """The same checkouts, and those of the patches."""
    trees = {
        patch_variant(number): tree_hash(cache, patch_commit(checkouts.subject, number)) for number in numbers
    }
    return replace(checkouts, trees={**checkouts.trees, **trees})


def find_kernels(numbers: Sequence[int], subject: Subject, cache: Path) -> tuple[int, ...]:
    """For each patch the one whose kernel it has: its own, or an earlier one's with equal sources."""
    inert = load(CONFIGS / "inert.yaml", InertRecord)
    kernels = [numbers[0]]
    for before, number in pairwise(numbers):
        paths = _changed(cache, patch_commit(subject, before), patch_commit(subject, number))
        kernels.append(kernels[-1] if all(is_inert(path, inert) for path in paths) else number)
    return tuple(kernels)


def is_inert(path: str, inert: InertRecord) -> bool:
    """Whether a change of this file changes no kernel."""
    if any(fnmatchcase(PurePosixPath(path).name, pattern) for pattern in inert.but_not):
        return False
    return path in inert.files or path.startswith(inert.folders)


def changed_code(subject: Subject, cache: Path) -> ChangedCode:
    """Read the code of a series that is part of a kernel, each line with its patch."""
    inert = load(CONFIGS / "inert.yaml", InertRecord)
    commits = [patch.commit for patch in subject.patches]
    return read_changed_code(
        open_mirror(cache),
        subject.base_commit,
        subject.series_commit,
        commits,
        lambda path: is_inert(path, inert),
    )


def _changed(cache: Path, before: str, after: str) -> list[str]:
    listing = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", before, after)
    return [path for path in open_mirror(cache).run(*listing).split("\0") if path]
