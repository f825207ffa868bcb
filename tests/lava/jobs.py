# SPDX-License-Identifier: GPL-2.0-only
"""Jobs as LAVA runs them: files are fetched and compared, QEMU is started, its console goes into the log line
by line, and the job is over when a prompt is seen."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shlex
import subprocess
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LINE_END = re.compile("\r\r\n|\r\n|\n")


class JobError(Exception):
    """What LAVA would call the job's error: its type, and words."""


@dataclass
class Job:
    """One job of the lab."""

    number: int
    definition: Mapping[str, Any]
    text: str
    state: str = "Submitted"
    health: str = "Unknown"
    error: tuple[str, str] | None = None
    log: list[str] = field(default_factory=list)
    """Lines of YAML."""
    process: subprocess.Popen[bytes] | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def name(self) -> str:
        return str(self.definition["job_name"])

    def action(self, name: str) -> Any:
        return next(action[name] for action in self.definition["actions"] if name in action)

    def say(self, level: str, message: Any) -> None:
        entry = {"dt": datetime.now(UTC).isoformat(), "lvl": level, "msg": message}
        self.log.append(f"- {json.dumps(entry)}\n")

    def cancel(self) -> None:
        if self.state == "Finished":
            return
        self.state, self.health = "Canceling", "Canceled"
        if self.process:
            self.process.kill()


Board = Callable[[Job, Mapping[str, Path]], list[str]]
"""What to start for a job with its files, by their names in the definition."""


def qemu(job: Job, files: Mapping[str, Path]) -> list[str]:
    """As LAVA's template for emulators makes it of a job's context."""
    context = job.definition["context"]
    words = [
        f"qemu-system-{context['arch']} -nographic -monitor none -nic none",
        f"-machine {context['machine']},accel={'tcg' if context.get('no_kvm') else 'kvm:tcg'}",
        f"-cpu {context['cpu']} -m {context['memory']}",
        *context.get("extra_options", []),
        *(image["image_arg"] for image in job.action("deploy")["images"].values()),
    ]
    line = " ".join(words)
    for name, path in files.items():
        line = line.replace(f"{{{name}}}", str(path))
    return shlex.split(line)


def run(job: Job, board: Board) -> None:
    """Run a job to its end; whatever happens is in its state and log."""
    try:
        with tempfile.TemporaryDirectory(prefix="lava-") as folder:
            job.say("info", "start: 1 deploy")
            files = _deploy(job, Path(folder))
            job.say("info", "start: 2 boot")
            _boot(job, board(job, files))
        job.health = "Complete"
    except JobError as error:
        if job.state != "Canceling":
            job.health, job.error = "Incomplete", error.args
            job.say("exception", f"{error.args[0]}: {error.args[1]}")
    finally:
        job.state = "Finished"
        job.ended.set()


def _deploy(job: Job, folder: Path) -> Mapping[str, Path]:
    deploy, files = job.action("deploy"), {}
    for name, part in deploy.get("images", deploy).items():
        if not isinstance(part, dict) or "url" not in part:
            continue
        try:
            with urllib.request.urlopen(part["url"], timeout=30) as answer:
                content = answer.read()
        except OSError as error:
            raise JobError("Job", f"{part['url']}: {error}") from None
        if hashlib.sha256(content).hexdigest() != part["sha256sum"]:
            raise JobError("Job", f"{part['url']}: the checksum is wrong")
        files[name] = folder / name
        files[name].write_bytes(content)
    return files


def _boot(job: Job, command: list[str]) -> None:
    boot = job.action("boot")
    prompts = re.compile("|".join(boot["prompts"]))
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        job.process = process
        limit = threading.Timer(60 * boot["timeout"]["minutes"], process.kill)
        limit.start()
        try:
            if job.state == "Canceling":
                process.kill()
            if not _follow(job, process, prompts):
                raise JobError("Infrastructure", "Connection closed")
        finally:
            limit.cancel()
            process.kill()


def _follow(job: Job, process: subprocess.Popen[bytes], prompts: re.Pattern[str]) -> bool:
    """Whether a prompt was seen before the board fell silent for good."""
    assert isinstance(process.stdout, io.BufferedReader)
    rest = ""
    while chunk := process.stdout.read1(4092):
        rest += chunk.decode(errors="replace")
        *lines, rest = LINE_END.split(rest)
        for line in lines:
            job.say("target", line.replace("\x1b", ""))
        if any(prompts.search(line) for line in (*lines, rest)):
            if rest:
                job.say("target", rest)
            return True
    return False
