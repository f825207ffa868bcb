# SPDX-License-Identifier: GPL-2.0-only
"""`git am` of a series, and what to say when it refuses.

Patches are applied in a scratch repository that holds only the files they touch, which takes
tenths of a second where a whole kernel worktree takes half a minute. The commits are the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import InfrastructureError
from harness.sources.git.repository import GitError, Repository
from harness.sources.git.scratch import check_out_only, confined, scratch_repository
from harness.sources.series.diff import FileDiff, Hunk
from harness.sources.series.fuzz import place
from harness.sources.series.mail.mbox import Mail, SeriesError, printable
from results.model.run import FuzzedHunk, Patch
from results.text import abbrev

_REFUSED_HUNK = re.compile(r"^error: patch failed: (.+):(\d+)$", re.MULTILINE)
_NO_SUCH_FILE = re.compile(
    r"^error: (.+): (?:does not exist in index|No such file or directory)$", re.MULTILINE
)
_FILE_EXISTS = re.compile(r"^error: (.+): already exists in (?:index|working directory)$", re.MULTILINE)
_DATES = "--committer-date-is-author-date"  # which `git am --continue` does not remember by itself
_OPTIONS = (_DATES, "--quoted-cr=strip", "--no-scissors")
_MERGED = re.compile(r"^Applying: (.*)\n(?:(?!Applying: ).*\n)*?Falling back to patching base", re.MULTILINE)
_BLOBS = re.compile(r"^index ([0-9a-f]{7,40})\.\.", re.MULTILINE)
_NOT_MERGED = "error: Failed to merge in the changes."
_INVALID_DATE = re.compile(r"^fatal: invalid date format: (.*)$", re.MULTILINE)
_COMMIT = re.compile(rb"^commit ([0-9a-f]{40} [0-9a-f]{40} .*)$", re.MULTILINE)
_MOST_HUNKS = 3
_MOST_LINES = 14


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """What may be done with a patch that does not apply exactly."""

    allow_fuzz: bool = False
    """Place its hunks with GNU patch."""
    three_way: bool = False
    """Merge it, as `git am --3way` does, where the files that it was written for are known."""
    repository: Path | None = None
    """A local repository that may have these files."""


@dataclass(frozen=True, slots=True)
class AppliedMails:
    """The commits that a series made, the hunks that had to be fuzzed for it, and notes for the reader."""

    patches: tuple[Patch, ...]
    tree: str
    """Of the last commit."""
    fuzzed: tuple[FuzzedHunk, ...]
    notes: tuple[str, ...] = ()


def apply_mails(
    mirror: Repository,
    base: str,
    patches: tuple[Mail, ...],
    options: ApplyOptions,
    log: Callable[[str], None],
) -> AppliedMails:
    """Apply patches to a base commit; the new commits are in the mirror, named by no ref yet.

    Raises:
        SeriesError: for a patch that does not apply; nothing half-done is left anywhere.
    """
    fuzzed: list[FuzzedHunk] = []
    if options.three_way and options.repository:
        _borrow_blobs(mirror, options.repository, patches)
    with scratch_repository(mirror) as scratch:
        touched = {path for mail in patches for file in mail.files for path in file.paths}
        check_out_only(scratch, base, touched)
        confined_scratch = confined(scratch, mirror)
        said, refusal = _start(confined_scratch, patches, options)
        while refusal:
            attempt = _Attempt(scratch, base, patches, _position(scratch, refusal), refusal)
            if options.three_way:
                scratch.run("reset", "--quiet", "--hard")
            if not options.allow_fuzz or options.three_way:
                raise attempt.explained()
            log(f"placing {attempt.mail.label} with fuzz")
            fuzzed += attempt.place_with_fuzz()
            more, refusal = _am(confined_scratch, "--continue", _DATES)
            said += more
        merged = [f"“{subject}” was merged by `git am --3way`" for subject in _MERGED.findall(said)]
        return AppliedMails(*_commits(scratch, base), tuple(fuzzed), tuple(map(printable, merged)))


def _commits(scratch: Repository, base: str) -> tuple[tuple[Patch, ...], str]:
    """Read the commits from a base to HEAD, and the tree of the last one."""
    how = ("--reverse", "--no-merges", "--format=commit %H %T %s", "--patch", "--full-index", "--binary")
    history = scratch.run_bytes("log", *how, f"{base}..HEAD")
    pairs = (line.split() for line in scratch.run("patch-id", "--stable", stdin=history).splitlines())
    patch_ids = {commit: patch_id for patch_id, commit in pairs}
    found = [head.decode("utf-8", errors="replace").split(" ", 2) for head in _COMMIT.findall(history)]
    patches = tuple(
        Patch(number, subject, commit, patch_ids.get(commit, ""))
        for number, (commit, _, subject) in enumerate(found, start=1)
    )
    return patches, found[-1][1]


def _borrow_blobs(mirror: Repository, repository: Path, patches: Iterable[Mail]) -> None:
    """Copy the files that the patches were written for, as far as a local repository has them."""
    owner = Repository(repository.expanduser().absolute())
    wanted = {blob for mail in patches for blob in _BLOBS.findall(mail.diff)}
    listing = "".join(f"{blob}\n" for blob in sorted(wanted)).encode()
    lines = owner.run("cat-file", "--batch-check", stdin=listing).splitlines()
    found = [line.split()[0] for line in lines if line.split()[1:2] == ["blob"]]
    if found:
        pack = owner.run_bytes("pack-objects", "--stdout", "--quiet", stdin="\n".join(found).encode() + b"\n")
        mirror.run("unpack-objects", "-q", stdin=pack)


def _start(
    scratch: Repository, patches: tuple[Mail, ...], options: ApplyOptions
) -> tuple[str, GitError | None]:
    folder = scratch.path / ".git" / "patches"
    folder.mkdir()
    files = [folder / f"{number:06}" for number in range(1, len(patches) + 1)]
    for file, mail in zip(files, patches, strict=True):
        file.write_bytes(mail.raw)
    merge = "--3way" if options.three_way else "--no-3way"
    return _am(scratch, *_OPTIONS, merge, "--patch-format=mbox", "--", *map(str, files))


def _am(scratch: Repository, *arguments: str) -> tuple[str, GitError | None]:
    """Go on until the end, or return how a patch was refused; with what git says meanwhile."""
    try:
        return scratch.run("am", *arguments) + "\n", None
    except GitError as refusal:
        return refusal.stdout, refusal


def _position(scratch: Repository, refusal: GitError) -> int:
    """The index of the refused patch.

    Raises:
        GitError: the refusal again, if it is about something else.
    """
    try:
        return int((scratch.path / ".git" / "rebase-apply" / "next").read_text()) - 1
    except (OSError, ValueError):
        raise refusal from None


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A patch that git refused, and the scratch repository as it stands before it."""

    scratch: Repository
    base: str
    patches: tuple[Mail, ...]
    position: int
    refusal: GitError

    @property
    def mail(self) -> Mail:
        return self.patches[self.position]

    @property
    def earlier(self) -> tuple[Mail, ...]:
        return self.patches[: self.position]

    def place_with_fuzz(self) -> list[FuzzedHunk]:
        """Apply the patch with GNU patch, up to the point where `git am --continue` commits it."""
        if self._already_applied() or any(file.binary for file in self.mail.files):
            raise self.explained()
        if not place(self.scratch.path, self.mail.diff, dry_run=True).succeeded:
            raise self.explained()
        placement = place(self.scratch.path, self.mail.diff, dry_run=False)
        if not placement.succeeded:
            raise InfrastructureError(
                f"`patch` succeeded with --dry-run but failed to apply {self.mail.label}",
                hint="Is the disk full?",
            )
        paths = sorted({path for file in self.mail.files for path in file.paths})
        self.scratch.run("add", "--all", "--force", "--sparse", "--", *paths)
        by_fuzz = [hunk for hunk in placement.placed if hunk.fuzz] or placement.placed
        return [
            FuzzedHunk(self.mail.subject, hunk.file, hunk.hunk, hunk.fuzz, hunk.offset) for hunk in by_fuzz
        ]

    def explained(self) -> SeriesError:
        """Say which patch, file and hunk, why, and what can be done."""
        number = f"patch {self.position + 1}/{len(self.patches)} “{self.mail.subject}”"
        if date := _INVALID_DATE.search(self.refusal.stderr):
            return SeriesError(
                f"{number} has an invalid date: {printable(date[1])}", hint="Correct its `Date:` header."
            )
        places = "\n".join(self._places()) or _last_lines(self.refusal)
        return SeriesError(f"{number} does not apply to {abbrev(self.base)}:\n{places}", hint=self._hint())

    def _places(self) -> Iterator[str]:
        for file in _NO_SUCH_FILE.findall(self.refusal.stderr):
            yield f"  {file}: there is no such file" + self._removed_by(file)
        for file in _FILE_EXISTS.findall(self.refusal.stderr):
            yield f"  {file}: the patch creates it, but it is there already"
        refused = _REFUSED_HUNK.findall(self.refusal.stderr)
        unmerged = _NOT_MERGED in self.refusal.stderr
        failed = self._failed_hunks() if refused or unmerged else []
        for name, hunk in failed[:_MOST_HUNKS]:
            yield from _shown_hunk(name, *hunk)
        for name, line in () if failed else refused[:_MOST_HUNKS]:
            yield from _refused_hunk(self.mail.files, name, int(line))

    def _failed_hunks(self) -> list[tuple[str, tuple[int, Hunk]]]:
        """The hunks that have no place, not even with fuzz; git names the first that is not exact."""
        if self._already_applied():
            return []
        try:
            placement = place(self.scratch.path, self.mail.diff, dry_run=True)
        except InfrastructureError:
            return []
        files = {path: file for file in self.mail.files for path in file.paths}
        return [
            (name, (number, files[name].hunks[number - 1]))
            for name, number in placement.failed
            if name in files and number <= len(files[name].hunks)
        ]

    def _removed_by(self, path: str) -> str:
        for number, mail in enumerate(self.earlier, start=1):
            if any(file.removed == path for file in mail.files):
                return f"; patch {number} “{mail.subject}” of this series removed or renamed it"
        return ""

    def _already_applied(self) -> bool:
        return self.scratch.succeeds(
            "apply",
            "--check",
            "--cached",
            "--reverse",
            "-",
            stdin=self.mail.diff.encode("utf-8", errors="surrogateescape"),
        )

    def _hint(self) -> str:
        if self._already_applied():
            return self._hint_for_applied()
        try:
            placement = place(self.scratch.path, self.mail.diff, dry_run=True)
        except InfrastructureError:
            placement = None
        if placement and placement.succeeded and not any(file.binary for file in self.mail.files):
            hunks = ", ".join(str(hunk) for hunk in placement.placed if hunk.fuzz) or "with offsets only"
            return f"--allow-fuzz would place every hunk of this patch: {hunks}. Review the result."
        return "The series was written for another tree: use its base commit, or rebase it."

    def _hint_for_applied(self) -> str:
        for number, mail in enumerate(self.earlier, start=1):
            if mail.changes == self.mail.changes:
                return (
                    f"Patch {number} “{mail.subject}” of this series makes the same change: drop one of them."
                )
        return "The tree holds this change already: drop the patch from the series, or use an older tree."


def _refused_hunk(files: tuple[FileDiff, ...], path: str, line: int) -> Iterator[str]:
    for file in files:
        for number, hunk in enumerate(file.hunks, start=1):
            if path in file.paths and hunk.old_start == line:
                yield from _shown_hunk(path, number, hunk)
                return
    yield f"  {path}: the change for line {line} finds other lines there"


def _shown_hunk(path: str, number: int, hunk: Hunk) -> Iterator[str]:
    yield f"  {path}: hunk {number}, for line {hunk.old_start}, finds other lines there:"
    yield from (f"    | {printable(text)}" for text in hunk.lines[:_MOST_LINES])
    if len(hunk.lines) > _MOST_LINES:
        yield f"    | … ({len(hunk.lines) - _MOST_LINES} more lines)"


def _last_lines(refusal: GitError) -> str:
    said = [line for line in refusal.stderr.splitlines() if line.startswith(("error:", "fatal:"))]
    return "\n".join(f"  {line}" for line in said[-_MOST_HUNKS:]) or str(refusal)
