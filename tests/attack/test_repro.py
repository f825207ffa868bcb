# SPDX-License-Identifier: GPL-2.0-only
"""Scripts of `repro` for journals of strangers, executed: none of their words becomes a command."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from random import Random
from typing import Any

import pytest

from results.journal.journal import JOURNAL
from tests.program import Invoke
from tests.samples.past_run import PastRun
from tests.unit.commands.test_repro import SHELLS, run_script

PWNED = "escaped"
HOSTILE_WORDS = (
    f"$(touch {PWNED})", f"`touch {PWNED}`", f"'; touch {PWNED}; '", f"\n touch {PWNED}\n",
    f"x | touch {PWNED}",
    f"--upload-pack=touch {PWNED}", f"ext::sh -c touch% {PWNED}", f"x/e touch {PWNED}/;s/x", "END", "../../x",
)  # fmt: skip
STUBS = {
    **dict.fromkeys(("apt-get", "dpkg", "tar", "make", "sha256sum", "qemu-system-x86_64", "hercules"), ":"),
    "git": 'case "$*" in *rev-parse*) echo 0 ;; *init*) mkdir -p linux.new ;; esac',
    **dict.fromkeys(("xgcc", "gcc"), "echo gcc"),
}
SEEDS = (0, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(8, 800, 8)))
"""The first seeds of each test, which has eight inputs."""


def hostile_journal(past: PastRun, random: Random) -> None:
    """Put a hostile word in place of one to three texts of the journal, or behind them."""
    events = [json.loads(line) for line in (past.run_dir / JOURNAL).read_text().splitlines()]
    for event in events:
        event.pop("sum", None)
    for _ in range(random.choice((1, 2, 3))):
        at: Any = random.choice(events)["fact"]
        while isinstance(at, dict | list) and at:
            key = random.choice(list(at) if isinstance(at, dict) else range(len(at)))
            if isinstance(at[key], str):
                at[key] = random.choice(("", at[key])) + random.choice(HOSTILE_WORDS)
                break
            at = at[key]
    (past.run_dir / JOURNAL).write_text("".join(json.dumps(event) + "\n" for event in events))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_word_of_a_journal_is_executed(past: PastRun, invoke: Invoke, tmp_path: Path, seed: int) -> None:
    journal = (past.run_dir / JOURNAL).read_bytes()
    for number in range(seed, seed + 8):
        (past.run_dir / JOURNAL).write_bytes(journal)
        hostile_journal(past, Random(number))
        script = tmp_path / f"{number}.sh"
        answer = invoke("repro", cell_of(number), "-o", str(script))
        assert answer.code in (0, 2, 3), answer.stderr
        if answer.code:
            continue
        for shell in SHELLS:
            subprocess.run([*shell.split(), "-n", str(script)], check=True)
        run_script(script, tmp_path / f"run-{number}", stubs=STUBS)
        run_script(script, tmp_path / f"boot-{number}", "boot", stubs=STUBS)
        assert not list(tmp_path.rglob(PWNED)), script.read_text()


def cell_of(number: int) -> str:
    return ("x86_64/base", "x86_64/series", "x86_64")[number % 3]
