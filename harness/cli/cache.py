# SPDX-License-Identifier: GPL-2.0-only
"""`thp-harness cache`: list, trim and verify the cache."""

from __future__ import annotations

from contextlib import nullcontext

import click

from harness.cli.options import as_json_option, echo, log, print_document
from harness.core.errors import InfrastructureError


@click.group("cache")
def cache_group() -> None:
    """List, trim and verify the cache.

    It holds sources, kernels and objects, and can be deleted at any time. Every run trims it to 30 GiB,
    or to THP_HARNESS_CACHE_SIZE (such as 20G).
    """


@cache_group.command("ls")
@as_json_option
def cache_ls_command(as_json: bool) -> None:
    """List entries, sizes and times of last use."""
    from dataclasses import asdict

    from harness.commands.cache.listing import SCHEMA, list_cache, print_listing
    from harness.commands.cache.size import size_limit
    from harness.core.workspace import from_environment

    listing = list_cache(from_environment().cache, size_limit())
    document = {"schema": SCHEMA, **asdict(listing)}
    print_document(document, as_json, lambda console: print_listing(listing, console))


@cache_group.command("gc")
@click.option(
    "--max-size", metavar="SIZE", help="Size limit, such as 20G.  [default: $THP_HARNESS_CACHE_SIZE, or 30G]"
)
@click.option(
    "--older-than", type=click.IntRange(0, 36500), metavar="DAYS",
    help="Also remove entries that were not used for DAYS days.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Print what would be removed, and remove nothing.")
def cache_gc_command(max_size: str | None, older_than: int | None, dry_run: bool) -> None:
    """Trim the cache to its size limit.

    Removes leftovers, then the least recently used entries, and repacks the git mirror. Waits until no
    run uses the cache.
    """
    from harness.commands.cache.collect import DAY, TrimRequest, collect
    from harness.commands.cache.sharing import alone
    from harness.commands.cache.size import parse_size, size_limit
    from harness.core.workspace import from_environment

    limit = size_limit() if max_size is None else parse_size(max_size, "--max-size")
    request = TrimRequest(limit, None if older_than is None else older_than * DAY, dry_run)
    cache = from_environment().cache
    collect(cache, request, echo, nullcontext() if dry_run else alone(cache, log))


@cache_group.command("verify")
def cache_verify_command() -> int:
    """Check hashes, and remove damaged entries.

    Waits until no run uses the cache. Exit status: 0 no entry was damaged, 3 at least one was.
    """
    from harness.commands.cache.sharing import alone
    from harness.commands.cache.verify import verify
    from harness.core.workspace import from_environment

    cache = from_environment().cache
    with alone(cache, log):
        return InfrastructureError.default_exit_code if verify(cache, echo) else 0
