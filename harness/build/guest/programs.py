# SPDX-License-Identifier: GPL-2.0-only
"""Builds the programs that run in the guest, and packs them into the initramfs that all boots share."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from harness.build.build_cache import DRAFT, damaged_files, digest, mark_used, publish, sha256_of, write_sums
from harness.build.guest import initramfs
from harness.build.kernel.diagnostics import first_error, is_machines_fault
from harness.build.toolchain import Compiler
from harness.config.suite import CaseRecord, ProgramRecord, SuiteRecord
from harness.core.errors import HarnessError, InfrastructureError
from harness.core.process import Bounds, BoundsError, Children, run_logged
from harness.core.sandbox import Sandbox, installed
from harness.core.shipped import WRAPPERS
from results.compare.known import NO_LONGER_COMPILES

HEADERS = WRAPPERS / "lib" / "tree_headers"
"""What the tree's own Makefile generates or asks for by a flag."""
TREE_FLAGS = ("-static", "-s", "-O2", "-Wall", "-pthread")
TREE_LIBRARIES = ("-lrt", "-lm")
STAND_IN = "not_built"
"""Our program that runs in place of one that does not compile: it is skipped, with the reason."""
COMPILER = Bounds(seconds=600, silence=600, output=1 << 20)
"""A test is one file."""
GUEST_FOLDER = "bin"
ARCHIVE = "initramfs.cpio"


class ProgramError(HarnessError):
    """A program for the guest does not compile; the message has the compiler's own words."""

    default_exit_code = 3

    def __init__(self, command: Sequence[str], said: str) -> None:
        super().__init__(f"a test program does not compile: {' '.join(command)}\n{said[-4000:]}")
        self.said = said
        """All that the compiler said."""


def guest_command(suite: SuiteRecord, case: CaseRecord) -> tuple[str, ...]:
    """What starts a case's program in the guest, but for its arguments."""
    program = suite.program_of(case)
    return tuple(f"/{GUEST_FOLDER}/{name}" for name in (program.under, program.name) if name)


def build_programs(
    compiler: Compiler,
    suites: Sequence[SuiteRecord],
    sources: Callable[[], AbstractContextManager[Path]],
    tree_id: str,
    cache: Path,
    base: Callable[[], AbstractContextManager[Path]] | None = None,
) -> Path:
    """The initramfs, without a manifest, of what the suites need: compiled, or from the cache.

    `sources` makes a folder with the tree's selftests when they must be compiled; `tree_id` is
    their content address. In place of a collection's program that does not compile stands one
    that says so, and whether it compiles from the sources of `base`.

    Raises:
        ProgramError: with the compiler's message.
        InfrastructureError: if the cache can't be written.
    """
    folder = cache / "programs" / _key(compiler, suites, tree_id)
    ready = folder / ARCHIVE
    if not damaged_files(folder, (ARCHIVE,)):
        mark_used(folder)
        return ready
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=DRAFT, dir=folder.parent) as draft:
            entry = Path(draft) / "entry"
            entry.mkdir()
            with sources() as tree:
                left_out = _compile_all(Path(draft), compiler, suites, tree)
            if left_out and base:
                with base() as tree:
                    left_out = _with_blame(Path(draft) / "base", compiler, suites, tree, left_out)
            (entry / ARCHIVE).write_bytes(initramfs.archive(_entries(Path(draft), suites, left_out)))
            write_sums(entry, (ARCHIVE,))
            publish(entry, folder, lambda there: damaged_files(there, (ARCHIVE,)))
    except OSError as error:
        raise InfrastructureError(f"{folder.parent}: {error.strerror}") from None
    return ready


def _key(compiler: Compiler, suites: Sequence[SuiteRecord], tree_id: str) -> str:
    files = (path for name in ("Makefile", "**/*.[ch]") for path in sorted(WRAPPERS.glob(name)))
    wrappers = {str(path.relative_to(WRAPPERS)): sha256_of(path) for path in files}
    programs = [program.model_dump() for suite in suites for program in suite.programs]
    return digest({"compiler": compiler.version, "wrappers": wrappers, "programs": programs, "tree": tree_id})


def _compile_all(
    draft: Path, compiler: Compiler, suites: Sequence[SuiteRecord], tree: Path
) -> Mapping[str, str]:
    """Compile everything; returns the programs of collections that do not compile, and why."""
    stand_ins = [STAND_IN] if any(suite.is_collection for suite in suites) else []
    wrappers = ["init", *_ours(suites), *stand_ins]
    ours = ("make", "-s", "-C", str(WRAPPERS), f"CROSS_COMPILE={compiler.prefix}", f"O={draft}", *wrappers)
    _compile(ours, compiler, draft, WRAPPERS)
    left_out: dict[str, str] = {}
    for suite in (suite for suite in suites if not suite.program.wrapper):
        for program in suite.programs:
            try:
                _compile(_tree_command(compiler, program, tree, draft), compiler, draft, tree, HEADERS)
            except ProgramError as error:
                if not suite.is_collection or is_machines_fault(error.said.splitlines()):
                    raise
                left_out[program.name] = first_error(error.said.splitlines(), tree).splitlines()[0]
    return left_out


def _with_blame(
    draft: Path, compiler: Compiler, suites: Sequence[SuiteRecord], base: Path, left_out: Mapping[str, str]
) -> Mapping[str, str]:
    """Say of programs that do not compile that they do from base's tree, where that is so."""
    draft.mkdir()
    blamed = dict(left_out)
    for program in (each for suite in suites for each in suite.programs if each.name in left_out):
        try:
            _compile(_tree_command(compiler, program, base, draft), compiler, draft, base, HEADERS)
        except ProgramError:
            continue
        blamed[program.name] = f"{NO_LONGER_COMPILES}: {left_out[program.name]}"
    return blamed


def _ours(suites: Sequence[SuiteRecord]) -> tuple[str, ...]:
    """The programs that our Makefile builds for some suites."""
    programs = [program for suite in suites for program in suite.programs]
    names = (*(each.name for each in programs if each.wrapper), *(each.under for each in programs))
    return tuple(name for name in dict.fromkeys(names) if name)


def _tree_command(compiler: Compiler, program: ProgramRecord, tree: Path, draft: Path) -> tuple[str, ...]:
    sources = [str(tree / source) for source in program.tree_sources if (tree / source).is_file()]
    includes = [f"-I{folder}" for folder in (*(tree / name for name in program.tree_includes), tree, HEADERS)]
    output = draft / program.name
    output.parent.mkdir(exist_ok=True)
    # Programs print __FILE__, and name files after it; the last of these that matches counts.
    folders = (tree, (tree / program.tree_sources[0]).parent)
    short_names = [f"-ffile-prefix-map={folder}/=" for folder in folders]
    command = (f"{compiler.prefix}gcc", *TREE_FLAGS, *program.flags, *short_names, *includes)
    return (*command, "-o", str(output), *sources, *TREE_LIBRARIES)


def _compile(command: Sequence[str], compiler: Compiler, draft: Path, *readable: Path) -> None:
    """Compile into `draft`, in a sandbox: an `#include` names any file that the compiler can open.

    Raises:
        ProgramError: if it does not compile, or not within its bounds.
    """
    said = io.BytesIO()
    sandbox = Sandbox((*readable, *installed(f"{compiler.prefix}gcc")), (draft,))
    try:
        status = run_logged(
            command, cwd=draft, log=said, children=Children(), bounds=COMPILER, sandbox=sandbox
        )
    except BoundsError as error:
        raise ProgramError(command, f"{command[0]} was ended: {error}") from None
    if status:
        raise ProgramError(command, said.getvalue().decode(errors="replace").strip())


def _entries(
    draft: Path, suites: Sequence[SuiteRecord], left_out: Mapping[str, str]
) -> Mapping[str, initramfs.Entry]:
    entries = {"init": initramfs.program(draft / "init"), "dev/console": initramfs.console()}
    of_trees = (program.name for suite in suites for program in suite.programs)
    for name in dict.fromkeys((*_ours(suites), *of_trees)):
        path = f"{GUEST_FOLDER}/{name}"
        entries[path] = initramfs.program(draft / (STAND_IN if name in left_out else name))
        if name in left_out:
            entries[f"{path}.why"] = initramfs.text(left_out[name] + "\n")
    return entries
