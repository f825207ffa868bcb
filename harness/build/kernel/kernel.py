# SPDX-License-Identifier: GPL-2.0-only
"""Builds one kernel, or takes it from the cache: make, sizes, the record."""

from __future__ import annotations

import errno
import shlex
import shutil
import time
from dataclasses import replace
from pathlib import Path

from harness.build.build_cache import IMAGE, KEPT_FILES, LOG, VMLINUX, BuildCache, digest, sha256_of
from harness.build.kernel import kconfig
from harness.build.kernel.binutils import Binutils
from harness.build.kernel.make import REPRODUCIBLE, BuildError, kbuild
from harness.build.kernel.objects import open_objects
from harness.build.kernel.origin import claim_objects
from harness.build.kernel.profile import NOTES, keep_notes, profile_variables
from harness.build.kernel.recipe import TINY
from harness.build.kernel.request import BuildContext, KernelRequest
from harness.core.errors import HarnessError, InfrastructureError
from harness.core.locks import locked
from results.model.run import Build

WAITING = "waiting for another run that builds the same architecture"


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
            **({"profiled": sorted(request.profiled)} if request.profiled else {}),
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
        symbol_bytes=build.symbol_bytes or _binutils(request, context).symbol_bytes(entry / VMLINUX),
        commands=_commands(request, context.jobserver.tokens),
    )
    return current, entry


def _objects_folder(request: KernelRequest, context: BuildContext) -> Path:
    """One folder for all commits of an architecture and configuration: each goes on from the last one.

    Objects that another configuration made would lend a build their warnings. Kernels with counters have a
    folder of their own: CONFIG_CONSTRUCTORS, which CONFIG_GCOV_KERNEL selects, is in two of three objects.
    """
    recipe = request.recipe
    mark = ""
    if recipe.config_id:
        mark = "+" + digest({"base": recipe.base, "extra": kconfig.merge(recipe.extra)})[:8]
    counters = "+counters" if request.profiled else ""
    return context.cache / "objects" / f"{request.arch.kernel_name}{mark}{counters}"


def _build(request: KernelRequest, context: BuildContext, blank: Build, tree: Path) -> tuple[Build, Path]:
    """Configure and make; the steps that a person would type stand in the record."""
    started = time.monotonic()
    objects = _objects_folder(request, context)
    claim_objects(objects, request.origin)
    makes = kbuild(request, context, tree, objects)
    context.log_file.write_bytes(b"")
    made = makes.make(open_objects(objects, tree, request.tree), request.arch.kernel.target)
    image = objects / request.arch.kernel.image
    if not image.is_file():
        raise BuildError(f"make succeeded, but there is no {request.arch.kernel.image}")
    tools = _binutils(request, context)
    text, data, bss = tools.sizes(objects / VMLINUX)
    build = replace(
        blank,
        ok=True,
        seconds=time.monotonic() - started,
        image_sha256=sha256_of(image),
        image_bytes=image.stat().st_size,
        text_bytes=text,
        data_bytes=data,
        bss_bytes=bss,
        symbol_bytes=tools.symbol_bytes(objects / VMLINUX),
        symbols=sum(value == "y" for value in made.symbols.values()),
        warnings=made.warnings,
        commands=_commands(request, context.jobserver.tokens),
    )
    cache = BuildCache(context.cache)
    return build, cache.store(build, lambda entry: _keep(entry, image, objects, request, context))


def _keep(entry: Path, image: Path, objects: Path, request: KernelRequest, context: BuildContext) -> None:
    shutil.copyfile(image, entry / IMAGE)
    shutil.copyfile(context.log_file, entry / LOG)
    for name in KEPT_FILES:
        shutil.copyfile(objects / name, entry / name)
    if request.profiled:
        keep_notes(objects, request.profiled, entry / NOTES)
    _binutils(request, context).copy_without_debug(objects / VMLINUX, entry / VMLINUX)


def _binutils(request: KernelRequest, context: BuildContext) -> Binutils:
    return Binutils(request.compiler.prefix, context.children)


def _commands(request: KernelRequest, jobs: int) -> tuple[str, ...]:
    fragments = shlex.join(fragment.file for fragment in request.recipe.fragments)
    plain = f"make ARCH={request.arch.kernel.arch} CROSS_COMPILE={request.compiler.prefix} O=build"
    variables = " ".join(f"{name}='{value}'" for name, value in REPRODUCIBLE.items())
    target = shlex.join((*profile_variables(request.profiled), request.arch.kernel.target))
    return (
        f"git checkout {request.commit}",
        f"{plain} {request.recipe.base}",
        f"cat {fragments} >> build/.config",
        f"{plain} olddefconfig",
        f"{variables} {plain} -j{jobs} {target}",
    )
