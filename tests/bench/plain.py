# SPDX-License-Identifier: GPL-2.0-only
"""The same work as a plain shell script: what a person would type instead of `thp-harness run`.

The facts (fragments, make target, compiler flags, QEMU options) come from where the harness has
them; the steps are written out here, so that the script shares none of the harness' code.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.build.guest.manifest import PATH_IN_GUEST
from harness.build.guest.programs import TREE_FLAGS
from harness.build.kernel.make import REPRODUCIBLE
from harness.config.arch import ArchRecord
from harness.config.suite import SuiteRecord
from harness.core.shipped import WRAPPERS
from harness.engine.boot import COMMON_CMDLINE
from harness.machines.base import BootFiles
from harness.machines.qemu import machine
from harness.plan.plan import Plan
from harness.sources.trees.tree import DebianSource
from tests.bench.bench import BenchError
from tests.bench.by_hand import Way

VARIANTS = ("base", "series")


@dataclass(frozen=True, slots=True)
class Sources:
    """What a plan comes down to for a person: a Debian package and two folders of patches."""

    package: str
    fixes: tuple[Path, ...]
    """On top of the package, for both variants."""
    patches: tuple[Path, ...]


def sources_of(plan: Plan) -> Sources:
    """The plan's sources.

    Raises:
        BenchError: if the script can't get them in the same way.
    """
    patches = tuple(sorted(Path(plan.series_source).glob("*.patch")))
    if not isinstance(plan.tree.source, DebianSource) or plan.tree.source.version or not patches:
        raise BenchError("the plain script needs a plan with a Debian tree and a folder of patches")
    fixes = tuple(sorted(plan.tree.fixes.glob("*.patch"))) if plan.tree.fixes else ()
    return Sources(plan.tree.source.package, fixes, patches)


def write(path: Path, script: str) -> Path:
    """Keep a script, for people to read it."""
    path.write_text(script)
    return path


def boot_script(commands: Sequence[Sequence[str]], folder: Path) -> str:
    """Boot one after the other, each console in a file (`boot_log`)."""
    lines = [
        f"{shlex.join(command)} </dev/null >{shlex.quote(str(boot_log(folder, number)))}"
        for number, command in enumerate(commands, 1)
    ]
    return _script(lines)


def boot_log(folder: Path, number: int) -> Path:
    """The console of the script's boot of this number, counted from 1."""
    return folder / f"plain-{number}.log"


def boot_command(arch: ArchRecord, folder: Path, variant: str, accelerator: str) -> tuple[str, ...]:
    """The QEMU command for one of the kernels that `build_script` makes below `folder`."""
    cmdline = (*arch.guest.cmdline, *arch.qemu.cmdline, *COMMON_CMDLINE)
    files = BootFiles(image(arch, folder, variant), initramfs(arch, folder), cmdline)
    return machine.command_line(arch.qemu, files, accelerator)


def image(arch: ArchRecord, folder: Path, variant: str) -> Path:
    """A kernel that `build_script` makes below `folder`."""
    return folder / variant / arch.name / arch.kernel.image


def initramfs(arch: ArchRecord, folder: Path) -> Path:
    """What its kernels boot with."""
    return folder / f"{arch.name}.cpio"


def manifest(arch: ArchRecord, folder: Path) -> Path:
    """What must be there before `build_script` runs."""
    return folder / f"{arch.name}.manifest"


def build_script(plan: Plan, ways: Sequence[Way], folder: Path, package: Path | None = None) -> str:
    """From nothing to two kernels and an initramfs for each architecture, one after the other.

    All of it in `folder`, which has the manifests only; `package` is there already, else the script
    downloads it.
    """
    steps = (
        _begin(folder),
        _sources(plan, package),
        *(step for way in ways for step in _architecture(plan, way)),
    )
    return _script([line for step in steps for line in step])


def sources_script(plan: Plan, folder: Path, package: Path) -> str:
    """The sources only, for `kernels_script`."""
    return _script([*_begin(folder), *_sources(plan, package)])


def kernels_script(plan: Plan, ways: Sequence[Way], folder: Path) -> str:
    """The kernels of the series only, one after the other."""
    builds = [line for way in ways for line in _kernel(way, "series", plan.jobs)]
    return _script([*_begin(folder), *builds])


def _begin(folder: Path) -> list[str]:
    return [f"cd {shlex.quote(str(folder))}", *_exports(REPRODUCIBLE)]


def _sources(plan: Plan, package: Path | None) -> list[str]:
    found = sources_of(plan)
    archive = shlex.quote(str(package)) if package else f"{found.package}_*.deb"
    return [*([] if package else _download(found.package)), *_unpack(found, archive)]


def _architecture(plan: Plan, way: Way) -> tuple[list[str], ...]:
    return (
        *(_kernel(way, variant, plan.jobs) for variant in VARIANTS),
        _programs(way.arch, plan.suites),
        _initramfs(way.arch, plan.suites),
    )


def _script(lines: Sequence[str]) -> str:
    return "\n".join(("#!/bin/sh", "# Generated by tests/bench/plain.py", "set -eu", *lines, ""))


def _exports(variables: Mapping[str, str]) -> list[str]:
    # A git checkout has a + in its version, an unpacked archive has not: give both the same.
    wanted = {**variables, "LC_ALL": "C", "LOCALVERSION": "+"}
    return [f"export {name}={shlex.quote(value)}" for name, value in wanted.items()]


def _say(text: str) -> str:
    return f"echo {shlex.quote(text)} >&2"


def _download(package: str) -> list[str]:
    return [
        _say(f"download {package}"),
        f"apt-get -qq download {package} 2>apt.log || "
        f"{{ apt-get -qq update; apt-get -qq download {package}; }}",
    ]


def _unpack(found: Sources, archive: str) -> list[str]:
    return [
        _say("unpack"),
        f"dpkg -x {archive} package",
        "mkdir -p base/src series",
        f"tar -xf package/usr/src/{found.package}.tar.xz -C base/src --strip-components=1",
        _say("copy and patch"),
        *_patch("base", found.fixes),
        "cp -a base/src series/src",
        *_patch("series", found.patches),
    ]


def _patch(variant: str, patches: Sequence[Path]) -> list[str]:
    return [f"patch -s -p1 -d {variant}/src <{shlex.quote(str(patch))}" for patch in patches]


def _kernel(way: Way, variant: str, jobs: int) -> list[str]:
    arch = way.arch
    words = (f"ARCH={arch.kernel.arch}", f"CROSS_COMPILE={arch.compiler.prefix}")
    make = shlex.join(("make", "-C", f"{variant}/src", f"O=../{arch.name}", *words))
    log = f"{arch.name}-{variant}.log"
    return [
        _say(f"build {arch.name} {variant}"),
        _logged(f"{make} tinyconfig", log),
        f"cat {shlex.join([str(path) for path in way.fragments])} >>{variant}/{arch.name}/.config",
        _logged(f"{make} olddefconfig", log),
        _logged(f"{make} -j{jobs} {arch.kernel.target}", log),
    ]


def _logged(command: str, log: str) -> str:
    return f"{command} >>{log} 2>&1 || {{ tail -n 12 {log} >&2; exit 1; }}"


def _programs(arch: ArchRecord, suites: Sequence[SuiteRecord]) -> list[str]:
    wrappers = ["init", *dict.fromkeys(suite.program.name for suite in suites if suite.program.wrapper)]
    prefix = arch.compiler.prefix
    folder = _programs_folder(arch)
    ours = ("make", "-s", "-C", str(WRAPPERS), f"CROSS_COMPILE={prefix}")
    return [
        _say(f"programs for {arch.name}"),
        f"mkdir {folder}",
        f'{shlex.join(ours)} O="$PWD/{folder}" {shlex.join(wrappers)}',
        *(_tree_program(prefix, suite, folder) for suite in suites if not suite.program.wrapper),
    ]


def _programs_folder(arch: ArchRecord) -> str:
    return f"{arch.name}-programs"


def _tree_program(prefix: str, suite: SuiteRecord, folder: str) -> str:
    program = suite.program
    includes = [f"-Iseries/src/{folder}" for folder in program.tree_includes]
    command = (f"{prefix}gcc", *TREE_FLAGS, *includes, "-o", f"{folder}/{program.name}")
    # Older trees lack some of the helpers; the test does without them there.
    sources = shlex.join([f"series/src/{source}" for source in program.tree_sources])
    return f"{shlex.join(command)} $(ls {sources} 2>/dev/null)"


def initramfs_entries(arch: ArchRecord, suites: Sequence[SuiteRecord]) -> tuple[str, ...]:
    """What the initramfs holds, as the kernel's usr/gen_init_cpio reads it."""
    programs = _programs_folder(arch)
    names = dict.fromkeys(suite.program.name for suite in suites)
    return (
        *(f"dir /{folder} 0755 0 0" for folder in ("dev", "bin", "thp")),
        "nod /dev/console 0600 0 0 c 5 1",
        f"file /init {programs}/init 0755 0 0",
        *(f"file /bin/{name} {programs}/{name} 0755 0 0" for name in names),
        f"file /{PATH_IN_GUEST} {arch.name}.manifest 0644 0 0",
    )


def _initramfs(arch: ArchRecord, suites: Sequence[SuiteRecord]) -> list[str]:
    pack = f"series/{arch.name}/usr/gen_init_cpio {arch.name}.list >{arch.name}.cpio"
    return [f"cat >{arch.name}.list <<END", *initramfs_entries(arch, suites), "END", pack]
