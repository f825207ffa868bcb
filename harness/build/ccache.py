# SPDX-License-Identifier: GPL-2.0-only
"""ccache, if it is installed: an object that was compiled before is taken from its cache.

It changes no object, so it is not part of a build's key. Its cache and settings are ours alone:

- base_dir stays empty. Rewritten paths would no longer match kbuild's -fmacro-prefix-map, and the
  names of files in a kernel's BUG tables and warnings would change.
- hash_dir stays true: the folder of objects is part of what is hashed where it gets into debug sections.
- sloppiness stays empty: ccache(1) lists what may go wrong with each kind. What it costs are objects
  that include a header generated in the same second.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import InfrastructureError
from harness.core.process import clean_environment

SWITCH = "THP_HARNESS_CCACHE"
"""`0` in the environment: build without."""
FOLDER = "ccache"
MAX_SIZE = "2G"
"""The objects of some dozens of small kernels, compressed."""
WAY_OUT = f"Repair or remove ccache, or build without it: {SWITCH}=0."
PROBE = "int probe(int number)\n{\n\treturn number + 1;\n}\n"
PROBE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Ccache:
    """A ccache that answers."""

    version: str
    folder: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables for make: nothing of the user's own ccache is read or changed."""
        return {
            "CCACHE_DIR": str(self.folder),
            "CCACHE_CONFIGPATH": os.devnull,
            "CCACHE_MAXSIZE": MAX_SIZE,
        }

    @property
    def read_only(self) -> Mapping[str, str]:
        """The same for a build whose objects no other build may get (ccache(1), CCACHE_READONLY)."""
        return {
            **self.environment,
            "CCACHE_READONLY": "1",
            "CCACHE_NOSTATS": "1",
            "CCACHE_TEMPDIR": "/tmp",
        }

    def variables(self, prefix: str) -> tuple[str, ...]:
        """Arguments of make."""
        return (f"CC=ccache {prefix}gcc", "HOSTCC=ccache gcc")

    def prove(self, prefix: str) -> None:
        """Compile a little program with and without it.

        Raises:
            InfrastructureError: if the objects are not the same, or there is none.
        """
        with tempfile.TemporaryDirectory(prefix="thp-harness-ccache-") as name:
            folder = Path(name)
            (folder / "probe.c").write_text(PROBE)
            plain = self._compile(folder, "plain.o", f"{prefix}gcc")
            cached = self._compile(folder, "cached.o", "ccache", f"{prefix}gcc")
        if plain != cached:
            raise InfrastructureError(f"ccache gives another object than {prefix}gcc. {WAY_OUT}")

    def _compile(self, folder: Path, made: str, *compiler: str) -> bytes:
        try:
            answer = subprocess.run(
                (*compiler, "-c", "-o", made, "probe.c"),
                cwd=folder,
                env=dict(clean_environment(**self.environment)),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=PROBE_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise InfrastructureError(f"{compiler[0]} hangs. {WAY_OUT}") from None
        if answer.returncode or not (folder / made).is_file():
            said = answer.stderr.strip() or f"exit status {answer.returncode}, and no object"
            raise InfrastructureError(f"{' '.join(compiler)} does not compile: {said}. {WAY_OUT}")
        return (folder / made).read_bytes()


def is_switched_off() -> bool:
    """Whether the user wants to do without."""
    return os.environ.get(SWITCH) == "0"


def find_ccache(cache: Path) -> Ccache | None:
    """The ccache that builds use; None if there is none, or it is switched off.

    Raises:
        InfrastructureError: if it is there but does not answer.
    """
    path = shutil.which("ccache")
    if is_switched_off() or not path:
        return None
    try:
        answer = subprocess.run(
            (path, "--version"), capture_output=True, text=True, errors="replace", check=False, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InfrastructureError(f"{path} does not run: {error}. {WAY_OUT}") from None
    lines = answer.stdout.splitlines()
    if answer.returncode or not lines:
        said = answer.stderr.strip() or f"exit status {answer.returncode}"
        raise InfrastructureError(f"{path} does not run: {said}. {WAY_OUT}")
    return Ccache(lines[0].removeprefix("ccache version "), cache / FOLDER)
