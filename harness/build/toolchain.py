# SPDX-License-Identifier: GPL-2.0-only
"""Finds the compilers and tools that a build needs, and what brings the missing ones."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.config.arch import ArchRecord, BuildRecord
from harness.core import sandbox
from harness.core.errors import InfrastructureError, UsageError

HOST_TOOLS = {
    "make": "make",
    "gcc": "gcc",
    "flex": "flex",
    "bison": "bison",
    "bc": "bc",
    "perl": "perl",
    "git": "git",
    "patch": "patch",
    "xz": "xz-utils",
    "setpriv": "util-linux",
}
"""Command → Debian package, for every command that is called by name."""
HOST_HEADERS = {"/usr/include/libelf.h": "libelf-dev"}
"""Headers of the kernel's own build tools (objtool)."""


CLANG = "clang"
LLVM_TOOLS = {CLANG: "clang", "ld.lld": "lld", "llvm-nm": "llvm", "llvm-objcopy": "llvm", "llvm-ar": "llvm"}
"""Command → Debian package."""
NATIVE_PACKAGES = ("gcc", "libc6-dev")
"""On the architecture itself, Debian's own gcc answers to the cross compiler's name."""


@dataclass(frozen=True, slots=True)
class Compiler:
    """A compiler that is there."""

    prefix: str
    version: str
    """First line of `gcc --version`; part of every build's cache key."""
    llvm: bool = False
    """clang with LLVM's binutils, for all architectures that it has."""

    @property
    def program(self) -> str:
        """The command that compiles."""
        return CLANG if self.llvm else f"{self.prefix}gcc"

    @property
    def variables(self) -> tuple[str, ...]:
        """What make needs to be told (Documentation/kbuild/llvm.rst)."""
        return ("LLVM=1",) if self.llvm else (f"CROSS_COMPILE={self.prefix}",)


def compiler_packages(arch: BuildRecord) -> tuple[str, ...]:
    """Debian packages that bring the architecture's compiler and static libc on this host."""
    is_native = isinstance(arch, ArchRecord) and platform.machine() == arch.qemu.kvm_host
    return NATIVE_PACKAGES if is_native else arch.compiler.packages


def find_llvm(arch: BuildRecord) -> Compiler:
    """Clang, as kbuild takes it for an architecture with `LLVM=1`.

    Raises:
        UsageError: if a program of LLVM is missing, with the packages that bring it.
    """
    missing = [package for tool, package in LLVM_TOOLS.items() if _first_line(tool) is None]
    if missing:
        packages = " ".join(dict.fromkeys(missing))
        raise UsageError("LLVM is missing or does not run", hint=f"apt-get install {packages}")
    return Compiler(arch.compiler.prefix, _first_line(CLANG) or "", llvm=True)


def find_compiler(arch: BuildRecord) -> Compiler:
    """The compiler of an architecture record.

    Raises:
        UsageError: if it is missing or does not run, with the packages that bring it.
    """
    command = f"{arch.compiler.prefix}gcc"
    version = _first_line(command)
    if version is None:
        raise UsageError(
            f"compiler {command} is missing or does not run",
            hint=f"apt-get install {' '.join(compiler_packages(arch))}",
        )
    return Compiler(arch.compiler.prefix, version)


def find_gcov(prefix: str) -> str:
    """The gcov(1) of the gcc with this prefix, which reads what kernels with counters report.

    Raises:
        InfrastructureError: if it is missing.
    """
    program = f"{prefix}gcov"
    if not shutil.which(program):
        raise InfrastructureError(
            f"{program} is missing, so it can't be told which changed lines ran",
            hint=f"It belongs to {prefix}gcc.",
        )
    return program


def _first_line(command: str) -> str | None:
    path = shutil.which(command)
    return _version_line(path) if path else None


@cache
def _version_line(path: str) -> str | None:
    result = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return result.stdout.splitlines()[0] if result.returncode == 0 and result.stdout else None


def missing_packages(arches: Iterable[ArchRecord]) -> tuple[str, ...]:
    """Debian packages that must be installed before these architectures can be built and booted."""
    wanted = {package for tool, package in HOST_TOOLS.items() if not shutil.which(tool)}
    wanted |= {package for header, package in HOST_HEADERS.items() if not Path(header).exists()}
    if not shutil.which(sandbox.PROGRAM):
        wanted.add(sandbox.PACKAGE)
    for arch in arches:
        if _first_line(f"{arch.compiler.prefix}gcc") is None:
            wanted.update(compiler_packages(arch))
        if not shutil.which(arch.qemu.binary):
            wanted.add(arch.qemu.package)
        if arch.hercules and not shutil.which(arch.hercules.binary):
            wanted.add(arch.hercules.package)
    return tuple(sorted(wanted))
