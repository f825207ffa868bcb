# SPDX-License-Identifier: GPL-2.0-only
"""Which mails of a thread are the series, in which order; as the authors of such threads mean them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.core.errors import UsageError
from harness.sources.git.repository import Repository
from harness.sources.series.mail.headers import header_text, read_headers
from harness.sources.series.mail.mbox import SeriesError, read_mails
from harness.sources.series.order import Order, OrderedSeries, SeriesChoice, order_series
from tests.samples.patch_mail import REV, diff, mail

Read = Callable[..., OrderedSeries]


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository(tmp_path_factory.mktemp("git"))


@pytest.fixture
def read(git: Repository) -> Read:
    def ordered(*mails: str, order: Order = Order.NUMBERS, **choice: object) -> OrderedSeries:
        found = read_mails("thread.mbox", "".join(mails).encode(), git)
        return order_series(found, "thread.mbox", order, SeriesChoice(**choice))  # type: ignore[arg-type]

    return ordered


def titles(series: OrderedSeries) -> list[str]:
    return [patch.subject for patch in series.patches]


class TestNumbers:
    @pytest.mark.parametrize(
        "prefix",
        [
            "PATCH v6,{}/3",
            "PATCH{}/3",
            "[RESEND] mm PATCH v2 {}/3",
            "v2,{}/3",
            "PATCH {} of 3",
            "PATCH v4a {}/3",
        ],
    )
    def test_backwards(self, read: Read, prefix: str) -> None:
        mails = [mail(f"[{prefix.format(n)}] mm: {n}", n * 10, number=f"m{n}") for n in (3, 1, 2)]
        series = read(*mails)
        assert titles(series) == ["mm: 1", "mm: 2", "mm: 3"]
        assert series.notes == ()
        with pytest.raises(SeriesError, match="patch 1 of 3 is missing"):
            read(mails[0], mails[2])

    def test_title_that_git_would_read_wrongly_is_given_to_it_plainly(self, read: Read) -> None:
        (patch,) = read(mail("[[RESEND] mm PATCH v2] mm: ünïcode [x]")).patches
        assert header_text(read_headers(patch.raw), "Subject") == "[PATCH] mm: ünïcode [x]"

    def test_numbers_that_cannot_be_read_take_the_order_of_the_thread(self, read: Read) -> None:
        first = mail("[PATCH 1-2] mm: 1", 10, number="a")
        second = mail("[PATCH 2-2] mm: 2", 20, number="b", answers="a")
        series = read(second, first)
        assert titles(series) == ["mm: 1", "mm: 2"]
        assert "can't be read from prefixes like [PATCH" in series.notes[0]

    def test_numbers_that_cannot_be_read_take_the_order_of_message_ids(self, read: Read) -> None:
        mails = [mail(f"[PATCH {n}-3] mm: {n}", n * 10, number=f"20260326.77-{n}-ann") for n in (2, 3, 1)]
        assert titles(read(*mails)) == ["mm: 1", "mm: 2", "mm: 3"]

    def test_numbers_that_cannot_be_read_are_refused_without_a_thread(self, read: Read) -> None:
        with pytest.raises(SeriesError, match=r"can't be read from its prefix \[PATCH 1-2\]"):
            read(mail("[PATCH 1-2] mm: 1", 10, number="a"), mail("[PATCH 2-2] mm: 2", 20, number="b"))

    def test_twice_names_both_message_ids(self, read: Read) -> None:
        mails = [mail("[PATCH 1/1] mm: x", line, number=f"m{line}") for line in (10, 20)]
        with pytest.raises(SeriesError, match=r"\(<m10@kernel.example>\) and .*<m20@kernel"):
            read(*mails)

    def test_missing_ones_and_what_to_type_for_the_others(self, read: Read) -> None:
        mails = [mail(f"{{PATCH {n}/4}} mm: {n}", n * 10, number=f"m{n}") for n in (3, 1, 4)]
        with pytest.raises(SeriesError, match="patch 2 of 4 is missing") as failure:
            read(*mails)
        assert "--patches 1,3,4." in failure.value.hint
        assert titles(read(*mails, patches="1,3,4")) == ["mm: 1", "mm: 3", "mm: 4"]

    def test_version_as_a_word(self, read: Read) -> None:
        old = [mail(f"[PATCH v2 {n}/2] mm: {n}", n * 10, number=f"o{n}") for n in (1, 2)]
        new = [mail(f"[PATCH version 3 {n}/2] mm: {n}", n * 15, number=f"n{n}") for n in (1, 2)]
        series = read(*new, *old)
        assert [patch.message_id for patch in series.patches] == ["n1@kernel.example", "n2@kernel.example"]
        assert series.notes == ("took version v3 of the series, left out v2",)

    def test_cover_letter_with_a_diff(self, read: Read) -> None:
        series = read(*(mail(f"[PATCH {n}/2] mm: {n}", n * 10 + 10, number=f"m{n}") for n in (0, 1, 2)))
        assert titles(series) == ["mm: 1", "mm: 2"]
        assert series.notes == ("left out the diff of the cover letter “mm: 0”",)

    @pytest.mark.parametrize(
        ("subjects", "said"),
        [
            (["[PATCH 1/2] a", "[PATCH 2/3] b"], "holds several series, numbered n/2 and n/3"),
            (["[PATCH 1/2] a", "[PATCH v2 2/2] b"], "patch 1 of 2 is missing"),
            (["[PATCH 1/2] a", "[PATCH 2/2] b", "[PATCH 1/2] c", "[PATCH 2/2] d"], "has patch 1/2 twice"),
            (["[PATCH 0/2] a", "[PATCH 1/2] b"], "patch 2 of 2 is missing"),
            (["Fwd: [PATCH 1/2] a", "Fwd: [PATCH 2/2] b"], "holds no patch"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_mixtures_are_refused(self, read: Read, subjects: list[str], said: str) -> None:
        mails = [mail(text, n * 8, number=f"m{n}") for n, text in enumerate(subjects, 1)]
        with pytest.raises(SeriesError, match=said):
            read(*mails)

    def test_patch_beyond_the_last(self, read: Read) -> None:
        series = read(*(mail(f"[PATCH {n}/2] mm: {n}", n * 10, number=f"m{n}") for n in (3, 1, 2)))
        assert titles(series) == ["mm: 1", "mm: 2", "mm: 3"]
        assert "numbered beyond the end" in series.notes[0]

    @settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.permutations(range(5)), st.integers(0, 4))
    def test_any_order_of_arrival_gives_the_same_series(
        self, read: Read, order: list[int], copied: int
    ) -> None:
        mails = [mail("[PATCH v2 0/3] mm: cover", None, number="c")]
        mails += [mail(f"[PATCH v2 {n}/3] mm: {n}", n * 10, number=f"m{n}", answers="c") for n in (1, 2, 3)]
        mails.append(mail("Re: [PATCH v2 2/3] mm: 2", 50, number="r", answers="m2", sender=REV))
        arrived = [mails[place] for place in order]
        series = read(*arrived, mails[copied])
        assert (series.title, titles(series)) == ("mm: cover", ["mm: 1", "mm: 2", "mm: 3"])


class TestReplies:
    @pytest.mark.parametrize(
        "subject", ["Antw: [PATCH] mm: x", "回复：[PATCH] mm: x", "Ynt: [PATCH] mm: x", "mm: x"]
    )
    def test_in_any_language_and_named(self, read: Read, subject: str) -> None:
        series = read(
            mail("[PATCH] mm: x", number="a"), mail(subject, 30, number="b", answers="a", sender=REV)
        )
        assert titles(series) == ["mm: x"]
        assert "rev@kernel.example: it is a reply" in series.notes[0]

    def test_without_re_and_with_the_quoted_diff(self, read: Read) -> None:
        quoted = "".join(f"> {line}\n" for line in diff(20).splitlines())
        series = read(
            mail("[PATCH v2 1/2] mm: 1", 10, number="a"),
            mail("[PATCH v2 2/2] mm: 2", 20, number="b", answers="a"),
            mail("[PATCH v2 2/2] mm: 2", None, number="c", answers="b", sender=REV, message=quoted),
        )
        assert titles(series) == ["mm: 1", "mm: 2"]

    def test_without_re_and_with_another_diff(self, read: Read) -> None:
        series = read(
            mail("[PATCH 1/1] mm: 1", 10, number="a"),
            mail("[PATCH 1/1] mm: 1", 30, number="c", answers="a", sender=REV),
        )
        assert [patch.message_id for patch in series.patches] == ["a@kernel.example"]
        assert "it is a reply" in series.notes[0]

    def test_patch_of_another_in_the_thread(self, read: Read) -> None:
        series = read(
            mail("[PATCH] mm: x", number="a"),
            mail("[PATCH] mm: try this", 30, number="b", answers="a", sender=REV),
        )
        assert titles(series) == ["mm: x"]
        assert "“mm: try this” of rev@kernel.example" in series.notes[0]

    def test_version_of_another_in_the_thread(self, read: Read) -> None:
        series = read(
            mail("[PATCH 1/1] mm: x", number="a"),
            mail("[PATCH v2 1/1] mm: x", 30, number="b", answers="a", sender=REV),
        )
        assert [patch.message_id for patch in series.patches] == ["a@kernel.example"]

    @pytest.mark.parametrize(
        ("subject", "sender"),
        [
            ("[tip: x86/mm] mm: x", "tip-bot2 for Ann <tip-bot2@kernel.example>"),
            ("[PATCH] mm: fix ifnullfree.cocci warnings", "kernel test robot <lkp@kernel.example>"),
            ("[merged] mm-x.patch removed from -mm tree", "mm <mm-commits@kernel.example>"),
        ],
    )
    def test_robots(self, read: Read, subject: str, sender: str) -> None:
        series = read(
            mail("[PATCH] mm: x", number="a"), mail(subject, number="b", answers="a", sender=sender)
        )
        assert [patch.message_id for patch in series.patches] == ["a@kernel.example"]

    def test_with_fixups_they_go_on_top(self, read: Read) -> None:
        mails = (
            mail("[PATCH 1/2] mm: 1", 10, number="a"),
            mail("Re: [PATCH 1/2] mm: 1", 30, number="c", answers="a", sender=REV),
            mail("[PATCH 2/2] mm: 2", 20, number="b", answers="a"),
        )
        assert "left out patch “Re: [PATCH 1/2] mm: 1” of rev@kernel.example" in read(*mails).notes[0]
        series = read(*mails, with_fixups=True)
        assert [patch.message_id[0] for patch in series.patches] == ["a", "b", "c"]
        assert [note.partition(" ")[0] for note in series.notes] == ["applied"]


class TestVersions:
    def test_newer_by_a_dot(self, read: Read) -> None:
        series = read(
            mail("[PATCH v3.1] mm: x", 20, number="b", answers="a"), mail("[PATCH v3] mm: x", 10, number="a")
        )
        assert [patch.message_id[0] for patch in series.patches] == ["b"]
        assert series.notes == ("took version v3.1 of the series, left out v3",)

    @pytest.mark.parametrize("subject", ["[PATCH v2 2/3] mm: 2", "[PATCH v2] mm: 2 better"])
    def test_reroll_of_one_patch(self, read: Read, subject: str) -> None:
        series = read(
            mail("[PATCH 0/3] mm: cover", None, number="c"),
            *(mail(f"[PATCH {n}/3] mm: {n}", n * 10, number=f"m{n}", answers="c") for n in (1, 2, 3)),
            mail(subject, 25, number="again", answers="m2"),
        )
        assert [patch.message_id.partition("@")[0] for patch in series.patches] == ["m1", "again", "m3"]
        assert series.title == "mm: cover"
        assert "took v2 of patch 2/3" in series.notes[0]

    def test_incomplete_newer_version_is_no_reroll(self, read: Read) -> None:
        with pytest.raises(SeriesError, match="patches 1, 3 of 3 are missing"):
            read(
                *(mail(f"[PATCH {n}/3] mm: {n}", n * 10, number=f"m{n}") for n in (1, 2, 3)),
                mail("[PATCH v2 2/3] mm: 2", 25, number="again"),
            )

    def test_same_patch_again_without_a_version(self, read: Read) -> None:
        series = read(
            mail("[PATCH] mm: old", number="a"),
            mail("[PATCH] mm: new", number="b", answers="a"),
        )
        assert titles(series) == ["mm: new"]
        assert "<a@kernel.example>): patch “mm: new” (<b@kernel.example>) replaces it" in series.notes[0]

    def test_another_patch_in_answer_to_the_first_is_not_guessed_at(self, read: Read) -> None:
        with pytest.raises(SeriesError, match="neither has a number"):
            read(mail("[PATCH] mm: a", 10, number="a"), mail("[PATCH] mm: b", 40, number="b", answers="a"))

    def test_unnumbered_patches_of_one_sending_are_stacked(self, read: Read) -> None:
        mails = [
            mail(
                f"[PATCH] mm: {n}",
                n * 10,
                number=f"20260326.77-{n}-ann",
                answers="20260326.77-1-ann" * (n > 1),
            )
            for n in (1, 2, 3)
        ]
        for order in itertools.permutations(mails):
            assert titles(read(*order)) == ["mm: 1", "mm: 2", "mm: 3"]

    def test_patch_that_was_sent_again(self, read: Read) -> None:
        series = read(mail("[PATCH] mm: a", number="a"), mail("[PATCH RESEND] mm: a", number="b"))
        assert titles(series) == ["mm: a"]
        assert series.notes == ("left out a second copy of patch “mm: a”",)

    def test_two_copies_of_one_mail_are_one(self, read: Read) -> None:
        footer = mail("[PATCH] mm: a", number="a") + "_______\nlist footer\n"
        assert titles(read(mail("[PATCH] mm: a", number="a"), footer)) == ["mm: a"]


class TestParts:
    MAILS = tuple(mail(f"[PATCH {n}/9] mm: {n}", n * 5, number=f"m{n}") for n in range(1, 10))

    def test_chosen(self, read: Read) -> None:
        assert titles(read(*self.MAILS, patches="3-5,9")) == ["mm: 3", "mm: 4", "mm: 5", "mm: 9"]
        assert titles(read(*self.MAILS[2:7], patches="3-7")) == [f"mm: {n}" for n in range(3, 8)]

    @pytest.mark.parametrize("text", ["0-3", "7-12", "5-3"])
    def test_no_such_part(self, read: Read, text: str) -> None:
        with pytest.raises(Exception, match=f"--patches {text}: the series has patches 1 to 9"):
            read(*self.MAILS, patches=text)

    @pytest.mark.parametrize("text", ["x", "1,,2", "3-x", ","])
    def test_no_list(self, text: str) -> None:
        with pytest.raises(UsageError, match=f"--patches {text}: this is no list of patches"):
            SeriesChoice(text)

    def test_is_offered(self, read: Read) -> None:
        with pytest.raises(SeriesError) as failure:
            read(*self.MAILS[2:7])
        assert "--patches 3-7" in failure.value.hint


class TestMime:
    def test_byte_order_marks(self, git: Repository) -> None:
        plain = "".join(mail(f"[PATCH {n}/2] mm: {n}", n * 10, number=f"m{n}") for n in (1, 2))
        expected = read_mails("x", plain.encode(), git)
        assert read_mails("x", plain.encode("utf-8-sig"), git) == expected
        assert read_mails("x", plain.encode("utf-16"), git) == expected
        halves = plain.replace("From mboxrd", "\ufeffFrom mboxrd").encode()
        assert [one.number for one in read_mails("x", halves, git)] == [1, 2]

    def test_line_of_a_message_that_begins_with_from(self, git: Repository) -> None:
        sha = "0123456789abcdef0123456789abcdef01234567"
        message = f"As in\n\nFrom {sha} Mon Sep 17 00:00:00 2001\n\nthis is the message."
        (one,) = read_mails("x", mail("[PATCH] mm: x", message=message).encode(), git)
        assert (one.sender[1], len(one.files)) == ("ann@kernel.example", 1)

    @pytest.mark.parametrize("charset", ["y", '"x-unknown"', "utf-8mb4"])
    def test_unknown_charset(self, read: Read, charset: str) -> None:
        headers = f"MIME-Version: 1.0\nContent-Type: text/plain; charset={charset}\n"
        series = read(mail("[PATCH] mm: x", headers=headers, message="größer"))
        assert "names the unknown charset" in series.notes[0]
        assert len(series.patches[0].files) == 1

    def test_parts_that_are_not_there(self, read: Read) -> None:
        headers = 'Content-Type: multipart/signed; boundary="zz"; protocol="application/pgp-signature"\n'
        series = read(mail("[PATCH] mm: x", headers=headers))
        assert "has no parts: read as plain text" in series.notes[0]

    def _parts(self, kind: str, *parts: str) -> str:
        body = "".join(f"--zz\n{part}\n" for part in parts) + "--zz--\n"
        return mail("[PATCH] mm: x", body=body, headers=f'Content-Type: multipart/{kind}; boundary="zz"\n')

    def test_alternatives(self, read: Read) -> None:
        html = "Content-Type: text/html\n\n<pre>" + diff(40) + "</pre>"
        (patch,) = read(
            self._parts("alternative", html, f"Content-Type: text/plain\n\nWhy.\n---\n{diff(15)}")
        ).patches
        assert [hunk.old_start for file in patch.files for hunk in file.hunks] == [12]

    def test_base64_attachment(self, read: Read) -> None:
        import base64

        coded = base64.encodebytes(diff(15).encode()).decode()
        attached = (
            "Content-Type: application/octet-stream; name=x.patch\nContent-Transfer-Encoding: base64\n"
            f"Content-Disposition: attachment; filename=x.patch\n\n{coded}"
        )
        (patch,) = read(self._parts("mixed", "Content-Type: text/plain\n\nWhy.\n", attached)).patches
        assert patch.files[0].new == "mm/memory.c"

    def test_attached_files_of_format_patch_are_the_patches(self, read: Read) -> None:
        mails = [mail(f"[PATCH {n}/2] mm: {n}", n * 10).partition("\n")[2] for n in (1, 2)]
        attached = [
            f"Content-Type: text/x-patch\nContent-Disposition: attachment; filename=000{n}.patch\n\n{one}"
            for n, one in enumerate(mails, start=1)
        ]
        assert titles(read(self._parts("mixed", "Content-Type: text/plain\n\nHello\n", *attached))) == [
            "mm: 1",
            "mm: 2",
        ]

    @pytest.mark.parametrize(
        "date", ["Thu, 26 Mar 2026 25:99:12 +0100", "yesterday", "Thu, 1 Jan 1950 00:00:00 +0000"]
    )
    def test_invalid_date(self, read: Read, date: str) -> None:
        series = read(mail("[PATCH] mm: x", date=date))
        assert "has the invalid date" in series.notes[0]

    def test_subject_in_the_body(self, read: Read) -> None:
        inner = f"From: {REV}\nSubject: mm: of another\n\nWhy."
        series = read(
            *(mail(f"[PATCH {n}/2] mm: {n}", n * 10, message=inner if n == 2 else "Why.") for n in (2, 1))
        )
        assert titles(series) == ["mm: 1", "mm: of another"]

    def test_message_that_quotes_a_diff(self, read: Read) -> None:
        series = read(mail("[PATCH] mm: x", message=f"Revert of\n\n{diff(40)}\nwhich was wrong."))
        assert "quotes a diff in its message" in series.notes[0]

    @settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.binary(max_size=200))
    def test_any_bytes_are_read_or_refused(self, git: Repository, content: bytes) -> None:
        with suppress(SeriesError):
            read_mails("x", b"From: a@b.example\nSubject: " + content, git)


class TestDiffstats:
    STALE = mail("[PATCH] mm: x").replace("1 insertion(+)", "7 insertions(+)").replace("-- \n2.47.0\n", "")

    def test_stale_one_is_told(self, read: Read) -> None:
        series = read(self.STALE)
        assert series.notes == ("patch “mm: x” changes less than its own diffstat says: taken as it is",)

    def test_files_that_are_missing_where_the_mbox_ends(self, read: Read) -> None:
        cut = self.STALE.replace("1 file changed", "2 files changed").rstrip("\n") + "\n"
        with pytest.raises(SeriesError, match="is cut off"):
            read(cut)

    def test_files_that_are_missing_before_another_mail(self, read: Read) -> None:
        whole = self.STALE.replace("1 file changed", "2 files changed")
        assert len(read(whole, mail("[PATCH] mm: y", 30)).patches) == 2


class TestFiles:
    """A directory, where the names of the files say the order."""

    @pytest.fixture
    def folder(self, git: Repository, tmp_path: Path) -> Callable[..., OrderedSeries]:
        def ordered(**files: str) -> OrderedSeries:
            mails = [
                one for name, text in files.items() for one in read_mails(f"{name}.patch", text.encode(), git)
            ]
            return order_series(mails, "folder", Order.NAMES)

        return ordered

    def test_two_series_stacked(self, folder: Read) -> None:
        series = folder(
            a1=mail("[PATCH 1/2] mm: 1", 10),
            a2=mail("[PATCH 2/2] mm: 2", 20),
            b1=mail("[PATCH v3 1/1] mm: 3", 30),
        )
        assert titles(series) == ["mm: 1", "mm: 2", "mm: 3"]
        assert "stacks 2 series" in series.notes[0]

    def test_two_series_of_the_same_length_stacked(self, folder: Read) -> None:
        series = folder(
            **{f"f{n}": mail(f"[PATCH {(n - 1) % 2 + 1}/2] mm: {n}", n * 10) for n in range(1, 5)}
        )
        assert titles(series) == ["mm: 1", "mm: 2", "mm: 3", "mm: 4"]

    def test_a_part(self, folder: Read) -> None:
        series = folder(**{f"f{n}": mail(f"[PATCH {n}/9] mm: {n}", n * 5) for n in range(3, 8)})
        assert titles(series) == [f"mm: {n}" for n in range(3, 8)]
        assert "holds patches 3 to 7 of 9" in series.notes[0]

    def test_a_gap_is_refused(self, folder: Read) -> None:
        with pytest.raises(SeriesError, match="patches 1, 4 of 5 are missing"):
            folder(**{f"f{n}": mail(f"[PATCH {n}/5] mm: {n}", n * 5) for n in (2, 3, 5)})

    def test_two_versions_by_the_names_of_their_files(self, folder: Read) -> None:
        names = {"0001-a": "[PATCH 1/2] mm: 1", "0002-b": "[PATCH 2/2] mm: 2"}
        newer = {"v2-0001-c": "[PATCH v2 1/1] mm: other", "v2-0000-cover": "[PATCH v2 0/1] mm: cover"}
        files = {**names, **newer}
        series = folder(**{name: mail(text, None if "0/1" in text else 20) for name, text in files.items()})
        assert (series.title, titles(series)) == ("mm: cover", ["mm: other"])
        assert series.notes == ("took version v2 of the series, left out v1: 0001-a.patch and 0002-b.patch",)

    def test_two_versions_by_their_titles(self, folder: Read) -> None:
        series = folder(a=mail("[PATCH] mm: 1", 10), b=mail("[PATCH v2] mm: 1", 20))
        assert [patch.source for patch in series.patches] == ["b.patch"]
        assert series.notes == ("took version v2 of the series, left out v1: a.patch",)
