# SPDX-License-Identifier: GPL-2.0-only
"""The part of a script that configures and builds the kernels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.build.build_cache import BuildCache
from harness.build.kernel.kconfig import LARGEST, Fragment, as_config, read_symbols
from harness.build.kernel.kernel import build_key
from harness.build.kernel.make import REPRODUCIBLE
from harness.build.kernel.recipe import TINY, Recipe, make_recipes
from harness.build.kernel.request import KernelRequest
from harness.build.toolchain import Compiler
from harness.commands.cell.cell import RecordedCell
from harness.commands.cell.repro.shell_text import (
    Part,
    Raw,
    command,
    comment,
    function,
    here,
    join,
    printable,
)
from harness.core.errors import InfrastructureError, UsageError
from harness.core.shipped import ROOT
from harness.sources.git.mirror import tree_hash
from harness.sources.git.repository import GitError
from results.files import read_plain

KEPT = ('PATH="$PATH"', 'HOME="${HOME:-/}"', "LC_ALL=C")


def kernels(cells: Sequence[RecordedCell], cache: Path) -> Part:
    """Functions: `build_VARIANT` for each cell, and what they need.

    Raises:
        InfrastructureError: if the configuration of a kernel cannot be reconstructed.
    """
    recipe = next(filter(None, (_recipe(past, cache) for past in cells)), None)
    configuration = _from_fragments(recipe) if recipe else Part(b"")
    builds = b"".join(
        b"\n"
        + function(f"build_{shell_name(past)}", _build(past, recipe, cache), f"The kernel of {past.label}.")
        for past in cells
    )
    return Part(_common(cells[0]) + configuration.functions + builds, configuration.data)


def shell_name(past: RecordedCell) -> str:
    """The variant as part of a function's name."""
    return past.cell.variant.replace("/", "_")


def folder(past: RecordedCell) -> str:
    """Where its kernel is built."""
    return f"build-{past.cell.variant.replace('/', '-')}"


def _common(past: RecordedCell) -> bytes:
    kernel, prefix = past.arch.kernel, past.arch.compiler.prefix
    variables = " \\\n\t\t".join(f"{name}={join([value])}" for name, value in REPRODUCIBLE.items())
    make = f"""\
	build=$1
	shift
	env -i {" ".join(KEPT)} \\
		{variables} \\
		make -C "$top/linux" O="$top/$build" \\
		{join([f"ARCH={kernel.arch}", f"CROSS_COMPILE={prefix}"])} "$@"
"""
    compiler = f"""\
	found=$({join([f"{prefix}gcc"])} --version | head -n 1)
	[ "$found" = "$1" ] ||
		echo "WARNING: the compiler is $found, and was $1; the image will be another one" >&2
"""
    image = """\
	found=$(sha256sum "$1" | cut -d ' ' -f 1)
	if [ "$found" = "$2" ]; then
		echo "SAME IMAGE as in the run: sha256 $found"
	else
		echo "ANOTHER IMAGE than in the run: sha256 $found, not $2"
	fi
"""
    about = (
        "Make in a clean environment. The variables are what Documentation/kbuild/reproducible-builds.rst\n"
        "asks for: equal sources give equal images. kmake FOLDER ARGUMENT..."
    )
    return (
        function("kmake", make, about)
        + b"\n"
        + function("check_compiler", compiler)
        + b"\n"
        + function("check_image", image, "check_image IMAGE SHA256")
        + b"\n"
    )


def _from_fragments(recipe: Recipe) -> Part:
    names = [f"fragment_{number}" for number in range(1, len(recipe.fragments) + 1)]
    body = (
        command("kmake", Raw('"$1"'), recipe.base)
        + "\t{\n"
        + "".join(
            f"\t\t{name} # {printable(fragment.name)}\n"
            for name, fragment in zip(names, recipe.fragments, strict=True)
        )
        + '\t} >>"$1/.config"\n'
        + '\tkmake "$1" olddefconfig\n'
    )
    about = f"configure FOLDER: {recipe.base}, and on top of it what is asked for; the last value counts."
    data = b"".join(
        b"\n" + function(name, here("cat", _text(fragment).encode()), f"Configuration: {fragment.name}")
        for name, fragment in zip(names, recipe.fragments, strict=True)
    )
    return Part(function("configure", body, about), data)


def _text(fragment: Fragment) -> str:
    """The file with all that it explains, if it still asks for the same."""
    for path in (ROOT / fragment.file, Path(fragment.file)):
        try:
            text = read_plain(path, LARGEST).decode()
            if read_symbols(text.splitlines()) == fragment.symbols:
                return text
        except (OSError, UsageError, UnicodeDecodeError):
            continue
    return as_config(fragment.symbols)


def _recipe(past: RecordedCell, cache: Path) -> Recipe | None:
    """How the kernel was configured, proven by the key of its build; None if that can't be told any more."""
    base, *names = past.build.configuration.split(" + ")
    own = len(make_recipes((past.arch,))[past.arch.name].own)
    if base != TINY:
        own -= len(past.arch.kernel.diet)
    try:
        defconfig = None if base == TINY else base
        recipe = make_recipes((past.arch,), names[own:], defconfig)[past.arch.name]
        request = KernelRequest(
            arch=past.arch,
            variant=past.cell.variant,
            commit=past.build.commit,
            tree=tree_hash(cache, past.build.commit),
            compiler=Compiler(past.arch.compiler.prefix, past.build.compiler),
            recipe=recipe,
        )
    except (UsageError, GitError):
        return None
    return recipe if build_key(request) == past.build.key else None


def _build(past: RecordedCell, recipe: Recipe | None, cache: Path) -> bytes:
    where, kernel = folder(past), past.arch.kernel
    begin = (
        command("say", f"Kernel: {past.label}, {past.build.configuration}")
        + command("check_compiler", past.build.compiler)
        + command("git -C linux checkout --quiet", past.cell.variant)
        + command("mkdir -p", where)
    ).encode()
    configure = command("configure", where).encode() if recipe else _whole_configuration(past, cache)
    make = f'{join([Raw("kmake"), where])} -j"$(nproc)" {join([kernel.target])}'
    if past.build.ok:
        check = command("check_image", f"{where}/{kernel.image}", past.build.image_sha256)
        end = f"\t{make}\n{check}".encode()
    else:
        end = _expected_failure(past, make)
    return begin + configure + end


def _whole_configuration(past: RecordedCell, cache: Path) -> bytes:
    """The .config of the finished kernel, where its fragments are not what they were."""
    found = BuildCache(cache).lookup(past.build.key)
    if found is None:
        raise InfrastructureError(
            f"the configuration of {past.label} cannot be reconstructed: the fragments of "
            f"{past.build.configuration} changed, and the kernel is no longer in the cache",
            hint=past.run_again,
        )
    said = comment("The whole .config: the fragments that it was made of have changed since.")
    text = (found[1] / ".config").read_bytes()
    where = folder(past)
    return (
        said.encode()
        + here(f"\tcat >{join([where])}/.config", text)
        + command("kmake", where, "olddefconfig").encode()
    )


def _expected_failure(past: RecordedCell, make: str) -> bytes:
    said = here("\tcat", past.build.error.encode(errors="replace").replace(b"\0", b""))
    return (
        f"\tif {make}; then\n\t\tfail 'it builds here, and did not in the run'\n\tfi\n"
        "\tsay 'It does not build, and did not in the run, where make said:'\n"
    ).encode() + said
