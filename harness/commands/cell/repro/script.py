# SPDX-License-Identifier: GPL-2.0-only
"""A shell script that builds and boots cells of a run, for a machine without this program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.build.toolchain import HOST_HEADERS, HOST_TOOLS, compiler_packages
from harness.commands.cell.cell import RecordedCell
from harness.commands.cell.repro.boots import boots, boots_of, nonces
from harness.commands.cell.repro.kernel import kernels, shell_name
from harness.commands.cell.repro.shell_text import comment, function, join, printable
from harness.commands.cell.repro.sources import sources
from harness.machines.qemu.machine import Qemu
from results.journal.journal import BootFact, decode, read_events
from results.model.run import PlannedTest

TOP = r"""set -eu
export LC_ALL=C
top=$PWD

say() {
	printf '\n== %s\n' "$*"
}

fail() {
	printf 'FAILED: %s\n' "$*" >&2
	exit 1
}
"""

BESIDE = r"""
here=$(cd "$(dirname -- "$0")" && pwd)
"""

RULE = "#" * 80

MAIN = r"""
case ${1:-all} in
build) build ;;
boot) boot ;;
all)
	build
	boot
	;;
*)
	echo "usage: sh $0 [build|boot]" >&2
	exit 2
	;;
esac
"""


@dataclass(frozen=True, slots=True)
class Script:
    """The script, and the files that belong beside it."""

    text: bytes
    beside: Mapping[str, Path]
    """Name → what to copy."""


def write_script(
    cells: Sequence[RecordedCell], tests: Sequence[PlannedTest], cache: Path, stem: str = ""
) -> Script:
    """Write a script for cells of one architecture of one run.

    `tests` are the only ones to run; empty for those of the run. With `stem` the guests' initramfs
    belong beside the script, and their names begin with it; else they are named where they are.

    Raises:
        UsageError: if the run says too little.
        InfrastructureError: if the cache has forgotten too much.
    """
    found = [(past, boot) for past in cells for boot in boots_of(past, tests)]
    wanted = [(past, boot.id, past.initramfs(boot)) for past, boot in found]
    there = [past.initramfs(boot) for past, boot in found if past.has_initramfs(boot)]
    beside = {f"{stem}-{path.name}": path for path in there} if stem else {}
    files = {
        name: f'"$here"/{join([f"{stem}-{path.name}"])}' if stem else join([str(path)])
        for _, name, path in wanted
    }
    facts = [decode(BootFact, event) for event in read_events(cells[0].run_dir) if event.name == "boot"]
    origin, kernel = sources(cells, cache), kernels(cells, cache)
    parts = (
        b"#!/bin/sh\n",
        _head(cells, tests, [path for _, _, path in wanted if path not in there]).encode(),
        TOP.encode(),
        BESIDE.encode() if stem and wanted else b"",
        _steps(cells),
        origin.functions,
        kernel.functions,
        boots(cells, tests, nonces(facts), files),
        f"\n{RULE}\n# From here on: configuration and patches\n{RULE}\n".encode(),
        kernel.data,
        origin.data,
        MAIN.encode(),
    )
    return Script(b"".join(parts), beside)


def _head(cells: Sequence[RecordedCell], tests: Sequence[PlannedTest], missing: Sequence[Path]) -> str:
    subject = cells[0].plan.subject
    what = " and ".join(past.label for past in cells)
    lines = [
        f"Builds and boots {what} as thp-harness did, without thp-harness:",
        "",
        "    sh repro.sh          both",
        "    sh repro.sh build    sources, patches, configuration, kernel; linux/ is kept and not made again",
        "    sh repro.sh boot     the machine and its tests",
        "",
        "All of it happens in the current folder, which had better be empty. Debian packages:",
        "",
        f"    apt-get install {' '.join(packages(cells, tests))}",
        "",
        f"From the run {cells[0].plan.id}:",
        f"    tree      {subject.tree}, {subject.tree_version}",
        f"    series    {subject.series}, {len(subject.patches)} patches: {subject.series_title}",
    ]
    for past in cells:
        build = past.build
        lines += [
            f"{past.label}:",
            f"    commit    {build.commit}",
            f"    build     {build.key}, {build.configuration}",
            f"    compiler  {build.compiler}",
            f"    image     {f'sha256 {build.image_sha256}' if build.ok else 'none: it did not build'}",
        ]
    lines += [f"MISSING: {path.name}, the guest's programs. {cells[0].run_again}" for path in missing]
    return comment(*map(printable, lines))


def packages(cells: Sequence[RecordedCell], tests: Sequence[PlannedTest]) -> tuple[str, ...]:
    """Debian packages that the script needs."""
    arch = cells[0].arch
    wanted = {*HOST_TOOLS.values(), *HOST_HEADERS.values(), *compiler_packages(arch), arch.qemu.package}
    machines = {boot.machine for past in cells for boot in boots_of(past, tests)}
    if arch.hercules and machines - {Qemu.name}:
        wanted.add(arch.hercules.package)
    return tuple(sorted(wanted | ({"cpio"} if tests else set())))


def _steps(cells: Sequence[RecordedCell]) -> bytes:
    build = "\tget_sources\n" + "".join(f"\tbuild_{shell_name(past)}\n" for past in cells)
    boot = "".join(f"\tboot_{shell_name(past)}\n" for past in cells if past.build.ok)
    nothing = "\tsay 'There is nothing to boot: no kernel was built in the run'\n"
    return b"\n" + function("build", build) + b"\n" + function("boot", boot or nothing)
