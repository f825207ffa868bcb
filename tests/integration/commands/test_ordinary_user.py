# SPDX-License-Identifier: GPL-2.0-only
"""A whole run as an ordinary user: a kernel is built and two are booted, with user namespaces alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.core.shipped import ROOT
from harness.sources.git.repository import Repository
from tests.integration.conftest import SMALL_SERIES
from tests.program import Answer, Program

USER = 64123
"""Not in /etc/passwd: nothing may depend on a name."""
SYSTEM_PYTHON = "/usr/bin/python3"
COPIED = ("mirror.git", "builds", "programs", "apt", "series", "debian")
START = "import sys; sys.argv[0] = 'thp-harness'; from harness.cli.main import main; sys.exit(main())"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.nightly,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user"),
]


class OrdinaryUser:
    """A user with a home folder, and the program in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.cache = home / "cache" / "thp-harness"

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        folders = {"XDG_CACHE_HOME": "cache", "XDG_STATE_HOME": "state", "XDG_CONFIG_HOME": "config"}
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.home),
            "PYTHONPATH": f"{self.home / 'program'}:{self.home / 'libraries'}",
            **{name: str(self.home / folder) for name, folder in folders.items()},
        }
        become = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--inh-caps=-all")
        return subprocess.run(
            (*become, *command), cwd=self.home, env=environment, capture_output=True, text=True, check=False
        )

    def thp_harness(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run(SYSTEM_PYTHON, "-c", START, *arguments)


@pytest.fixture
def user(thp_harness: Program, ab_run: Answer) -> Iterator[OrdinaryUser]:
    """A user with copies of the program, its libraries and the cache, but for the kernel of the series."""
    assert ab_run.code == 0
    with tempfile.TemporaryDirectory(prefix="thp-harness-user-", dir="/var/tmp") as name:
        user = OrdinaryUser(Path(name))
        if user.run(SYSTEM_PYTHON, "-c", "import sys; print(sys.version_info[:2])").stdout.strip() != str(
            sys.version_info[:2]
        ):
            pytest.skip(f"{SYSTEM_PYTHON} is another version of Python, which can't load our libraries")
        shutil.copytree(Path(pytest.__file__).parents[1], user.home / "libraries", symlinks=True)
        for part in ("harness", "results", "configs", "kselftest_wrappers"):
            shutil.copytree(ROOT / part, user.home / "program" / part)
        for part in COPIED:
            if (thp_harness.cache / part).exists():
                shutil.copytree(thp_harness.cache / part, user.cache / part, symlinks=True)
        shutil.rmtree(user.cache / "mirror.git" / "worktrees", ignore_errors=True)
        (series,) = (cell["build"]["key"] for cell in ab_run.json["cells"] if cell["variant"] == "series")
        for entry in user.cache.glob(f"builds/*/{series}"):
            shutil.rmtree(entry)
        subprocess.run(("chown", "-R", f"{USER}:{USER}", name), check=True)
        yield user


def test_an_ordinary_user_builds_and_boots_in_the_sandbox(user: OrdinaryUser, ab_run: Answer) -> None:
    if user.run("bwrap", "--ro-bind", "/", "/", "--unshare-all", "true").returncode:
        pytest.skip("no sandbox here: no user namespaces for others than root")
    answer = user.thp_harness("run", "--arch", "x86_64", "--series", SMALL_SERIES, "--json")
    assert answer.returncode == 0, answer.stderr
    document = json.loads(answer.stdout)
    assert document["subject"]["notes"] == ab_run.json["subject"]["notes"], "nothing is said of no sandbox"
    base, series = document["cells"]
    assert (base["build"]["cached"], series["build"]["cached"]) == (True, False)
    ours = {cell["variant"]: cell["build"] for cell in ab_run.json["cells"]}
    assert series["build"]["image_sha256"] == ours["series"]["image_sha256"], "the same kernel, byte for byte"
    strangers = [path for path in user.home.rglob("*") if path.lstat().st_uid != USER]
    assert strangers == []
    assert Repository(user.cache / "mirror.git").succeeds("fsck", "--connectivity-only")
