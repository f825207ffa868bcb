# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import gzip
import os
import re
import shutil
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest

from harness.core.errors import InfrastructureError, UsageError
from harness.sources.git.mirror import open_mirror
from harness.sources.git.worktree import worktree
from harness.sources.series.diff import parse_diff
from harness.sources.series.mail.lore import message_id
from harness.sources.series.mail.mbox import SeriesError
from harness.sources.series.series import AppliedSeries, prepare_series
from harness.sources.trees.tree import LocalTree, prepare_tree
from tests.samples.tiny_kernel import ADDRESS, NUMBERS, commit, git, make_kernel, make_series

TITLES = ["mm: thp: change 1", "mm: thp: change 2", "mm: thp: change 3"]


@cache
def formatted(kernel: Path, commits: str, *arguments: str) -> str:
    return git(kernel, "format-patch", "--stdout", *arguments, commits) + "\n"


@dataclass(frozen=True)
class Workshop:
    """A kernel with a series of three on top of its base, and a cache that knows the base."""

    built: Path
    """The kernel that `kernel` is a copy of: no test changes it."""
    kernel: Path
    folder: Path
    cache: Path
    base: str
    tip: str

    def mbox(self, *arguments: str) -> str:
        """The series as `git format-patch` writes it."""
        return formatted(self.built, f"{self.base}..{self.tip}", *arguments)

    def mails(self, *arguments: str) -> list[str]:
        """One text per mail."""
        return re.split(r"(?m)^(?=From [0-9a-f]{40} Mon Sep)", self.mbox(*arguments))[1:]

    def write(self, *mails: str | bytes, name: str = "series.mbox") -> Path:
        path = self.folder / name
        path.write_bytes(b"".join(mail if isinstance(mail, bytes) else mail.encode() for mail in mails))
        return path

    def apply(self, series: Path | str, *, allow_fuzz: bool = False, base: str = "") -> AppliedSeries:
        return prepare_series(series, base or self.base, self.cache, allow_fuzz, lambda _: None)

    def refused(self, series: Path | str, *, allow_fuzz: bool = False, base: str = "") -> SeriesError:
        with pytest.raises(SeriesError) as failure:
            self.apply(series, allow_fuzz=allow_fuzz, base=base)
        assert open_mirror(self.cache).run("for-each-ref", "refs/series") == ""
        assert not list(self.cache.rglob("rebase-apply"))
        return failure.value

    def other_base(self, **replaced: str) -> str:
        """A base on which files look different; returns its commit, known to the cache."""
        git(self.kernel, "checkout", "--quiet", "--detach", self.base)
        files = {name.replace("__", "/") + ".c": text for name, text in replaced.items()}
        commit(self.kernel, "other base", files)
        return prepare_tree(LocalTree(self.kernel), self.cache, lambda _: None).commit


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    folder = tmp_path_factory.mktemp("workshop")
    kernel, cache = make_kernel(folder / "linux"), folder / "cache"
    tip = make_series(kernel)[-1]
    base = prepare_tree(LocalTree(kernel, "HEAD~3"), cache, lambda _: None).commit
    git(kernel, "repack", "-adq")  # fewer files to copy
    return Workshop(kernel, kernel, folder, cache, base, tip)


@pytest.fixture
def shop(built: Workshop, tmp_path: Path) -> Workshop:
    shutil.copytree(built.folder, tmp_path, dirs_exist_ok=True, symlinks=True)
    return replace(built, kernel=tmp_path / "linux", folder=tmp_path, cache=tmp_path / "cache")


class TestApplied:
    def test_mbox(self, shop: Workshop) -> None:
        applied = shop.apply(
            shop.write(shop.mbox("--cover-letter", "-v3").replace("*** SUBJECT HERE ***", "mm: lazy"))
        )
        assert applied.title == "mm: lazy"
        assert [patch.subject for patch in applied.patches] == TITLES
        assert [patch.number for patch in applied.patches] == [1, 2, 3]
        assert applied.patches[-1].commit == applied.commit
        assert (applied.fuzzed, applied.notes) == ((), ())
        assert applied.tree == git(shop.kernel, "rev-parse", f"{shop.tip}^{{tree}}")

    def test_author_date_and_message_are_the_mails(self, shop: Workshop) -> None:
        applied = shop.apply(shop.write(shop.mbox()))
        said = open_mirror(shop.cache).run("log", "-1", "--format=%an|%ae|%aI|%cI|%cn|%B", applied.commit)
        date = "2026-03-26T19:08:12-07:00"
        message = "mm: thp: change 3\n\nWhy it is done, ünïcode and all."
        assert said.strip() == f"Jörg Author|{ADDRESS}|{date}|{date}|thp-harness|{message}"

    def test_patch_ids_are_gits(self, shop: Workshop) -> None:
        patch = shop.apply(shop.write(shop.mbox())).patches[0]
        shown = git(shop.kernel, "show", "--full-index", "master~2")
        expected = (
            open_mirror(shop.cache).run("patch-id", "--stable", stdin=(shown + "\n").encode()).split()[0]
        )
        assert patch.patch_id == expected

    def test_every_source_makes_the_same_commits(self, shop: Workshop) -> None:
        git(
            shop.kernel,
            "format-patch",
            "--quiet",
            "--cover-letter",
            "-o",
            str(shop.folder / "dir"),
            "master~3",
        )
        sources: list[Path | str] = [
            shop.write(shop.mbox()),
            shop.folder / "dir",
            shop.write(gzip.compress(shop.mbox().encode()), name="t.mbox.gz"),
            shop.write(shop.mbox().replace("\n", "\r\n"), name="crlf.mbox"),
            shop.write("".join(reversed(shop.mails())), name="backwards.mbox"),
        ]
        assert len({shop.apply(source).commit for source in sources}) == 1

    def test_same_ids_in_another_cache(self, shop: Workshop) -> None:
        first = shop.apply(shop.write(shop.mbox()))
        shutil.rmtree(shop.cache)
        prepare_tree(LocalTree(shop.kernel, shop.base), shop.cache, lambda _: None)
        assert shop.apply(shop.write(shop.mbox())) == first

    def test_second_time_nothing_is_applied(self, shop: Workshop) -> None:
        series = shop.write(shop.mbox())
        first = shop.apply(series)
        said: list[str] = []
        assert prepare_series(series, shop.base, shop.cache, False, said.append) == first
        assert said == []

    def test_damaged_record_is_made_again(self, shop: Workshop) -> None:
        first = shop.apply(shop.write(shop.mbox()))
        (record,) = (shop.cache / "series").iterdir()
        record.write_text(record.read_text()[:50])
        assert shop.apply(shop.write(shop.mbox())) == first

    def test_in_a_shallow_mirror(self, shop: Workshop) -> None:
        base = shop.other_base(mm__other="text\n")
        assert (shop.cache / "mirror.git" / "shallow").exists()
        applied = shop.apply(shop.write(shop.mbox()), base=base)
        assert [patch.subject for patch in applied.patches] == TITLES
        with worktree(shop.cache, "w", applied.commit) as path:
            assert (
                "line 30 changed"
                in (path / "mm/memory.c").read_text() + (path / "mm/huge_memory.c").read_text()
            )

    def test_new_renamed_deleted_binary_and_executable_files(self, shop: Workshop) -> None:
        git(shop.kernel, "mv", "mm/memory.c", "mm/renamed file[1].c")
        (shop.kernel / "blob").write_bytes(bytes(range(256)))
        (shop.kernel / "run.sh").write_text("#!/bin/sh\n")
        (shop.kernel / "run.sh").chmod(0o755)
        (shop.kernel / "mm/huge_memory.c").unlink()
        commit(shop.kernel, "many kinds", {"ignored.o": "text"})
        applied = shop.apply(
            f"git:{shop.kernel}@master~1..master", base=shop.apply(shop.write(shop.mbox())).commit
        )
        assert applied.tree == git(shop.kernel, "rev-parse", "master^{tree}")

    def test_range_of_a_shallow_clone(self, shop: Workshop) -> None:
        git(shop.folder, "clone", "--quiet", "--depth=3", shop.kernel.as_uri(), "shallow")
        applied = shop.apply(
            f"git:{shop.folder / 'shallow'}@HEAD~1..HEAD",
            base=shop.apply(shop.write(shop.mbox())).patches[1].commit,
        )
        assert [patch.subject for patch in applied.patches] == TITLES[2:]

    def test_repositorys_own_settings_do_not_change_a_range(self, shop: Workshop) -> None:
        first = shop.apply(f"git:{shop.kernel}@master~3..master")
        for name, value in (
            ("format.attach", "x"),
            ("diff.noprefix", "true"),
            ("format.subjectPrefix", "RFC"),
        ):
            git(shop.kernel, "config", name, value)
        assert shop.apply(f"git:{shop.kernel}@master~3..master").commit == first.commit


class TestChosen:
    def test_replies_are_ignored(self, shop: Workshop) -> None:
        quoted = shop.mails()[0].partition("\n")[2]
        reply = "From x Thu Jan  1 00:00:00 1970\nFrom: R <r@x.org>\nSubject: Re: [PATCH 1/3] x\n\n" + quoted
        assert len(shop.apply(shop.write(reply, shop.mbox(), reply)).patches) == 3

    def test_reply_with_an_encoded_subject(self, shop: Workshop) -> None:
        subject = "Subject: =?UTF-8?q?Re:_[PATCH_1/3]_=C3=BC?=\n"
        reply = re.sub(r"(?m)^Subject: .*\n", subject, shop.mails()[0])
        assert len(shop.apply(shop.write(shop.mbox(), reply)).patches) == 3

    def test_suggestion_in_the_thread_is_left_out(self, shop: Workshop) -> None:
        suggestion = shop.mails()[0].replace("[PATCH 1/3]", "[PATCH]").replace("change 1", "try this")
        applied = shop.apply(shop.write(shop.mbox(), suggestion))
        assert applied.notes == ("left out patch “mm: thp: try this”: it has no number in the series",)

    def test_highest_version_wins(self, shop: Workshop) -> None:
        applied = shop.apply(shop.write(shop.mbox("-v2"), shop.mbox("-v10"), shop.mbox()))
        assert applied.notes == ("took version v10 of the series, left out v1, v2",)

    @pytest.mark.parametrize("prefix", ["PATCHv2", "RFC PATCH v2", "PATCH mm-unstable v2", "RFCv2"])
    def test_versions_as_people_write_them(self, shop: Workshop, prefix: str) -> None:
        newer = shop.mbox().replace("[PATCH ", f"[{prefix} ")
        assert shop.apply(shop.write(shop.mbox(), newer)).notes[0].startswith("took version v2")

    def test_highest_version_of_a_single_patch_wins(self, shop: Workshop) -> None:
        mail = shop.mails("--no-numbered")[0]
        applied = shop.apply(shop.write(mail, mail.replace("[PATCH]", "[PATCH v2]")))
        assert applied.notes == ("took version v2 of the series, left out v1",)

    def test_copy_by_another_list_is_left_out(self, shop: Workshop) -> None:
        applied = shop.apply(shop.write(shop.mbox(), shop.mails()[1]))
        assert len(applied.patches) == 3
        assert "second copy of patch 2/3" in applied.notes[0]

    def test_unnumbered_patches_keep_their_order(self, shop: Workshop) -> None:
        applied = shop.apply(shop.write(shop.mbox("--no-numbered")))
        assert [patch.subject for patch in applied.patches] == TITLES

    def test_directory_of_patches_from_several_series(self, shop: Workshop) -> None:
        (shop.folder / "stack").mkdir()
        mails = shop.mails()
        for name, mail in zip(("a", "b", "c"), mails, strict=True):
            text = mail.replace("[PATCH 2/3]", "[PATCH v7 11/12]")
            shop.write(text, name=f"stack/{name}.patch")
        assert [patch.subject for patch in shop.apply(shop.folder / "stack").patches] == TITLES

    def test_plain_diff_is_named_after_its_file(self, shop: Workshop) -> None:
        diff = git(shop.kernel, "diff", "master~3", "master~2") + "\n"
        applied = shop.apply(shop.write(diff, name="fix-thp.diff"))
        assert applied.title == "fix-thp"
        author = open_mirror(shop.cache).run("log", "-1", "--format=%an %ad", applied.commit)
        assert author == "unknown author Sat Jan 1 00:00:00 2000 +0000"

    @pytest.mark.parametrize("header", ["Date", "From", "Subject"])
    def test_missing_header(self, shop: Workshop, header: str) -> None:
        mail = re.sub(rf"(?m)^{header}: .*\n( .*\n)*", "", shop.mails("--no-numbered")[0])
        first = shop.apply(shop.write(mail)).commit
        shutil.rmtree(shop.cache / "series")
        assert shop.apply(shop.write(mail)).commit == first

    def test_obfuscated_author(self, shop: Workshop) -> None:
        mail = re.sub(r"(?m)^From: .*\n", "From: Usama Arif\n", shop.mails("--no-numbered")[0])
        applied = shop.apply(shop.write(mail))
        author = open_mirror(shop.cache).run("log", "-1", "--format=%an <%ae>", applied.commit)
        assert author == "Usama Arif <unknown@localhost>"


class TestLetter:
    COVER = (
        "From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n"
        "Message-ID: <20260101120000.1-0-usama@example.org>\n"
        'From: =?utf-8?q?=C3=9Csama?= "A." <usama@example.org>\n'
        "Date: Thu, 1 Jan 2026 12:00:00 +0000\n"
        "Subject: [PATCH 0/3] mm: thp: the\n whole story\n"
        "To: linux-mm@kvack.org, David <david@example.org>\n"
        "Cc: =?utf-8?q?a=0ABcc=3A_x?= <x@example.org>, david@example.org,\n <linux-mm@kvack.org>\n"
        "\nWhy.\n\n"
    )

    def test_cover_letter(self, shop: Workshop) -> None:
        letter = shop.apply(shop.write(self.COVER, shop.mbox())).letter
        assert letter.message_id == "20260101120000.1-0-usama@example.org"
        assert letter.subject == "[PATCH 0/3] mm: thp: the whole story"
        assert letter.author == '"Üsama A." <usama@example.org>'
        assert letter.recipients[:2] == ("linux-mm@kvack.org", "David <david@example.org>")
        assert letter.url == ""

    def test_no_header_gets_a_line_of_its_own(self, shop: Workshop) -> None:
        letter = shop.apply(shop.write(self.COVER, shop.mbox())).letter
        assert letter.recipients[2] == '"a\\x0aBcc: x" <x@example.org>'.replace("\\", "")
        assert not any("\n" in text for text in (letter.subject, letter.author, *letter.recipients))

    def test_without_a_cover_letter_it_is_the_first_patch(self, shop: Workshop) -> None:
        letter = shop.apply(shop.write(shop.mbox())).letter
        assert letter.subject == "[PATCH 1/3] mm: thp: change 1"
        assert (letter.message_id, letter.recipients) == ("", ())

    def test_is_remembered(self, shop: Workshop) -> None:
        series = shop.write(self.COVER, shop.mbox())
        letter = shop.apply(series).letter
        (record,) = (shop.cache / "series").glob("*.json")
        record.write_text(record.read_text().replace(letter.subject, "as in the record"))
        assert shop.apply(series).letter == replace(letter, subject="as in the record")

    @pytest.mark.parametrize("header", ["From: =?klingon?q?x?= <a@example.org>", "From: <<<@", "From: ,;:@@"])
    def test_any_header_will_do(self, shop: Workshop, header: str) -> None:
        shop.apply(shop.write(re.sub(r"(?m)^From: .*$", header, self.COVER), shop.mbox()))

    def test_sums_are_those_of_the_files(self, shop: Workshop) -> None:
        git(shop.kernel, "format-patch", "--quiet", "-o", str(shop.folder / "three"), "master~3..master")
        applied = shop.apply(shop.folder / "three")
        files = sorted((shop.folder / "three").iterdir())
        # `git am` gets a mail without the line that separates it from others
        raw = [file.read_bytes().partition(b"\n")[2] for file in files]
        assert [patch.sha256 for patch in applied.patches] == [sha256(mail).hexdigest() for mail in raw]


class TestEncodings:
    MESSAGE = "Why it is done, ünïcode and all."

    def _body(self, shop: Workshop, applied: AppliedSeries) -> str:
        return open_mirror(shop.cache).run("log", "-1", "--format=%b", applied.commit).strip()

    @pytest.mark.parametrize("declared", [True, False])
    def test_latin1(self, shop: Workshop, declared: bool) -> None:
        mail = shop.mails("--no-numbered")[0]
        mail = mail.replace("charset=UTF-8", "charset=ISO-8859-1")
        if not declared:
            mail = re.sub(r"(?m)^(MIME|Content)-.*\n", "", mail)
        assert self._body(shop, shop.apply(shop.write(mail.encode("latin-1")))) == self.MESSAGE

    def test_latin1_in_the_source_stays_as_it_is(self, shop: Workshop) -> None:
        (shop.kernel / "mm/latin.c").write_bytes("/* größe */\n".encode("latin-1"))
        commit(shop.kernel, "latin", {})
        applied = shop.apply(
            f"git:{shop.kernel}@master~1..master", base=shop.apply(shop.write(shop.mbox())).commit
        )
        assert applied.tree == git(shop.kernel, "rev-parse", "master^{tree}")

    def test_quoted_printable(self, shop: Workshop) -> None:
        head, _, body = shop.mails("--no-numbered")[0].partition("\n\n")
        quoted = "".join(
            chr(byte) if byte < 128 and byte != ord("=") else f"={byte:02X}" for byte in body.encode()
        )
        head = head.replace("Content-Transfer-Encoding: 8bit", "Content-Transfer-Encoding: quoted-printable")
        assert self._body(shop, shop.apply(shop.write(f"{head}\n\n{quoted}"))) == self.MESSAGE


class TestBroken:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "is empty"),
            (" \n\n", "is empty"),
            ("<!DOCTYPE html>\n<html><body>patch</body></html>", "is a web page, not mail"),
            ("From: A <a@b.c>\nSubject: hello\n\nNo patch here.\n", "holds no patch"),
            ("just some text\n", "holds no patch"),
            (b"\x1f\x8b\x08broken", "damaged gzip"),
            (b"\0\xff\xfe binary \0", "holds no patch"),
        ],
    )
    def test_no_mail(self, shop: Workshop, content: str | bytes, message: str) -> None:
        error = shop.refused(shop.write(content))
        assert re.search(message, str(error))
        assert error.hint
        assert error.exit_code == 2

    def test_missing_patch(self, shop: Workshop) -> None:
        mails = shop.mails()
        assert "patch 2 of 3 is missing" in str(shop.refused(shop.write(mails[0], mails[2])))
        assert "patches 1, 2 of 3 are missing" in str(shop.refused(shop.write(mails[2])))

    def test_same_number_with_different_content(self, shop: Workshop) -> None:
        other = shop.mails()[1].replace("+line 20 changed", "+line 20 changed otherwise")
        assert "patch 2/3 twice, with different content" in str(shop.refused(shop.write(shop.mbox(), other)))

    def test_two_series(self, shop: Workshop) -> None:
        other = shop.mbox().replace("/3]", "/4]")
        assert "several series, numbered n/3 and n/4" in str(shop.refused(shop.write(shop.mbox(), other)))

    def test_cut_off_in_a_hunk(self, shop: Workshop) -> None:
        text = shop.mbox()
        cut = text[: text.rindex("+line 30 changed")]
        error = shop.refused(shop.write(cut))
        assert "patch 3/3 “mm: thp: change 3”" in str(error)
        assert "cut off in the middle of hunk 1 of mm/memory.c" in str(error)

    def test_cut_off_between_two_files(self, shop: Workshop) -> None:
        changed = {name: NUMBERS.replace("line 55", "LINE 55") for name in ("mm/a.c", "mm/b.c")}
        commit(shop.kernel, "two files", changed)
        mail = git(shop.kernel, "format-patch", "--stdout", "-1")
        cut = mail[: mail.rindex("diff --git")]
        assert "shorter than its own diffstat" in str(shop.refused(shop.write(cut)))

    def test_cut_off_before_the_diff(self, shop: Workshop) -> None:
        text = shop.mbox()
        assert "patch 3/3 “mm: thp: change 3”" in str(
            shop.refused(shop.write(text[: text.rindex("diff --git")]))
        )

    def test_wrapped_lines(self, shop: Workshop) -> None:
        mail = shop.mails("--no-numbered")[0].replace("+line 10 changed", "+line 10\nchanged")
        error = shop.refused(shop.write(mail))
        assert "damaged in hunk 1 of mm/memory.c, where this line can't be: 'changed'" in str(error)

    def test_empty_directory(self, shop: Workshop) -> None:
        (shop.folder / "empty").mkdir()
        assert "holds no patch" in str(shop.refused(shop.folder / "empty"))

    def test_no_such_thing(self, shop: Workshop) -> None:
        with pytest.raises(UsageError, match="no such file") as failure:
            shop.apply("nothing/here.mbox")
        assert "Message-ID" in failure.value.hint

    def test_unreadable_file(self, shop: Workshop) -> None:
        if os.geteuid() == 0:
            pytest.skip("root can read everything")
        path = shop.write(shop.mbox())
        path.chmod(0)
        with pytest.raises(UsageError, match="can't read"):
            shop.apply(path)

    def test_unknown_base(self, shop: Workshop) -> None:
        with pytest.raises(UsageError, match="holds no commit"):
            shop.apply(shop.write(shop.mbox()), base="0" * 40)


class TestRanges:
    def test_of_the_mirror(self, shop: Workshop) -> None:
        applied = shop.apply(shop.write(shop.mbox()))
        again = shop.apply(f"git:{shop.base}..{applied.commit}")
        assert again.commit == applied.commit

    @pytest.mark.parametrize("text", ["git:master", "git:a...b", "git:..b", "git:a.."])
    def test_no_range(self, shop: Workshop, text: str) -> None:
        with pytest.raises(UsageError, match="is no git range"):
            shop.apply(text)

    def test_unknown_revision(self, shop: Workshop) -> None:
        with pytest.raises(UsageError, match="no revision 'nowhere'"):
            shop.apply(f"git:{shop.kernel}@nowhere..master")

    def test_empty(self, shop: Workshop) -> None:
        assert "is empty" in str(shop.refused(f"git:{shop.kernel}@master..master~1"))

    def test_with_merges(self, shop: Workshop) -> None:
        git(shop.kernel, "checkout", "--quiet", "-b", "side", "master~1")
        commit(shop.kernel, "side", {"side.c": "x\n"})
        git(shop.kernel, "merge", "--quiet", "--no-edit", "master")
        assert "merge commits" in str(shop.refused(f"git:{shop.kernel}@master~3..side"))

    def test_of_unrelated_histories(self, shop: Workshop) -> None:
        git(shop.kernel, "checkout", "--quiet", "--orphan", "orphan")
        commit(shop.kernel, "orphan", {"x.c": "x\n"})
        assert "does not descend from BASE" in str(shop.refused(f"git:{shop.kernel}@master..orphan"))


class TestRefused:
    def test_names_patch_file_hunk_and_lines(self, shop: Workshop) -> None:
        base = shop.other_base(mm__memory=NUMBERS.replace("line 10\n", "line ten\n"))
        error = shop.refused(shop.write(shop.mbox()), base=base)
        assert "patch 1/3 “mm: thp: change 1” does not apply" in str(error)
        assert "mm/memory.c: hunk 1, for line 7, finds other lines there" in str(error)
        assert "    | -line 10\n    | +line 10 changed" in str(error)
        assert "written for another tree" in error.hint
        assert "--allow-fuzz" not in error.hint

    @pytest.mark.parametrize(
        ("line", "shown"),
        [
            ("\tred \x1b[31m\x07", "    | +\tred \\x1b[31m\\x07\n"),
            ("\nwrapped \x1b[2J", "'wrapped \\x1b[2J'"),
        ],
        ids=["refused", "damaged"],
    )
    def test_a_line_that_is_shown_gives_the_terminal_no_orders(
        self, shop: Workshop, line: str, shown: str
    ) -> None:
        base = shop.other_base(mm__memory=NUMBERS.replace("line 10\n", "line ten\n"))
        mail = shop.mails("--no-numbered")[0].replace("+line 10 changed", f"+{line}")
        assert shown in str(shop.refused(shop.write(mail), base=base))

    def test_fuzz_is_offered_and_then_reported(self, shop: Workshop) -> None:
        # One of the three context lines before the second patch's change differs, and all moved down by one.
        text = "first\n" + NUMBERS.replace("line 17\n", "line seventeen\n")
        base = shop.other_base(mm__huge_memory=text)
        series = shop.write(shop.mbox())
        error = shop.refused(series, base=base)
        assert "patch 2/3" in str(error)
        assert (
            "--allow-fuzz would place every hunk of this patch: mm/huge_memory.c hunk 1 (fuzz 1" in error.hint
        )
        applied = shop.apply(series, allow_fuzz=True, base=base)
        (hunk,) = applied.fuzzed
        assert (hunk.patch, hunk.file, hunk.hunk, hunk.fuzz) == (TITLES[1], "mm/huge_memory.c", 1, 1)
        assert [patch.subject for patch in applied.patches] == TITLES
        said = open_mirror(shop.cache).run("log", "-1", "--format=%an|%aI|%cI|%b", applied.patches[1].commit)
        date = "2026-03-26T19:08:12-07:00"
        assert said.strip() == f"Jörg Author|{date}|{date}|Why it is done, ünïcode and all."
        with worktree(shop.cache, "w", applied.commit) as path:
            assert (path / "mm/huge_memory.c").read_text() == text.replace("line 20\n", "line 20 changed\n")
        assert shop.apply(series, allow_fuzz=True, base=base) == applied

    def test_fuzz_does_not_help_where_lines_differ(self, shop: Workshop) -> None:
        base = shop.other_base(mm__memory=NUMBERS.replace("line 10\n", "line ten\n"))
        assert "patch 1/3" in str(shop.refused(shop.write(shop.mbox()), allow_fuzz=True, base=base))

    def test_fuzz_keeps_bytes_that_are_no_text(self, shop: Workshop) -> None:
        path = shop.kernel / "mm/latin.c"
        path.write_bytes(NUMBERS.encode())
        commit(shop.kernel, "file", {})
        path.write_bytes(NUMBERS.encode().replace(b"line 20\n", b"gr\xf6\xdfe\n"))
        commit(shop.kernel, "latin", {})
        series = f"git:{shop.kernel}@HEAD~1..HEAD"
        base = shop.other_base(mm__latin=NUMBERS.replace("line 17\n", "line seventeen\n"))
        applied = shop.apply(series.replace("HEAD", "master"), allow_fuzz=True, base=base)
        with worktree(shop.cache, "w", applied.commit) as folder:
            assert b"gr\xf6\xdfe\n" in (folder / "mm/latin.c").read_bytes()

    def test_names_the_hunk_that_has_no_place_even_with_fuzz(self, shop: Workshop) -> None:
        """Git stops at hunk 1, which fuzz would place; it is hunk 2 that can't be."""
        text = NUMBERS.replace("line 15\n", "fifteen\n").replace("line 45\n", "forty-five\n")
        git(shop.kernel, "checkout", "--quiet", "--detach", shop.base)
        commit(shop.kernel, "two hunks", {"mm/memory.c": text})
        series = shop.write(git(shop.kernel, "format-patch", "--stdout", "-1") + "\n")
        other = NUMBERS.replace("line 12\n", "twelve\n").replace("line 45\n", "other\n")
        error = shop.refused(series, base=shop.other_base(mm__memory=other))
        assert "mm/memory.c: hunk 2, for line 42, finds other lines there" in str(error)
        assert "hunk 1" not in str(error)

    def test_already_in_the_tree(self, shop: Workshop) -> None:
        base = shop.other_base(mm__memory=NUMBERS.replace("line 10\n", "line 10 changed\n"))
        for allow_fuzz in (False, True):
            error = shop.refused(shop.write(shop.mbox()), base=base, allow_fuzz=allow_fuzz)
            assert "The tree holds this change already" in error.hint

    def test_twice_in_the_series(self, shop: Workshop) -> None:
        mail = shop.mails("--no-numbered")[0]
        error = shop.refused(shop.write(mail, mail.replace("change 1", "change 1 again")))
        assert "patch 2/2 “mm: thp: change 1 again”" in str(error)
        assert "Patch 1 “mm: thp: change 1” of this series makes the same change" in error.hint

    def test_missing_file(self, shop: Workshop) -> None:
        git(shop.kernel, "checkout", "--quiet", "--detach", shop.base)
        (shop.kernel / "mm/memory.c").unlink()
        commit(shop.kernel, "gone", {})
        base = prepare_tree(LocalTree(shop.kernel), shop.cache, lambda _: None).commit
        assert "mm/memory.c: there is no such file" in str(shop.refused(shop.write(shop.mbox()), base=base))

    @pytest.mark.parametrize("how", ["rm", "mv"])
    def test_file_removed_by_an_earlier_patch(self, shop: Workshop, how: str) -> None:
        git(shop.kernel, "checkout", "--quiet", "--detach", shop.base)
        git(shop.kernel, how, "mm/memory.c", *(["mm/moved.c"] if how == "mv" else []))
        commit(shop.kernel, "mm: drop it", {})
        removal = git(shop.kernel, "format-patch", "--stdout", "-1") + "\n"
        error = shop.refused(shop.write(removal, shop.mails("--no-numbered")[0]))
        assert (
            "mm/memory.c: there is no such file; patch 1 “mm: drop it” of this series removed or renamed it"
            in str(error)
        )

    def test_file_exists_already(self, shop: Workshop) -> None:
        commit(shop.kernel, "new file", {"mm/new.c": "x\n"})
        series = shop.write(git(shop.kernel, "format-patch", "--stdout", "-1"))
        base = shop.other_base(mm__new="y\n")
        assert "mm/new.c: the patch creates it, but it is there already" in str(
            shop.refused(series, base=base)
        )

    def test_long_hunks_are_capped(self, shop: Workshop) -> None:
        git(shop.kernel, "checkout", "--quiet", "--detach", shop.base)
        many = "".join(f"added {number}\n" for number in range(100))
        commit(shop.kernel, "much", {"mm/memory.c": NUMBERS.replace("line 40\n", many)})
        series = shop.write(git(shop.kernel, "format-patch", "--stdout", "-1"))
        base = shop.other_base(mm__memory=NUMBERS.replace("line 40\n", "line forty\n"))
        error = str(shop.refused(series, base=base))
        assert "more lines)" in error
        assert error.count("\n") < 25


class TestMessageIds:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("20260327021403.214713-1-usama.arif@linux.dev", "20260327021403.214713-1-usama.arif@linux.dev"),
            ("<a.b+c@d.e>", "a.b+c@d.e"),
            ("lore:<a@b>", "a@b"),
            ("https://lore.kernel.org/all/a-1@b.c/", "a-1@b.c"),
            ("https://lore.kernel.org/linux-mm/a-1@b.c/T/#u", "a-1@b.c"),
            ("https://lore.kernel.org/r/a-1@b.c", "a-1@b.c"),
            ("https://lore.kernel.org/all/a-1@b.c/t.mbox.gz", "a-1@b.c"),
            ("lore.kernel.org/all/a-1@b.c/", "a-1@b.c"),
            ("<https://lore.kernel.org/all/a-1@b.c/>", "a-1@b.c"),
            ("https://patch.msgid.link/a-1@b.c", "a-1@b.c"),
            ("https://patchwork.kernel.org/project/linux-mm/patch/a-1@b.c/", "a-1@b.c"),
            ("https://lore.kernel.org/all/a%2F1%40b.c/", "a/1@b.c"),
            ("https://lore.kernel.org/all/a%2B1@b.c/?q=x@y", "a+1@b.c"),
            ("a%2F1%40b.c", "a/1@b.c"),
            ("mid:a@b", "a@b"),
            ("https://patchwork.kernel.org/project/linux-mm/list/?series=12", None),
            ("file.mbox", None),
            ("https://example.org/file", None),
            ("two words@x", None),
        ],
    )
    def test_forms(self, text: str, expected: str | None) -> None:
        assert message_id(text) == expected

    def test_without_b4(self, shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("harness.sources.series.mail.lore.sys.executable", "/nowhere/python")
        monkeypatch.setattr("harness.sources.series.mail.lore.shutil.which", lambda _: None)
        with pytest.raises(InfrastructureError, match="`b4`") as failure:
            shop.apply("a@b.example")
        assert "pip install b4" in failure.value.hint


class TestDiffs:
    def test_counts_and_names(self) -> None:
        (file,) = parse_diff(
            "--- a/x.c\t2020\n+++ b/x.c\n@@ -1 +1,2 @@\n-a\n+b\n+c\n\\ No newline at end of file\n"
        )
        assert (file.old, file.new) == ("x.c", "x.c")
        assert file.hunks[0].lines == ["-a", "+b", "+c"]
        assert file.hunks[0].missing == 0

    def test_removed_line_that_looks_like_a_header(self) -> None:
        (file,) = parse_diff(
            "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n--- old\n+++ new\n same\n"
        )
        assert file.hunks[0].lines == ["--- old", "+++ new", " same"]

    def test_empty_context_line_without_its_space(self) -> None:
        (file,) = parse_diff("--- a/x\n+++ b/x\n@@ -1,2 +1,3 @@\n a\n\n+b\n")
        assert file.hunks[0].missing == 0

    def test_new_and_deleted_files(self) -> None:
        new, gone = parse_diff(
            "diff --git a/n b/n\nnew file mode 100644\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+x\n"
            "diff --git a/g b/g\ndeleted file mode 100644\n--- a/g\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
        )
        assert (new.paths, new.removed) == ({"n"}, None)
        assert (gone.paths, gone.removed) == ({"g"}, "g")

    @pytest.mark.parametrize(
        "text", ["", "no diff", "--- \n+++ \n", "@@ -1 +1 @@\n", "diff --git a/x b/x\n@@ -1,9 +1,9 @@"]
    )
    def test_never_raises(self, text: str) -> None:
        parse_diff(text)
