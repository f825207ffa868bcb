# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sources.series.mail.subject import Version, read_subject

WORDS = st.sampled_from(
    ["PATCH", "RFC PATCH", "RESEND PATCH", "PATCH mm-unstable", "PATCH 6.12.y", "PATCH -mm"]
)


@pytest.mark.parametrize(
    ("text", "number", "total", "version"),
    [
        ("[PATCH 2/3] mm: x", 2, 3, None),
        ("[PATCH v6,2/3] mm: x", 2, 3, "v6"),
        ("[PATCH2/3] mm: x", 2, 3, None),
        ("[PATCHv2 02/12] mm: x", 2, 12, "v2"),
        ("[RFCv2 1/3] mm: x", 1, 3, "v2"),
        ("[[RESEND] mm PATCH v2 1/2] mm: x", 1, 2, "v2"),
        ("[PATCH v3.1 1/2] mm: x", 1, 2, "v3.1"),
        ("[PATCH v4a 1/2] mm: x", 1, 2, "v4a"),
        ("[RFC,v2,2/3] mm: x", 2, 3, "v2"),
        ("[PATCH 1 of 3 V2] mm: x", 1, 3, "v2"),
        ("[PATCH 1/3v2] mm: x", 1, 3, "v2"),
        ("[PATCH v2-1/3] mm: x", 1, 3, "v2"),
        ("[PATCH v2_1/3] mm: x", 1, 3, "v2"),
        ("[PATCH][v2][1/3] mm: x", 1, 3, "v2"),
        ("[PATCH 1 / 3] mm: x", 1, 3, None),
        ("[PATCH 5.10/5.15 1/3] mm: x", 1, 3, None),
        ("[PATCH mm/vmscan 1/2] mm: x", 1, 2, None),
        ("[PATCH v2 1/2 mm: x", 1, 2, "v2"),
        ("PATCH v2 1/3: mm: x", 1, 3, "v2"),
        ("[PATCH v2][2/3] mm: x", 2, 3, "v2"),
        ("[2/3] [PATCH v2] mm: x", 2, 3, "v2"),
        ("[v2 PATCH 2/3] mm: x", 2, 3, "v2"),
        ("[PATCH/v2 2/3] mm: x", 2, 3, "v2"),
        ("[PATCH, v2, 2/3] mm: x", 2, 3, "v2"),
        ("[PATCH v2 (2/3)] mm: x", 2, 3, "v2"),
        ("[PATCH v2 2/3;] mm: x", 2, 3, "v2"),
        ("[PATCH v2 #2/3] mm: x", 2, 3, "v2"),
        ("[PATCH v2 2of3] mm: x", 2, 3, "v2"),
        ("[PATCH v2 2/3][RESEND] mm: x", 2, 3, "v2"),
        ("[PATCH v2\u00a02/3] mm: x", 2, 3, "v2"),
        ("[PATCH v2 2／3] mm: x", 2, 3, "v2"),
        ("{PATCH v2 2/3} mm: x", 2, 3, "v2"),
        ("【PATCH v2 2/3】 mm: x", 2, 3, "v2"),
        ("［PATCH v2 2／3］ mm: x", 2, 3, "v2"),
        ("[PATCH version 2 2/3] mm: x", 2, 3, "v2"),
        ("[PATCH ver2 2/3] mm: x", 2, 3, "v2"),
        ("[PATCH ver. 2/3] mm: x", 2, 3, None),
        ("[PATCH v.2 2/3] mm: x", 2, 3, "v2"),
        ("[PATCH v2.0 2/3] mm: x", 2, 3, "v2"),
        ("[PATCH v1->v2 2/3] mm: x", 2, 3, "v2"),
        ("[PATCH v2-rc 2/3] mm: x", 2, 3, "v2"),
        ("[PATCH AUTOSEL 6.12 2/3] mm: x", 2, 3, None),
        ("[PATCH 6.12-rc1 2/3] mm: x", 2, 3, None),
        ("[PATCH RFC2 2/3] mm: x", 2, 3, None),
        ("[PATCH x86/mm 002/120] mm: x", 2, 120, None),
        ("[PATCH 0/3] mm: x", 0, 3, None),
        ("[PATCH 6.12.y] mm: x", None, None, None),
        ("[PATCH] mm: x", None, None, None),
        ("mm: x", None, None, None),
    ],
)
def test_numbers_and_versions(text: str, number: int | None, total: int | None, version: str | None) -> None:
    subject = read_subject(text)
    assert (subject.number, subject.total) == (number, total)
    assert (str(subject.version) if subject.version else None) == version
    assert (subject.title, subject.is_unclear, subject.is_reply) == ("mm: x", False, False)


@pytest.mark.parametrize(
    "title", ["{a,b}: take 1/2 of it", "mm: fix 1/2 of x", "mm: x [1/2]", "v3: mm", 'Revert "mm: 1/2"']
)
def test_titles_with_numbers_of_their_own(title: str) -> None:
    subject = read_subject(f"[PATCH v2 2/3] {title}")
    assert (subject.number, subject.total, str(subject.version), subject.title) == (2, 3, "v2", title)


@pytest.mark.parametrize("prefix", ["v22/3", "2-3", "#2", "2|3", "v2 2:3", "2\\3"])
def test_a_number_that_cannot_be_read_is_noticed(prefix: str) -> None:
    subject = read_subject(f"[PATCH {prefix}] mm: x")
    assert (subject.total, subject.is_unclear) == (None, True)


@pytest.mark.parametrize(
    "prefix", ["6.12.y", "mm-unstable", "arm64/4k", "next-20260101", "tip: x86/mm", "v3"]
)
def test_other_digits_are_no_number(prefix: str) -> None:
    assert not read_subject(f"[PATCH {prefix}] mm: x").is_unclear


@pytest.mark.parametrize(
    "before", ["Re: ", "RE: ", "Re[2]: ", "Antw: ", "AW: ", "回复: ", "回复：", "SV: ", "Fwd: ", "[EXT] Re: "]
)
def test_replies_in_any_language(before: str) -> None:
    assert read_subject(f"{before}[PATCH 1/2] mm: x").is_reply


@pytest.mark.parametrize("title", ["Revert: mm: x", "reclaim: fix", "fwctl: add", "mm: Re: x"])
def test_titles_that_only_look_like_replies(title: str) -> None:
    assert not read_subject(f"[PATCH] {title}").is_reply


def test_versions_are_ordered() -> None:
    texts = ["v1", "v2", "v2.1", "v3", "v3.0.1", "v3.1", "v4", "v4a", "v4b", "v10"]
    versions = [Version.from_text(text) for text in texts]
    assert [str(version) for version in sorted(filter(None, reversed(versions)))] == texts
    assert Version.from_text("v3.0") == Version.from_text("v3")


@given(
    WORDS,
    st.integers(1, 40),
    st.integers(0, 200),
    st.integers(1, 200),
    st.sampled_from([" ", ",", "] [", " - "]),
)
def test_what_git_format_patch_and_hands_write_is_read_back(
    words: str, version: int, number: int, total: int, between: str
) -> None:
    width = len(str(total))
    subject = read_subject(f"[{words} v{version}{between}{number:0{width}}/{total}] mm: thp: the title")
    assert (subject.number, subject.total, subject.version) == (number, total, Version((version,)))
    assert subject.title == "mm: thp: the title"


@given(st.text(max_size=60))
def test_never_raises(text: str) -> None:
    subject = read_subject(text)
    assert (subject.number is None) == (subject.total is None)


@given(st.text("[]PATCHv0123456789/,. :", max_size=40))
def test_never_raises_on_what_looks_like_a_prefix(text: str) -> None:
    subject = read_subject(text)
    assert subject.total is None or subject.total > 0
