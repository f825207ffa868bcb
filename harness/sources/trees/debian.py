# SPDX-License-Identifier: GPL-2.0-only
"""A Debian kernel source package as a commit in the mirror."""

from __future__ import annotations

import gzip
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO

from harness.core.errors import InfrastructureError
from harness.sources.git.mirror import locked_mirror, open_mirror, read_ref, remove_leftovers
from harness.sources.git.repository import Repository
from harness.sources.trees.apt import AptUnavailable, PackageFile, fetch_package, find_package
from harness.sources.trees.tarball import CommitLabel, TarEntry, import_commit, tar_entries

_CHANGELOG_DATE = re.compile(rb"^ -- .*>  (.+)$", re.MULTILINE)
_DATE_WITHOUT_CHANGELOG = datetime(2000, 1, 1, tzinfo=UTC)


def prepare_package(
    package: str,
    version: str | None,
    cache: Path,
    log: Callable[[str], None],
    refresh: bool,
    suite: str = "",
) -> tuple[str, str, tuple[str, ...]]:
    """Return the commit of a source package, its package and version, and notes for the reader.

    Whatever was imported before is used without asking apt, unless `refresh` asks for the newest one.

    Raises:
        AptUnavailable: when no archive could be asked.
        UsageError: when none has the package.
        GitError: when it can't be imported.
    """
    mirror = open_mirror(cache)
    known = _imported(mirror, package, version, suite)
    if known and not refresh:
        return *known, ()
    try:
        found = find_package(package, version, cache, log, suite)
    except AptUnavailable as unavailable:
        if not known:
            raise
        return *known, (f"apt could not say whether {package} has a newer version: {unavailable}",)
    with locked_mirror(cache, log) as mirror:
        ref = _ref(found.package, found.version)
        commit = read_ref(mirror, ref)
        if not commit:  # not imported before, nor by a process that we waited for
            archive = fetch_package(found, cache, log)
            remove_leftovers(mirror.path)
            log(f"importing {found.package} {found.version} into git")
            commit = _import(mirror, archive, found, ref)
            archive.unlink()
        if suite:
            mirror.run("update-ref", _ref_of_suite(suite, package), commit)
    reason = found.outdated.strip().partition("\n")[0]
    notes = (f"the package lists are those of an earlier time: {reason}",) if reason else ()
    return commit, f"{found.package} {found.version}", notes


def _ref(package: str, version: str) -> str:
    return f"refs/debian/{package}/{version.replace('~', '_').replace(':', '_')}"


def _ref_of_suite(suite: str, package: str) -> str:
    """What a suite had when it was asked last."""
    return f"refs/debian-suites/{suite}/{re.sub(r'[^A-Za-z0-9.+-]+', '_', package).strip('.')}"


def _imported(mirror: Repository, package: str, version: str | None, suite: str) -> tuple[str, str] | None:
    """The newest imported commit of a package, or that of a version; with its package and version."""
    wanted = _ref(package, version) if version else f"refs/debian/{package}/"
    listed = mirror.run(
        *("for-each-ref", "--sort=-committerdate", "--count=1"),
        *("--format=%(objectname) %(contents:subject)", _ref_of_suite(suite, package) if suite else wanted),
    )
    if not listed:
        return None
    commit, _, subject = listed.partition(" ")
    return commit, subject


def _import(mirror: Repository, archive: Path, found: PackageFile, ref: str) -> str:
    label = CommitLabel(
        ref=ref,
        message=f"{found.package} {found.version}\n\nDebian's source package, without history.\n",
        seconds=_changelog_seconds(archive, found.package),
    )
    return import_commit(mirror, _entries(archive, found.package), label)


def _entries(archive: Path, package: str) -> Iterator[TarEntry]:
    """The kernel's files; damage that shows only at the very end is raised before the commit is made."""
    with _member(archive, f"./usr/src/{package}.tar.xz", ("xz", "-dcT0")) as stream:
        yield from tar_entries(stream)


def _changelog_seconds(archive: Path, package: str) -> int:
    """When the package was made, by the first entry of its changelog."""
    date = _DATE_WITHOUT_CHANGELOG
    try:
        with _member(archive, f"./usr/share/doc/{package}/changelog.Debian.gz") as stream:
            changelog = gzip.decompress(stream.read())
    except (InfrastructureError, OSError, EOFError):
        changelog = b""
    if found := _CHANGELOG_DATE.search(changelog):
        date = parsedate_to_datetime(found[1].decode("ascii", errors="replace"))
    return int(date.timestamp())


@contextmanager
def _member(archive: Path, name: str, unpack: tuple[str, ...] = ()) -> Iterator[IO[bytes]]:
    """Stream one file of a .deb.

    Raises:
        InfrastructureError: when it could not be read to the end.
    """
    commands: list[tuple[str, ...]] = [("dpkg-deb", "--fsys-tarfile", str(archive)), ("tar", "-xO", name)]
    if unpack:
        commands.append(unpack)
    with ExitStack() as stack:
        processes: list[subprocess.Popen[bytes]] = []
        for command in commands:
            source = processes[-1].stdout if processes else subprocess.DEVNULL
            process = subprocess.Popen(
                command, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            processes.append(stack.enter_context(process))
            if processes[:-1]:
                _close(processes[-2])
        stream = processes[-1].stdout
        assert stream
        yield stream
        while stream.read(1 << 20):
            pass
    if any(process.returncode != 0 for process in processes):
        raise InfrastructureError(
            f"{archive} is damaged, or is no package with {name} in it", hint="Delete it and run again."
        )


def _close(process: subprocess.Popen[bytes]) -> None:
    """Leave a pipe to its reader alone, so that its writer hears when the reader dies."""
    if process.stdout:
        process.stdout.close()
