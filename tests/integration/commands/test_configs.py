# SPDX-License-Identifier: GPL-2.0-only
"""Objects in many configurations: of a stub tree that compiles in a moment, and of a real one."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.core.shipped import ROOT
from tests.integration.stub_configs import DEFECTS, make_tree
from tests.program import Answer, Program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
FIXTURE = ROOT / "tests" / "fixtures" / "series" / "configurations"
ARCH = ("--arch", "x86_64")
needs_llvm = pytest.mark.skipif(not shutil.which("ld.lld"), reason="LLVM is not installed")


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The program without cache."""
    return Program(tmp_path / "cache", tmp_path / "state")


@pytest.fixture
def configs(program: Program, tmp_path: Path) -> Callable[..., Answer]:
    """Studies some patches on x86_64, unless the options say otherwise."""

    def study(patches: Any, *options: str, base: dict[str, str] | None = None) -> Answer:
        tree = make_tree(tmp_path / "linux", tuple(patches), base)
        return program("configs", *tree, *ARCH, "--json", *options)

    return study


def told(answer: Answer) -> list[tuple[int, str, str, str]]:
    return sorted(
        (new["patch"], new["diagnostic"]["file"], new["severity"], new["places"][0]["configuration"])
        for new in answer.json["found"]
    )


def states(answer: Answer) -> dict[str, str]:
    return {result["name"]: result["state"] for result in answer.json["configurations"]}


def test_each_defect_has_its_patch_file_and_configuration(configs: Callable[..., Answer]) -> None:
    answer = configs(DEFECTS)
    assert answer.code == 1, answer.stderr
    assert told(answer) == [
        (1, "mm/fault.c", "error", "allnoconfig"),
        (2, "mm/oom.c", "warning", "allnoconfig"),
        (4, "mm/bound.c", "warning", "allnoconfig"),
    ]
    schema = json.loads((ROOT / "docs" / "configs.schema.json").read_text())
    jsonschema.validate({key: value for key, value in answer.json.items() if key != "run_dir"}, schema)
    assert states(answer)["highmem"] == "not here"
    (reason,) = [each["reason"] for each in answer.json["configurations"] if each["name"] == "highmem"]
    assert reason.startswith("CONFIG_HIGHMEM=y")


@needs_llvm
def test_what_only_clang_says(configs: Callable[..., Answer]) -> None:
    answer = configs(DEFECTS, "--toolchain", "llvm", "--only", "test")
    (found,) = [new for new in answer.json["found"] if new["patch"] == 5]
    assert found["diagnostic"]["flag"] == "-Wsometimes-uninitialized"
    assert found["places"][0]["toolchain"] == "llvm"
    assert "LLVM=1" in found["commands"][-1]


def test_the_command_of_a_finding_shows_it_again(
    configs: Callable[..., Answer], program: Program, tmp_path: Path
) -> None:
    answer = configs(DEFECTS[:1], "--only", "test", "--only", "thp-n")
    (found,) = answer.json["found"]
    assert found["asked"][-1] == "CONFIG_TRANSPARENT_HUGEPAGE=n"
    shown = program("report", answer.json["run_dir"]).stdout
    (command,) = [line.split("$ ")[1] for line in shown.splitlines() if "  $ " in line]
    again = program(*command.split()[1:], "--json")
    assert again.code == 1
    assert [new["diagnostic"] for new in again.json["found"]] == [found["diagnostic"]]


def test_base_that_does_not_compile_says_nothing(configs: Callable[..., Answer]) -> None:
    broken = "#ifndef CONFIG_TRANSPARENT_HUGEPAGE\nint one two\n#endif\nint told;\n"
    as_broken = broken.replace("int one", "long one")
    answer = configs(
        [("mm: change it", {"mm/told.c": as_broken, "mm/oom.c": "int oom = 1;\n"})],
        "--only", "test", "--only", "thp-n", base={"mm/told.c": broken},
    )  # fmt: skip
    assert (answer.code, answer.json["found"]) == (0, [])
    (result,) = [each for each in answer.json["configurations"] if each["name"] == "thp-n"]
    assert (result["state"], result["objects"]) == ("base fails", ["mm/told.o"])
    assert result["reason"] == "mm/told.o does not compile without the series either"


def test_old_warnings_are_not_new(configs: Callable[..., Answer]) -> None:
    answer = configs([("mm: move lines", {"mm/swap.c": "\n\nstatic int idle;\nint swap = 1;\n"})])
    assert (answer.code, answer.json["found"]) == (0, [])


def test_only_documentation(configs: Callable[..., Answer]) -> None:
    answer = configs([("doc: say it", {"Documentation/mm.rst": "said\n"})])
    assert answer.code == 0, answer.stderr
    assert answer.json["headline"] == "Nothing new: no object was to be compiled."
    assert answer.json["about"] == ["Documentation/: 1 changed file not compiled, no objects of the kernel"]


def test_a_header_is_compiled_in_some_of_its_users(configs: Callable[..., Answer]) -> None:
    header = "#define NEW 1\nenum event { PGFAULT };\nvoid count(enum event);\n"
    users = {f"mm/user{number}.c": "#include <linux/event.h>\n" for number in range(9)}
    rules = "obj-y := fault.o " + " ".join(f"user{number}.o" for number in range(9)) + "\n"
    answer = configs(
        [("header", {"include/linux/event.h": header})], "--only", "test",
        base={**users, "mm/Makefile": rules},
    )  # fmt: skip
    assert answer.code == 0, answer.stderr
    (note,) = answer.json["about"]
    assert note.startswith("include/linux/event.h: 4 of 10 other files that include it in ")
    assert len(answer.json["configurations"][0]["objects"]) == 4


def test_a_compiler_that_crashes_is_no_finding(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    compiler = tools / "x86_64-linux-gnu-gcc"
    compiler.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && exec /usr/bin/x86_64-linux-gnu-gcc "$@"\n'
        'echo "during GIMPLE pass: vrp"; echo "mm/oom.c:1:5: internal compiler error: in f" >&2; exit 1\n'
    )
    compiler.chmod(0o755)
    tree = make_tree(tmp_path / "linux", (("mm: change", {"mm/oom.c": "int oom = 1;\n"}),))
    path = f"{tools}:{os.environ['PATH']}"
    answer = program("configs", *tree, "--arch", "x86_64", "--only", "test", "--json", env={"PATH": path})
    assert answer.code == 3, answer.stderr
    assert answer.json["found"] == []
    (result,) = answer.json["configurations"]
    assert result["state"] == "infrastructure"
    assert result["reason"] == "the compiler crashed under mm/oom.o"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--only", "thp"), "unknown configuration 'thp'. Did you mean 'thp-n'?"),
        (("--file", "mm/outside.c"), "--file mm/outside.c: the series reaches no such source."),
        (("--arch", "i38"), "unknown architecture 'i38'. Did you mean 'i386'?"),
    ],
)
def test_names_that_there_are_not(
    configs: Callable[..., Answer], options: tuple[str, ...], message: str
) -> None:
    answer = configs(DEFECTS[:1], *options)
    assert answer.code == 2
    assert message in answer.stderr


@pytest.mark.nightly
@needs_llvm
def test_five_defects_in_a_real_kernel(thp_harness: Program) -> None:
    answer = thp_harness(
        "configs", "--series", str(FIXTURE), "--arch", "x86_64", "--arch", "i386",
        "--toolchain", "gcc", "--toolchain", "llvm", "--only", "test", "--only", "thp-n", "--only", "swap-n",
        "--json",
    )  # fmt: skip
    assert answer.code == 1, answer.stderr
    found = {new["patch"]: new["diagnostic"]["file"] for new in answer.json["found"]}
    assert found == {
        1: "mm/mincore.c",
        2: "mm/madvise.c",
        3: "mm/mlock.c",
        4: "mm/oom_kill.c",
        5: "mm/msync.c",
    }
