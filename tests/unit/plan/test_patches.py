# SPDX-License-Identifier: GPL-2.0-only
"""Which patches a walk goes through, and which of them change no kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config.catalogue import load
from harness.core.errors import UsageError
from harness.core.shipped import CONFIGS
from harness.plan.patches import Choice, InertRecord, choose, find_kernels, is_inert
from harness.sources.git.mirror import open_mirror
from results.model.run import Patch, Subject
from tests.samples.tiny_kernel import commit, git, make_kernel


@pytest.mark.parametrize(
    ("choice", "numbers"),
    [
        (Choice(), (0, 1, 2, 3, 4, 5)),
        (Choice(first=1), (0, 1, 2, 3, 4, 5)),
        (Choice(first=4), (0, 3, 4, 5)),
        (Choice(only=(5,)), (0, 4, 5)),
        (Choice(only=(1,)), (0, 1)),
        (Choice(only=(5, 2)), (0, 1, 2, 4, 5)),
    ],
)
def test_base_and_the_patch_before_are_always_there(choice: Choice, numbers: tuple[int, ...]) -> None:
    assert choose(choice, 5) == numbers


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (Choice(only=(2, 6)), "--only 6: the series has 5 patches"),
        (Choice(only=(0,)), "--only 0: the series has 5 patches"),
        (Choice(first=-1), "--from -1: the series has 5 patches"),
        (Choice(first=6), "--from 6: the series has 5 patches"),
    ],
)
def test_a_number_that_the_series_does_not_have(choice: Choice, said: str) -> None:
    with pytest.raises(UsageError, match=said) as error:
        choose(choice, 5)
    assert "1 to 5" in error.value.hint


@pytest.mark.parametrize(
    ("path", "inert"),
    [
        ("tools/testing/selftests/mm/Makefile", True),
        ("Documentation/admin-guide/mm/transhuge.rst", True),
        ("MAINTAINERS", True),
        ("Documentation/Kconfig", False),
        ("tools/testing/selftests/Kconfig.mine", False),
        ("tools/objtool/check.c", False),
        ("mm/huge_memory.c", False),
        ("mm/MAINTAINERS", False),
        ("Documentation.c", False),
        ("Makefile", False),
    ],
)
def test_what_no_kernel_is_built_from(path: str, inert: bool) -> None:
    assert is_inert(path, load(CONFIGS / "inert.yaml", InertRecord)) is inert


def test_a_patch_without_effect_has_the_kernel_of_the_one_before(tmp_path: Path) -> None:
    kernel = make_kernel(tmp_path / "linux")
    changes: list[dict[str, str]] = [
        {"mm/memory.c": "1\n"},
        {"MAINTAINERS": "us\n", 'Documentation/name with "quotes" and ünicode.rst': "x\n"},
        {"tools/testing/x.c": "x\n"},
        {"tools/testing/x.c": "y\n", "mm/memory.c": "2\n"},
        {"Documentation/Kconfig": "x\n"},
    ]
    base = git(kernel, "rev-parse", "HEAD")
    commits = [commit(kernel, f"patch {number}", files) for number, files in enumerate(changes, start=1)]
    open_mirror(tmp_path).run("fetch", "--quiet", str(kernel), "master")
    patches = tuple(Patch(number, "x", each, "") for number, each in enumerate(commits, start=1))
    subject = Subject("t", "6.12", base, "s", "", commits[-1], False, patches)
    assert find_kernels((0, 1, 2, 3, 4, 5), subject, tmp_path) == (0, 1, 1, 1, 4, 5)
    assert find_kernels((0, 2, 3), subject, tmp_path) == (0, 2, 2), "patch 2 has what patch 1 changed"
