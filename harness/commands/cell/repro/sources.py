# SPDX-License-Identifier: GPL-2.0-only
"""The part of a script that gets the sources: the tree as it was fetched, and our patches on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.commands.cell.cell import RecordedCell
from harness.commands.cell.repro.shell_text import Part, function, here, join, printable
from harness.core.errors import InfrastructureError, UsageError
from harness.sources.git.mirror import open_mirror
from harness.sources.git.repository import GitError
from results.journal.journal import Origin
from results.model.run import Patch, Subject

GIT = r"""
# Git without anybody's own settings, in the tree that is being made.
tree_git() {
	git -C linux.new -c user.name=repro -c user.email=repro@localhost -c commit.gpgSign=false \
		-c core.autocrlf=false -c core.hooksPath=/dev/null -c gc.auto=0 "$@"
}

# Compare what is checked out with what the run has built, by Git's hash of all files: check NAME TREE
check_tree() {
	found=$(tree_git rev-parse 'HEAD^{tree}')
	[ "$found" = "$2" ] || fail "the sources of $1 are not those of the run: tree $found, not $2"
	tree_git tag "$1"
	echo "The sources of $1 are those of the run (tree $2)"
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
    steps = [_Step(patch, number) for number, patch in enumerate(_patches(cells), 1)]
    try:
        marks = _marks(cells, cache)
        patches = b"".join(_patch(step, cache) for step in steps)
    except GitError:
        raise InfrastructureError(
            f"the commits of the run {plan.id} are no longer in the cache", hint=cells[0].run_again
        ) from None
    body = (
        "\t[ ! -d linux ] || return 0\n"
        "\trm -rf linux.new\n"
        + _fetch(plan.origin)
        + "".join(_progress(cells[0].plan.subject, steps, marks))
        + "\tmv linux.new linux\n"
    )
    return Part(GIT.encode() + b"\n" + function("get_sources", body, _about(plan.origin)), patches)


def _marks(cells: Sequence[RecordedCell], cache: Path) -> dict[str, list[str]]:
    """Commit → the lines that check and tag it."""
    mirror = open_mirror(cache)
    marks: dict[str, list[str]] = {}
    for past in cells:
        tree = mirror.run("rev-parse", "--verify", f"{past.build.commit}^{{tree}}")
        marks.setdefault(past.build.commit, []).append(f"\tcheck_tree {past.cell.variant} {tree}\n")
    return marks


def _patches(cells: Sequence[RecordedCell]) -> tuple[Patch, ...]:
    """The fixes of the tree, and as much of the series as any of the cells has."""
    subject = cells[0].plan.subject
    commits = [subject.base_commit, *(patch.commit for patch in subject.patches)]
    count = max(commits.index(past.build.commit) for past in cells)
    return (*subject.tree_fixes, *subject.patches[:count])


def _progress(subject: Subject, steps: Sequence[_Step], marks: dict[str, list[str]]) -> Iterator[str]:
    """Patches in order; the cell's sources are checked as soon as they are complete."""
    if not subject.tree_fixes:
        yield from marks.get(subject.base_commit, ())
    for step in steps:
        yield f"\tpatch_{step.number} | tree_git am --quiet --keep-cr\n"
        yield from marks.get(step.patch.commit, ())


def _patch(step: _Step, cache: Path) -> bytes:
    text = open_mirror(cache).run_bytes(
        *("format-patch", "-1", "--stdout", "--binary", "--full-index", "--no-signature", "--no-renames"),
        step.patch.commit,
    )
    return b"\n" + function(f"patch_{step.number}", here("cat", text), printable(step.patch.subject))


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
        return _fetch_commit(origin.commit, join([origin.url]))
    upload = "--upload-pack='git -c uploadpack.allowAnySHA1InWant=true upload-pack' "
    return f"\tlocal_tree=${{LOCAL_TREE:-{join([origin.path])}}}\n" + _fetch_commit(
        origin.commit, upload + '"$local_tree"'
    )


def _fetch_package(origin: Origin) -> str:
    package, version = join([origin.package]), join([origin.version])
    name = f"{origin.package} {origin.version}"
    return f"""\
	say {join([f"Sources: {name}"])}
	apt-get download {package}={version} ||
		fail 'Debian no longer has this version; https://snapshot.debian.org/package/linux/ may'
	dpkg -x {package}_*.deb package
	mkdir linux.new
	tar -xf package/usr/src/{package}.tar.xz -C linux.new --strip-components=1
	tree_git init --quiet --template= --initial-branch=main .
	tree_git add --all --force
	tree_git commit --quiet -m {join([name])}
"""


def _fetch_commit(commit: str, source: str) -> str:
    return f"""\
	say 'Sources: commit {commit}'
	mkdir linux.new
	tree_git init --quiet --template= --initial-branch=main .
	tree_git fetch --quiet --depth=1 --no-tags {source} {commit}
	tree_git checkout --quiet FETCH_HEAD
"""
