# SPDX-License-Identifier: GPL-2.0-only
"""A kernel tree that builds in a second: its objects are compiled, its image is a finished one, and boots.

For tests of the program around the build: what it does when it is interrupted, runs twice at
once, or has no room. The build of base can be held at a gate, and waits there until it is let
through. Its kconfig drops every symbol that has UNMET in its name.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.core.sandbox import READ_SWITCH
from tests.samples.tiny_kernel import commit, git, make_kernel

MAKEFILE = """\
# SPDX-License-Identifier: GPL-2.0
VERSION = 6
PATCHLEVEL = 12
SUBLEVEL = 117
EXTRAVERSION =
NAME = Stub

CC = $(CROSS_COMPILE)gcc
image := $(O)/arch/x86/boot/bzImage
objects := $(patsubst %.c,$(O)/%.o,$(sort $(wildcard mm/*.c)))
reached := GATE.reached
opened := GATE.opened

bzImage: $(image)

tinyconfig:
	@: > $(O)/.config

%_defconfig:
	@cp arch/x86/configs/$@ $(O)/.config

olddefconfig:
	@sed -i /UNMET/d $(O)/.config

$(O)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@if [ $(notdir $(O))/$* = x86_64/mm/gate ] && [ -p $(reached) ]; then \\
		echo held > $(reached); read word < $(opened); \\
	fi
	@echo "  CC      $*.o"
	@$(CC) -Wall -c -o $@ $<

$(image): $(objects) image
	@mkdir -p $(@D)
	@echo "  LD      vmlinux"
	@$(CROSS_COMPILE)ld -r -o $(O)/vmlinux $(objects)
	@touch $(O)/System.map
	@cp image $@
"""
SOURCES = {
    "mm/before.c": "int before;\n",
    "mm/gate.c": "int gate;\n",
    "mm/number.c": "int huge;\n",
    "tools/testing/selftests/.gitignore": "",
}


@dataclass(frozen=True)
class Gate:
    """Where a build waits, if it is closed."""

    path: Path

    @property
    def _reached(self) -> Path:
        return self.path.with_name(f"{self.path.name}.reached")

    @property
    def _opened(self) -> Path:
        return self.path.with_name(f"{self.path.name}.opened")

    def close(self) -> None:
        """From now on builds wait."""
        os.mkfifo(self._opened)
        os.mkfifo(self._reached)

    def await_build(self) -> None:
        """Return when a build has come to the gate."""
        assert self._reached.read_text() == "held\n"

    def let_through(self) -> None:
        """Open the gate for the build that waits, and for all later ones."""
        self._reached.unlink()
        self._opened.write_text("go\n")
        self._opened.unlink()

    def remove(self) -> None:
        """Open it while nobody waits."""
        self._reached.unlink()
        self._opened.unlink()


def gate_of(tree: Path) -> Gate:
    """Return the gate of the tree at a path, in the folder that builds can see."""
    return Gate(Path(os.environ[READ_SWITCH]) / str(tree).replace("/", "-"))


@dataclass(frozen=True)
class StubTree:
    """The repository, and a series of one patch on top of its first commit."""

    path: Path
    gate: Gate

    @property
    def arguments(self) -> tuple[str, ...]:
        """Of `run`: this tree and its series, on one architecture; both kernels are the same image."""
        return (*self.arguments_as_typed, "--always-boot")

    @property
    def arguments_as_typed(self) -> tuple[str, ...]:
        """The same without what makes a run boot an image twice."""
        series = ("--series", f"git:{self.path}@base..topic")
        return ("--arch", "x86_64", "--tree", f"{self.path}@base", *series)


def make_stub_tree(
    path: Path, image: Path, series: Mapping[str, str] | None = None, base: Mapping[str, str] | None = None
) -> StubTree:
    """Make the tree around a kernel image; `base` and `series` add or change files."""
    gate = gate_of(path)
    makefile = MAKEFILE.replace("GATE", str(gate.path))
    make_kernel(path, {"Makefile": makefile, **SOURCES})
    shutil.copyfile(image, path / "image")
    commit(path, "base", base or {})
    _branch(path, "base")
    commit(path, "mm: change a number", {"mm/number.c": "int huge = 2;\n", **(series or {})})
    _branch(path, "topic")
    return StubTree(path, gate)


def _branch(path: Path, name: str) -> None:
    git(path, "branch", name)
