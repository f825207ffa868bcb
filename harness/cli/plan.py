# SPDX-License-Identifier: GPL-2.0-only
"""`thp-harness plan`: what a run would do."""

from __future__ import annotations

from typing import Any

import click

from harness.cli.options import as_json_option, log, print_document
from harness.cli.planning import make_plan_of, planning, sharding


@click.command("plan")
@planning
@sharding
@as_json_option
def plan_command(as_json: bool, **arguments: Any) -> None:
    """Show what a run would build and boot.

    Lists the sources, the tests, the cached kernels and the expected duration; builds nothing.
    """
    from harness.commands.cache.sharing import in_use
    from harness.commands.forecast import forecast, print_forecast
    from harness.core.workspace import from_environment

    plan, workspace = make_plan_of(arguments), from_environment()
    workspace.create()
    with in_use(workspace.cache, log):
        cast = forecast(plan, workspace)
    print_document(cast.as_document(), as_json, lambda console: print_forecast(cast, console))
