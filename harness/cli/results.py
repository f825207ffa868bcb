# SPDX-License-Identifier: GPL-2.0-only
"""`thp-harness results`: the store of results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import as_json_option, console, echo, log, print_json
from harness.core.errors import InfrastructureError, UsageError
from harness.core.workspace import KINDS

if TYPE_CHECKING:
    from results.store.store import Imported, Stored

IMPORT_SCHEMA = "thp-harness/results-import/1"
LIST_SCHEMA = "thp-harness/results-list/1"

store_option = click.option(
    "--store", metavar="FILE|URL",
    help="SQLite file, or postgresql://USER@HOST/DATABASE.  [default: $THP_HARNESS_STORE, or results.db in "
    "the state folder]",
)  # fmt: skip


@click.group("results")
def results_group() -> None:
    """Import, list and prune stored results.

    The store is one database of all runs, for the dashboard. Every run is imported at its end. The store
    can be rebuilt from the run folders.
    """


def chosen_store(store: str | None) -> str:
    """Return the address of the store that an option or the environment gives."""
    from harness.commands.results_store import store_address
    from harness.core.workspace import from_environment

    return store or store_address(from_environment())


@results_group.command("import")
@click.argument("places", nargs=-1, type=click.Path(path_type=Path), metavar="[DIR…]")
@click.option(
    "--join", is_flag=True,
    help="Join the shards of a run (run --shard) into one run, import it, and print its outcome; the exit "
    "status is that of the joined run.",
)  # fmt: skip
@store_option
@as_json_option
def import_command(places: tuple[Path, ...], join: bool, store: str | None, as_json: bool) -> int:
    """Import run folders.

    DIR is the folder of a run, walk, bisection or rerun, or a directory of such folders; by default all
    folders of this machine are imported. Folders that have not changed are skipped. Exit status: 0, or 3
    if a folder can't be read.
    """
    if join:
        return _join(places, store, as_json)
    from harness.commands.results_store import opened
    from harness.core.workspace import from_environment
    from results.store.folder import find_folders

    folders = find_folders(places or from_environment().homes)
    for place in places:
        if not any(folder.is_relative_to(place.absolute()) for folder in folders):
            raise UsageError(f"{place} has no run folder", hint="Give one, or a folder of some.")
    with opened(chosen_store(store)) as opened_store:
        outcome = opened_store.import_folders(folders, _log_trouble)
        return _print_imported(opened_store.name, outcome, as_json)


def _join(places: tuple[Path, ...], store: str | None, as_json: bool) -> int:
    from harness.commands.join import join_shards
    from harness.commands.reports import print_outcome, write_reports
    from harness.commands.results_store import opened
    from harness.core.workspace import from_environment

    outcome, run_dir = join_shards(places, from_environment(), log)
    write_reports(outcome, run_dir)
    with opened(chosen_store(store)) as opened_store:
        opened_store.import_folders([run_dir], _log_trouble)
    return print_outcome(outcome, run_dir, as_json, console())


@results_group.command("rebuild")
@store_option
@as_json_option
def rebuild_command(store: str | None, as_json: bool) -> int:
    """Rebuild the store from run folders.

    Reads the folders that the store knows and those of this machine. Results whose folders no longer
    exist are removed. A damaged store is put aside first.
    """
    from harness.commands.results_store import rebuild
    from harness.core.workspace import from_environment

    name, outcome = rebuild(chosen_store(store), from_environment().homes, _log_trouble, log)
    return _print_imported(name, outcome, as_json)


def _log_trouble(one: Imported) -> None:
    if one.why:
        echo(f"{one.state}: {one.path}: {one.why}", err=True)


def _print_imported(store: str, outcome: Sequence[Imported], as_json: bool) -> int:
    from dataclasses import asdict

    from results.store.store import ImportState

    counts = {str(state): sum(one.state is state for one in outcome) for state in ImportState}
    if as_json:
        folders = [asdict(one) for one in outcome]
        print_json({"schema": IMPORT_SCHEMA, "store": store, "counts": counts, "folders": folders})
    else:
        words = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        echo(f"{store}: {words or 'there is nothing to import'}")
    return InfrastructureError.default_exit_code if counts[ImportState.REFUSED] else 0


@results_group.command("prune")
@click.option(
    "--older-than", type=click.IntRange(0, 36500), metavar="DAYS",
    help="Remove folders that were started more than DAYS days ago.",
)  # fmt: skip
@click.option("--keep", type=click.IntRange(min=0), metavar="N", help="Remove all but the latest N folders.")
@click.option("--dry-run", is_flag=True, help="Print what would be removed, and remove nothing.")
@store_option
@as_json_option
def prune_command(
    older_than: int | None, keep: int | None, dry_run: bool, store: str | None, as_json: bool
) -> None:
    """Remove old results from the store.

    The run folders stay, and can be imported again.
    """
    from harness.commands.results_store import opened

    if older_than is None and keep is None:
        raise UsageError("prune what?", hint="Give --older-than DAYS, or --keep N, or both.")
    with opened(chosen_store(store)) as opened_store:
        gone = opened_store.prune(older_than, keep, dry_run=dry_run)
    if as_json:
        _print_list(gone)
        return
    for one in gone:
        echo(f"{'would remove' if dry_run else 'removed'} {one.kind} {one.name}")


@results_group.command("list")
@click.option("--kind", type=click.Choice(KINDS), help="List only folders of this kind.  [default: all]")
@click.option(
    "-n", "--most", type=click.IntRange(min=1), metavar="N",
    help="Number of the latest folders to list.  [default: all]",
)  # fmt: skip
@store_option
@as_json_option
def list_command(kind: str | None, most: int | None, store: str | None, as_json: bool) -> None:
    """List the folders in the store, the latest first."""
    from harness.commands.results_store import opened

    with opened(chosen_store(store)) as opened_store:
        found = opened_store.listing(most, kind or "")
    if as_json:
        _print_list(found)
        return
    if not found:
        echo("The store is empty: a run is imported at its end, or with `thp-harness results import`.")
    for one in found:
        echo("  ".join((one.started, f"{one.kind:<6}", f"{one.verdict:<14}", one.name, *_remarks(one))))


def _remarks(one: Stored) -> list[str]:
    marks = {
        "[simulated]": one.simulated,
        "[stand-in]": one.stand_in,
        "[incomplete]": not one.complete,
        "[clock ahead]": one.skewed,
    }
    return [mark for mark, holds in marks.items() if holds]


def _print_list(found: Sequence[Stored]) -> None:
    from dataclasses import asdict

    print_json({"schema": LIST_SCHEMA, "folders": [asdict(one) for one in found]})
