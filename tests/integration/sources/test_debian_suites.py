# SPDX-License-Identifier: GPL-2.0-only
"""Source packages of another suite of Debian, from a small archive that apt reads and verifies."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.core.errors import InfrastructureError, UsageError
from harness.sources.trees.tree import DebianSource, TreeCommit, prepare_tree
from tests.samples.tiny_kernel import make_kernel

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("apt-get") or not shutil.which("gpg"), reason="needs apt and gpg"),
]
UNSTABLE = DebianSource("linux-source-*", suite="unstable")


@dataclass(frozen=True)
class Archive:
    """A signed archive at a file: address."""

    root: Path

    @property
    def key(self) -> Path:
        return self.root / "archive.gpg"

    def publish(self, suite: str, *versions: str, sections: tuple[str, str] = ("Debian", "Debian")) -> None:
        """Let a suite have a source package of each kernel version, and nothing else."""
        paths = [self._package(version) for version in versions]
        folder = self.root / "dists" / suite / "main" / "binary-amd64"
        folder.mkdir(parents=True, exist_ok=True)
        listing = "".join(_stanza(path, self.root) for path in paths).encode()
        (folder / "Packages").write_bytes(listing)
        release = (
            f"Origin: {sections[0]}\nLabel: {sections[1]}\nSuite: {suite}\nCodename: {suite}\n"
            "Date: Sat, 14 Nov 2026 12:00:00 UTC\nArchitectures: all amd64\nComponents: main\nSHA256:\n"
            f" {hashlib.sha256(listing).hexdigest()} {len(listing)} main/binary-amd64/Packages\n"
        )
        signed = self._gpg("--clearsign", stdin=release.encode())
        (self.root / "dists" / suite / "InRelease").write_bytes(signed)

    def _package(self, version: str) -> Path:
        name = f"linux-source-{version}"
        package = self.root / "pool" / f"{name}_{version}.1-1_all.deb"
        if package.exists():
            return package
        work = self.root / "work" / name
        for folder in ("DEBIAN", "usr/src"):
            (work / "root" / folder).mkdir(parents=True)
        (work / "root/DEBIAN/control").write_text(
            f"Package: {name}\nVersion: {version}.1-1\nArchitecture: all\n"
            "Maintainer: Nobody <nobody@kernel.example>\nDescription: tiny\n"
        )
        major, minor = version.split(".")
        makefile = f"VERSION = {major}\nPATCHLEVEL = {minor}\nSUBLEVEL = 1\n"
        make_kernel(work / name, {"Makefile": makefile})
        tarball = work / "root/usr/src" / f"{name}.tar.xz"
        subprocess.run(["tar", "--xz", "--exclude=.git", "-C", work, "-cf", tarball, name], check=True)
        package.parent.mkdir(exist_ok=True)
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-b", work / "root", package], check=True, capture_output=True
        )
        return package

    def make_key(self) -> None:
        self._gpg(
            "--passphrase", "", "--quick-generate-key", "archive@kernel.example", "ed25519", "sign", "never"
        )
        self.key.write_bytes(self._gpg("--export"))

    def _gpg(self, *arguments: str, stdin: bytes = b"") -> bytes:
        home = self.root / "gnupg"
        home.mkdir(mode=0o700, exist_ok=True)
        command = ["gpg", "--homedir", str(home), "--batch", "--quiet", *arguments]
        return subprocess.run(command, input=stdin, check=True, capture_output=True).stdout


def _stanza(package: Path, root: Path) -> str:
    control = subprocess.run(["dpkg-deb", "-f", package], check=True, capture_output=True, text=True).stdout
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    size = package.stat().st_size
    return f"{control}Filename: {package.relative_to(root)}\nSize: {size}\nSHA256: {digest}\n\n"


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    """An archive that the system's apt has as its only one; no package lists were fetched yet."""
    archive = Archive(tmp_path / "archive")
    archive.root.mkdir()
    archive.make_key()
    archive.publish("stable", "6.12")
    (tmp_path / "sources.list").write_text(f"deb [signed-by={archive.key}] file:{archive.root} stable main\n")
    (tmp_path / "lists" / "partial").mkdir(parents=True)
    (tmp_path / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{tmp_path}/sources.list";\nDir::Etc::sourceparts "/dev/null";\n'
        f'Dir::State::lists "{tmp_path}/lists";\nAPT::Architecture "amd64";\nAPT::Architectures "amd64";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    monkeypatch.setattr("harness.sources.trees.apt._KEYRING", str(archive.key))
    yield archive
    subprocess.run(["gpgconf", "--homedir", archive.root / "gnupg", "--kill", "all"], check=False)


def take(source: DebianSource, folder: Path, refresh: bool = False) -> tuple[TreeCommit, list[str]]:
    said: list[str] = []
    return prepare_tree(source, folder / "cache", said.append, refresh=refresh), said


def test_the_newest_package_of_another_suite(archive: Archive, tmp_path: Path) -> None:
    archive.publish("unstable", "7.9", "7.10", "6.12")
    tree, said = take(UNSTABLE, tmp_path)
    assert (tree.version, tree.description) == ("7.10.1", "linux-source-7.10 7.10.1-1")
    assert "fetching Debian's package lists of unstable into the cache" in said
    assert take(UNSTABLE, tmp_path) == (tree, []), "it is not fetched again"
    stable, _ = take(DebianSource("linux-source-*"), tmp_path)
    assert stable.version == "6.12.1"


def test_a_newer_package_is_taken_when_asked_for(archive: Archive, tmp_path: Path) -> None:
    archive.publish("unstable", "7.1")
    first, _ = take(UNSTABLE, tmp_path)
    archive.publish("unstable", "7.2")
    assert take(UNSTABLE, tmp_path)[0] == first
    assert take(UNSTABLE, tmp_path, refresh=True)[0].version == "7.2.1"
    assert take(UNSTABLE, tmp_path)[0].version == "7.2.1"


def test_lists_of_the_system_name_the_archive(archive: Archive, tmp_path: Path) -> None:
    subprocess.run(["apt-get", "--quiet=2", "update"], check=True)
    archive.publish("unstable", "7.1")
    tree, said = take(UNSTABLE, tmp_path)
    assert tree.version == "7.1.1"
    assert "fetching Debian's package lists into the cache" not in said


def test_an_archive_that_is_away(archive: Archive, tmp_path: Path) -> None:
    archive.publish("unstable", "7.1")
    tree, _ = take(UNSTABLE, tmp_path)
    archive.root.rename(tmp_path / "away")
    assert take(UNSTABLE, tmp_path) == (tree, [])
    again, _ = take(UNSTABLE, tmp_path, refresh=True)
    assert again.commit == tree.commit
    assert "the package lists are those of an earlier time: " in again.notes[0]
    (tmp_path / "away").rename(archive.root)


def test_a_suite_that_is_not_there(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="new lists could not be fetched") as failure:
        take(DebianSource("linux-source-*", suite="sdi"), tmp_path)
    assert "sdi" in str(failure.value)


def test_a_suite_without_a_kernel(archive: Archive, tmp_path: Path) -> None:
    archive.publish("unstable")
    with pytest.raises(UsageError, match=r"no configured Debian archive has .* linux-source-\* in unstable"):
        take(UNSTABLE, tmp_path)


def test_lists_that_another_key_signed(archive: Archive, tmp_path: Path) -> None:
    archive.publish("unstable", "7.1")
    other = Archive(tmp_path / "other")
    other.root.mkdir()
    other.make_key()
    archive.key.write_bytes(other.key.read_bytes())
    with pytest.raises(InfrastructureError):
        take(UNSTABLE, tmp_path)


def test_a_machine_that_has_no_archive_of_debian(archive: Archive, tmp_path: Path) -> None:
    archive.publish("stable", sections=("Somebody", "Else"))
    with pytest.raises(InfrastructureError, match="no Debian archive configured") as failure:
        take(UNSTABLE, tmp_path)
    assert "sources.list.d" in failure.value.hint
