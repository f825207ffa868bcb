# SPDX-License-Identifier: GPL-2.0-only
"""The code that a series changes, each line with the patch that it comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.sources.git.repository import Repository
from harness.sources.series.changed_code import ChangedCode, read_changed_code
from tests.samples.tiny_kernel import commit, head, make_kernel

FILES = {
    "Makefile": "VERSION = 6\nPATCHLEVEL = 12\n",
    "mm/Makefile": "obj-y += memory.o\nobj-$(CONFIG_FS_DAX) += dax.o\n",
    "mm/memory.c": "int one;\nint two;\nint three;\n",
    "mm/dax.c": "int dax;\n",
    "mm/user.c": "int use(void) { return split_order(3); }\n",
    "mm/other.c": "int split_order_of_another;\n",
    "include/mm.h": "static inline int split_order(int order)\n{\n\treturn order;\n}\n",
    "tools/testing/user.c": "int split_order;\n",
    "Documentation/mm.rst": "split\n",
}


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> ChangedCode:
    path = make_kernel(tmp_path_factory.mktemp("code") / "linux", FILES)
    base = head(path)
    patches = [
        commit(path, "one", {"mm/memory.c": "int one;\nint won;\nint two;\nint three;\n"}),
        commit(
            path,
            "two",
            {
                "mm/memory.c": "int one;\nint won;\n#ifdef CONFIG_SWAP\nint swap;\n#endif\nint three;\n",
                "mm/dax.c": "int dax;\nint more;\n",
                "include/mm.h": FILES["include/mm.h"].replace("\treturn", "\torder++;\n\treturn"),
                "tools/testing/user.c": "int other;\n",
                "Documentation/mm.rst": "split more\n",
            },
        ),
    ]
    return read_changed_code(
        Repository(path), base, patches[-1], patches, lambda path: path.startswith(("tools/", "Docu"))
    )


def test_each_added_line_has_its_patch(code: ChangedCode) -> None:
    memory = next(file for file in code.files if file.path == "mm/memory.c")
    assert [(row.number, row.text, row.patch) for row in memory.added] == [
        (2, "int won;", 1),
        (3, "#ifdef CONFIG_SWAP", 2),
        (4, "int swap;", 2),
        (5, "#endif", 2),
    ]
    assert [row.text for hunk in memory.hunks for row in hunk if row.mark == "-"] == ["int two;"]


def test_files_that_are_in_no_kernel_are_left_out(code: ChangedCode) -> None:
    assert {file.path for file in code.files} == {"mm/memory.c", "mm/dax.c", "include/mm.h"}


def test_users_of_a_changed_inline_function_are_counted_too(code: ChangedCode) -> None:
    assert code.objects == ("mm/dax.o", "mm/memory.o", "mm/user.o")


def test_conditions_of_line_and_file_are_known(code: ChangedCode) -> None:
    assert [guard.wanted for guard in code.guards["mm/memory.c"][4]] == [("CONFIG_SWAP",)]
    assert [guard.wanted for guard in code.guards["mm/dax.c"][2]] == [("CONFIG_FS_DAX",)]
    assert code.guards["mm/memory.c"][2] == ()


def test_a_series_without_code_has_nothing_to_count(tmp_path: Path) -> None:
    path = make_kernel(tmp_path / "linux", FILES)
    base = head(path)
    tip = commit(path, "docs", {"Documentation/mm.rst": "more\n"})
    assert read_changed_code(Repository(path), base, tip, [tip], lambda path: False) == ChangedCode()
