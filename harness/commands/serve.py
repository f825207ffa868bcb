# SPDX-License-Identifier: GPL-2.0-only
"""Serves the dashboard on 127.0.0.1, with a page of running commands."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from harness.commands.results_store import opened
from harness.core.errors import InfrastructureError
from harness.core.locks import is_held
from harness.core.workspace import Workspace
from harness.engine.run_folder import LOCK
from results.dashboard.live import live_page
from results.dashboard.site import build_site
from results.store.folder import find_folders
from results.store.store import ImportState

HOST = "127.0.0.1"
_NAMES = (HOST, "localhost")


class Dashboard:
    """The pages in a folder, built again when a run has ended."""

    def __init__(self, workspace: Workspace, address: str, out: Path, nights: int) -> None:
        self.workspace, self.address, self.out, self.nights = workspace, address, out, nights
        self._lock = threading.Lock()
        self._built = False

    def refresh(self) -> None:
        """Import new results, and build the pages again if there were any.

        Raises:
            InfrastructureError: if the store can't be used.
        """
        with self._lock, opened(self.address) as store:
            outcome = store.import_folders(find_folders(self.workspace.homes))
            if not self._built or any(
                one.state in (ImportState.NEW, ImportState.REPLACED) for one in outcome
            ):
                build_site(store, self.out, self.nights)
                self._built = True

    def live(self) -> str:
        """Return a page of running commands."""
        folders = (path for home in self.workspace.homes for path in home.glob("*"))
        return live_page(sorted(path for path in folders if is_held(path / LOCK)))


class _Handler(SimpleHTTPRequestHandler):
    """Answers GET and HEAD requests for this machine only."""

    def __init__(self, *arguments: Any, dashboard: Dashboard, **named: Any) -> None:
        self._dashboard = dashboard
        super().__init__(*arguments, directory=str(dashboard.out), **named)

    def send_head(self) -> Any:
        # Any page on the net can lead a browser here under a name of its own; only ours is served.
        if self.headers.get("Host", "").rsplit(":", 1)[0] not in _NAMES:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST, "Ask for 127.0.0.1")
            return None
        path = self.path.partition("?")[0]
        if path == "/live":
            return self._send_text(self._dashboard.live())
        if path in ("/", "/index.html"):
            try:
                self._dashboard.refresh()
            except InfrastructureError as error:
                self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, "The store can't be used", str(error))
                return None
        return super().send_head()

    def list_directory(self, path: Any) -> Any:
        self.send_error(HTTPStatus.NOT_FOUND)
        return None

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Log nothing."""

    def _send_text(self, text: str) -> Any:
        from io import BytesIO

        content = text.encode("utf-8", "backslashreplace")
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return BytesIO(content)


def serve(dashboard: Dashboard, port: int, ready: Callable[[str], None]) -> None:
    """Serve until the program is stopped; `ready` is called with the address.

    Raises:
        InfrastructureError: if the port is taken, or the store can't be used.
    """
    dashboard.refresh()
    try:
        server = ThreadingHTTPServer((HOST, port), partial(_Handler, dashboard=dashboard))
    except OSError as error:
        raise InfrastructureError(
            f"port {port}: {error.strerror}", hint="Choose another with --port, or 0 for any that is free."
        ) from None
    with server, suppress(KeyboardInterrupt):
        ready(f"http://{HOST}:{server.server_address[1]}/")
        server.serve_forever()
