# SPDX-License-Identifier: GPL-2.0-only
"""The command line's promises: instant help, exit codes, words instead of tracebacks."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from harness.cli.main import main
from harness.cli.sections import TASKS
from harness.commands.doctor import verdict
from harness.core.check import Check
from harness.core.version import describe
from results.journal.journal import JOURNAL
from tests.program import Invoke, Program
from tests.samples.tiny_kernel import FILES, git, make_kernel, make_series

HELP_SECONDS = 0.5
COMMANDS = ("run", "walk", "plan", "report", "doctor")


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)], ids=lambda words: "".join(words))
def test_help_is_there_at_once(program: Program, command: tuple[str, ...]) -> None:
    """In CPU time, since others use the machine, too; what a slow moment of it spoils is tried again."""
    seconds: list[float] = []
    while not seconds or (seconds[-1] >= HELP_SECONDS and len(seconds) < 3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        answer = program(*command, "--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert answer.code == 0
        assert "Usage: thp-harness" in answer.stdout
    assert seconds[-1] < HELP_SECONDS, seconds


def test_short_help_of_the_program_names_every_command_and_the_exit_codes(invoke: Invoke) -> None:
    page = invoke("-h").stdout
    assert all(f"  {name} " in page for name in COMMANDS)
    assert "1 regression" in page


def all_commands(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Command]]:
    yield name, command
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        yield from all_commands(inner, f"{name} {inner.name}")


ALL_COMMANDS = dict(all_commands(main, "thp-harness"))


@pytest.mark.parametrize("name", ALL_COMMANDS)
def test_every_command_and_option_has_help_that_fits(name: str) -> None:
    command = ALL_COMMANDS[name]
    assert command is main or not command.get_short_help_str(50).endswith("...")
    options = [each for each in command.params if isinstance(each, click.Option)]
    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize("command", [(), ("run",), ("walk",), ("nightly",), ("plan",), ("doctor",)])
def test_help_fits_into_80_columns(invoke: Invoke, command: tuple[str, ...]) -> None:
    page = invoke(*command, "-h", env={"COLUMNS": "200"}).stdout
    assert [line for line in page.splitlines() if len(line) > 80] == []


def test_help_is_grouped_by_task(invoke: Invoke) -> None:
    page = invoke("-h").stdout
    titles = [line for line in page.splitlines() if line and not line.startswith(" ") and line.endswith(":")]
    assert titles == ["Options:", "Test a series:", "Look into results:", "Every night:", "Machines:"]
    assert {name for names in TASKS.values() for name in names} == set(main.commands)
    options = invoke("run", "-h").stdout
    assert options.index("What is tested:") < options.index("--series") < options.index("On what:")
    assert options.index("On what:") < options.index("--arch") < options.index("How:")


def test_the_doctor_ends_with_one_verdict_and_one_command() -> None:
    fine, lacking = (
        Check("memory", True, "8 GiB"),
        Check("arm64: QEMU", False, "missing", "apt-get install q"),
    )
    full = Check("cache folder", False, "0 MiB free", "Make room.")
    assert verdict([fine], ()) == "Ready: `thp-harness run` can start."
    assert verdict([fine, lacking], ("q", "gcc-arm")) == (
        "Not ready: arm64: QEMU. To mend:\n  sudo apt-get install q gcc-arm"
    )
    assert verdict([lacking, full], ("q",)).splitlines()[1:] == [
        "  sudo apt-get install q", "  cache folder: Make room."
    ]  # fmt: skip


def test_version(program: Program) -> None:
    answer = program("--version")
    assert (answer.code, answer.stdout) == (0, f"thp-harness {describe()}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--arch", "x86-64"], ["unknown architecture 'x86-64'", "Did you mean 'x86_64'?", "arm64"]),
        (["plan", "--arch", "m68k"], ["unknown architecture 'm68k'.\n", "Known: ", "x86_64"]),
        (["doctor", "--arch", "arm46"], ["unknown architecture 'arm46'", "Did you mean 'arm64'?"]),
        (["run", "--tree", "mm-unstabel"], ["unknown tree 'mm-unstabel'", "Did you mean 'mm-unstable'?"]),
        (["run", "--series", "thp-lazy-pgtable"], ["unknown series", "Did you mean 'thp-lazy-pgtable-v3'?"]),
        (["run", "--series", "./no/such.yaml"], ["no/such.yaml", "No such file"]),
        (["run", "--plan", "defualt"], ["unknown plan 'defualt'", "Did you mean 'default'?"]),
        (
            ["run", "--arch", "x86_64", "--allow-unexercised", "arm64"],
            ["--allow-unexercised arm64", "not an architecture of this run"],
        ),
        (
            ["plan", "--kconfig", "lockdeb"],
            ["unknown kernel configuration fragment 'lockdeb'. Did you mean 'lockdep'?", "kasan"],
        ),
        (["run", "--kconfig", "./"], ["kernel configuration fragment .: Is a directory"]),
        (["run", "--kconfig", "/bin/sh"], ["kernel configuration fragment /bin/sh", "not"]),
        (["run", "--kconfig", "mips:kasan"], ["unknown architecture 'mips'"]),
        (["run", "--defconfig", "a/b"], ["--defconfig a/b: not a name"]),
        (["run", "-j", "0"], ["-j", "0 is not in the range"]),
        (["run", "--jsno"], ["No such option", "--json"]),
        (["frobnicate"], ["No such command 'frobnicate'"]),
        (["report", "no-such-run"], ["no run 'no-such-run'", "latest"]),
        (["report"], ["there is no run yet", "thp-harness run"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and len(value) < 4 else None,
)  # fmt: skip
def test_a_users_mistake_is_named_with_a_way_out(
    invoke: Invoke, arguments: list[str], said: list[str]
) -> None:
    answer = invoke(*arguments)
    assert answer.code == 2
    assert answer.stdout == ""
    for words in said:
        assert words in answer.stderr


def test_a_tree_and_a_series_that_are_wrong_folders_are_told_before_anything_is_made(
    program: Program, invoke: Invoke, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    answer = invoke("plan", "--tree", str(empty))
    assert answer.code == 2
    assert str(empty) in answer.stderr
    assert program.run_folders() == []


@pytest.fixture
def tiny_plan(tmp_path: Path) -> tuple[str, ...]:
    """A tree and a series that need no time."""
    tree = make_kernel(tmp_path / "tree", {**FILES, "arch/x86/configs/x86_64_defconfig": "CONFIG_SMP=y\n"})
    git(tree, "branch", "base")
    make_series(tree, 1)
    arguments = ("plan", "--arch", "x86_64", "--tree", f"{tree}@base")
    return (*arguments, "--series", f"git:{tree}@base..master")


def test_plan_shows_the_configuration_and_what_overrides_what(
    invoke: Invoke, tiny_plan: tuple[str, ...], tmp_path: Path
) -> None:
    for name, value in (("one", "5"), ("two", "6")):
        (tmp_path / name).write_text(f"CONFIG_NUMBER={value}\n")
    one, two = (str(tmp_path / name) for name in ("one", "two"))
    answer = invoke(*tiny_plan, "--defconfig", "x86_64", "--kconfig", one, "--kconfig", two)
    assert answer.code == 0, answer.stderr
    assert "── x86_64: x86_64_defconfig + common + " in answer.stdout
    assert f" + {one} + {two}\n" in answer.stdout
    assert f"CONFIG_NUMBER=6 of {two} overrides 5 of {one}" in answer.stdout
    document = invoke(*tiny_plan, "--kconfig", one, "--kconfig", two, "--json").json
    assert document["overrides"] == [f"CONFIG_NUMBER=6 of {two} overrides 5 of {one}"]
    assert {cell["configuration"].partition(" ")[0] for cell in document["cells"]} == {"tinyconfig"}


def test_inside_a_kernel_tree_it_is_told_what_is_tested(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who types `plan` in a checkout may mean its commits; the default plan has the stand-in."""
    monkeypatch.chdir(tmp_path)
    command = ("plan", "--tree", str(tmp_path / "gone"))
    assert "without --series" not in invoke(*command).stderr
    for name in ("Kbuild", "MAINTAINERS"):
        (tmp_path / name).touch()
    told = "without --series, 'thp-lazy-pgtable-standin' is tested on gone; "
    assert f"{told}for commits of this kernel tree: --series git:BASE..HEAD\n" in invoke(*command).stderr
    assert "without --series" not in invoke(*command, "--series", "git:HEAD..HEAD").stderr


def test_a_defconfig_that_the_tree_lacks_is_told_before_anything_is_built(
    program: Program, invoke: Invoke, tiny_plan: tuple[str, ...]
) -> None:
    answer = invoke("run", *tiny_plan[1:], "--defconfig", "x86_46")
    assert answer.code == 2
    assert "the tree has no x86_46_defconfig. Did you mean 'x86_64_defconfig'?" in answer.stderr
    assert program.run_folders() == []


def test_report_of_a_folder_that_is_no_run(invoke: Invoke, tmp_path: Path) -> None:
    answer = invoke("report", str(tmp_path))
    assert answer.code == 2
    assert f"{tmp_path} is not a run folder" in answer.stderr


def test_report_of_a_run_that_stopped_before_it_began(program: Program, invoke: Invoke) -> None:
    folder = program.state / "runs" / "20260101-000000-x"
    folder.mkdir(parents=True)
    (folder / JOURNAL).write_text('{"time": "2026-01-01T00:0')
    answer = invoke("report", "latest")
    assert answer.code == 2
    assert "the journal has no plan" in answer.stderr


def test_the_only_architecture_has_no_compiler(program: Program, invoke: Invoke, tmp_path: Path) -> None:
    answer = invoke("run", "--arch", "arm64", env={"PATH": str(tmp_path)})
    assert answer.code == 2
    assert "compiler aarch64-linux-gnu-gcc is missing" in answer.stderr
    assert "apt-get install gcc" in answer.stderr
    assert program.run_folders() == []


def install(folder: Path, **scripts: str) -> dict[str, str]:
    """Make the only commands there are; returns the environment to use."""
    folder.mkdir()
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return {"PATH": str(folder)}


GCC = {"x86_64-linux-gnu-gcc": "echo gcc 12.2.0"}


@pytest.mark.parametrize(
    ("commands", "code", "said"),
    [
        (GCC, 2, "qemu-system-x86_64 is not installed\n  apt-get install qemu-system-x86"),
        (
            {**GCC, "qemu-system-x86_64": "echo QEMU emulator version 6.2.0"},
            2,
            "qemu-system-x86_64 is version 6.2.0; 7.2 or newer is needed\n  apt-get install qemu-system-x86",
        ),
        ({**GCC, "qemu-system-x86_64": "exit 1"}, 3, "qemu-system-x86_64 --version printed no version"),
        (
            {"x86_64-linux-gnu-gcc": "exit 1"},
            2,
            "compiler x86_64-linux-gnu-gcc is missing or does not run\n  apt-get install gcc",
        ),
    ],
)
def test_tools_that_do_not_serve_are_named(
    invoke: Invoke, tmp_path: Path, commands: dict[str, str], code: int, said: str
) -> None:
    answer = invoke("run", "--arch", "x86_64", env=install(tmp_path / "bin", **commands))
    assert answer.code == code
    assert said in answer.stderr


@pytest.mark.parametrize("variable", ["XDG_CACHE_HOME", "XDG_STATE_HOME"])
def test_folders_that_cannot_be_made_are_named(invoke: Invoke, tmp_path: Path, variable: str) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    answer = invoke("run", "--arch", "x86_64", env={variable: str(in_the_way)})
    assert answer.code == 3
    assert f"{in_the_way}/thp-harness" in answer.stderr
    assert "can't be made: Not a directory" in answer.stderr
    assert variable in answer.stderr


def test_doctor_prints_one_json_document(invoke: Invoke) -> None:
    answer = invoke("doctor", "--json")
    checks = {check["name"]: check for check in answer.json["checks"]}
    assert answer.code == (3 if any(check["ok"] is False for check in checks.values()) else 0)
    assert {"build tools", "x86_64: compiler", "arm64: QEMU", "cache folder", "memory"} <= checks.keys()


def test_doctor_tells_what_is_missing_and_how_to_get_it(invoke: Invoke, tmp_path: Path) -> None:
    nothing = {"PATH": str(tmp_path)}
    answer = invoke("doctor", "--arch", "x86_64", env=nothing)
    assert answer.code == 3
    assert "MISSING  build tools" in answer.stdout
    assert "fix: apt-get install qemu-system-x86" in answer.stdout
    packages = invoke("doctor", "--arch", "x86_64", "--packages", env=nothing)
    assert packages.code == 0
    assert {"make", "flex", "git", "qemu-system-x86"} <= set(packages.stdout.split())
    assert packages.stdout.count("\n") == 1


def test_doctor_makes_no_folder(program: Program, invoke: Invoke) -> None:
    invoke("doctor", "--arch", "x86_64")
    assert not program.cache_home.exists()
    assert not program.state_home.exists()


@pytest.mark.parametrize(
    ("option", "start", "offered"),
    [
        ("--arch", "ar", ["plain,arm64"]),
        ("--kconfig", "lock", ["plain,lockdep"]),
        ("--kconfig", "./my", ["file,./my"]),
    ],
)
def test_the_shell_completes_names(invoke: Invoke, option: str, start: str, offered: list[str]) -> None:
    answer = invoke(
        env={
            "_THP_HARNESS_COMPLETE": "bash_complete",
            "COMP_WORDS": f"thp-harness run {option} {start}",
            "COMP_CWORD": "3",
        }
    )
    assert answer.stdout.split() == offered


@pytest.mark.parametrize(
    ("script", "switch", "ok"),
    [("echo ccache version 4.8", "", True), ("exit 1", "", False), ("exit 1", "0", None)],
    ids=["used", "broken", "switched off"],
)
def test_doctor_says_whether_ccache_is_used(
    invoke: Invoke, tmp_path: Path, script: str, switch: str, ok: bool | None
) -> None:
    path = f"{install(tmp_path / 'bin', ccache=script)['PATH']}:{os.environ['PATH']}"
    answer = invoke("doctor", "--arch", "x86_64", "--json", env={"PATH": path, "THP_HARNESS_CCACHE": switch})
    (check,) = [check for check in answer.json["checks"] if check["name"] == "ccache"]
    assert check["ok"] is ok
    assert ("4.8" if ok else "THP_HARNESS_CCACHE=0") in check["detail"]


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_error(program: Program) -> None:
    process = program.start("doctor", "--arch", "x86_64", "--json")
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    with process.stderr:
        stderr = process.stderr.read()
    process.wait(30)
    assert stderr == ""


def test_no_colour_off_a_terminal(invoke: Invoke) -> None:
    assert "\x1b" not in invoke("doctor", "--arch", "x86_64").stdout
