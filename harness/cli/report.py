# SPDX-License-Identifier: GPL-2.0-only
"""`thp-harness report`: the reports of a folder, from its facts and logs."""

from __future__ import annotations

import click

from harness.cli.options import as_json_option, console, log


@click.command("report")
@click.argument("run_name", metavar="RUN", default="latest")
@as_json_option
def report_command(run_name: str, as_json: bool) -> int:
    """Write the reports of a folder again.

    They are made from the facts and logs of the folder, and printed. RUN is the folder or the name of a
    run, walk, bisection or rerun, or `latest`, the last run (the default). Exit status: that of the
    command that made the folder.
    """
    from harness.commands.reports import report_again
    from harness.core.workspace import from_environment

    workspace = from_environment()
    return report_again(workspace.find_run(run_name), workspace, as_json, console(), log)
