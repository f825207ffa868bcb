# SPDX-License-Identifier: GPL-2.0-only
"""Builds one kernel: configuration, make, warnings, sizes, cache."""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from harness.build.build_cache import IMAGE, KEPT_FILES, LOG, VMLINUX, BuildCache, digest, sha256_of
from harness.build.ccache import Ccache, find_ccache
from harness.build.kernel import diagnostics, kconfig
from harness.build.kernel.confine import sandbox_of, way_out
from harness.build.kernel.kconfig_inputs import kconfig_inputs
from harness.build.kernel.objects import Objects, empty_objects, open_objects
from harness.build.kernel.origin import claim_objects
from harness.build.kernel.recipe import TINY, Recipe
from harness.build.toolchain import Compiler
from harness.config.arch import ArchRecord
from harness.core.errors import HarnessError, InfrastructureError
from harness.core.jobserver import Jobserver
from harness.core.locks import locked
from harness.core.process import Children, OutputBoundError, TimeBoundError, clean_environment, run_logged
from harness.core.sandbox import Sandbox
from results.model.run import Build, CompilerWarning
from results.text import first_line

REPRODUCIBLE = {
    "KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 1970",
    "KBUILD_BUILD_USER": "thp-harness",
    "KBUILD_BUILD_HOST": "thp-harness",
    "KBUILD_BUILD_VERSION": "1",
}
"""Documentation/kbuild/reproducible-builds.rst: equal sources give equal images."""
WAITING = "waiting for another run that builds the same architecture"
AGAIN = "building again from nothing, since only that counts"


class BuildError(Exception):
    """The kernel did not build.

    `error` is the first error and its context, `failed` the object that was not made, if it is one.
    """

    def __init__(self, error: str, failed: str = "") -> None:
        super().__init__(error)
        self.error = error
        self.failed = failed


class ClockSkewError(InfrastructureError):
    """make saw files from the future."""


@dataclass(frozen=True, slots=True)
class KernelRequest:
    """What to build."""

    arch: ArchRecord
    variant: str
    commit: str
    tree: str
    """Git tree id of the commit: the sources' content address."""
    compiler: Compiler
    recipe: Recipe
    origin: str = ""
    """Whose code it is: no other series may go on with the objects. Empty for the tree's own commit."""


@dataclass(frozen=True, slots=True)
class BuildContext:
    """Folders, callbacks and limits of a build."""

    cache: Path
    log_file: Path
    """Build log of this cell in the run's folder."""
    log: Callable[[str], None]
    step: Callable[[int], None]
    """Called with the number of make steps done so far."""
    children: Children
    jobserver: Jobserver
    sources: Callable[[], AbstractContextManager[Path]]
    """Makes the worktree, locked while the context lasts; not called for a cached build."""


@dataclass(frozen=True, slots=True)
class _Make:
    """How make is called."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    sandbox: Sandbox
    objects: Path


def build_key(request: KernelRequest) -> str:
    """Content address: everything that decides how the image comes out.

    The final .config follows from the sources, the base, the requested symbols and the compiler.
    """
    base = request.recipe.base
    return digest(
        {
            "tree": request.tree,
            **({} if base == TINY else {"base": base}),
            "symbols": request.recipe.symbols,
            "compiler": request.compiler.version,
            "kernel": request.arch.kernel.model_dump(include={"arch", "target", "image"}),
            "environment": REPRODUCIBLE,
        }
    )


def build_kernel(request: KernelRequest, context: BuildContext) -> tuple[Build, Path | None]:
    """Build, or take from the cache; returns the record and the folder of its files.

    A kernel that does not build is a result too: `ok` is False, the folder None.
    """
    key = build_key(request)
    cache = BuildCache(context.cache)
    if hit := cache.lookup(key):
        return _from_cache(request, context, *hit)
    blank = blank_build(request, key)
    started = time.monotonic()
    try:
        lock = _objects_folder(request, context).with_suffix(".lock")
        with locked(lock, lambda: context.log(WAITING), context.children.raise_if_stopping):
            # Another run may have built it while we waited.
            if hit := cache.lookup(key, lambda files: _log_damaged(request, context, files)):
                return _from_cache(request, context, *hit)
            with context.jobserver.hold(), context.sources() as tree:
                return _build(request, context, blank, tree)
    except BuildError as failure:
        failed = replace(blank, error=failure.error)
    except HarnessError as error:
        infrastructure = isinstance(error, InfrastructureError)
        failed = replace(blank, error=str(error), error_is_infrastructure=infrastructure)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise
        failed = replace(blank, error=f"{error.filename}: {error.strerror}", error_is_infrastructure=True)
    return replace(failed, seconds=time.monotonic() - started), None


def blank_build(request: KernelRequest, key: str) -> Build:
    """The record of a build that did not come to anything yet."""
    return Build(
        arch=request.arch.name,
        variant=request.variant,
        ok=False,
        key=key,
        cached=False,
        seconds=0.0,
        commit=request.commit,
        compiler=request.compiler.version,
        configuration=request.recipe.title,
    )


def _log_damaged(request: KernelRequest, context: BuildContext, files: str) -> None:
    cell = f"{request.arch.name} {request.variant}"
    context.log(f"{cell}: the cached kernel is damaged ({files}); rebuilding it")


def _from_cache(
    request: KernelRequest, context: BuildContext, build: Build, entry: Path
) -> tuple[Build, Path]:
    shutil.copyfile(entry / LOG, context.log_file)
    current = replace(
        build,
        variant=request.variant,
        commit=request.commit,
        cached=True,
        configuration=request.recipe.title,
        symbol_bytes=build.symbol_bytes or _symbol_bytes(request.compiler.prefix, entry / VMLINUX),
        commands=_commands(request, context.jobserver.tokens),
    )
    return current, entry


def _objects_folder(request: KernelRequest, context: BuildContext) -> Path:
    """One folder for all commits of an architecture and configuration: each goes on from the last one.

    Objects that another configuration made would lend a build their warnings.
    """
    recipe = request.recipe
    mark = ""
    if recipe.config_id:
        mark = "+" + digest({"base": recipe.base, "extra": kconfig.merge(recipe.extra)})[:8]
    return context.cache / "objects" / f"{request.arch.kernel_name}{mark}"


def _build(request: KernelRequest, context: BuildContext, blank: Build, tree: Path) -> tuple[Build, Path]:
    """Configure and make; the steps that a person would type stand in the record."""
    started = time.monotonic()
    objects = _objects_folder(request, context)
    claim_objects(objects, request.origin)
    if objects.is_dir() and way_out(objects, tree):
        empty_objects(objects)
    make = _make_command(request, tree, objects, _proven_ccache(request, context))
    context.log_file.write_bytes(b"")
    symbols, warnings = _make(request, context, make, open_objects(objects, tree, request.tree), tree)
    image = objects / request.arch.kernel.image
    if not image.is_file():
        raise BuildError(f"make succeeded, but there is no {request.arch.kernel.image}")
    text, data, bss = _sizes(request, objects / "vmlinux")
    build = replace(
        blank,
        ok=True,
        seconds=time.monotonic() - started,
        image_sha256=sha256_of(image),
        image_bytes=image.stat().st_size,
        text_bytes=text,
        data_bytes=data,
        bss_bytes=bss,
        symbol_bytes=_symbol_bytes(request.compiler.prefix, objects / VMLINUX),
        symbols=sum(value == "y" for value in symbols.values()),
        warnings=warnings,
        commands=_commands(request, context.jobserver.tokens),
    )
    cache = BuildCache(context.cache)
    return build, cache.store(build, lambda entry: _keep(entry, image, objects, request, context))


def _keep(entry: Path, image: Path, objects: Path, request: KernelRequest, context: BuildContext) -> None:
    shutil.copyfile(image, entry / IMAGE)
    shutil.copyfile(context.log_file, entry / LOG)
    for name in KEPT_FILES:
        shutil.copyfile(objects / name, entry / name)
    _keep_vmlinux(objects / VMLINUX, entry / VMLINUX, request.compiler.prefix)


def _keep_vmlinux(vmlinux: Path, kept: Path, prefix: str) -> None:
    """Copy vmlinux with its symbols, but without debug sections: those are most of it where there are any."""
    headers = subprocess.run(
        (f"{prefix}objdump", "--section-headers", str(vmlinux)), capture_output=True, text=True, check=False
    )
    if not re.search(r"\s\.z?debug_", headers.stdout):
        shutil.copyfile(vmlinux, kept)
        return
    stripping = (f"{prefix}objcopy", "--strip-debug", str(vmlinux), str(kept))
    stripped = subprocess.run(stripping, capture_output=True, text=True, check=False)
    if stripped.returncode:
        raise InfrastructureError(f"{' '.join(stripping)} failed: {stripped.stderr.strip()}")


def _proven_ccache(request: KernelRequest, context: BuildContext) -> Ccache | None:
    ccache = find_ccache(context.cache)
    if ccache:
        ccache.prove(request.compiler.prefix)
    return ccache


def _make_command(request: KernelRequest, tree: Path, objects: Path, ccache: Ccache | None) -> _Make:
    prefix = request.compiler.prefix
    command = (
        *("make", "-C", str(tree), f"O={objects}"),
        *(f"ARCH={request.arch.kernel.arch}", f"CROSS_COMPILE={prefix}"),
        *(ccache.variables(prefix) if ccache else ()),
    )
    trusted = not request.origin
    variables = (ccache.environment if trusted else ccache.read_only) if ccache else {}
    sandbox = sandbox_of(prefix, tree, objects, ccache, trusted=trusted)
    return _Make(command, {**REPRODUCIBLE, **variables}, sandbox, objects)


def _commands(request: KernelRequest, jobs: int) -> tuple[str, ...]:
    fragments = shlex.join(fragment.file for fragment in request.recipe.fragments)
    plain = f"make ARCH={request.arch.kernel.arch} CROSS_COMPILE={request.compiler.prefix} O=build"
    variables = " ".join(f"{name}='{value}'" for name, value in REPRODUCIBLE.items())
    return (
        f"git checkout {request.commit}",
        f"{plain} {request.recipe.base}",
        f"cat {fragments} >> build/.config",
        f"{plain} olddefconfig",
        f"{variables} {plain} -j{jobs} {request.arch.kernel.target}",
    )


def _make(
    request: KernelRequest, context: BuildContext, make: _Make, objects: Objects, tree: Path
) -> tuple[Mapping[str, str], tuple[CompilerWarning, ...]]:
    """Configure and make; returns the symbols and the warnings of all objects.

    A failure counts only if the build started from nothing: else it may come from the objects.

    Raises:
        BuildError: if the kernel does not build.
        InfrastructureError: if the machine is to blame.
    """
    from_nothing = objects.is_empty
    failed = ""
    try:
        return _make_once(request, context, make, objects, tree, request.arch.kernel.target)
    except (BuildError, ClockSkewError) as failure:
        context.children.raise_if_stopping()
        if isinstance(failure, BuildError):
            if from_nothing:
                raise
            failed = failure.failed
        context.log(f"{request.arch.name} {request.variant}: {first_line(str(failure))}; {AGAIN}")
    with context.log_file.open("ab") as log:
        log.write(f"# {AGAIN}\n".encode())
    return _make_from_nothing(request, context, make, empty_objects(objects.folder), tree, failed)


def _make_from_nothing(
    request: KernelRequest, context: BuildContext, make: _Make, objects: Objects, tree: Path, failed: str
) -> tuple[Mapping[str, str], tuple[CompilerWarning, ...]]:
    """Make the object that failed, since that takes seconds; if it compiles now, make everything."""
    if failed:
        try:
            _make_once(request, context, make, objects, tree, failed)
        except BuildError as failure:
            if failure.failed == failed:
                raise
    return _make_once(request, context, make, objects, tree, request.arch.kernel.target)


def _make_once(
    request: KernelRequest, context: BuildContext, make: _Make, objects: Objects, tree: Path, target: str
) -> tuple[Mapping[str, str], tuple[CompilerWarning, ...]]:
    lines: list[str] = []
    steps = 0

    def follow(line: str) -> None:
        nonlocal steps
        lines.append(line)
        if diagnostics.step_of(line):
            steps += 1
            context.step(steps)

    with context.log_file.open("ab") as log:
        symbols = _configure(request, context, make, objects, tree, log)
        status = _run(make, ("--output-sync=target", target), context, tree, log, follow)
    warnings = objects.note_warnings(tree, lines)
    if diagnostics.has_clock_skew(lines):
        raise ClockSkewError("make saw files that are newer than the clock, which was set back")
    if status != -signal.SIGKILL:
        objects.seal(request.tree)
    _raise_for(status, lines, tree)
    return symbols, warnings


def _configure(
    request: KernelRequest,
    context: BuildContext,
    make: _Make,
    objects: Objects,
    tree: Path,
    log: BinaryIO,
) -> Mapping[str, str]:
    """Write the final .config, unless the one that is there still holds, and return it.

    Raises:
        BuildError: if kconfig fails, or drops a symbol that was asked for.
    """
    recipe = request.recipe
    config = objects.folder / ".config"
    made_from = kconfig_inputs(tree, request.arch, recipe, request.compiler)
    if made_from and made_from == objects.configured_from and config.is_file():
        log.write(b"# .config is left as it is: nothing that kconfig reads has changed\n")
        return kconfig.read_symbols(config.read_text().splitlines(), str(config))
    objects.configured_from = ""
    _run_kconfig(make, recipe.base, context, tree, log)
    with config.open("a") as file:
        file.write(kconfig.as_config(recipe.symbols))
    _run_kconfig(make, "olddefconfig", context, tree, log)
    final = kconfig.read_symbols(config.read_text().splitlines(), str(config))
    if lost := kconfig.dropped(recipe.fragments, final):
        raise BuildError("kconfig dropped what a fragment asks for: " + "\n".join(lost))
    objects.configured_from = made_from
    return final


def _run_kconfig(make: _Make, target: str, context: BuildContext, tree: Path, log: BinaryIO) -> None:
    lines: list[str] = []
    _raise_for(_run(make, (target,), context, tree, log, lines.append), lines, tree)


def _run(
    make: _Make,
    arguments: Sequence[str],
    context: BuildContext,
    tree: Path,
    log: BinaryIO,
    on_line: Callable[[str], None],
) -> int:
    """Run make in its sandbox; its exit status, or the negative number of the signal that ended it.

    Raises:
        BuildError: if it prints without end, or leaves what must not be opened outside of the sandbox.
        InfrastructureError: if it takes too long.
    """
    try:
        status = run_logged(
            (*make.command, *arguments),
            cwd=tree,
            log=log,
            on_line=on_line,
            environment=clean_environment(**make.environment, MAKEFLAGS=context.jobserver.makeflags),
            children=context.children,
            inherit=context.jobserver.descriptors,
            sandbox=make.sandbox,
        )
    except OutputBoundError as error:
        raise BuildError(f"make was ended: {error}") from None
    except TimeBoundError as error:
        raise InfrastructureError(f"make was ended: {error}") from None
    if place := way_out(make.objects, tree):
        raise BuildError(f"make left {place}, which is no file, or a link to one outside of its folders")
    return status


def _raise_for(status: int, lines: Sequence[str], tree: Path) -> None:
    """Raise for a make that failed.

    Raises:
        BuildError: if the sources are to blame.
        InfrastructureError: if a signal ended make, or the machine had no room for the compiler.
    """
    if status < 0:
        raise InfrastructureError(f"make was ended by {signal.Signals(-status).name}")
    if status:
        error = diagnostics.first_error(lines, tree)
        if diagnostics.is_machines_fault(lines):
            raise InfrastructureError(error)
        raise BuildError(error, diagnostics.failed_object(lines))


def _sizes(request: KernelRequest, vmlinux: Path) -> tuple[int, int, int]:
    """Text, data and bss of vmlinux in bytes, as `size` prints them."""
    output = subprocess.run(
        [f"{request.compiler.prefix}size", str(vmlinux)],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ, LC_ALL="C"),
    ).stdout
    numbers = re.search(r"^\s*(\d+)\s+(\d+)\s+(\d+)\s", output, re.MULTILINE)
    return (int(numbers[1]), int(numbers[2]), int(numbers[3])) if numbers else (0, 0, 0)


def _symbol_bytes(prefix: str, vmlinux: Path) -> int:
    """Bytes that the symbols of vmlinux take; names that share an address count once."""
    command = (f"{prefix}nm", "--print-size", str(vmlinux))
    listing = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.findall(r"^([0-9a-f]+) ([0-9a-f]+) \S ", listing, re.MULTILINE)
    return sum({address: int(size, 16) for address, size in found}.values())
