# SPDX-License-Identifier: GPL-2.0-only
"""Which configuration a kernel is built with: a base that the tree makes, and fragments on top of it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.build.kernel import kconfig
from harness.build.kernel.kconfig import Fragment, read_fragment
from harness.config.arch import ArchRecord, find_modes
from harness.config.catalogue import Folders, files
from harness.core.errors import UsageError, did_you_mean
from harness.core.shipped import CONFIGS, ROOT

TINY = "tinyconfig"
OWN_DEFCONFIG = ""
"""Asks for the defconfig that each architecture's record names."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one architecture's .config is made."""

    base: str
    """Make target that writes the first .config: `tinyconfig`, a defconfig, `KCONFIG_SEED=1 randconfig`."""
    own: tuple[Fragment, ...]
    """The architecture's fragments, in order."""
    extra: tuple[Fragment, ...] = ()
    """Those that the user adds, merged last."""
    firm: tuple[Fragment, ...] | None = None
    """Those of which kconfig may drop nothing; None for all."""

    @property
    def base_words(self) -> tuple[str, ...]:
        """What make gets to write the first .config: `KCONFIG_SEED=1`, `randconfig`."""
        return tuple(shlex.split(self.base))

    @property
    def fragments(self) -> tuple[Fragment, ...]:
        """All of them, in the order they are merged in."""
        return (*self.own, *self.extra)

    @property
    def symbols(self) -> dict[str, str]:
        """Everything that is asked for on top of the base."""
        return kconfig.merge(self.fragments)

    @property
    def title(self) -> str:
        """All of it in one line: `tinyconfig + common + … + kasan`."""
        return " + ".join((self.base, *(fragment.name for fragment in self.fragments)))

    @property
    def config_id(self) -> str:
        """What the user changed, `defconfig + kasan`; empty for the kernel of a bare `run`."""
        base = () if self.base == TINY else (self.base,)
        return " + ".join((*base, *(fragment.name for fragment in self.extra)))


def make_recipes(
    arches: Sequence[ArchRecord],
    asked: Sequence[str] = (),
    defconfig: str | None = None,
    folders: Folders = None,
) -> Mapping[str, Recipe]:
    """Recipes by name of the architecture; every file is read once, here.

    `asked` are fragments as the user names them: `lockdep`, `./my.config`, `arm64:kasan`. `defconfig`
    is a name of the tree, `OWN_DEFCONFIG`, or None for tinyconfig.

    Raises:
        UsageError: for an unknown or wrong fragment, or what can't be a defconfig's name.
    """
    target = None if defconfig is None else _target(defconfig)
    known = files("kconfig", ".config", folders)
    extra = [_extra(text, arches, known, folders) for text in dict.fromkeys(asked)]
    return {
        arch.name: Recipe(
            base=TINY if target is None else target or arch.kernel.defconfig,
            own=_own(arch, known, diet=target is None),
            extra=tuple(fragment for only, fragment in extra if only in ("", arch.name)),
        )
        for arch in arches
    }


def own_fragments(arch: ArchRecord) -> tuple[Fragment, ...]:
    """Read the fragments of an architecture's test kernel.

    Raises:
        UsageError: for an unknown or wrong fragment.
    """
    return _own(arch, files("kconfig", ".config"), diet=True)


def with_counters(recipe: Recipe) -> Recipe:
    """Return the recipe of the same kernel with counters of executed lines."""
    gcov = _find("gcov", files("kconfig", ".config", (CONFIGS,)))
    return replace(recipe, own=(*recipe.own, gcov))


def _own(arch: ArchRecord, known: Mapping[str, Path], *, diet: bool) -> tuple[Fragment, ...]:
    names = (*arch.kernel.fragments, *(arch.kernel.diet if diet else ()))
    return tuple(_find(name, known) for name in names)


def _target(name: str) -> str:
    if name == OWN_DEFCONFIG:
        return name
    if not re.fullmatch(r"[A-Za-z0-9][\w.+-]*", name):
        raise UsageError(f"--defconfig {name}: not a name", hint="Name one of arch/*/configs/ in the tree.")
    return name if name.endswith("defconfig") else f"{name}_defconfig"


def _extra(
    text: str, arches: Sequence[ArchRecord], known: Mapping[str, Path], folders: Folders
) -> tuple[str, Fragment]:
    """The only architecture that a fragment is for (empty: all of them), and the fragment."""
    only, colon, name = text.partition(":")
    if not colon or "/" in only or Path(text).exists():
        return "", _find(text, known)
    if only not in [arch.name for arch in arches]:
        find_modes(only, folders)
        raise UsageError(f"--kconfig {text}: {only} is not an architecture of this run")
    return only, _find(name, known)


def _find(name: str, known: Mapping[str, Path]) -> Fragment:
    """Read a fragment by its name, or as a file."""
    if path := known.get(name):
        shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        return read_fragment(path, name, str(shown))
    if name and ("/" in name or Path(name).exists()):
        return read_fragment(Path(name), name, name)
    guess = did_you_mean(name.removesuffix(".config"), known)
    hint = f"Known: {', '.join(known)}; or name a file."
    raise UsageError(f"unknown kernel configuration fragment '{name}'.{guess}", hint=hint)
