# SPDX-License-Identifier: GPL-2.0-only
"""The part of a script that gets the sources: the tree as it was fetched, and our patches on it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.commands.cell.cell import RecordedCell
from harness.commands.cell.repro.shell_text import Part, Raw, command, function, here, join, printable
from harness.core.errors import InfrastructureError, UsageError
from harness.sources.git.mirror import open_mirror
from harness.sources.git.repository import GitError, Repository
from results.journal.journal import Origin
from results.model.run import Patch, Subject

GIT = r"""
# A repository in which no setting of the user changes files: new_tree FOLDER
new_tree() {
	git -C "$1" init --quiet --template= --initial-branch=main .
	for setting in user.name=repro user.email=repro@localhost gc.auto=0 \
		commit.gpgSign=false tag.gpgSign=false core.hooksPath=/dev/null \
		core.autocrlf=false core.attributesFile=/dev/null apply.ignoreWhitespace=no; do
		git -C "$1" config "${setting%%=*}" "${setting#*=}"
	done
}

# Apply a diff exactly and commit it with the author and message of the run: apply_patch NUMBER
apply_patch() {
	patch_"$1" | git -C linux.new apply --index --whitespace=nowarn - || fail "patch $1 does not apply"
	commit=$({
		echo "tree $(git -C linux.new write-tree)"
		echo "parent $(git -C linux.new rev-parse HEAD)"
		commit_"$1"
	} | git -C linux.new hash-object -t commit -w --stdin)
	git -C linux.new update-ref HEAD "$commit"
}

# Compare a commit with the one that the run has built, by Git's hash of all files:
# check_tree FOLDER COMMIT NAME TREE
check_tree() {
	found=$(git -C "$1" rev-parse --verify --quiet "$2^{tree}") || found=none
	[ "$found" = "$4" ] || fail "the sources of $3 are not those of the run: $1 has tree $found, not $4"
	echo "The sources of $3 are those of the run (tree $4)"
}
"""


@dataclass(frozen=True, slots=True)
class _Step:
    """A patch to apply, and the cell whose sources are complete after it."""

    patch: Patch
    number: int


def sources(cells: Sequence[RecordedCell], cache: Path) -> Part:
    """Functions: `get_sources` makes linux/ with a tag for each cell's variant.

    Raises:
        UsageError: if the run does not say where its tree came from.
        InfrastructureError: if the commits are no longer in the cache.
    """
    plan = cells[0].plan
    if plan.origin is None:
        raise UsageError(
            f"the run {plan.id} was made by an older version of this program, which did not note "
            "where the tree comes from",
            hint=cells[0].run_again,
        )
    _require_known_kind(plan.origin)
    steps = [_Step(patch, number) for number, patch in enumerate(_patches(cells), 1)]
    try:
        goals = _goals(cells, cache)
        patches = b"".join(_patch(step, open_mirror(cache)) for step in steps)
    except GitError:
        raise InfrastructureError(
            f"the commits of the run {plan.id} are no longer in the cache", hint=cells[0].run_again
        ) from None
    make = (
        "\trm -rf linux.new\n"
        + _fetch(plan.origin)
        + "".join(_progress(cells[0].plan.subject, steps, goals))
        + "\tmv linux.new linux\n"
    )
    get = (
        "\t[ -d linux ] || make_sources\n\t# A linux/ that was here already may be that of another run.\n"
        + "".join(command("check_tree", "linux", goal.variant, goal.variant, goal.tree) for goal in goals)
    )
    functions = (function("make_sources", make, _about(plan.origin)), function("get_sources", get))
    return Part(b"\n".join((GIT.encode(), *functions)), patches)


@dataclass(frozen=True, slots=True)
class _Goal:
    """The sources that a cell of the run was built from."""

    commit: str
    variant: str
    tree: str


def _goals(cells: Sequence[RecordedCell], cache: Path) -> tuple[_Goal, ...]:
    mirror = open_mirror(cache)
    trees = [mirror.run("rev-parse", "--verify", f"{past.build.commit}^{{tree}}") for past in cells]
    return tuple(
        _Goal(past.build.commit, past.cell.variant, tree) for past, tree in zip(cells, trees, strict=True)
    )


def _require_known_kind(origin: Origin) -> None:
    """Refuse an origin that git or apt would take for an option, or for the name of another program.

    Raises:
        UsageError: naming it.
    """
    said = {
        origin.package: r"[a-z0-9][a-z0-9+.-]+",
        origin.version: r"[A-Za-z0-9][A-Za-z0-9.+:~-]*",
        origin.url: r"(?:https?|git|ssh|ftps?|file)://[^\s-]\S*|[\w.-]+@[\w.][\w.-]*:\S+",
        origin.path: r"/.*",
    }
    for text, pattern in said.items():
        if text and not re.fullmatch(pattern, text, re.DOTALL):
            raise UsageError(f"the run names no tree that could be fetched: {printable(text)}")


def _patches(cells: Sequence[RecordedCell]) -> tuple[Patch, ...]:
    """The fixes of the tree, and as much of the series as any of the cells has."""
    subject = cells[0].plan.subject
    commits = [subject.base_commit, *(patch.commit for patch in subject.patches)]
    built = {past.build.commit for past in cells}
    if not built <= set(commits):
        raise UsageError(f"the run {cells[0].plan.id} has no patch for a commit that it has built")
    count = max(map(commits.index, built))
    return (*subject.tree_fixes, *subject.patches[:count])


def _progress(subject: Subject, steps: Sequence[_Step], goals: Sequence[_Goal]) -> Iterator[str]:
    """Patches in order; the sources of a cell are checked and tagged as soon as they are complete."""
    if not subject.tree_fixes:
        yield from _checks(subject.base_commit, goals)
    for step in steps:
        yield f"\tapply_patch {step.number}\n"
        yield from _checks(step.patch.commit, goals)


def _checks(commit: str, goals: Sequence[_Goal]) -> Iterator[str]:
    for goal in goals:
        if goal.commit == commit:
            yield command("check_tree", "linux.new", "HEAD", goal.variant, goal.tree)
            yield command("git -C linux.new tag", goal.variant)


def _patch(step: _Step, mirror: Repository) -> bytes:
    """Functions that print the diff of a commit, and its header and message."""
    commit = step.patch.commit
    options = ("-p", "--binary", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv")
    diff = mirror.run_bytes("diff-tree", *options, f"{commit}^", commit)
    header, _, message = mirror.run_bytes("cat-file", "commit", commit).partition(b"\n\n")
    kept = [line for line in header.split(b"\n") if not line.startswith((b"tree ", b"parent "))]
    record = b"\n".join(kept) + b"\n\n" + message
    about = printable(step.patch.subject)
    return b"\n".join(
        (
            b"",
            function(f"commit_{step.number}", here("cat", record), about),
            function(f"patch_{step.number}", here("cat", diff)),
        )
    )


def _about(origin: Origin) -> str:
    if origin.package:
        return f"The sources are those of Debian's {origin.package} {origin.version}."
    if origin.url:
        return f"The sources are one commit of {origin.url}."
    return "The sources are one commit of a local repository; name it in LOCAL_TREE if it is elsewhere now."


def _fetch(origin: Origin) -> str:
    if origin.package:
        return _fetch_package(origin)
    if origin.url:
        return _fetch_commit(origin.commit, "--", origin.url)
    upload = "--upload-pack=git -c uploadpack.allowAnySHA1InWant=true upload-pack"
    return (
        f'\tlocal_tree={join([origin.path])}\n\t[ -z "${{LOCAL_TREE:-}}" ] || local_tree=$LOCAL_TREE\n'
    ) + _fetch_commit(origin.commit, upload, "--", Raw('"$local_tree"'))


def _fetch_package(origin: Origin) -> str:
    package, name = join([origin.package]), f"{origin.package} {origin.version}"
    return f"""\
	say {join([f"Sources: {name}"])}
	apt-get download {join([f"{origin.package}={origin.version}"])} ||
		fail 'Debian no longer has this version; https://snapshot.debian.org/package/linux/ may'
	dpkg -x {package}_*.deb package
	mkdir linux.new
	tar -xf package/usr/src/{package}.tar.xz -C linux.new --strip-components=1
	new_tree linux.new
	git -C linux.new add --all --force
	git -C linux.new commit --quiet -m {join([name])}
"""


def _fetch_commit(commit: str, *source: str) -> str:
    return f"""\
	say {join([f"Sources: commit {commit}"])}
	mkdir linux.new
	new_tree linux.new
	git -C linux.new fetch --quiet --depth=1 --no-tags {join([*source, commit])}
	git -C linux.new checkout --quiet FETCH_HEAD
"""
