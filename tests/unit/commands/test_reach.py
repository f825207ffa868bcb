# SPDX-License-Identifier: GPL-2.0-only
"""A series reaches objects, some users of its headers, and the symbols that decide on its lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.commands.configs.reach import Candidate, Reach, find_reach
from harness.config.catalogue import load
from harness.config.neighbourhood import Neighbourhood
from harness.core.shipped import CONFIGS
from harness.sources.git.repository import Repository
from tests.samples.tiny_kernel import commit, make_kernel

RULES = load(CONFIGS / "neighbourhood.yaml", Neighbourhood)
BASE = {
    "Makefile": "VERSION = 6\n",
    "include/linux/event.h": "#ifdef CONFIG_THP\nint thp_split;\n#endif\nint page_fault;\n",
    "mm/Makefile": "obj-y += fault.o part.o\nobj-$(CONFIG_SWAP) += swap.o\n",
    "mm/fault.c": "int fault;\n",
    "mm/part.c": '#include "piece.c"\n',
    "mm/piece.c": "int piece;\n",
    "mm/swap.c": "#include <linux/event.h>\n#ifdef CONFIG_NUMA\nint nodes(void);\n#endif\n",
    "arch/s390/mm/Makefile": "obj-y += gmap.o\n",
    "arch/s390/mm/gmap.c": "int gmap;\n",
    "Documentation/mm.rst": "x\n",
}


def reach(path: Path, **changes: str) -> Reach:
    kernel = make_kernel(path / "linux", BASE)
    commit(
        kernel, "x", {name.replace("__", "/").replace("_dot_", "."): text for name, text in changes.items()}
    )
    return find_reach(Repository(kernel), "HEAD~1", "HEAD", RULES)


def only(found: Reach) -> Candidate:
    (candidate,) = found.candidates
    return candidate


def test_a_name_brings_the_conditions_of_its_definition(tmp_path: Path) -> None:
    candidate = only(reach(tmp_path, mm__fault_dot_c="int fault = sizeof(thp_split);\n"))
    assert candidate.object == "mm/fault.o"
    assert "CONFIG_THP" in candidate.symbols
    assert candidate.signature({"CONFIG_THP": "y"}) != candidate.signature({})


def test_a_name_brings_the_conditions_of_its_other_uses(tmp_path: Path) -> None:
    text = BASE["mm/swap.c"] + "int nodes(void) { return 1; }\n"
    candidate = only(reach(tmp_path, mm__swap_dot_c=text))
    assert {"CONFIG_NUMA", "CONFIG_SWAP"} <= candidate.symbols
    assert not candidate.is_built({"CONFIG_NUMA": "y"})
    assert candidate.is_built({"CONFIG_SWAP": "m"})


def test_a_header_is_compiled_by_those_that_include_it(tmp_path: Path) -> None:
    found = reach(tmp_path, include__linux__event_dot_h="int page_fault;\n")
    assert only(found).source == "mm/swap.c"
    assert only(found).lines == ()


def test_a_c_file_that_is_only_included_counts_as_a_header(tmp_path: Path) -> None:
    assert only(reach(tmp_path, mm__piece_dot_c="int piece = 1;\n")).source == "mm/part.c"


def test_a_file_of_one_architecture(tmp_path: Path) -> None:
    found = reach(tmp_path, arch__s390__mm__gmap_dot_c="int gmap = 1;\n")
    assert [each.object for each in found.of("s390")] == ["arch/s390/mm/gmap.o"]
    assert found.of("x86") == ()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "Documentation__mm_dot_rst",
            "Documentation/: 1 changed file not compiled, no objects of the kernel",
        ),
        ("mm__Kconfig", "mm/Kconfig: not compiled, no object is made from it"),
        ("mm__table_dot_tbl", "mm/table.tbl: not compiled, no object is made from it"),
    ],
)
def test_what_is_no_object_is_told(tmp_path: Path, name: str, said: str) -> None:
    found = reach(tmp_path, **{name: "changed\n"})
    assert (found.candidates, found.about) == ((), (said,))
