# SPDX-License-Identifier: GPL-2.0-only
"""The options that select a plan, and the plan that they make."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import complete

if TYPE_CHECKING:
    from harness.plan.plan import Plan

_FOR_COMPARING = ("allow_unexercised", "always_boot", "reached")


def _without_sandbox(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        from harness.core.sandbox import switch_off

        switch_off()


_OPTIONS = (
    click.option(
        "--arch", "arches", multiple=True, shell_complete=complete("arches"), metavar="NAME|FILE",
        help="Architecture; may be repeated.  [default: those of the plan]",
    ),
    click.option(
        "--host", shell_complete=complete("hosts"), metavar="NAME|FILE",
        help="Physical host to boot on (thp-harness hosts list); it sets the architecture.  "
        "[default: emulators]",
    ),
    click.option(
        "--lab", shell_complete=complete("labs"), metavar="NAME|FILE",
        help="LAVA lab whose boards boot the kernels (thp-harness labs list).  [default: emulators]",
    ),
    click.option(
        "--tree", shell_complete=complete("trees"), metavar="NAME|FILE|PATH[@REV]|URL[@REV]",
        help="Kernel tree: a name in configs/trees, a record (.yaml), a local git repository, which is "
        "not modified, or the address of one.  [default: that of the plan, or where a range begins]",
    ),
    click.option(
        "--reference", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="PATH",
        help="Local repository to copy commits of --tree from, instead of downloading them.",
    ),
    click.option(
        "--series", shell_complete=complete("series"), metavar="SERIES",
        help="Patch series: a name in configs/series, a record (.yaml), an mbox, a directory of patches, "
        "git:BASE..TIP, or a Message-ID on lore.  [default: that of the plan]",
    ),
    click.option(
        "--tests", multiple=True, shell_complete=complete("tests"), metavar="SUITE|FILE",
        help="Test suite: a name in configs/tests, or a record (.yaml); may be repeated.  "
        "[default: those of the series]",
    ),
    click.option(
        "--profile", "profiles", multiple=True, shell_complete=complete("profiles"), metavar="NAME|FILE",
        help="Build and boot the architectures in this profile as well: a name in configs/profiles, or a "
        "record (.yaml); may be repeated.  [default: those of the plan]",
    ),
    click.option(
        "--claim", "claims", multiple=True, metavar="CLAIM",
        help="What must hold, as 'pswpout: series <= base + 5 %'; see docs/series.md; may be repeated.",
    ),
    click.option(
        "--plan", "plan_name", default="default", show_default=True, metavar="NAME|FILE",
        shell_complete=complete("plans"),
        help="Plan that gives the defaults: a name in configs/plans, or a record (.yaml).",
    ),
    click.option(
        "--kconfig", multiple=True, metavar="[ARCH:]FRAGMENT",
        shell_complete=complete("kconfig", ".config"),
        help="Configuration fragment to merge last: a name in configs/kconfig, or a file; for ARCH, or "
        "all architectures; may be repeated.",
    ),
    click.option(
        "--defconfig", is_flag=False, flag_value="", metavar="[NAME]",
        help="Base configuration: NAME_defconfig of the tree, or its defconfig without NAME.  "
        "[default: tinyconfig]",
    ),
    click.option(
        "--patches", default="", metavar="LIST",
        help="Patch numbers to apply, such as 3-7,9; earlier patches must be in the tree.  "
        "[default: all]",
    ),
    click.option(
        "--with-fixups", is_flag=True,
        help="Apply the diffs of replies (fix-ups, suggestions) on top of the series.",
    ),
    click.option(
        "--prerequisite", "prerequisites", multiple=True, metavar="SERIES",
        help="Series that is applied first, as a part of base; may be repeated.",
    ),
    click.option(
        "--allow-fuzz", is_flag=True, help="Apply hunks with fuzz (up to 3) where git am fails.",
    ),
    click.option(
        "--3way", "three_way", is_flag=True,
        help="Merge where git am fails, if the base files of the patch are known.",
    ),
    click.option(
        "--allow-unexercised", multiple=True, metavar="ARCH[:TEST]", shell_complete=complete("arches"),
        help="Known gap: an architecture, or a shell pattern of its tests, that need not be exercised; "
        "may be repeated.",
    ),
    click.option(
        "--always-boot", is_flag=True, help="Boot every kernel, even if two images are identical.",
    ),
    click.option(
        "--reached/--no-reached", default=None,
        help="Tell which of the changed lines ran: builds and boots a third kernel, with counters.  "
        "[default: that of the plan]",
    ),
    click.option(
        "--no-sandbox", is_flag=True, expose_value=False, is_eager=True, callback=_without_sandbox,
        help="Build and boot with all rights of the user.  [default: in bubblewrap, if it works here]",
    ),
    click.option(
        "-j", "--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, metavar="N",
        help="Number of make jobs.  [default: number of CPUs]",
    ),
)  # fmt: skip


def planning(command: Any, *, compares: bool = True) -> Any:
    """Add the options that make a plan; without `compares`, hide those about comparing two kernels."""
    for option in reversed(_OPTIONS):
        command = option(command)
    for option in () if compares else command.__click_params__:
        option.hidden = option.hidden or option.name in _FOR_COMPARING
    return command


sharding = click.option(
    "--shard", metavar="I/N",
    help="Run only part I of N of the architectures; the parts take about the same time.",
)  # fmt: skip


def tell_what_is_tested(arguments: dict[str, Any], plan: Plan) -> None:
    """Say on stderr that it is not the kernel tree around us, if nobody named a series."""
    from harness.sources.trees.remote import is_kernel_tree

    if arguments["series"] is None and is_kernel_tree(Path.cwd()):
        tested = f"without --series, '{plan.series.name}' is tested on {plan.tree.name}"
        click.echo(f"{tested}; for commits of this kernel tree: --series git:BASE..HEAD", err=True)


def make_plan_of(arguments: dict[str, Any]) -> Plan:
    """Make the plan that the options of `planning` select.

    Raises:
        UsageError: for options or records that are wrong.
    """
    from harness.plan.plan import PlanRequest, make_plan
    from harness.plan.shard import Shard
    from harness.sources.series.order import SeriesChoice

    shard = arguments.get("shard")
    return make_plan(
        PlanRequest(
            arches=arguments["arches"],
            profiles=arguments["profiles"],
            tree=arguments["tree"],
            series=arguments["series"],
            plan=arguments["plan_name"],
            allow_fuzz=arguments["allow_fuzz"],
            allow_unexercised=arguments["allow_unexercised"],
            always_boot=arguments["always_boot"],
            reached=arguments["reached"],
            jobs=arguments["jobs"],
            kconfig=arguments["kconfig"],
            defconfig=arguments["defconfig"],
            tests=arguments["tests"],
            claims=arguments["claims"],
            shard=Shard.from_text(shard) if shard else None,
            host=arguments["host"],
            lab=arguments["lab"],
            choice=SeriesChoice(arguments["patches"], arguments["with_fixups"]),
            three_way=arguments["three_way"],
            reference=arguments["reference"],
            prerequisites=arguments["prerequisites"],
        )
    )
