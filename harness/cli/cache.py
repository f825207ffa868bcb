# SPDX-License-Identifier: GPL-2.0-only
"""Commands about the cache as a whole: what is in it, making room, checking it."""

from __future__ import annotations

import json
from contextlib import nullcontext

import click

from harness.cli.options import as_json_option, console, tell
from harness.core.errors import InfrastructureError


@click.group("cache")
def cache_group() -> None:
    """Look into the cache, make room in it, check it.

    Everything in it can be made or fetched again. After a run it is brought below 30 GiB, or below
    what THP_HARNESS_CACHE_SIZE says (like 20G).
    """


@cache_group.command("ls")
@as_json_option
def cache_ls_command(as_json: bool) -> None:
    """List kernels, objects, worktrees and the rest, with their sizes and when they were last used."""
    from dataclasses import asdict

    from harness.commands.cache.listing import SCHEMA, list_cache, print_listing
    from harness.commands.cache.size import size_limit
    from harness.core.workspace import from_environment

    listing = list_cache(from_environment().cache, size_limit())
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA, **asdict(listing)}, indent=2))
    else:
        print_listing(listing, console())


@cache_group.command("gc")
@click.option("--max-size", metavar="SIZE", help="Keep at most this much, like 20G.  [default: the limit]")
@click.option(
    "--older-than", type=click.IntRange(0, 36500), metavar="DAYS",
    help="Also remove whatever was not used for so many days.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
def cache_gc_command(max_size: str | None, older_than: int | None, dry_run: bool) -> None:
    """Remove leftovers, then what was not used for longest, and tidy the mirror of the sources.

    Waits until no run uses the cache.
    """
    from harness.commands.cache.collect import DAY, TrimRequest, collect
    from harness.commands.cache.sharing import alone
    from harness.commands.cache.size import parse_size, size_limit
    from harness.core.workspace import from_environment

    limit = size_limit() if max_size is None else parse_size(max_size, "--max-size")
    request = TrimRequest(limit, None if older_than is None else older_than * DAY, dry_run)
    cache = from_environment().cache
    collect(cache, request, click.echo, nullcontext() if dry_run else alone(cache, tell))


@cache_group.command("verify")
def cache_verify_command() -> int:
    """Hash everything, and remove what is damaged, so that it is made again.

    Waits until no run uses the cache. Exit status: 0 all is whole, 3 something was damaged.
    """
    from harness.commands.cache.sharing import alone
    from harness.commands.cache.verify import verify
    from harness.core.workspace import from_environment

    cache = from_environment().cache
    with alone(cache, tell):
        return InfrastructureError.default_exit_code if verify(cache, click.echo) else 0
