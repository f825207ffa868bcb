# SPDX-License-Identifier: GPL-2.0-only
"""Conditions on the configuration around lines and objects, and the changed lines of two commits."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sources.git.repository import Repository
from harness.sources.series.changes import read_changes
from harness.sources.series.guards import Guard, guards_of_lines, guards_of_object
from tests.samples.tiny_kernel import commit, git, make_kernel

SOURCE = """\
top
#ifdef CONFIG_A
a
#if defined(CONFIG_B) || IS_ENABLED(CONFIG_C)
bc
#elif defined(CONFIG_D) && !defined(CONFIG_E)
d
#else
neither
#endif
# ifndef CONFIG_F
without f
#else
f
#endif
#if 0
never
#endif
#endif /* CONFIG_A */
#ifndef _LINUX_X_H
end
#endif
"""
A = Guard(("CONFIG_A",))


@pytest.mark.parametrize(
    ("line", "guards"),
    [
        ("top", ()),
        ("a", (A,)),
        ("bc", (A, Guard(("CONFIG_B", "CONFIG_C"), any_of=True))),
        ("d", (A, Guard(("CONFIG_D",), ("CONFIG_E",)))),
        ("neither", (A, Guard(("CONFIG_E",), ("CONFIG_D",)))),
        ("without f", (A, Guard((), ("CONFIG_F",)))),
        ("f", (A, Guard(("CONFIG_F",)))),
        ("never", (A,)),
        ("end", ()),
    ],
)
def test_conditions_around_a_line(line: str, guards: tuple[Guard, ...]) -> None:
    number = SOURCE.split("\n").index(line) + 1
    assert guards_of_lines(SOURCE, {number}) == {number: guards}


@given(st.lists(st.sampled_from(["#if CONFIG_X", "#else", "#endif", "#elif (", "#ifndef", "x", "#", ""])))
def test_unbalanced_conditions_do_no_harm(lines: list[str]) -> None:
    assert len(guards_of_lines("\n".join(lines), set(range(1, len(lines) + 1)))) == len(lines)


def test_a_configuration_meets_conditions_or_not() -> None:
    either = Guard(("CONFIG_A", "CONFIG_B"), any_of=True)
    assert either.holds({"CONFIG_B": "y"})
    assert not either.holds({"CONFIG_B": "n"})
    both = Guard(("CONFIG_A",), ("CONFIG_B",))
    assert both.holds({"CONFIG_A": "y"})
    assert not both.holds({"CONFIG_A": "y", "CONFIG_B": "y"})


MAKEFILE = """\
# obj-$(CONFIG_COMMENT) += plain.o
obj-y := plain.o $(mmu-y)
mmu-$(CONFIG_MMU) := first.o \\
		second.o
obj-$(CONFIG_THP) += huge.o
obj-$(CONFIG_KVM) += kvm/
driver-y := part.o
driver-$(CONFIG_EXTRA) += extra.o
obj-$(CONFIG_DRIVER) += driver.o
ifdef CONFIG_64BIT
obj-$(CONFIG_SEAL) += seal.o
endif
ifeq ($(CONFIG_THING),y)
obj-y += thing.o
endif
loop-y += loop.o
"""


@pytest.mark.parametrize(
    ("name", "symbols"),
    [
        ("plain.o", []),
        ("second.o", ["CONFIG_MMU"]),
        ("huge.o", ["CONFIG_THP"]),
        ("kvm/", ["CONFIG_KVM"]),
        ("part.o", ["CONFIG_DRIVER"]),
        ("extra.o", ["CONFIG_DRIVER", "CONFIG_EXTRA"]),
        ("seal.o", ["CONFIG_64BIT", "CONFIG_SEAL"]),
        ("thing.o", ["CONFIG_THING"]),
        ("loop.o", []),
        ("unknown.o", []),
    ],
)
def test_conditions_of_an_object(name: str, symbols: list[str]) -> None:
    assert [symbol for guard in guards_of_object(MAKEFILE, name) for symbol in guard.wanted] == symbols


def test_objects_that_contain_each_other() -> None:
    assert guards_of_object("a-y := b.o\nb-y := a.o\n", "a.o") == ()


def test_changed_lines_of_two_commits(tmp_path: Path) -> None:
    kernel = make_kernel(
        tmp_path / "linux", {"Makefile": "VERSION = 6\n", "mm/a.c": SOURCE, "mm/gone.c": "x\n"}
    )
    text = SOURCE.replace("d\n#else", "D\nE\n#else").replace("without f\n", "")
    (kernel / "mm/gone.c").unlink()
    (kernel / "mm/binary").write_bytes(b"\0\1")
    (kernel / "mm/ä b.c").write_text("#ifdef CONFIG_Z\nz\n#endif\n")
    commit(kernel, "x", {"mm/a.c": text, "mm/Makefile": "obj-$(CONFIG_A) += a.o\n"})
    changes = read_changes(Repository(kernel), "HEAD~1", "HEAD")
    assert {file.path for file in changes.files} == {
        "mm/a.c",
        "mm/Makefile",
        "mm/gone.c",
        "mm/binary",
        "mm/ä b.c",
    }
    file = changes.get("mm/a.c")
    assert file
    assert [(line.text, line.guards[-1].wanted) for line in file.added] == [
        ("D", ("CONFIG_D",)),
        ("E", ("CONFIG_D",)),
    ]
    assert [line.text for line in file.removed] == ["d", "without f"]
    assert file.removed[1].guards[-1] == Guard((), ("CONFIG_F",))
    assert file.guards == (A,)
    gone, new = changes.get("mm/gone.c"), changes.get("mm/ä b.c")
    assert gone
    assert (gone.before, gone.after) == ("x\n", None)
    assert new
    assert new.before is None
    assert new.added[1].guards == (Guard(("CONFIG_Z",)),)
    assert git(kernel, "status", "--porcelain") == ""
