# SPDX-License-Identifier: GPL-2.0-only
"""The ready-made files for CI services, each checked by its own linter or schema as far as one can be had."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.program import Invoke

ROOT = Path(__file__).parents[3]
CI = ROOT / "ci"
GITHUB, GITLAB, JENKINS = CI / "github" / "thp-harness.yml", CI / "gitlab-ci.yml", CI / "Jenkinsfile"
UNITS = tuple(sorted((CI / "systemd").iterdir()))
INSTALLED = "/opt/thp-harness"


def run(*command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **options)


def accepted(schema: str, path: Path, *options: str) -> str:
    checker = Path(sys.executable).with_name("check-jsonschema")
    answer = run(checker, "--builtin-schema", schema, *options, path)
    return "" if answer.returncode == 0 else answer.stdout + answer.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "schema", "options"),
    [
        (GITHUB, "vendor.github-workflows", ()),
        (GITHUB, "custom.github-workflows-require-timeout", ()),
        (GITLAB, "vendor.gitlab-ci", ("--data-transform", "gitlab-ci")),
    ],
)
def test_the_services_schema_takes_it(path: Path, schema: str, options: tuple[str, ...]) -> None:
    assert accepted(schema, path, *options) == ""


def scripts() -> Iterator[tuple[str, str]]:
    for name, job in yaml.safe_load(GITHUB.read_text())["jobs"].items():
        for step in job["steps"]:
            if "run" in step:
                yield f"github {name}: {step['name']}", step["run"]
    for name, job in yaml.safe_load(GITLAB.read_text()).items():
        if "script" in job:
            lines = job["before_script"] + job["script"] + job.get("after_script", [])
            yield f"gitlab {name}", "# shellcheck disable=SC2086\n" + "\n".join(lines)


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed (ci/test-packages)")
def test_shellcheck_accepts_the_scripts_inside_the_files() -> None:
    for name, script in scripts():
        answer = run("shellcheck", "--shell=bash" if "github" in name else "--shell=sh", "-", input=script)
        assert answer.returncode == 0, f"{name}: {answer.stdout}"


def test_no_input_of_a_person_becomes_a_script() -> None:
    for name, script in scripts():
        assert "${{" not in script, name


@pytest.mark.parametrize("command", ["thp-harness nightly", "thp-harness run", "thp-harness results import"])
def test_guests_give_the_runner_no_orders(command: str) -> None:
    (script,) = (script for name, script in scripts() if name.startswith("github") and command in script)
    before, _, after = script.partition(command)
    assert "::stop-commands::$token" in before
    assert '"::$token::"' in after


def test_every_shard_is_run_once() -> None:
    job = yaml.safe_load(GITHUB.read_text())["jobs"]["hosted"]
    shards = job["strategy"]["matrix"]["shard"]
    count = int(job["env"]["SHARD"].rpartition("/")[2])
    assert shards == list(range(1, count + 1))
    assert yaml.safe_load(GITHUB.read_text())["jobs"]["join"]["needs"] == "hosted"
    text = JENKINS.read_text()
    values = re.search(r"values (.*)", text)
    of = re.search(r'--shard "\$SHARD/(\d+)"', text)
    assert values
    assert of
    assert re.findall(r"\d+", values[1]) == [str(number) for number in range(1, int(of[1]) + 1)]


@pytest.mark.slow
def test_the_jenkinsfile_is_groovy() -> None:
    from groovy_parser.parser import parse_groovy_content
    from lark.exceptions import LarkError

    parse_groovy_content(JENKINS.read_text())
    with pytest.raises(LarkError):
        parse_groovy_content("pipeline { agent none")


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units as if this clone were installed where they say."""
    found = []
    for unit in UNITS:
        text = unit.read_text().replace(f"{INSTALLED}/.venv", sys.prefix).replace(INSTALLED, str(ROOT))
        (tmp_path / unit.name).write_text(text)
        found.append(tmp_path / unit.name)
    return found


def verify(units: list[Path]) -> subprocess.CompletedProcess[str]:
    """What systemd says of these units; what it says of others on this machine is not our business."""
    return run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *units)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed (ci/test-packages)")
class TestSystemd:
    def test_verify(self, units: list[Path]) -> None:
        answer = verify(units)
        assert answer.returncode == 0
        assert "thp-harness" not in answer.stderr

    def test_verify_finds_mistakes(self, units: list[Path]) -> None:
        units[0].write_text(units[0].read_text().replace("Type=oneshot", "Typo=oneshot"))
        assert "Typo" in verify(units).stderr

    def test_the_commands_are_those_of_the_program(self, invoke: Invoke) -> None:
        commands = re.findall(r"^Exec\w+=-?\S+/thp-harness (.*)$", UNITS[0].read_text(), re.MULTILINE)
        assert commands[0].startswith("nightly ")
        for command in commands:
            answer = invoke(*command.split(), "--help")
            assert (answer.code, answer.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("0", "/", "/"), 0, ""),
        (("99999999", "/"), 1, " of free space"),
        (("1", "/no/such/folder"), 2, "No such file"),
        (("1",), 2, "usage:"),
        (("1G", "/"), 2, "usage:"),
        (("", "/"), 2, "usage:"),
    ],
)
def test_check_free_space(arguments: tuple[str, ...], status: int, words: str) -> None:
    answer = run(CI / "check-free-space", *arguments)
    assert answer.returncode == status
    assert words in answer.stderr
