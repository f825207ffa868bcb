# SPDX-License-Identifier: GPL-2.0-only
"""A range of commits as a series: the very commits, or their exact replay."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import pytest

from harness.core.errors import InfrastructureError, UsageError
from harness.sources.git.mirror import open_mirror
from harness.sources.git.repository import Repository
from harness.sources.series.mail.mbox import SeriesError
from harness.sources.series.order import SeriesChoice
from harness.sources.series.series import AppliedSeries, prepare_series
from harness.sources.trees.remote import split_revision
from harness.sources.trees.tree import LocalTree, prepare_tree
from tests.samples.patch_mail import diff
from tests.samples.tiny_kernel import NUMBERS, commit, git, head, make_kernel, make_series

SHA = "0123456789abcdef0123456789abcdef01234567"


ODD_MESSAGES = (
    f"mm: x\n\nThis reverts\n\n{diff(40)}\nwhich was wrong.\n",
    f"mm: x\n\nFrom {SHA} Mon Sep 17 00:00:00 2001\nSubject: [PATCH] y\n\nand goes on\n",
    "mm: x\n\n---\n\nafter it\n",
    "[mm] x: [y]\n\nbody\n",
    "x",
    "mm: x\n\n-- >8 --\n\nFrom: Somebody <else@kernel.example>\n\nbody\n",
    "mm: x\n\n\n\nbody  \n\n\n",
)


def silent(_: str) -> None:
    pass


class Branch:
    """A kernel with commits on top of its base, and a cache that knows the base."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kernel = make_kernel(folder / "linux")
        self.base = head(self.kernel)
        self.cache = folder / "cache"

    def git(self, *arguments: str) -> str:
        return git(self.kernel, *arguments)

    def tree(self, revision: str) -> str:
        return self.git("rev-parse", f"{revision}^{{tree}}")

    def commit(self, message: str, **files: bytes) -> str:
        for name, content in files.items():
            (self.kernel / "mm" / name).write_bytes(content)
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--allow-empty", "--cleanup=verbatim", "-m", message)
        return head(self.kernel)

    def odd_commits(self) -> list[str]:
        """One commit for each odd message, with Windows' ends of lines."""
        messages = enumerate(ODD_MESSAGES)
        commits = [self.commit(message, **{f"odd{n}": b"a\r\nb%d\r\n" % n}) for n, message in messages]
        self.git("checkout", "--quiet", "master")
        return commits

    def apply(self, base: str = "", text: str = "", choice: SeriesChoice | None = None) -> AppliedSeries:
        commit = prepare_tree(LocalTree(self.kernel, base or self.base), self.cache, silent).commit
        text = text or f"git:{self.kernel}@{self.base}..master"
        return prepare_series(text, commit, self.cache, False, silent, choice=choice)

    def in_mirror(self, *arguments: str) -> str:
        return open_mirror(self.cache).run(*arguments)


@pytest.fixture
def branch(tmp_path: Path) -> Branch:
    return Branch(tmp_path)


class TestVeryCommits:
    def test_whatever_the_message(self, branch: Branch) -> None:
        commits = branch.odd_commits()
        applied = branch.apply()
        assert (applied.commit, applied.tree, applied.notes) == (commits[-1], branch.tree("master"), ())
        assert [patch.commit for patch in applied.patches] == commits

    def test_whatever_the_bytes(self, branch: Branch) -> None:
        contents = (
            b"one\r\ntwo\r\n",
            b"one\r\nTWO\r\n",
            b"gr\xf6\xdfe\n",
            bytes(range(256)),
            b"no end",
            b"",
            b"\n-- \n",
        )
        commits = [branch.commit(f"mm: {number}", odd=content) for number, content in enumerate(contents)]
        applied = branch.apply()
        assert [patch.commit for patch in applied.patches] == commits
        assert branch.in_mirror("rev-parse", f"{applied.commit}^{{tree}}") == branch.tree("master")

    def test_all_objects_are_in_the_mirror(self, branch: Branch) -> None:
        """Contents that the history before BASE had are no longer in BASE."""
        old = b"old\n"
        branch.commit("old", file=old)
        branch.base = branch.commit("new", file=b"new\n")
        tip = branch.commit("mm: back to the old", file=old)
        applied = branch.apply()
        shutil.rmtree(branch.kernel)
        assert applied.commit == tip
        branch.in_mirror("fsck", "--connectivity-only", tip)
        assert branch.in_mirror("show", f"{tip}:mm/file") == "old"

    def test_mirror_that_has_the_tip_without_its_history(self, branch: Branch) -> None:
        commits = make_series(branch.kernel)
        prepare_tree(LocalTree(branch.kernel), branch.cache, silent)
        assert [patch.commit for patch in branch.apply().patches] == commits
        assert branch.in_mirror("rev-list", "--count", f"{branch.base}..{commits[-1]}") == "3"

    @pytest.mark.slow
    def test_whatever_the_folder(self, branch: Branch) -> None:
        make_series(branch.kernel, 1)
        for name in ("linux+thp", "my linux", "linux@fix", "größe", 'quote"d', "back\\slash", "a:b"):
            branch.kernel = branch.kernel.rename(branch.folder / name)
            shutil.rmtree(branch.cache, ignore_errors=True)
            assert branch.apply().tree == branch.tree("master")

    def test_random_histories(self, branch: Branch) -> None:
        chance = random.Random(7)
        lines = [f"line {number}\n" for number in range(60)]
        for number in range(8):
            lines[chance.randrange(60)] = chance.choice(
                ("a\r\n", "b\n", "\t\n", "+++ x\n", "diff --git a/x b/x\n", "-- \n")
            )
            name = chance.choice(("memory.c", "huge_memory.c", "new.c"))
            branch.commit(
                f"mm: {number}\n\n{''.join(chance.sample(lines, 4))}", **{name: "".join(lines).encode()}
            )
        expected = branch.git("rev-list", "--reverse", f"{branch.base}..master").split()
        assert [patch.commit for patch in branch.apply().patches] == expected


class TestReplayed:
    def _other_base(self, branch: Branch, text: str = NUMBERS) -> str:
        branch.git("checkout", "--quiet", "--detach", branch.base)
        return commit(branch.kernel, "other", {"mm/other.c": "x\n", "mm/memory.c": text})

    def test_messages_authors_and_files_are_the_commits(self, branch: Branch) -> None:
        commits = branch.odd_commits()
        applied = branch.apply(self._other_base(branch))
        assert "are replayed" in applied.notes[0]
        for patch, original in zip(applied.patches, commits, strict=True):
            assert patch.commit != original
            raw, expected = (
                repository.run_bytes("cat-file", "commit", one)
                for repository, one in (
                    (open_mirror(branch.cache), patch.commit),
                    (Repository(branch.kernel), original),
                )
            )
            assert raw.partition(b"\n\n")[2] == expected.partition(b"\n\n")[2]
            assert re.findall(rb"author .*", raw) == re.findall(rb"author .*", expected)
        content = open_mirror(branch.cache).run_bytes("show", f"{applied.commit}:mm/odd5")
        assert content == b"a\r\nb5\r\n"

    def test_ids_are_the_same_on_every_machine(self, branch: Branch) -> None:
        make_series(branch.kernel)
        base = self._other_base(branch)
        first = branch.apply(base)
        shutil.rmtree(branch.cache)
        assert branch.apply(base) == first

    def test_objects_of_another_repository_are_copied(self, branch: Branch) -> None:
        make_series(branch.kernel)
        base = self._other_base(branch)
        applied = branch.apply(base)
        shutil.rmtree(branch.kernel)
        branch.in_mirror("rev-list", "--objects", "--quiet", applied.commit, f"^{base}")

    def test_surroundings_that_differ_are_said(self, branch: Branch) -> None:
        make_series(branch.kernel, 1)
        applied = branch.apply(self._other_base(branch, NUMBERS.replace("line 7\n", "line seven\n")))
        assert "patch 1/1 “mm: thp: change 1” was merged" in applied.notes[1]

    def test_conflict_names_patch_and_lines(self, branch: Branch) -> None:
        make_series(branch.kernel)
        base = self._other_base(branch, NUMBERS.replace("line 30\n", "line thirty\n"))
        with pytest.raises(SeriesError, match="patch 3/3 “mm: thp: change 3” does not apply") as failure:
            branch.apply(base)
        assert "CONFLICT (content): Merge conflict in mm/memory.c" in str(failure.value)
        assert "    | line thirty\n    | =======\n    | line 30 changed" in str(failure.value)

    def test_change_that_the_tree_has(self, branch: Branch) -> None:
        make_series(branch.kernel, 1)
        base = self._other_base(branch, NUMBERS.replace("line 10\n", "line 10 changed\n"))
        with pytest.raises(SeriesError, match="changes nothing on"):
            branch.apply(base)

    def test_part(self, branch: Branch) -> None:
        make_series(branch.kernel)
        applied = branch.apply(choice=SeriesChoice("1,3"))
        assert [patch.subject[-1] for patch in applied.patches] == ["1", "3"]

    def test_moved_base(self, branch: Branch) -> None:
        """BASE went on since the branch was made: the fork point is the base of the commits."""
        make_series(branch.kernel)
        base = self._other_base(branch)
        branch.git("branch", "upstream", base)
        applied = branch.apply(text=f"git:{branch.kernel}@upstream..master")
        assert applied.tree == branch.tree("master")


class TestCovers:
    COVER = "mm: the whole story\n\nEVERYTHING\n\n--- b4-submit-tracking ---\n{}\n"

    def test_b4_prep(self, branch: Branch) -> None:
        branch.commit(self.COVER)
        commits = make_series(branch.kernel)
        applied = branch.apply()
        assert (applied.title, applied.letter.subject) == ("mm: the whole story", "mm: the whole story")
        assert [patch.commit for patch in applied.patches] == commits
        assert "is the cover letter of b4" in applied.notes[0]

    def test_b4_prep_with_its_cover_in_a_merge(self, branch: Branch) -> None:
        commits = make_series(branch.kernel)
        branch.git("checkout", "--quiet", "-b", "merged", branch.base)
        branch.git("merge", "--quiet", "--no-ff", "-m", self.COVER, "master")
        applied = branch.apply(text=f"git:{branch.kernel}@{branch.base}..merged")
        assert [patch.commit for patch in applied.patches] == commits

    def test_empty_commits_are_left_out_and_named(self, branch: Branch) -> None:
        first = branch.commit("mm: 1", a=b"1\n")
        branch.commit("nothing")
        last = branch.commit("mm: 2", a=b"2\n")
        branch.commit("nothing at the end")
        applied = branch.apply()
        assert [patch.commit for patch in applied.patches] == [first, last]
        assert (applied.commit, applied.tree) == (last, branch.tree("master"))
        assert [note.partition("“")[2] for note in applied.notes] == [
            "nothing” changes no file: left out",
            "nothing at the end” changes no file: left out",
        ]
        assert branch.apply(self._moved(branch)).patches[1].subject == "mm: 2"

    def _moved(self, branch: Branch) -> str:
        branch.git("checkout", "--quiet", "--detach", branch.base)
        return commit(branch.kernel, "other", {"mm/other.c": "x\n"})

    def test_only_empty_commits(self, branch: Branch) -> None:
        branch.commit("nothing")
        with pytest.raises(SeriesError, match=r"no commit of the range .* changes a file"):
            branch.apply()


class TestRepositories:
    def test_sha256_is_refused_in_words(self, branch: Branch) -> None:
        git(branch.folder, "init", "--quiet", "--object-format=sha256", "new")
        with pytest.raises(UsageError, match="SHA-256"):
            branch.apply(text=f"git:{branch.folder / 'new'}@a..b")

    @pytest.fixture
    def blobless(self, branch: Branch) -> str:
        make_series(branch.kernel)
        branch.git("config", "uploadpack.allowFilter", "true")
        options = ("--quiet", "--filter=blob:none", "--bare")
        git(branch.folder, "clone", *options, branch.kernel.as_uri(), "clone")
        return f"git:{branch.folder / 'clone'}@{branch.base}..master"

    def test_blobless_clone(self, branch: Branch, blobless: str) -> None:
        assert branch.apply(text=blobless).tree == branch.tree("master")

    def test_blobless_clone_without_its_server(self, branch: Branch, blobless: str) -> None:
        prepare_tree(LocalTree(branch.kernel, branch.base), branch.cache, silent)
        branch.kernel.rename(branch.folder / "gone")
        with pytest.raises(InfrastructureError, match="does not hold all files of the range") as failure:
            prepare_series(blobless, branch.base, branch.cache, False, silent)
        assert "partial clone" in failure.value.hint

    def test_worktree(self, branch: Branch) -> None:
        make_series(branch.kernel)
        branch.git("worktree", "add", "--quiet", "--detach", str(branch.folder / "other place"))
        assert branch.apply(
            text=f"git:{branch.folder / 'other place'}@{branch.base}..HEAD"
        ).tree == branch.tree("master")

    def test_merge_base_as_a_revision(self, branch: Branch) -> None:
        make_series(branch.kernel)
        branch.git("checkout", "--quiet", "-b", "upstream", branch.base)
        commit(branch.kernel, "more", {"x": "y"})
        tree = prepare_tree(LocalTree(branch.kernel, "upstream...master"), branch.cache, silent)
        assert tree.commit == branch.base


def test_folders_and_revisions_with_an_at(tmp_path: Path) -> None:
    for name in ("linux", "linux@fix", "a@b@c"):
        (tmp_path / name).mkdir()
    at = str(tmp_path)
    assert split_revision(f"{at}/linux@HEAD@{{1}}..x") == (tmp_path / "linux", "HEAD@{1}..x")
    assert split_revision(f"{at}/linux@fix@HEAD@{{1}}") == (tmp_path / "linux@fix", "HEAD@{1}")
    assert split_revision(f"{at}/a@b@c@v6.12") == (tmp_path / "a@b@c", "v6.12")
    assert split_revision("HEAD@{1}..HEAD") == (None, "HEAD@{1}..HEAD")
