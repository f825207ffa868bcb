# SPDX-License-Identifier: GPL-2.0-only
"""What binutils say of a kernel, in a sandbox: a stranger's Makefile may have written the object."""

from __future__ import annotations

import io
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.build.kernel.make import BuildError
from harness.core.errors import InfrastructureError
from harness.core.process import Bounds, BoundsError, Children, run_logged
from harness.core.sandbox import Sandbox, installed

_BOUNDS = Bounds(seconds=1800, silence=1800, output=256 << 20)
"""The symbols of the largest kernels take some 30 MiB as text."""


@dataclass(frozen=True, slots=True)
class Binutils:
    """The tools of a compiler prefix."""

    prefix: str
    children: Children

    def sizes(self, vmlinux: Path) -> tuple[int, int, int]:
        """Return text, data and bss of vmlinux in bytes, as `size` prints them.

        Raises:
            BuildError: as all methods, if a tool passes its bounds.
        """
        _, output = self._run("size", vmlinux)
        numbers = re.search(r"^\s*(\d+)\s+(\d+)\s+(\d+)\s", output, re.MULTILINE)
        return (int(numbers[1]), int(numbers[2]), int(numbers[3])) if numbers else (0, 0, 0)

    def symbol_bytes(self, vmlinux: Path) -> int:
        """Return the bytes that the symbols of vmlinux take; names that share an address count once."""
        _, listing = self._run("nm", "--print-size", vmlinux)
        found = re.findall(r"^([0-9a-f]+) ([0-9a-f]+) \S ", listing, re.MULTILINE)
        return sum({address: int(size, 16) for address, size in found}.values())

    def copy_without_debug(self, vmlinux: Path, kept: Path) -> None:
        """Copy vmlinux without debug sections, which are most of it, but with its symbols.

        Raises:
            InfrastructureError: if it can't be written, or is no object.
        """
        _, headers = self._run("objdump", "--section-headers", vmlinux)
        if not re.search(r"\s\.z?debug_", headers):
            shutil.copyfile(vmlinux, kept)
            return
        status, said = self._run("objcopy", "--strip-debug", vmlinux, kept, writable=(kept.parent,))
        if status:
            raise InfrastructureError(f"{self.prefix}objcopy failed on {vmlinux}: {said.strip()}")

    def _run(self, tool: str, *arguments: str | Path, writable: tuple[Path, ...] = ()) -> tuple[int, str]:
        program = f"{self.prefix}{tool}"
        paths = tuple(each for each in arguments if isinstance(each, Path))
        said = io.BytesIO()
        try:
            status = run_logged(
                (program, *map(str, arguments)),
                cwd=paths[0].parent,
                log=said,
                children=self.children,
                bounds=_BOUNDS,
                sandbox=Sandbox((paths[0], *installed(program)), writable),
            )
        except BoundsError as error:
            raise BuildError(f"{program} was ended: {error}") from None
        return status, said.getvalue().decode(errors="replace")
