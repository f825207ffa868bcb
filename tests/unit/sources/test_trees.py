# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.core.errors import InfrastructureError, UsageError
from harness.core.locks import locked
from harness.sources.git.mirror import kernel_version, locked_mirror, open_mirror, tree_hash
from harness.sources.git.repository import GitError, Repository
from harness.sources.git.worktree import worktree
from harness.sources.trees.apt import PackageFile, PackageLists
from harness.sources.trees.debian import prepare_package
from harness.sources.trees.tarball import CommitLabel, TarEntry, import_commit, tar_entries
from harness.sources.trees.tree import DebianSource, GitRemote, LocalTree, prepare_tree
from tests.samples.tiny_kernel import FILES, MAKEFILE, commit, git, make_kernel


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_kernel(tmp_path_factory.mktemp("built") / "linux")


@pytest.fixture
def kernel(built: Path, tmp_path: Path) -> Path:
    return shutil.copytree(built, tmp_path / "linux")


def silent(_: str) -> None:
    pass


class TestLocalTree:
    def test_becomes_a_commit_of_the_mirror(self, kernel: Path, cache: Path) -> None:
        tree = prepare_tree(LocalTree(kernel), cache, silent)
        assert tree.commit == git(kernel, "rev-parse", "HEAD")
        assert tree.version == "6.12.117"
        assert tree.notes == ()
        assert tree_hash(cache, tree.commit) == git(kernel, "rev-parse", "HEAD^{tree}")

    def test_is_left_untouched(self, kernel: Path, cache: Path) -> None:
        before = sorted((path, path.lstat().st_mtime_ns) for path in kernel.rglob("*"))
        prepare_tree(LocalTree(kernel), cache, silent)
        assert sorted((path, path.lstat().st_mtime_ns) for path in kernel.rglob("*")) == before

    def test_commit_that_no_branch_names(self, kernel: Path, cache: Path) -> None:
        loose = commit(kernel, "loose", {"mm/new.c": "x\n"})
        git(kernel, "reset", "--quiet", "--hard", "HEAD~1")
        assert prepare_tree(LocalTree(kernel, loose), cache, silent).commit == loose

    def test_second_commit_of_the_same_checkout(self, kernel: Path, cache: Path) -> None:
        first = prepare_tree(LocalTree(kernel), cache, silent).commit
        commit(kernel, "more", {"mm/new.c": "x\n"})
        second = prepare_tree(LocalTree(kernel), cache, silent).commit
        assert tree_hash(cache, first) != tree_hash(cache, second) == git(kernel, "rev-parse", "HEAD^{tree}")

    def test_shallow_clone(self, kernel: Path, cache: Path, tmp_path: Path) -> None:
        commit(kernel, "more", {"mm/new.c": "x\n"})
        git(tmp_path, "clone", "--quiet", "--depth=1", kernel.as_uri(), "shallow")
        tree = prepare_tree(LocalTree(tmp_path / "shallow"), cache, silent)
        with worktree(cache, "w", tree.commit) as path:
            assert (path / "mm/new.c").exists()

    def test_uncommitted_changes_are_said_to_be_left_out(self, kernel: Path, cache: Path) -> None:
        (kernel / "mm/memory.c").write_text("changed\n")
        (note,) = prepare_tree(LocalTree(kernel), cache, silent).notes
        assert "uncommitted changes" in note

    def test_unknown_revision(self, kernel: Path, cache: Path) -> None:
        with pytest.raises(UsageError, match="no revision 'nowhere'"):
            prepare_tree(LocalTree(kernel, "nowhere"), cache, silent)

    def test_no_such_folder(self, cache: Path, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="there is no folder"):
            prepare_tree(LocalTree(tmp_path / "nothing"), cache, silent)

    def test_folder_inside_somebody_elses_repository(self, kernel: Path, cache: Path) -> None:
        with pytest.raises(UsageError, match="not the top of a git checkout") as failure:
            prepare_tree(LocalTree(kernel / "mm"), cache, silent)
        assert failure.value.hint == f"It is a folder inside the checkout {kernel}: name that one."

    @pytest.mark.parametrize("files", [{"README": "no kernel\n"}, {"Makefile": "all:\n\ttrue\n"}])
    def test_no_kernel(self, files: dict[str, str], cache: Path, tmp_path: Path) -> None:
        other = make_kernel(tmp_path / "other", files)
        with pytest.raises(UsageError, match="not a Linux kernel tree"):
            prepare_tree(LocalTree(other), cache, silent)

    def test_release_candidate(self, cache: Path, tmp_path: Path) -> None:
        makefile = MAKEFILE.replace("117", "0").replace("EXTRAVERSION =", "EXTRAVERSION = -rc3")
        kernel = make_kernel(tmp_path / "rc", {"Makefile": makefile})
        assert prepare_tree(LocalTree(kernel), cache, silent).version == "6.12.0-rc3"

    def test_from_text(self, kernel: Path, tmp_path: Path) -> None:
        (tmp_path / "odd@name").mkdir()
        assert LocalTree.from_text(f"{kernel}@v6.12") == LocalTree(kernel, "v6.12")
        assert LocalTree.from_text(str(tmp_path / "odd@name")) == LocalTree(tmp_path / "odd@name")
        assert LocalTree.from_text(str(kernel)) == LocalTree(kernel, "HEAD")


class TestGitRemote:
    """Over file://, which speaks the same protocol as a server."""

    def test_tip_of_a_branch_comes_without_history(self, kernel: Path, cache: Path) -> None:
        tip = commit(kernel, "more", {"mm/new.c": "x\n"})
        tree = prepare_tree(GitRemote(kernel.as_uri(), "master"), cache, silent)
        assert tree.commit == tip
        assert open_mirror(cache).run("rev-list", "--count", tip) == "1"

    def test_rebased_branch(self, kernel: Path, cache: Path) -> None:
        prepare_tree(GitRemote(kernel.as_uri(), "master"), cache, silent)
        git(kernel, "commit", "--quiet", "--amend", "-m", "rebased")
        tree = prepare_tree(GitRemote(kernel.as_uri(), "master"), cache, silent)
        assert tree.commit == git(kernel, "rev-parse", "HEAD")

    def test_pinned_commit_is_fetched_once(self, kernel: Path, cache: Path) -> None:
        remote = GitRemote(kernel.as_uri(), "master", git(kernel, "rev-parse", "HEAD"))
        said: list[str] = []
        first = prepare_tree(remote, cache, said.append)
        kernel.rename(kernel.with_name("gone"))
        assert prepare_tree(remote, cache, said.append) == first
        assert len(said) == 1

    @pytest.mark.parametrize(
        ("branch", "wanted"), [("nowhere", None), ("master", "0123456789" * 4), ("master", "abc123")]
    )
    def test_unknown_branch_or_commit(
        self, kernel: Path, cache: Path, branch: str, wanted: str | None
    ) -> None:
        with pytest.raises(UsageError, match=wanted or branch):
            prepare_tree(GitRemote(kernel.as_uri(), branch, wanted), cache, silent)

    def test_no_repository(self, tmp_path: Path, cache: Path) -> None:
        with pytest.raises(UsageError, match="can't fetch from"):
            prepare_tree(GitRemote((tmp_path / "nothing").as_uri(), "master"), cache, silent)

    @pytest.mark.parametrize("url", ["http://127.0.0.1:9/linux.git", "git://127.0.0.1:9/linux.git"])
    def test_unreachable_server(self, url: str, cache: Path) -> None:
        with pytest.raises(InfrastructureError, match="could not be reached") as failure:
            prepare_tree(GitRemote(url, "mm-unstable"), cache, silent)
        assert failure.value.exit_code == 3
        assert "local checkout" in failure.value.hint


class TestWorktree:
    @pytest.fixture
    def two(self, kernel: Path, cache: Path) -> tuple[str, str]:
        first = prepare_tree(LocalTree(kernel), cache, silent).commit
        commit(kernel, "more", {"mm/memory.c": "changed\n", "mm/new.c": "x\n"})
        return first, prepare_tree(LocalTree(kernel), cache, silent).commit

    def test_moving_touches_only_what_differs(self, two: tuple[str, str], cache: Path) -> None:
        with worktree(cache, "w", two[0]) as path:
            for file in FILES:
                os.utime(path / file, (1_000_000_000, 1_000_000_000))
        with worktree(cache, "w", two[1]) as path:
            assert (path / "mm/huge_memory.c").stat().st_mtime == 1_000_000_000
            assert (path / "mm/memory.c").stat().st_mtime != 1_000_000_000
            assert (path / "mm/new.c").exists()
        with worktree(cache, "w", two[0]) as path:
            assert (path / "mm/huge_memory.c").stat().st_mtime == 1_000_000_000
            assert not (path / "mm/new.c").exists()

    def test_changes_and_leftovers_are_removed(self, two: tuple[str, str], cache: Path) -> None:
        with worktree(cache, "w", two[0]) as path:
            (path / "mm/memory.c").write_text("edited\n")
            (path / "mm/ignored.o").write_text("object\n")
            (path / "Makefile").unlink()
            git(path, "init", "--quiet", "nested")
        with worktree(cache, "w", two[0]) as path:
            assert (path / "mm/memory.c").read_text() == FILES["mm/memory.c"]
            assert sorted(entry.name for entry in path.iterdir()) == [".git", ".gitignore", "Makefile", "mm"]
            assert not (path / "mm/ignored.o").exists()

    @pytest.mark.parametrize(
        "damage", ["deleted", "no .git", "emptied index", "index.lock", "no administration", "file"]
    )
    def test_damaged_one_is_repaired(self, damage: str, two: tuple[str, str], cache: Path) -> None:
        with worktree(cache, "w", two[0]) as path:
            pass
        _damage(cache, path, damage)
        with worktree(cache, "w", two[1]) as path:
            assert (path / "mm/new.c").read_text() == "x\n"
            assert git(path, "status", "--porcelain") == ""

    def test_damaged_one_in_a_repository_leaves_that_alone(
        self, two: tuple[str, str], tmp_path: Path
    ) -> None:
        outer = make_kernel(tmp_path / "project")
        cache = outer / "cache"
        (tmp_path / "cache").rename(cache)
        with worktree(cache, "w", two[0]) as path:
            (path / ".git").unlink()
        (outer / "precious").write_text("uncommitted\n")
        with worktree(cache, "w", two[1]):
            assert (outer / "precious").exists()

    def test_copied_cache_does_not_use_the_old_one(
        self, two: tuple[str, str], cache: Path, tmp_path: Path
    ) -> None:
        with worktree(cache, "w", two[0]) as path:
            pass
        copied = tmp_path / "copied"
        git(tmp_path, "clone", "--quiet", "--mirror", str(cache / "mirror.git"), str(copied / "mirror.git"))
        path.parent.rename(copied / "worktrees")
        with worktree(copied, "w", two[1]) as path:
            assert str(copied) in git(path, "rev-parse", "--git-common-dir")

    def test_waits_for_the_one_who_has_it(self, two: tuple[str, str], cache: Path) -> None:
        said: list[str] = []
        waiting, entered = threading.Event(), threading.Event()

        def say(line: str) -> None:
            said.append(line)
            waiting.set()

        def second() -> None:
            with worktree(cache, "w", two[1], say):
                entered.set()

        with worktree(cache, "w", two[0]):
            thread = threading.Thread(target=second)
            thread.start()
            assert waiting.wait(60)
            assert not entered.is_set()
        thread.join()
        assert entered.is_set()
        assert "waiting" in said[0]

    def test_unknown_commit(self, two: tuple[str, str], cache: Path) -> None:
        with pytest.raises(GitError), worktree(cache, "w", "0" * 40):
            pass

    @pytest.mark.parametrize("name", ["", "../w", "a/b", ".hidden"])
    def test_impossible_name(self, name: str, two: tuple[str, str], cache: Path) -> None:
        with pytest.raises(UsageError), worktree(cache, name, two[0]):
            pass


def _damage(cache: Path, path: Path, damage: str) -> None:
    administration = cache / "mirror.git" / "worktrees" / "w"
    match damage:
        case "deleted":
            _remove(path)
        case "no .git":
            (path / ".git").unlink()
        case "emptied index":
            (administration / "index").write_bytes(b"nonsense")
        case "index.lock":
            (administration / "index.lock").touch()
        case "no administration":
            _remove(administration)
        case "file":
            _remove(path)
            path.write_text("in the way\n")


def _remove(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    folder.rmdir()


class TestTarball:
    LABEL = CommitLabel("refs/debian/linux-source-6.12/1", "linux-source-6.12 1\n", 1_700_000_000)

    @pytest.fixture
    def tarball(self) -> bytes:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for name, mode in (
                ("Makefile", 0o644),
                ("scripts/run.sh", 0o755),
                ("x" * 120 + "/long.c", 0o664),
            ):
                _add(tar, name, MAKEFILE.encode(), mode)
            link = tarfile.TarInfo("linux/link")
            link.type, link.linkname = tarfile.SYMTYPE, "scripts/run.sh"
            tar.addfile(link)
        return packed.getvalue()

    def test_entries(self, tarball: bytes) -> None:
        assert list(tar_entries(io.BytesIO(tarball))) == [
            TarEntry(b"100644", b"Makefile", MAKEFILE.encode()),
            TarEntry(b"100755", b"scripts/run.sh", MAKEFILE.encode()),
            TarEntry(b"100644", b"x" * 120 + b"/long.c", MAKEFILE.encode()),
            TarEntry(b"120000", b"link", b"scripts/run.sh"),
        ]

    def test_long_names_of_posix_archives(self) -> None:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            _add(tar, "x" * 60 + "/" + "y" * 60, b"text", 0o644)
        (entry,) = tar_entries(io.BytesIO(packed.getvalue()))
        assert entry.path == b"x" * 60 + b"/" + b"y" * 60

    def test_same_id_everywhere(self, tarball: bytes, cache: Path, tmp_path: Path) -> None:
        ids = set()
        for folder, mask in ((cache, 0o022), (tmp_path / "other", 0o077)):
            before = os.umask(mask)
            ids.add(import_commit(open_mirror(folder), tar_entries(io.BytesIO(tarball)), self.LABEL))
            os.umask(before)
        assert ids == {"e689f4972a8ce6c837b30272524f57034e09de92"}

    def test_same_tree_as_unpacked_and_added(self, tarball: bytes, cache: Path, tmp_path: Path) -> None:
        subprocess.run(["tar", "-x", "-C", str(tmp_path)], input=tarball, check=True)
        git(tmp_path / "linux", "init", "--quiet")
        git(tmp_path / "linux", "add", "--all", "--force")
        commit_id = import_commit(open_mirror(cache), tar_entries(io.BytesIO(tarball)), self.LABEL)
        assert tree_hash(cache, commit_id) == git(tmp_path / "linux", "write-tree")

    def test_cut_off_leaves_nothing_that_is_trusted(self, tarball: bytes, cache: Path) -> None:
        mirror = open_mirror(cache)
        with pytest.raises(InfrastructureError, match="cut off"):
            import_commit(mirror, tar_entries(io.BytesIO(tarball[:2000])), self.LABEL)
        assert mirror.run("for-each-ref") == ""
        assert import_commit(mirror, tar_entries(io.BytesIO(tarball)), self.LABEL)

    def test_killed_importer_is_noticed(self, cache: Path) -> None:
        def entries() -> Iterator[TarEntry]:
            for number in range(40):
                yield TarEntry(b"100644", b"file%d" % number, os.urandom(1 << 19))

        mirror = open_mirror(cache)
        (mirror.path / "objects" / "pack").rmdir()
        (mirror.path / "objects" / "pack").write_text("no folder, as if the disk were full")
        with pytest.raises(GitError, match="fast-import"):
            import_commit(mirror, entries(), self.LABEL)


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    info = tarfile.TarInfo(f"linux/{name}")
    info.size, info.mode = len(content), mode
    tar.addfile(info, io.BytesIO(content))


class TestDebianSource:
    @pytest.fixture
    def package(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A source package as apt would download it."""
        root = tmp_path / "root"
        for name in ("DEBIAN", "usr/src", "usr/share/doc/linux-source-6.12"):
            (root / name).mkdir(parents=True)
        (root / "DEBIAN/control").write_text(
            "Package: linux-source-6.12\nVersion: 6.12.117-1\nArchitecture: all\n"
            "Maintainer: Nobody <nobody@kernel.example>\nDescription: tiny\n"
        )
        changelog = b"linux (6.12.117-1) stable\n\n -- A <a@b.example>  Sat, 14 Nov 2026 12:56:01 +0100\n"
        (root / "usr/share/doc/linux-source-6.12/changelog.Debian.gz").write_bytes(gzip.compress(changelog))
        make_kernel(tmp_path / "linux-source-6.12")
        options = ("--xz", "--exclude=.git", "-C", str(tmp_path))
        tarball = root / "usr/src/linux-source-6.12.tar.xz"
        subprocess.run(["tar", *options, "-cf", str(tarball), "linux-source-6.12"], check=True)
        package = tmp_path / "cache" / "debian" / "linux-source-6.12_6.12.117-1.deb"
        package.parent.mkdir(parents=True)
        self._build(root, package)
        found = PackageFile("linux-source-6.12", "6.12.117-1", 1, lists=PackageLists())
        monkeypatch.setattr("harness.sources.trees.debian.find_package", lambda *_: found)
        return package

    def _build(self, root: Path, package: Path) -> None:
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(root), str(package)], check=True)

    def test_package_becomes_a_commit(self, package: Path, cache: Path, tmp_path: Path) -> None:
        tree = prepare_tree(DebianSource("linux-source-6.12"), cache, silent)
        assert (tree.version, tree.description) == ("6.12.117", "linux-source-6.12 6.12.117-1")
        assert tree_hash(cache, tree.commit) == git(
            tmp_path / "linux-source-6.12", "rev-parse", "HEAD^{tree}"
        )
        said = open_mirror(cache).run("log", "-1", "--format=%an %aI %s", tree.commit)
        assert said == "thp-harness 2026-11-14T11:56:01+00:00 linux-source-6.12 6.12.117-1"
        assert not package.exists()

    @pytest.mark.parametrize("position", [-40, 200])
    def test_damaged_tarball_leaves_nothing_that_is_trusted(
        self, package: Path, cache: Path, tmp_path: Path, position: int
    ) -> None:
        tarball = tmp_path / "root/usr/src/linux-source-6.12.tar.xz"
        content = bytearray(tarball.read_bytes())
        content[position] ^= 0xFF
        tarball.write_bytes(content)
        self._build(tmp_path / "root", package)
        with pytest.raises(InfrastructureError, match=r"damaged|cut off"):
            prepare_tree(DebianSource("linux-source-6.12"), cache, silent)
        assert open_mirror(cache).run("for-each-ref") == ""

    @pytest.mark.parametrize(("at", "byte"), [(124, b"x"), (124, b"\xff"), (156, b"Z"), (156, b"\xff")])
    def test_header_that_makes_no_sense(self, at: int, byte: bytes) -> None:
        header = bytearray(tarfile.TarInfo("linux/Makefile").tobuf(tarfile.GNU_FORMAT))
        header[at : at + 1] = byte
        with pytest.raises(InfrastructureError, match="the kernel tarball is damaged"):
            list(tar_entries(io.BytesIO(bytes(header))))

    def _import(self, cache: Path, version: str, seconds: int) -> str:
        ref = f"refs/debian/linux-source-6.12/{version.replace('~', '_')}"
        label = CommitLabel(ref, f"linux-source-6.12 {version}\n", seconds)
        entries = iter([TarEntry(b"100644", b"Makefile", MAKEFILE.encode())])
        return import_commit(open_mirror(cache), entries, label)

    @pytest.fixture
    def without_apt(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("harness.sources.trees.apt.shutil.which", lambda _: None)

    @pytest.mark.usefixtures("without_apt")
    def test_newest_imported_one_needs_no_apt(self, cache: Path) -> None:
        self._import(cache, "6.12.115-2~deb12u1", 1_700_000_000)
        newest = self._import(cache, "6.12.117-1~deb12u1", 1_800_000_000)
        tree = prepare_tree(DebianSource("linux-source-6.12"), cache, silent)
        assert (tree.commit, tree.version) == (newest, "6.12.117")
        assert tree.description == "linux-source-6.12 6.12.117-1~deb12u1"

    @pytest.mark.usefixtures("without_apt")
    def test_pinned_version(self, cache: Path) -> None:
        older = self._import(cache, "6.12.115-2~deb12u1", 1_700_000_000)
        self._import(cache, "6.12.117-1~deb12u1", 1_800_000_000)
        pinned = DebianSource("linux-source-6.12", "6.12.115-2~deb12u1")
        assert prepare_tree(pinned, cache, silent).commit == older

    @pytest.mark.usefixtures("without_apt")
    def test_refresh_without_apt_says_so(self, cache: Path) -> None:
        self._import(cache, "6.12.117-1~deb12u1", 1_800_000_000)
        tree = prepare_tree(DebianSource("linux-source-6.12"), cache, silent, refresh=True)
        assert "apt could not say" in tree.notes[0]

    @pytest.mark.usefixtures("without_apt")
    def test_machine_without_apt(self, cache: Path) -> None:
        with pytest.raises(InfrastructureError, match="no `apt-get`") as failure:
            prepare_package("linux-source-6.12", None, cache, silent, refresh=False)
        assert "git remote" in failure.value.hint


class TestGit:
    def test_users_configuration_and_hooks_have_no_say(
        self, kernel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "gitconfig").write_text("[user]\n\tname = Somebody\n[core]\n\tabbrev = 7\n")
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
        monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
        assert not Repository(kernel).succeeds("config", "user.name")
        assert Repository(kernel).run("config", "core.hooksPath") == "/dev/null"
        assert Repository(kernel).run("rev-parse", "--show-toplevel") == str(kernel)

    def test_error_shows_the_command_and_what_git_said(self, kernel: Path) -> None:
        with pytest.raises(GitError, match=r"`git log nowhere --` failed .*\n.*bad revision 'nowhere'"):
            Repository(kernel).run("log", "nowhere", "--")


def test_unwritable_cache(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InfrastructureError, match="can't write to the cache"):
        open_mirror(tmp_path / "file")


def test_lock_is_free_after_an_error(tmp_path: Path) -> None:
    busy: list[str] = []
    for _ in range(2):
        with pytest.raises(RuntimeError), locked(tmp_path / "lock", lambda: busy.append("busy")):
            raise RuntimeError
    assert not busy


def test_mirror_is_made_once_by_many(cache: Path) -> None:
    threads = [threading.Thread(target=open_mirror, args=(cache,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with locked_mirror(cache, silent) as mirror:
        assert mirror.run("rev-parse", "--is-bare-repository") == "true"
    assert sorted(path.name for path in cache.iterdir()) == ["mirror.git", "mirror.lock"]


def test_version_of_unknown_commit(cache: Path) -> None:
    with pytest.raises(UsageError, match="not a Linux kernel tree"):
        kernel_version(cache, "0" * 40)
