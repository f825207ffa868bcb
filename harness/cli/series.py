# SPDX-License-Identifier: GPL-2.0-only
"""`thp-harness series`: records of series."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import as_json_option, complete, log, print_document

if TYPE_CHECKING:
    from harness.plan.derive.init_record import WrittenRecord


@click.group("series")
def series_group() -> None:
    """Records of patch series."""


@series_group.command("init")
@click.argument("series", metavar="SERIES")
@click.option(
    "--tree", shell_complete=complete("trees"), metavar="NAME|FILE|PATH[@REV]|URL[@REV]",
    help="Kernel tree, as for `run`.  [default: that of the default plan, or where a range begins]",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="File to write.  [default: NAME.yaml in ~/.config/thp-harness/series]",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Replace files that exist, or override a shipped record.")
@as_json_option
def init_command(series: str, tree: str | None, output: Path | None, force: bool, as_json: bool) -> int:
    """Write a record for a series from its diff.

    It names suites, selftests and claims, each with its reason. SERIES is an mbox, a directory of
    patches, git:BASE..TIP, or a Message-ID.
    """
    from harness.commands.cache.sharing import in_use
    from harness.core.workspace import from_environment
    from harness.plan.derive.init_record import SCHEMA, init_record
    from harness.plan.plan import PlanRequest, make_plan

    plan, workspace = make_plan(PlanRequest(series=series, tree=tree)), from_environment()
    workspace.create()
    with in_use(workspace.cache, log):
        written = init_record(plan, workspace.cache, output, force, log)
    document = {"schema": SCHEMA, **asdict(written)}
    print_document(document, as_json, lambda console: _print(written, console))
    return 0


def _print(written: WrittenRecord, console: Any) -> None:
    texts = [line.text for line in written.derived] + [f"Wrote {file}" for file in written.files]
    for text in (*texts, f"Edit it, then: thp-harness run --series {written.name}"):
        console.print(text, markup=False, highlight=False, soft_wrap=True)
