# SPDX-License-Identifier: GPL-2.0-only
"""`thp-harness dashboard`: pages of all runs in the store."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import as_json_option, echo, print_json
from harness.cli.results import chosen_store, store_option
from harness.core.errors import InfrastructureError, UsageError

SCHEMA = "thp-harness/dashboard/1"
_nights_option = click.option(
    "--nights", type=click.IntRange(1, 1000), default=60, show_default=True, metavar="N",
    help="Number of the latest runs of each series to show.",
)  # fmt: skip


@click.group("dashboard")
def dashboard_group() -> None:
    """Show regressions and trends over all runs."""


@dashboard_group.command("build")
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT")
@_nights_option
@store_option
@as_json_option
def build_command(out: Path, nights: int, store: str | None, as_json: bool) -> None:
    """Write the dashboard as static pages.

    Replaces an earlier build in OUT. The pages need no server and no network: open OUT/index.html, or
    copy OUT to any web server.
    """
    from dataclasses import asdict

    from harness.commands.results_store import opened
    from results.dashboard.site import NotOursError, SiteError, build_site

    try:
        with opened(chosen_store(store)) as opened_store:
            built = build_site(opened_store, out, nights)
    except NotOursError as error:
        raise UsageError(str(error), hint=error.hint) from None
    except SiteError as error:
        raise InfrastructureError(str(error), hint=error.hint) from None
    if as_json:
        print_json({"schema": SCHEMA, **asdict(built)})
        return
    echo(f"{built.runs} of {built.stored_runs} runs on {built.pages} pages, with {built.logs} logs")
    echo(str(out / "index.html"))


@dashboard_group.command("serve")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, metavar="N",
    help="TCP port; 0 for any free one.",
)  # fmt: skip
@_nights_option
@store_option
def serve_command(port: int, nights: int, store: str | None) -> None:
    """Serve the dashboard on 127.0.0.1.

    Serves until Ctrl-C, with a page of running commands. Finished runs of this machine are imported
    whenever the first page is requested.
    """
    import tempfile

    from harness.commands.serve import Dashboard, serve
    from harness.core.workspace import from_environment

    with tempfile.TemporaryDirectory(prefix="thp-harness-dashboard-") as folder:
        dashboard = Dashboard(from_environment(), chosen_store(store), Path(folder), nights)
        serve(dashboard, port, lambda address: echo(f"{address} and {address}live"))
