# SPDX-License-Identifier: GPL-2.0-only
"""The lab's server: as much of LAVA's XML-RPC interface as its clients use, and the files that jobs fetch.

What it answers is that of LAVA's own `scheduler.jobs`, `scheduler.device_types` and `system`.
"""

from __future__ import annotations

import base64
import re
import threading
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from tests.lava.jobs import Board, Job, qemu, run
from tests.lava.schema import complaint

USER, TOKEN = "ci", "correct-horse-battery-staple"
Answer = Callable[[str], int]
"""What HTTP status a call of a method gets instead of its answer; 0 for the answer itself."""


@dataclass
class LavaLab:
    """A lab, and what is wrong with it."""

    folder: Path
    """What is in here can be fetched from `files`."""
    types: tuple[str, ...] = ("qemu",)
    board: Board = qemu
    token: str = TOKEN
    status: Answer = lambda method: 0
    swallows: Answer = lambda method: 0
    """The same for the answer of a call that has done its work."""
    slow: Callable[[str], float] = lambda method: 0.0
    """Seconds before a method answers."""
    cut: int | None = None
    """So many lines has the log of each job, whatever was said."""
    checks: bool = True
    """Whether LAVA's schema is asked about each job; that takes a moment."""
    runs: bool = True
    """Whether there are boards that are not busy."""
    end: Callable[[Job], None] = lambda job: None
    """Called for each job that is over."""
    jobs: dict[int, Job] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}/RPC2"

    @property
    def files(self) -> str:
        return f"http://127.0.0.1:{self.port}/files"

    def record(self, board: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """Its record, with one kind of boards for x86_64; what it waits for is short."""
        limits = {"call_seconds": 5, "poll_seconds": 0.3, "silent_seconds": 20, "boot_seconds": 60}
        return {
            "name": "testlab",
            "about": "a LAVA lab for the tests",
            "uri": self.uri,
            "user": USER,
            "token": {"variable": "LAVA_TOKEN"},
            "artifacts": {"folder": str(self.folder), "url": self.files},
            "boards": {"x86_64": board},
            **changes,
            "limits": {**limits, **changes.get("limits", {})},
        }

    def stop(self) -> None:
        """End what runs."""
        for job in self.jobs.values():
            job.cancel()

    def call(self, method: str, arguments: tuple[Any, ...]) -> Any:
        self.calls.append(method)
        time.sleep(self.slow(method))
        known: dict[str, Callable[..., Any]] = {
            "system.version": lambda: "2026.09",
            "system.whoami": lambda: USER,
            "scheduler.device_types.list": lambda all_of_them=False: [
                {"name": name, "devices": 1, "installed": True, "template": True} for name in self.types
            ],
            "scheduler.jobs.validate": lambda text, strict=False: complaint(text, strict=strict),
            "scheduler.jobs.submit": self._submit,
            "scheduler.jobs.list": self._list,
            "scheduler.jobs.show": self._show,
            "scheduler.jobs.logs": self._logs,
            "scheduler.jobs.cancel": self._cancel,
        }
        if method not in known:
            raise xmlrpc.client.Fault(1, f'method "{method}" is not supported')
        return known[method](*arguments)

    def _job(self, number: str) -> Job:
        try:
            return self.jobs[int(number)]
        except (KeyError, ValueError):
            raise xmlrpc.client.Fault(404, f"Job '{number}' was not found.") from None

    def _submit(self, text: str) -> int:
        if self.checks and (found := complaint(text)):
            raise xmlrpc.client.Fault(400, f"Problem with submitted job data: {found}")
        definition = yaml.safe_load(text)
        if definition["device_type"] not in self.types:
            raise xmlrpc.client.Fault(404, "Specified device or device type not found.")
        job = Job(len(self.jobs) + 1, definition, text)
        self.jobs[job.number] = job
        threading.Thread(target=self._run, args=(job,), daemon=True).start()
        return job.number

    def _run(self, job: Job) -> None:
        while not self.runs and job.state == "Submitted":
            time.sleep(0.05)
        if job.state == "Submitted":
            job.state = "Running"
        run(job, self.board)
        self.end(job)

    def _list(self, state: Any, health: Any, start: int, limit: int, *rest: Any) -> list[dict[str, Any]]:
        newest = sorted(self.jobs.values(), key=lambda job: -job.number)[start : start + limit]
        return [
            {"id": job.number, "description": job.name, "state": job.state, "health": job.health,
             "device_type": job.definition["device_type"], "submitter": USER}
            for job in newest
        ]  # fmt: skip

    def _show(self, number: str) -> dict[str, Any]:
        job = self._job(number)
        error_type, error_msg = job.error or (None, None)
        when = xmlrpc.client.DateTime(int(time.time()))
        return {
            "id": job.number, "description": job.name, "state": job.state, "health": job.health,
            "device": "qemu01" if job.state in ("Running", "Canceling", "Finished") else None,
            "device_type": job.definition["device_type"], "health_check": False, "pipeline": True,
            "submitter": USER, "submit_time": when, "start_time": when, "end_time": None, "tags": [],
            "visibility": "Public", "failure_comment": "", "error_type": error_type, "error_msg": error_msg,
        }  # fmt: skip

    def _cancel(self, number: str) -> bool:
        self._job(number).cancel()
        return True

    def _logs(self, number: str, start: int = 0, end: int | None = None) -> tuple[bool, xmlrpc.client.Binary]:
        job = self._job(number)
        over = job.state == "Finished"
        text = "".join(job.log[: self.cut][start:end]) or "[]"
        return over, xmlrpc.client.Binary(text.encode())


def _handler(lab: LavaLab) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = re.fullmatch(r"/files/([\w.-]+)", self.path)
            path = lab.folder / name[1] if name else lab.folder / "no such file"
            if path.is_file():
                self._answer(200, path.read_bytes())
            else:
                self._answer(404, b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            arguments, method = xmlrpc.client.loads(body)
            assert method
            login = base64.b64encode(f"{USER}:{lab.token}".encode()).decode()
            if self.headers.get("Authorization") != f"Basic {login}":
                return self._answer(401, b"Invalid token")
            if status := lab.status(method):
                return self._answer(status, b"the lab has a bad day")
            try:
                said: Any = (lab.call(method, arguments),)
            except xmlrpc.client.Fault as fault:
                said = fault
            if status := lab.swallows(method):
                return self._answer(status, b"something broke on the way")
            text = xmlrpc.client.dumps(said, methodresponse=True, allow_none=True)
            return self._answer(200, text.encode())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nobody reads it."""

    return Handler


@contextmanager
def lava_lab(folder: Path, **how: Any) -> Iterator[LavaLab]:
    """A lab that is open until the end of the block."""
    lab = LavaLab(folder, **how)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(lab))
    lab.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield lab
    finally:
        lab.stop()
        server.shutdown()
        server.server_close()
        thread.join(10)
