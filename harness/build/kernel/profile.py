# SPDX-License-Identifier: GPL-2.0-only
"""Counters of executed lines in chosen objects, by CONFIG_GCOV_KERNEL (Documentation/dev-tools/gcov.rst).

kbuild asks for the variable GCOV_PROFILE_x.o while it compiles an object x.o of any folder
(scripts/Makefile.lib). Variables of the command line are expanded then, so that they can ask for the folder.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

NOTES = "gcno.tar"
"""What gcov(1) needs to know of each object, in the entry of a build; paths as in the objects' folder."""

_UNLESS_REFUSED = "$(if $(filter n%,$(GCOV_PROFILE)),n,y)"


def profile_variables(objects: Sequence[str]) -> tuple[str, ...]:
    """Return the arguments of make that compile objects with counters; `objects` are `mm/memory.o`, ….

    A folder that refuses counters (`GCOV_PROFILE := n`: it runs before the kernel is set up) keeps its will.
    """
    folders: dict[str, list[str]] = {}
    for name in objects:
        path = PurePosixPath(name)
        folders.setdefault(path.name, []).append(str(path.parent))
    return tuple(
        f"GCOV_PROFILE_{name}=$(if $(filter {' '.join(places)},$(obj)),{_UNLESS_REFUSED})"
        for name, places in folders.items()
    )


def keep_notes(objects: Path, names: Sequence[str], archive: Path) -> None:
    """Pack the notes of those objects that were made.

    Raises:
        OSError: if they can't be read, or the archive not be written.
    """
    with tarfile.open(archive, "w") as tar:
        for name in sorted(names):
            note = PurePosixPath(name).with_suffix(".gcno")
            if (objects / name).is_file() and (objects / note).is_file():
                content = (objects / note).read_bytes()
                member = tarfile.TarInfo(str(note))
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
