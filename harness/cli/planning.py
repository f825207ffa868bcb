# SPDX-License-Identifier: GPL-2.0-only
"""The options that make a plan, and the plan that they make."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import complete

if TYPE_CHECKING:
    from harness.plan.plan import Plan

_FOR_COMPARING = ("allow_unexercised", "always_boot")


def planning(command: Any, *, compares: bool = True) -> Any:
    """Add the options that make a plan; without `compares`, hide those about comparing two kernels."""
    options = (
        click.option(
            "--arch", "arches", multiple=True, shell_complete=complete("arches"), metavar="NAME|FILE",
            help="Architecture; may be repeated. Default: those of the plan.",
        ),
        click.option(
            "--host", shell_complete=complete("hosts"), metavar="NAME|FILE",
            help="Boot on this physical host, which says the architecture (thp-harness hosts list).",
        ),
        click.option(
            "--lab", shell_complete=complete("labs"), metavar="NAME|FILE",
            help="Boot on boards of this LAVA lab, by default on all kinds that its record has (thp-harness "
            "labs list).",
        ),
        click.option(
            "--tree", shell_complete=complete("trees"), metavar="NAME|FILE|PATH[@REV]",
            help="Kernel tree: a name of configs/trees, a record (.yaml), or a local git checkout (left "
            "untouched).",
        ),
        click.option(
            "--series", shell_complete=complete("series"), metavar="SERIES",
            help="A name of configs/series, a record (.yaml), an mbox, a directory of patches, "
            "git:BASE..TIP, or a Message-ID on lore.",
        ),
        click.option(
            "--tests", multiple=True, shell_complete=complete("tests"), metavar="SUITE|FILE",
            help="Tests to run instead of those of the series' record: a name of configs/tests, or a "
            "record (.yaml); may be repeated.",
        ),
        click.option(
            "--plan", "plan_name", default="default", show_default=True, metavar="NAME|FILE",
            shell_complete=complete("plans"),
            help="Defaults to start from: a name of configs/plans, or a record (.yaml).",
        ),
        click.option(
            "--kconfig", multiple=True, metavar="[ARCH:]FRAGMENT",
            shell_complete=complete("kconfig", ".config"),
            help="Configuration fragment to merge last: a name of configs/kconfig, or a file; for one "
            "architecture or all; may be repeated.",
        ),
        click.option(
            "--defconfig", is_flag=False, flag_value="", metavar="[NAME]",
            help="Configure from the tree's defconfig, or NAME_defconfig, instead of tinyconfig.",
        ),
        click.option(
            "--patches", default="", metavar="LIST",
            help="Only these patches of the series, as in 3-7,9; those before them must be in the tree.",
        ),
        click.option(
            "--with-fixups", is_flag=True,
            help="Apply the diffs of replies (fix-ups, suggestions) on top of the series.",
        ),
        click.option(
            "--prerequisite", "prerequisites", multiple=True, metavar="SERIES",
            help="A series that this one needs: applied first, part of base; may be repeated.",
        ),
        click.option(
            "--allow-fuzz", is_flag=True, help="Place hunks with fuzz (up to 3) where git am refuses.",
        ),
        click.option(
            "--3way", "three_way", is_flag=True,
            help="Merge where git am refuses, if the files that the patch was written for are known.",
        ),
        click.option(
            "--allow-unexercised", multiple=True, metavar="ARCH[:TEST]", shell_complete=complete("arches"),
            help="A known gap: this architecture, or these tests of it (a shell pattern), need not be "
            "exercised; may be repeated.",
        ),
        click.option(
            "--always-boot", is_flag=True, help="Boot both kernels even if their images are the same bytes.",
        ),
        click.option(
            "-j", "--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, metavar="N",
            help="Jobs of make.  [default: number of CPUs]",
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    for option in () if compares else command.__click_params__:
        option.hidden = option.hidden or option.name in _FOR_COMPARING
    return command


sharding = click.option(
    "--shard", metavar="I/N",
    help="Only the I-th of N parts of the architectures, for as many machines; each takes about as long.",
)  # fmt: skip


def make_plan_of(arguments: dict[str, Any]) -> Plan:
    """The plan that the options of `planning` ask for."""
    from harness.plan.plan import PlanRequest, make_plan
    from harness.plan.shard import Shard
    from harness.sources.series.order import SeriesChoice

    shard = arguments.get("shard")
    return make_plan(
        PlanRequest(
            arches=arguments["arches"],
            tree=arguments["tree"],
            series=arguments["series"],
            plan=arguments["plan_name"],
            allow_fuzz=arguments["allow_fuzz"],
            allow_unexercised=arguments["allow_unexercised"],
            always_boot=arguments["always_boot"],
            jobs=arguments["jobs"],
            kconfig=arguments["kconfig"],
            defconfig=arguments["defconfig"],
            tests=arguments["tests"],
            shard=Shard.from_text(shard) if shard else None,
            host=arguments["host"],
            lab=arguments["lab"],
            choice=SeriesChoice(arguments["patches"], arguments["with_fixups"]),
            three_way=arguments["three_way"],
            prerequisites=arguments["prerequisites"],
        )
    )
