# SPDX-License-Identifier: GPL-2.0-only
"""A wheel, installed outside of the checkout, is the whole program, and nothing is written into it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.core.shipped import ROOT
from harness.core.version import COMMIT_FILE, program_version
from tests.integration.conftest import SMALL_SERIES
from tests.integration.stub_tree import make_stub_tree
from tests.program import Program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def git(repository: Path, *words: str, stdin: bytes = b"") -> bytes:
    command = ["git", "-C", str(repository), *words]
    return subprocess.run(command, check=True, input=stdin, stdout=subprocess.PIPE).stdout


def pip(python: Path | str, *words: str) -> None:
    command = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", *words]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone without anything that git does not know, with the changes that are not committed yet."""
    clone = tmp_path_factory.mktemp("sources") / "clone"
    git(ROOT, "clone", "-q", "--no-hardlinks", str(ROOT), str(clone))
    if changes := git(ROOT, "diff", "--binary", "HEAD"):
        git(clone, "apply", "--index", "-", stdin=changes)
    return clone


@pytest.fixture(scope="module")
def installed(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel that is made from the sources."""
    wheels, venv = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("installed") / "venv"
    pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", str(wheels), str(sources))
    (wheel,) = wheels.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    pip(venv / "bin" / "python", "install", "--no-compile", str(wheel))
    return venv


@pytest.fixture
def program(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """The installed program with empty folders, started where no checkout is."""
    monkeypatch.chdir(tmp_path)
    return Program(tmp_path / "cache", tmp_path / "state", path=installed / "bin" / "thp-harness")


def files(venv: Path) -> set[Path]:
    """All but the bytecode, which is written on first use."""
    return {path for path in venv.rglob("*") if "__pycache__" not in path.parts}


def test_every_file_of_the_four_folders_is_in_it(installed: Path, sources: Path) -> None:
    (packages,) = installed.glob("lib/*/site-packages")
    folders = ("harness", "results", "configs", "kselftest_wrappers")
    listed = git(sources, "ls-files", "-z", *folders).decode().split("\0")
    names = [name for name in listed if name and name != COMMIT_FILE]
    assert names
    different = [name for name in names if (packages / name).read_bytes() != (sources / name).read_bytes()]
    assert different == []


def test_its_version_names_the_commit(program: Program, sources: Path) -> None:
    head = git(sources, "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty").decode().strip()
    number = program_version().partition("+")[0]
    expected = f"thp-harness {number} ({head.replace('-dirty', ', modified')})\n"
    assert program("--version").stdout == expected


def test_it_checks_plans_builds_boots_and_shows(
    program: Program, installed: Path, base_kernel: Path, tmp_path: Path
) -> None:
    before = files(installed)
    doctor = program("doctor", "--arch", "x86_64", "--json")
    assert doctor.code == 0, doctor.stdout
    plan = program("plan", "--arch", "x86_64", "--series", SMALL_SERIES)
    assert (plan.code, "thp-split-standin" in plan.stdout) == (0, True), plan.stderr

    tree = make_stub_tree(tmp_path / "linux", base_kernel)
    run = program("run", *tree.arguments, "--tests", "pmd_split", "--json")
    (cell,) = (cell for cell in run.json["cells"] if cell["variant"] == "series")
    assert {test["status"] for boot in cell["boots"] for test in boot["tests"]} == {"PASS"}, run.stderr
    (folder,) = program.run_folders()
    assert "pmd_split" in (folder / "report.html").read_text()

    dashboard = program("dashboard", "build", str(tmp_path / "pages"))
    assert (dashboard.code, (tmp_path / "pages" / "index.html").is_file()) == (0, True), dashboard.stderr
    assert files(installed) == before
