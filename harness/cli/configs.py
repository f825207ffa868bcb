# SPDX-License-Identifier: GPL-2.0-only
"""`thp-harness configs`: compile what a series reaches in many configurations."""

from __future__ import annotations

from typing import Any

import click

from harness.cli.options import HOW_TO_STOP, as_json_option, finish, progress, quiet_option, typed_command
from harness.cli.planning import make_plan_of, planning
from harness.cli.sections import SectionedCommand

_BOOTING = ("host", "lab", "tests", "kconfig", "defconfig")
"""Options of a plan that only concern booted kernels."""


@click.command("configs", cls=SectionedCommand, epilog=HOW_TO_STOP)
@planning
@click.option(
    "--toolchain", "toolchains", multiple=True, type=click.Choice(("gcc", "llvm")),
    help="Compiler: gcc, or clang with LLVM=1; may be repeated.  [default: gcc]",
)  # fmt: skip
@click.option("--only", multiple=True, metavar="NAME", help="Configuration; may be repeated.  [default: all]")
@click.option(
    "--file", "files", multiple=True, metavar="PATH",
    help="Source below the top of the tree; may be repeated.  [default: all that the series reaches]",
)  # fmt: skip
@click.option(
    "--randconfigs", type=click.IntRange(min=0, max=1000), metavar="N",
    help="Number of randconfigs on each architecture.  [default: 1]",
)  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
    help="KCONFIG_SEED of the first randconfig; the next ones count up.",
)  # fmt: skip
@quiet_option
@as_json_option
def configs_command(
    toolchains: tuple[str, ...],
    only: tuple[str, ...],
    files: tuple[str, ...],
    randconfigs: int | None,
    seed: int,
    quiet: bool,
    as_json: bool,
    **arguments: Any,
) -> int:
    """Compile a series in many configurations.

    Only the objects that it changes, and some that include its headers, without and with it; on
    architectures that boot, and on those that only compile. Exit status: 0 nothing new, 1 a new
    error or warning, 3 no result.
    """
    from harness.commands.configs.configs import ConfigsRequest, study_configs
    from harness.config.arch import ArchRecord, find_build
    from harness.core.workspace import from_environment
    from results.model.configs import Toolchain

    asked = tuple({name: find_build(name) for name in arguments["arches"]}.values())
    booting = tuple(arch.name for arch in asked if isinstance(arch, ArchRecord) and arch.in_file)
    plan, workspace = make_plan_of({**arguments, "arches": booting}), from_environment()
    arches = asked or tuple({arch.kernel_name: arch for arch in plan.arches}.values())
    request = ConfigsRequest(
        arches, tuple(map(Toolchain, toolchains)) or (Toolchain.GCC,), only, files, randconfigs, seed
    )
    outcome, folder = study_configs(plan, request, workspace, progress(quiet), typed_command())
    return finish(outcome, folder, workspace, as_json)


for _option in configs_command.params:
    _option.hidden = getattr(_option, "hidden", False) or _option.name in _BOOTING  # type: ignore[attr-defined]
