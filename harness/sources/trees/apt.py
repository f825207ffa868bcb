# SPDX-License-Identifier: GPL-2.0-only
"""Debian's kernel source packages: found and fetched with apt, without touching the system.

The system's own package lists are asked first. Where they are missing or out of date, a private
copy is kept in the cache; neither needs to be root.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import unquote

from harness.core.errors import InfrastructureError, UsageError

_LINES_OF_STDERR = 5
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
"""Of the package debian-archive-keyring, which every Debian has."""


@dataclass(frozen=True, slots=True)
class PackageLists:
    """Where apt looks: the system's lists, or lists of our own."""

    is_private: bool = False
    """Kept in the cache, so that updating them needs no root."""
    suite: str = ""
    """Of another suite of Debian than the system's, as `unstable`; always private."""

    @property
    def name(self) -> str:
        """Of the files in the cache."""
        return self.suite or ("private" if self.is_private else "system")


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A version of a package that apt knows how to fetch."""

    package: str
    version: str
    size: int
    """Bytes."""
    lists: PackageLists = PackageLists()
    """The package lists that name it."""
    outdated: str = ""
    """Why newer lists could not be fetched; empty if they are up to date, or were not asked for."""


class AptUnavailable(InfrastructureError):  # noqa: N818 - what it says to the user, not a fault of the code
    """apt is missing, or its servers could not be reached."""


def find_package(
    package: str, version: str | None, cache: Path, log: Callable[[str], None], suite: str = ""
) -> PackageFile:
    """Find the candidate (or the given) version of a package; a shell pattern takes the highest name.

    Raises:
        UsageError: when no configured Debian archive has it.
        AptUnavailable: when none could be asked.
    """
    _require_apt()
    places = [PackageLists(True, suite)] if suite else [PackageLists(), PackageLists(True)]
    if suite and not _archives(cache):
        update_private_lists(cache, log)  # a fresh machine has no lists, and only those name an archive
    trouble = update_private_lists(cache, log, suite) if suite else ""
    for lists in places:
        if found := _ask(package, version, cache, lists):
            return replace(found, outdated=trouble)
    if not suite:
        trouble = update_private_lists(cache, log)
        if found := _ask(package, version, cache, places[-1]):
            return found
    if trouble:
        raise AptUnavailable(
            f"no package list names {package}, and new lists could not be fetched:\n{trouble}",
            hint="Check the network, or use another tree: a git remote or a local checkout.",
        )
    wanted = f"{package} in version {version}" if version else package
    raise UsageError(
        f"no configured Debian archive has the package {wanted}{f' in {suite}' if suite else ''}",
        hint="See `apt-cache search '^linux-source-'` for the names that this Debian has.",
    )


def fetch_package(found: PackageFile, cache: Path, log: Callable[[str], None]) -> Path:
    """Download a package into the cache, verified by apt, and return its path.

    Raises:
        AptUnavailable: when it can't be downloaded.
    """
    folder = cache / "debian"
    complete = folder / f"{found.package}_{found.version.replace(':', '%3a')}.deb"
    if complete.is_file():
        return complete
    log(f"downloading {found.package} {found.version} ({found.size >> 20} MiB)")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="download-", dir=folder) as download:
        target = f"{found.package}={found.version}"
        process = _apt_get(cache, found.lists, "download", target, at=Path(download))
        if process.returncode != 0 and not found.lists.is_private:
            # The system's lists are older than the archive: what they name is gone.
            update_private_lists(cache, log)
            process = _apt_get(cache, PackageLists(True), "download", target, at=Path(download))
        packages = list(Path(download).glob("*.deb"))
        if process.returncode != 0 or not packages:
            raise AptUnavailable(
                f"apt could not download {found.package} {found.version}:\n{_tail(process.stderr)}",
                hint="Check the network and the free space, or use a newer version.",
            )
        packages[0].replace(complete)
    return complete


def update_private_lists(cache: Path, log: Callable[[str], None], suite: str = "") -> str:
    """Run `apt-get update` into the cache; return what it complained about, or nothing."""
    log(f"fetching Debian's package lists{f' of {suite}' if suite else ''} into the cache")
    process = _apt_get(cache, PackageLists(True, suite), "update")
    # Without a single list fetched, apt-get still ends with 0 and a warning.
    failed = process.returncode != 0 or "Failed to fetch" in process.stderr
    return _tail(process.stderr) if failed else ""


def _require_apt() -> None:
    for command in ("apt-get", "dpkg-deb", "tar", "xz"):
        if shutil.which(command) is None:
            raise AptUnavailable(
                f"this machine has no `{command}`, so it can't fetch a Debian kernel source package",
                hint="Use another tree: a git remote or a local checkout.",
            )


def _ask(package: str, version: str | None, cache: Path, lists: PackageLists) -> PackageFile | None:
    name = _newest_name(package, cache, lists) if "*" in package else package
    if not name:
        return None
    target = f"{name}={version}" if version else name
    answer = _apt_get(cache, lists, "--print-uris", "download", target)
    for line in answer.stdout.splitlines():
        words = line.split()
        # 'URI' FILE SIZE HASH, the file being PACKAGE_VERSION_ARCHITECTURE.deb
        if answer.returncode == 0 and len(words) >= 3 and words[1].startswith(f"{name}_"):
            return PackageFile(name, unquote(words[1].split("_")[1]), int(words[2]), lists)
    return None


def _newest_name(pattern: str, cache: Path, lists: PackageLists) -> str | None:
    answer = _apt(cache, lists, "apt-cache", "pkgnames", pattern.partition("*")[0].partition("[")[0])
    names = [name for name in answer.stdout.split() if fnmatchcase(name, pattern)]
    return max(names, key=lambda name: [int(part) for part in re.findall(r"\d+", name)], default=None)


def _apt_get(
    cache: Path, lists: PackageLists, *arguments: str, at: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return _apt(cache, lists, "apt-get", "--quiet=2", *arguments, at=at)


def _apt(
    cache: Path, lists: PackageLists, program: str, *arguments: str, at: Path | None = None
) -> subprocess.CompletedProcess[str]:
    config = _write_config(cache.absolute() / "apt", lists)
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    command: Sequence[str] = (program, "-c", str(config), *arguments)
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=at, check=False)


def _write_config(folder: Path, lists: PackageLists) -> Path:
    """Keep apt's own files in `folder`, and the system's hooks out of our update."""
    own = folder / lists.suite if lists.suite else folder
    for name in ("lists/partial", "cache/archives/partial", "preferences.d"):
        (own / name).mkdir(parents=True, exist_ok=True)
    lines = [
        f'Dir::Cache "{own}/cache";',
        'Acquire::Languages "none";',
        'Acquire::Retries "2";',
        'Acquire::http::Timeout "30";',
        'Acquire::https::Timeout "30";',
        *(f"#clear APT::Update::{hook};" for hook in ("Pre-Invoke", "Post-Invoke", "Post-Invoke-Success")),
    ]
    if lists.is_private:
        lines.append(f'Dir::State::lists "{own}/lists";')
    if lists.suite:
        _write(own / "sources.list", _source_of_suite(folder.parent, lists.suite))
        lines += [
            f'Dir::Etc::sourcelist "{own}/sources.list";',
            'Dir::Etc::sourceparts "/dev/null";',
            'Dir::Etc::preferences "/dev/null";',
            f'Dir::Etc::preferencesparts "{own}/preferences.d";',
            'Dir::State::status "/dev/null";',
            'APT::Default-Release "";',
        ]
    if os.geteuid() == 0:
        lines.append('APT::Sandbox::User "root";')  # else the user _apt, who may not enter the cache
    return _write(folder / f"{lists.name}.conf", "\n".join(lines) + "\n")


def _write(path: Path, text: str) -> Path:
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.write_text(text)
    fresh.replace(path)
    return path


def _archives(cache: Path) -> list[str]:
    """Addresses that the system gets Debian from, by the lists of the system or those of the cache."""
    targets = ("Created-By: Packages", "Origin: Debian", "Label: Debian")
    for lists in (PackageLists(), PackageLists(True)):
        asked = _apt_get(cache, lists, "indextargets", "--format", "$(REPO_URI)", *targets)
        if found := asked.stdout.split():
            return found
    return []


def _source_of_suite(cache: Path, suite: str) -> str:
    """The archive that the system gets Debian from has all suites."""
    archives = _archives(cache)
    if not archives:
        raise AptUnavailable(
            "apt on this machine has no Debian archive configured, or could not read its package lists",
            hint="Check /etc/apt/sources.list.d and the network, or use another tree: a git remote or a "
            "local checkout.",
        )
    return f"deb [signed-by={_KEYRING}] {archives[0]} {suite} main\n"


def _tail(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.strip()]
    return "\n".join(f"  {line}" for line in lines[-_LINES_OF_STDERR:])
