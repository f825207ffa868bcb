# SPDX-License-Identifier: GPL-2.0-only
"""Commands for the store of results: what goes in, what is in it, what goes out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import as_json_option, console, tell
from harness.core.errors import InfrastructureError, UsageError

if TYPE_CHECKING:
    from results.store.store import Imported, Store, Stored

IMPORT_SCHEMA = "thp-harness/results-import/1"
LIST_SCHEMA = "thp-harness/results-list/1"

store_option = click.option(
    "--store", metavar="FILE|URL",
    help="An SQLite file, or postgresql://USER@HOST/DATABASE.  [default: $THP_HARNESS_STORE, else among "
    "the state]",
)  # fmt: skip


@click.group("results")
def results_command() -> None:
    """Keep the results of all runs in one database, for the dashboard.

    A run puts itself into it. Everything in it comes from run folders, and can be read from them again.
    """


def chosen_store(store: str | None) -> str:
    """The address that an option or the environment gives."""
    from harness.commands.results_store import store_address
    from harness.core.workspace import from_environment

    return store or store_address(from_environment())


@results_command.command("import")
@click.argument("places", nargs=-1, type=click.Path(path_type=Path), metavar="[DIR…]")
@click.option(
    "--join", is_flag=True,
    help="Make one run of shards (run --shard), and import that; the exit status and what is printed are "
    "those of the whole run.",
)  # fmt: skip
@store_option
@as_json_option
def import_command(places: tuple[Path, ...], join: bool, store: str | None, as_json: bool) -> int:
    """Import run folders, from this machine or another.

    DIR is a folder of a run, a walk, a bisection or a rerun, or a folder of such; without one, all of
    this machine's are meant. What has not changed stays as it is. Exit status: 0, or 3 if a folder can't
    be read.
    """
    if join:
        return _join(places, store, as_json)
    from harness.commands.results_store import homes, opened
    from harness.core.workspace import from_environment
    from results.store.folder import find_folders

    folders = find_folders(places or homes(from_environment()))
    for place in places:
        if not any(folder.is_relative_to(place.absolute()) for folder in folders):
            raise UsageError(f"{place} has no run folder", hint="Give one, or a folder of some.")
    with opened(chosen_store(store)) as opened_store:
        outcome = opened_store.import_folders(folders, _tell_trouble)
        return _print_imported(opened_store, outcome, as_json)


def _join(places: tuple[Path, ...], store: str | None, as_json: bool) -> int:
    from harness.commands.join import join_shards
    from harness.commands.reports import print_outcome, write_reports
    from harness.commands.results_store import opened
    from harness.core.workspace import from_environment

    outcome, run_dir = join_shards(places, from_environment(), tell)
    write_reports(outcome, run_dir)
    with opened(chosen_store(store)) as opened_store:
        opened_store.import_folders([run_dir], _tell_trouble)
    print_outcome(outcome, run_dir, as_json, console())
    return outcome.exit_code


@results_command.command("rebuild")
@store_option
@as_json_option
def rebuild_command(store: str | None, as_json: bool) -> int:
    """Read all folders that the store knows, and this machine's, anew, and let go of everything else.

    Runs whose folders are gone are lost.
    """
    from harness.commands.results_store import homes, opened
    from harness.core.workspace import from_environment
    from results.store.folder import find_folders

    address = chosen_store(store)
    known = _known_paths(address)
    folders = find_folders([*known, *homes(from_environment())])
    with opened(address) as opened_store:
        outcome = opened_store.rebuild(folders, _tell_trouble)
        return _print_imported(opened_store, outcome, as_json)


def _known_paths(address: str) -> list[Path]:
    """What a store knows; one that can't be read at all makes room for a new one."""
    from harness.commands.results_store import opened

    try:
        with opened(address) as store:
            return store.paths()
    except InfrastructureError as error:
        old = Path(address)
        if "damaged" not in str(error) or not old.is_file():
            raise
        aside = old.with_name(f"{old.name}.damaged")
        old.replace(aside)
        for suffix in ("-wal", "-shm"):
            old.with_name(old.name + suffix).unlink(missing_ok=True)
        click.echo(f"{error}: it is {aside} now", err=True)
        return []


def _tell_trouble(one: Imported) -> None:
    if one.why:
        click.echo(f"{one.state}: {one.path}: {one.why}", err=True)


def _print_imported(store: Store, outcome: Sequence[Imported], as_json: bool) -> int:
    from dataclasses import asdict

    from results.store.store import ImportState

    counts = {str(state): sum(one.state is state for one in outcome) for state in ImportState}
    if as_json:
        folders = [asdict(one) for one in outcome]
        _print_document({"schema": IMPORT_SCHEMA, "store": store.name, "counts": counts, "folders": folders})
    else:
        words = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        click.echo(f"{store.name}: {words or 'there is nothing to import'}")
    return InfrastructureError.default_exit_code if counts[ImportState.REFUSED] else 0


@results_command.command("prune")
@click.option("--older-than", type=click.IntRange(0, 36500), metavar="DAYS", help="What began so long ago.")
@click.option("--keep", type=click.IntRange(min=0), metavar="N", help="All but the latest N.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@store_option
@as_json_option
def prune_command(
    older_than: int | None, keep: int | None, dry_run: bool, store: str | None, as_json: bool
) -> None:
    """Let old results go from the store; the run folders stay, and can be imported again."""
    from harness.commands.results_store import opened

    if older_than is None and keep is None:
        raise UsageError("prune what?", hint="Give --older-than DAYS, or --keep N, or both.")
    with opened(chosen_store(store)) as opened_store:
        gone = opened_store.prune(older_than, keep, dry_run=dry_run)
    if as_json:
        _print_list(gone)
        return
    for one in gone:
        click.echo(f"{'would remove' if dry_run else 'removed'} {one.kind} {one.name}")


@results_command.command("list")
@click.option("--kind", type=click.Choice(["run", "walk", "bisect", "rerun"]), help="Only these.")
@click.option("-n", "--most", type=click.IntRange(min=1), metavar="N", help="The latest N only.")
@store_option
@as_json_option
def list_command(kind: str | None, most: int | None, store: str | None, as_json: bool) -> None:
    """List what is in the store, the latest first."""
    from harness.commands.results_store import opened

    with opened(chosen_store(store)) as opened_store:
        found = opened_store.listing(most, kind or "")
    if as_json:
        _print_list(found)
        return
    if not found:
        click.echo(
            "The store is empty. A run puts itself into it; `thp-harness results import` does it, too."
        )
    for one in found:
        click.echo("  ".join((one.started, f"{one.kind:<6}", f"{one.verdict:<14}", one.name, *_remarks(one))))


def _remarks(one: Stored) -> list[str]:
    marks = {
        "[simulated]": one.simulated,
        "[stand-in]": one.stand_in,
        "[incomplete]": not one.complete,
        "[clock ahead]": one.skewed,
    }
    return [mark for mark, holds in marks.items() if holds]


@results_command.command("simulate")
@click.argument("run_name", metavar="RUN", default="latest")
@click.option("--nights", type=click.IntRange(1, 1000), default=28, show_default=True, metavar="N")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, metavar="N")
@store_option
def simulate_command(run_name: str, nights: int, seed: int, store: str | None) -> None:
    """Make up the nights before RUN, to try the dashboard; they are marked as simulated everywhere.

    Their folders are in `simulated` of the state folder. Remove that and `results rebuild` to be rid of them.
    """
    from harness.commands.results_store import opened
    from harness.core.workspace import from_environment
    from results.model.document import ResultsError, from_json
    from tests.samples.simulate import simulate, write_simulated

    workspace = from_environment()
    folder = workspace.find_run(run_name)
    try:
        run = from_json((folder / "results.json").read_text(encoding="utf-8"))
        folders = [write_simulated(one, workspace.simulated) for one in simulate(run, nights, seed)]
    except FileNotFoundError:
        raise UsageError(f"{folder} has no results yet", hint="Choose another run.") from None
    except (ResultsError, ValueError) as error:
        raise UsageError(f"{folder}: {error}", hint="Choose another run.") from None
    with opened(chosen_store(store)) as opened_store:
        _print_imported(opened_store, opened_store.import_folders(folders), as_json=False)


def _print_list(found: Sequence[Stored]) -> None:
    from dataclasses import asdict

    _print_document({"schema": LIST_SCHEMA, "folders": [asdict(one) for one in found]})


def _print_document(document: dict[str, Any]) -> None:
    click.echo(json.dumps(document, indent=2))
