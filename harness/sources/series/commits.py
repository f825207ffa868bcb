# SPDX-License-Identifier: GPL-2.0-only
"""A range of commits as a series: its very commits on their own base, replayed commits on another.

Nothing goes through mail: messages, authors and files stay what they are, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.core.errors import InfrastructureError
from harness.sources.git.repository import COMMITTER_EMAIL, COMMITTER_NAME, GitError, Repository
from harness.sources.git.scratch import borrowing_repository
from harness.sources.series.mail.mbox import SeriesError, printable
from results.text import abbrev

MOST_COMMITS = 1000
_COVER = re.compile(r"^--- b4-submit-tracking ---$", re.MULTILINE)
_CONFLICT = re.compile(r"^<{7} .*?^>{7} ", re.MULTILINE | re.DOTALL)
_MOST_FILES = 3
_MOST_LINES = 14


@dataclass(frozen=True, slots=True)
class RangeCommit:
    """One commit of a range."""

    commit: str
    tree: str
    parent: str
    parent_tree: str
    author: str
    """`Name <address>`."""
    subject: str
    is_cover: bool
    """The empty commit in which `b4 prep` keeps the cover letter."""

    @property
    def is_empty(self) -> bool:
        """Whether it changes no file."""
        return self.tree == self.parent_tree


@dataclass(frozen=True, slots=True)
class CommitRange:
    """The commits that a range adds to the commit that it forks from, oldest first."""

    name: str
    """For messages."""
    owner: Repository
    base: str
    """The parent of the oldest commit."""
    tip: str
    commits: tuple[RangeCommit, ...]
    is_part: bool = False
    """Only some of the commits are there."""

    @property
    def patches(self) -> tuple[RangeCommit, ...]:
        """The commits that change a file."""
        return tuple(commit for commit in self.commits if not commit.is_empty)

    def part(self, numbers: Sequence[int]) -> CommitRange:
        """Only some of its patches; what is left of the commits between them is replayed."""
        patches = self.patches
        if len(numbers) == len(patches):
            return self
        return replace(self, commits=tuple(patches[number - 1] for number in numbers), is_part=True)

    @property
    def cover(self) -> RangeCommit | None:
        """The commit with the cover letter."""
        return next((commit for commit in self.commits if commit.is_cover), None)

    @property
    def notes(self) -> tuple[str, ...]:
        """The commits that are no patches."""
        return tuple(
            f"{abbrev(commit.commit)} “{printable(commit.subject)}” "
            + ("is the cover letter of b4, not a patch" if commit.is_cover else "changes no file: left out")
            for commit in self.commits
            if commit.is_empty
        )


@dataclass(frozen=True, slots=True)
class PlacedRange:
    """The commits that a range became in the mirror, one for each patch, and notes for the reader."""

    commits: tuple[str, ...]
    tree: str
    """Of the last commit."""
    patch_ids: tuple[str, ...]
    notes: tuple[str, ...]


def read_range(owner: Repository, name: str, base: str, tip: str) -> CommitRange:
    """Read the commits that `tip` has and `base` lacks.

    Raises:
        SeriesError: if they are no series: none, too many, with merges, or with no common history.
    """
    listed = _listed(owner, base, tip)
    if listed and len(parents := listed[0][1:]) == 2 and _is_cover_merge(owner, tip, parents):
        tip, listed = parents[1], _listed(owner, base, parents[1])
    _require_series(owner, name, base, tip, listed)
    commits = _read_commits(owner, name, base, tip)
    found = CommitRange(name, owner, commits[0].parent, tip, commits)
    if not found.patches:
        raise SeriesError(
            f"no commit of the range {name} changes a file",
            hint="Name the commit that the series was written on as BASE, its last one as TIP.",
        )
    return found


def _listed(owner: Repository, base: str, tip: str) -> list[list[str]]:
    """The commits of a range, the last first, each with its parents; not many more than are allowed."""
    most = f"--max-count={MOST_COMMITS + 1}"
    return [line.split() for line in owner.run("rev-list", "--parents", most, f"{base}..{tip}").splitlines()]


def _is_cover_merge(owner: Repository, tip: str, parents: Sequence[str]) -> bool:
    """Whether a merge brings nothing of its own, as b4's strategy `tip-merge` makes it."""
    trees = owner.run("rev-parse", f"{tip}^{{tree}}", f"{parents[1]}^{{tree}}").splitlines()
    return trees[0] == trees[1] and owner.succeeds("merge-base", "--is-ancestor", *parents)


def _require_series(
    owner: Repository, name: str, base: str, tip: str, listed: Sequence[Sequence[str]]
) -> None:
    """Refuse a range that is no series before anything of it is read."""
    if 0 < len(listed) <= MOST_COMMITS and all(len(line) == 2 for line in listed):
        return

    def count(*option: str) -> int:
        return int(owner.run("rev-list", "--count", *option, f"{base}..{tip}"))

    if not listed:
        raise SeriesError(f"the range {name} is empty: TIP has nothing that BASE lacks", hint="Swap the two?")
    if count("--max-parents=0"):
        raise SeriesError(
            f"the range {name} goes back to the beginning of its history: TIP does not descend from BASE",
            hint="Name the commit that the series was written on as BASE; deepen a shallow clone first.",
        )
    if merges := count("--merges"):
        raise SeriesError(
            f"the range {name} has {merges} merge commits, which are no patches",
            hint="Rebase it onto BASE first.",
        )
    raise SeriesError(
        f"the range {name} has {count()} commits, more than the {MOST_COMMITS} that count as a series",
        hint="Name the commit that the series was written on as BASE.",
    )


def _read_commits(owner: Repository, name: str, base: str, tip: str) -> tuple[RangeCommit, ...]:
    form = "%H%x00%T%x00%an <%ae>%x00%s%x00%B%x00"
    try:
        said = owner.run("log", "--reverse", "--topo-order", f"--format={form}", f"{base}..{tip}", "--")
        words = said.split("\0")
        parent, parent_tree = owner.run("rev-parse", f"{words[0]}^", f"{words[0]}^^{{tree}}").split()
    except GitError as error:
        raise SeriesError(
            f"git can't read the commits of the range {name}: {error}",
            hint="Is the checkout a shallow clone whose history ends inside the range?",
        ) from error
    commits: list[RangeCommit] = []
    for commit, tree, author, subject, message in zip(*(words[place::5] for place in range(5)), strict=False):
        is_cover = tree == parent_tree and bool(_COVER.search(message))
        commits.append(RangeCommit(commit.strip(), tree, parent, parent_tree, author, subject, is_cover))
        parent, parent_tree = commit.strip(), tree
    return tuple(commits)


def place_range(mirror: Repository, base: str, found: CommitRange, log: Callable[[str], None]) -> PlacedRange:
    """Bring the commits of a range into the mirror, on top of a base commit; no ref names them yet.

    Raises:
        SeriesError: for a commit that does not apply.
        InfrastructureError: if the repository lacks objects, or the last tree is not that of the range.
    """
    patches = found.patches
    with borrowing_repository(found.owner, mirror) as scratch:
        try:
            _hydrate(found.owner, found.base, found.tip)
            if found.base == base and not found.is_part:
                log(f"copying {len(patches)} commits of {found.name}")
                commits = tuple(patch.commit for patch in patches)
                placed = PlacedRange(commits, patches[-1].tree, _patch_ids(scratch, commits), ())
            else:
                log(f"replaying {len(patches)} commits of {found.name} on {abbrev(base)}")
                placed = _replay(scratch, base, found)
            copy_commits(scratch, mirror, base, placed.commits[-1])
        except GitError as error:
            raise InfrastructureError(
                f"{found.owner.path} does not hold all files of the range {found.name}: {error}",
                hint="In a partial clone, check the range out once, so that git fetches them.",
            ) from error
    _require_tree_of_tip(mirror, base, found, placed)
    return placed


def _hydrate(owner: Repository, base: str, tip: str) -> None:
    """Have git fetch the files of a range that a partial clone lacks."""
    if owner.succeeds("config", "--get-regexp", r"^(extensions\.partialclone|remote\..*\.promisor)$"):
        plain = ("--no-ext-diff", "--no-textconv", "--no-renames", "--binary", "--full-index")
        owner.run_bytes("log", "--patch", *plain, f"{base}..{tip}", "--", user_config=True)


def copy_commits(source: Repository, mirror: Repository, base: str, tip: str) -> None:
    """Copy the objects of `base..tip` that `base` has not.

    A fetch would move the mirror's shallow boundaries, and so cut the history of other series.
    """
    revisions = f"{tip}\n^{base}\n".encode()
    # A bitmap would leave out what anything before the base had once; the mirror may not have it.
    options = ("--revs", "--stdout", "--quiet", "--no-use-bitmap-index", "--delta-base-offset")
    pack = source.run_bytes("pack-objects", *options, stdin=revisions)
    mirror.run("unpack-objects", "-q", stdin=pack)
    mirror.run("rev-list", "--objects", "--quiet", tip, f"^{base}")


def _require_tree_of_tip(mirror: Repository, base: str, found: CommitRange, placed: PlacedRange) -> None:
    """On the files that a range was written for, its last commit has the files of its tip."""
    before, tree = mirror.run("rev-parse", f"{base}^{{tree}}", f"{placed.commits[-1]}^{{tree}}").split()
    if not found.is_part and before == found.patches[0].parent_tree and tree != found.patches[-1].tree:
        raise InfrastructureError(
            f"the range {found.name} became the tree {abbrev(tree)}, "
            f"but TIP has the tree {abbrev(found.patches[-1].tree)}",
            hint="This is a fault of thp-harness: report it, with the two commits.",
        )


def _replay(scratch: Repository, base: str, found: CommitRange) -> PlacedRange:
    """Do as `git cherry-pick` does, without a worktree."""
    head, tree = base, scratch.run("rev-parse", f"{base}^{{tree}}")
    notes = [f"the range was written on {abbrev(found.base)}: its commits are replayed on {abbrev(base)}"]
    commits: list[str] = []
    for number, patch in enumerate(found.patches):
        label = _label(found, number)
        merged = _merge(scratch, tree, patch, f"{label} does not apply to {abbrev(base)}")
        if merged == tree:
            raise SeriesError(
                f"{label} changes nothing on {abbrev(base)}",
                hint="The tree holds this change already: drop the commit, or use an older tree.",
            )
        head, tree = _commit(scratch, patch.commit, merged, head), merged
        commits.append(head)
    originals = [patch.commit for patch in found.patches]
    ids = _patch_ids(scratch, (*originals, *commits))
    before, after = ids[: len(originals)], ids[len(originals) :]
    for number in range(len(originals)):
        if before[number] != after[number]:
            label = _label(found, number)
            notes.append(f"{label} was merged: its surroundings differ from those that it was written for")
    return PlacedRange(tuple(commits), tree, after, tuple(notes))


def _label(found: CommitRange, position: int) -> str:
    subject = printable(found.patches[position].subject)
    return f"patch {position + 1}/{len(found.patches)} “{subject}”"


def _merge(scratch: Repository, ours: str, patch: RangeCommit, refusal: str) -> str:
    """Three-way merge of a commit's change into a tree."""
    side = _write_commit(scratch, ours, patch.parent)
    how = ("--write-tree", "--name-only", "--messages")
    try:
        return scratch.run("merge-tree", *how, side, patch.commit).split("\n")[0]
    except GitError as error:
        if error.returncode != 1:
            raise
        said = error.stdout
    listed, _, messages = said.partition("\n\n")
    tree, *files = listed.splitlines()
    conflicts = [line for line in messages.splitlines() if line.startswith("CONFLICT")]
    shown = [f"  {printable(line)}" for line in conflicts[:_MOST_FILES]]
    shown += _conflicting_lines(scratch, tree, files)
    raise SeriesError(
        refusal + ":\n" + "\n".join(shown),
        hint="The range was written for another tree: use its base commit as --tree, or rebase it.",
    )


def _conflicting_lines(scratch: Repository, tree: str, files: Sequence[str]) -> Iterator[str]:
    for file in files[:1]:
        try:
            text = scratch.run("cat-file", "blob", f"{tree}:{file}")
        except GitError:
            continue
        if found := _CONFLICT.search(text):
            lines = found[0].splitlines()[1:-1]
            yield f"  {printable(file)}, first conflict (tree above, commit below):"
            yield from (f"    | {printable(line)}" for line in lines[:_MOST_LINES])
            if len(lines) > _MOST_LINES:
                yield f"    | … ({len(lines) - _MOST_LINES} more lines)"


def _patch_ids(scratch: Repository, commits: Sequence[str]) -> tuple[str, ...]:
    """The patch id of each commit; empty for what git gives none."""
    how = ("--stdin", "-p", "--binary", "--full-index", "-M")
    diffs = scratch.run_bytes("diff-tree", *how, stdin="".join(f"{one}\n" for one in commits).encode())
    pairs = (line.split() for line in scratch.run("patch-id", "--stable", stdin=diffs).splitlines())
    patch_ids = {commit: patch_id for patch_id, commit in pairs}
    return tuple(patch_ids.get(commit, "") for commit in commits)


def _write_commit(scratch: Repository, tree: str, parent: str) -> str:
    """A commit for `git merge-tree`, which finds the base of a merge by itself."""
    who = f"{COMMITTER_NAME} <{COMMITTER_EMAIL}> 0 +0000"
    content = f"tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\n-\n"
    return scratch.run("hash-object", "-t", "commit", "-w", "--stdin", stdin=content.encode())


def _commit(scratch: Repository, original: str, tree: str, parent: str) -> str:
    """The original's message, encoding and author, byte for byte, on another tree and parent."""
    head, _, message = scratch.run_bytes("cat-file", "commit", original).partition(b"\n\n")
    author = re.search(rb"^author (.*)$", head, re.MULTILINE)
    encoding = re.search(rb"^encoding .*\n", head + b"\n", re.MULTILINE)
    assert author
    when = author[1].rpartition(b"> ")[2]  # so that the commit has the same id on every machine
    committer = f"{COMMITTER_NAME} <{COMMITTER_EMAIL}> ".encode() + when
    lines = (b"tree " + tree.encode(), b"parent " + parent.encode(), author[0], b"committer " + committer)
    content = b"\n".join(lines) + b"\n" + (encoding[0] if encoding else b"") + b"\n" + message
    return scratch.run("hash-object", "-t", "commit", "-w", "--stdin", stdin=content)
