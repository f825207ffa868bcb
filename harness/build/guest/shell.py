# SPDX-License-Identifier: GPL-2.0-only
"""The shell that a person gets on a guest's console, as an archive to append to an initramfs."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from harness.build.guest.programs import GUEST_FOLDER, build_programs
from harness.build.toolchain import Compiler
from harness.config.suite import CaseRecord, ProgramRecord, SuiteRecord

_NAME = "shell"
PATH_IN_GUEST = f"/{GUEST_FOLDER}/{_NAME}"


def build_shell(compiler: Compiler, cache: Path) -> Path:
    """An initramfs of the shell and the first process that starts it: compiled, or from the cache.

    Raises:
        ProgramError: with the compiler's message.
        InfrastructureError: if the cache can't be written.
    """
    program = ProgramRecord(name=_NAME, wrapper=True)
    alone = SuiteRecord(name=_NAME, about="", program=program, evidence={}, cases={_NAME: CaseRecord()})
    return build_programs(compiler, (alone,), _no_sources, "", cache)


def _no_sources() -> AbstractContextManager[Path]:
    from contextlib import nullcontext

    return nullcontext(Path())
