# SPDX-License-Identifier: GPL-2.0-only
"""Internal errors, full disks and hostile texts: exit statuses that blame no kernel, and a quiet terminal."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.cli.main import main
from harness.cli.terminal import EscapingConsole
from tests.program import Invoke, Program
from tests.samples.past_run import PastRun
from tests.unit.commands.test_repro import original, past  # noqa: F401  fixtures

HOSTILE = "\x1b]0;owned\x07\x1b[2J"


def fail(*_: object, **__: object) -> None:
    raise RecursionError(f"no end {HOSTILE}")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["report"], 3),
        (["judge", "--arch", "x86_64", "--until", "does not boot"], 128),
        (["export", "junit"], 3),
    ],
    ids=str,
)
def test_an_internal_error_is_no_regression_and_names_a_file_with_its_traceback(
    program: Program,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
) -> None:
    for name, value in program.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("harness.core.workspace.Workspace.find_run", fail)
    monkeypatch.setattr("harness.cli.judge.make_plan_of", fail)
    with pytest.raises(SystemExit) as end:
        main(arguments)
    said = capfd.readouterr().err
    assert end.value.code == code
    assert "internal error, which says nothing of the kernel: RecursionError: no end \\x1b]0;owned" in said
    (file,) = (program.state / "errors").iterdir()
    assert str(file) in said
    assert "Traceback" in file.read_text()
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "code"), [(["cache", "ls"], 3), (["--help"], 3), (["judge", "--help"], 128)], ids=str
)
def test_a_full_stdout_is_no_regression(program: Program, arguments: list[str], code: int) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [program.path, *arguments],
            stdout=full, stderr=subprocess.PIPE, env=program.environment(), text=True, check=False,
        )  # fmt: skip
    assert "No space left on device" in ended.stderr
    assert ended.returncode == code


def test_no_text_of_a_record_or_of_git_reaches_the_terminal_as_it_is(invoke: Invoke, tmp_path: Path) -> None:
    record = tmp_path / "x.yaml"
    record.write_text('name: x\n"bad\\e]0;owned\\a key": 1\n')
    answer = invoke("plan", "--series", str(record))
    assert answer.code == 2
    assert "\\x1b]0;owned\\x07" in answer.stderr
    answer = invoke("plan", "--tree", f"{tmp_path}@{HOSTILE}")
    assert answer.code == 2
    assert "\x1b" not in answer.stderr


def test_a_console_shows_control_characters_and_keeps_its_own_colours() -> None:
    out = io.StringIO()
    console = EscapingConsole(file=out, force_terminal=True, color_system="standard", width=80)
    console.print(f"plain\n{HOSTILE}end", style="red", markup=False, highlight=False, soft_wrap=True)
    assert "\x1b[31m" in out.getvalue()
    assert "\\x1b]0;owned\\x1b[2J" in out.getvalue()  # rich leaves out the bell
    assert "\x1b]" not in out.getvalue()
    assert out.getvalue().count("\n") == 2


def test_exports_to_the_log_of_a_ci_job_hold_no_command_of_it(past: PastRun, invoke: Invoke) -> None:  # noqa: F811
    log = past.run_dir / past.boot("series", 2).log
    text = log.read_text().replace("ok 1", "not ok 1 x\n::error::owned\n  ::set-env::x\n##[error]y")
    log.write_text(text)
    past.build("base", ok=False, error="::error::owned\n  ::stop-commands::x\n##[group]y\r::error::z")
    for form in ("junit", "json", "kcidb", "prometheus", "mail", "github"):
        answer = invoke("export", form, str(past.run_dir), env={"GITHUB_STEP_SUMMARY": ""})
        assert answer.code == 0
        lines = answer.stdout.replace("\r", "\n").split("\n")
        assert [line for line in lines if line.lstrip().startswith("::") or "##[" in line] == [], form
        if form == "junit":
            assert "::error::owned" in "".join(ElementTree.fromstring(answer.stdout).itertext())
