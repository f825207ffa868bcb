# SPDX-License-Identifier: GPL-2.0-only
"""The source package of the default tree, downloaded before any clock runs."""

from __future__ import annotations

from pathlib import Path

from harness.core.workspace import Workspace
from harness.sources.trees.apt import fetch_package, find_package
from tests.bench import plain
from tests.bench.bench import Bench


def fetched(bench: Bench) -> Path:
    """The package's file, in the bench's own folder."""
    folder = bench.folder / "download"
    return fetch_package(
        find_package(plain.sources_of(bench.plan).package, None, folder, bench.say), folder, bench.say
    )


def hand_over(package: Path, workspace: Workspace) -> None:
    """Put it where a program with an empty cache finds it."""
    downloads = workspace.cache / "debian"
    downloads.mkdir(parents=True)
    (downloads / package.name).hardlink_to(package)
