# SPDX-License-Identifier: GPL-2.0-only
"""Debian's kernel source packages: found and fetched with apt, without touching the system.

The system's own package lists are asked first. Where they are missing or out of date, a private
copy is kept in the cache; neither needs to be root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from harness.core.errors import InfrastructureError, UsageError

_LINES_OF_STDERR = 5


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A version of a package that apt knows how to fetch."""

    package: str
    version: str
    size: int
    """Bytes."""
    private_lists: bool
    """Known from the cache's package lists, not from the system's."""


class AptUnavailable(InfrastructureError):  # noqa: N818 - what it says to the user, not a fault of the code
    """apt is missing, or its servers could not be reached."""


def find_package(package: str, version: str | None, cache: Path, log: Callable[[str], None]) -> PackageFile:
    """Find the candidate (or the given) version of a package.

    Raises UsageError when no configured Debian archive has it, AptUnavailable when none could be asked.
    """
    _require_apt()
    for private_lists in (False, True):
        if found := _ask(package, version, cache, private_lists):
            return found
    trouble = update_private_lists(cache, log)
    if found := _ask(package, version, cache, private_lists=True):
        return found
    if trouble:
        raise AptUnavailable(
            f"no package list names {package}, and new lists could not be fetched:\n{trouble}",
            hint="check the network, or use another tree: a git remote or a local checkout",
        )
    wanted = f"{package} in version {version}" if version else package
    raise UsageError(
        f"no configured Debian archive has the package {wanted}",
        hint="see `apt-cache search '^linux-source-'` for the names that this Debian has",
    )


def fetch_package(found: PackageFile, cache: Path, log: Callable[[str], None]) -> Path:
    """Download a package into the cache, verified by apt, and return its path.

    Raises AptUnavailable when it can't be downloaded.
    """
    folder = cache / "debian"
    complete = folder / f"{found.package}_{found.version.replace(':', '%3a')}.deb"
    if complete.is_file():
        return complete
    log(f"downloading {found.package} {found.version} ({found.size >> 20} MiB)")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="download-", dir=folder) as download:
        target = f"{found.package}={found.version}"
        process = _apt_get(cache, found.private_lists, "download", target, at=Path(download))
        if process.returncode != 0 and not found.private_lists:
            # The system's lists are older than the archive: what they name is gone.
            update_private_lists(cache, log)
            process = _apt_get(cache, True, "download", target, at=Path(download))
        packages = list(Path(download).glob("*.deb"))
        if process.returncode != 0 or not packages:
            raise AptUnavailable(
                f"apt could not download {found.package} {found.version}:\n{_tail(process.stderr)}",
                hint="check the network and the free space, or use a newer version",
            )
        packages[0].replace(complete)
    return complete


def update_private_lists(cache: Path, log: Callable[[str], None]) -> str:
    """Run `apt-get update` into the cache; return what it complained about, or nothing."""
    log("fetching Debian's package lists into the cache")
    process = _apt_get(cache, True, "update")
    # Without a single list fetched, apt-get still ends with 0 and a warning.
    failed = process.returncode != 0 or "Failed to fetch" in process.stderr
    return _tail(process.stderr) if failed else ""


def _require_apt() -> None:
    for command in ("apt-get", "dpkg-deb", "tar", "xz"):
        if shutil.which(command) is None:
            raise AptUnavailable(
                f"this machine has no `{command}`, so it can't fetch a Debian kernel source package",
                hint="use another tree: a git remote or a local checkout",
            )


def _ask(package: str, version: str | None, cache: Path, private_lists: bool) -> PackageFile | None:
    target = f"{package}={version}" if version else package
    answer = _apt_get(cache, private_lists, "--print-uris", "download", target)
    for line in answer.stdout.splitlines():
        words = line.split()
        # 'URI' FILE SIZE HASH, the file being PACKAGE_VERSION_ARCHITECTURE.deb
        if answer.returncode == 0 and len(words) >= 3 and words[1].startswith(f"{package}_"):
            return PackageFile(package, unquote(words[1].split("_")[1]), int(words[2]), private_lists)
    return None


def _apt_get(
    cache: Path, private_lists: bool, *arguments: str, at: Path | None = None
) -> subprocess.CompletedProcess[str]:
    config = _write_config(cache.absolute() / "apt", private_lists)
    command: Sequence[str] = ("apt-get", "--quiet=2", "-c", str(config), *arguments)
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=at, check=False)


def _write_config(folder: Path, private_lists: bool) -> Path:
    """Keep apt's own files in `folder`, and the system's hooks out of our update."""
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    lines = [
        f'Dir::Cache "{folder}/cache";',
        'Acquire::Languages "none";',
        'Acquire::Retries "2";',
        'Acquire::http::Timeout "30";',
        'Acquire::https::Timeout "30";',
        *(f"#clear APT::Update::{hook};" for hook in ("Pre-Invoke", "Post-Invoke", "Post-Invoke-Success")),
    ]
    if private_lists:
        lines.append(f'Dir::State::lists "{folder}/lists";')
    if os.geteuid() == 0:
        lines.append('APT::Sandbox::User "root";')  # else the user _apt, who may not enter the cache
    config = folder / ("private.conf" if private_lists else "system.conf")
    fresh = config.with_suffix(f".{os.getpid()}")
    fresh.write_text("\n".join(lines) + "\n")
    fresh.replace(config)
    return config


def _tail(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.strip()]
    return "\n".join(f"  {line}" for line in lines[-_LINES_OF_STDERR:])
