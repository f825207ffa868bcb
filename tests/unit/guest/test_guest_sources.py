# SPDX-License-Identifier: GPL-2.0-only
"""The C sources of the guest programs: which file includes which, and where functions are defined.

A unit is a .c file with the header of its name. Every function is defined in the unit whose header declares
it, so that includes show which unit needs which.
"""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from harness.core.shipped import WRAPPERS

LIBRARY = "lib"
SOURCES = {str(path.relative_to(WRAPPERS)): path.read_text("utf-8") for path in WRAPPERS.glob("*/*.[ch]")}
HEADERS = sorted(name for name in SOURCES if name.endswith(".h"))
INCLUDE = re.compile(r'^#include "([^"]+)"$', re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
ATTRIBUTE = re.compile(r"__attribute__\(\(.*?\)\)\n?", re.DOTALL)
PROTOTYPE = re.compile(r"^\w[\w\s*]*?\b(\w+)\([^;{}]*\);", re.MULTILINE)


def unit(name: str) -> str:
    return name.rpartition(".")[0]


def included(name: str) -> list[str]:
    """Return the quoted includes of a file as paths below the folder of all programs."""
    folder = name.split("/")[0]
    return [path if "/" in path else f"{folder}/{path}" for path in INCLUDE.findall(SOURCES[name])]


def declared(header: str) -> list[str]:
    text = ATTRIBUTE.sub("", COMMENT.sub("", SOURCES[header]))
    return PROTOTYPE.findall(text)


def test_files_include_their_own_folder_and_the_library_only() -> None:
    allowed = {name: (name.split("/")[0], LIBRARY) for name in SOURCES}
    wrong = [
        (name, path)
        for name in SOURCES
        for path in included(name)
        if path not in SOURCES or path.split("/")[0] not in allowed[name]
    ]
    assert wrong == []


def test_units_include_each_other_in_no_circle() -> None:
    needs: dict[str, set[str]] = {}
    for name in SOURCES:
        needs.setdefault(unit(name), set()).update({unit(path) for path in included(name)} - {unit(name)})
    order = list(TopologicalSorter(needs).static_order())
    assert order.index("fault_sweep/sweep_record") < order.index("fault_sweep/sweep_attempt")


@pytest.mark.parametrize("header", HEADERS)
def test_a_function_is_defined_in_the_unit_that_declares_it(header: str) -> None:
    source = SOURCES.get(f"{unit(header)}.c", "")
    undefined = [
        name for name in declared(header) if not re.search(rf"^\w.*\b{name}\(", source, re.MULTILINE)
    ]
    assert undefined == []


def test_prototypes_are_found() -> None:
    assert {"report", "report_milestone"} <= set(declared("init/report.h"))
    assert sum(len(declared(header)) for header in HEADERS) > 100


def test_every_folder_is_a_program_of_the_makefile() -> None:
    makefile = (WRAPPERS / "Makefile").read_text("utf-8")
    programs = re.search(r"^PROGRAMS := (.+)$", makefile, re.MULTILINE)
    folders = {Path(name).parent.name for name in SOURCES}
    assert programs
    assert {*programs[1].split(), LIBRARY} == folders
