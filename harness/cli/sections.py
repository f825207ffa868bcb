# SPDX-License-Identifier: GPL-2.0-only
"""Help pages in sections: the commands of the program by task, the options of a plan by what they choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

TASKS: Mapping[str, Sequence[str]] = {
    "Test a series": ("run", "walk", "configs", "bisect", "plan", "series"),
    "Look into results": ("report", "rerun", "repro", "export", "read", "judge"),
    "Every night": ("nightly", "results", "dashboard"),
    "Machines": ("doctor", "cache", "hosts", "labs", "cluster"),
}

_CHOICES: Mapping[str, Sequence[str]] = {
    "What is tested": ("tree", "reference", "series", "patches", "with_fixups", "prerequisites", "allow_fuzz",
                       "three_way", "tests", "plan_name"),
    "On what": ("arches", "host", "lab", "kconfig", "defconfig"),
    "How": ("allow_unexercised", "always_boot", "jobs", "shard"),
    "On several machines": ("scheduler", "cluster", "exchange", "certs"),
}  # fmt: skip
"""Names of parameters; options of a command that are not here come after these, under `Options`."""
_SPACING = 2
_NAMES = 26
"""Columns of the names of options, so that 80 columns have room for their help."""


def write_tasks(group: click.Group, context: click.Context, page: click.HelpFormatter) -> None:
    """Write the commands of a group, those of a task together."""
    told = {name for names in TASKS.values() for name in names}
    others = [name for name in group.list_commands(context) if name not in told]
    room = page.width - max(map(len, group.commands)) - 3 * _SPACING
    for title, names in (*TASKS.items(), ("Other", others)):
        found = [(name, group.commands[name]) for name in names if name in group.commands]
        if found:
            with page.section(title):
                page.write_dl([(name, command.get_short_help_str(room)) for name, command in found])


class SectionedCommand(click.Command):
    """A command with the options of a plan, which its help page shows in sections."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, those that choose the same thing together."""
        rest = {each.name: row for each in self.get_params(ctx) if (row := each.get_help_record(ctx))}
        for title, names in _CHOICES.items():
            rows = [rest.pop(name) for name in names if name in rest]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows, col_max=_NAMES)
        if rest:
            with formatter.section("Options"):
                formatter.write_dl(list(rest.values()), col_max=_NAMES)
