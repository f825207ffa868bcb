"""Builds the programs that run in the guest, and packs them into the initramfs that all boots share."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from harness.build import initramfs
from harness.build.cache import damaged_files, digest, discard, mark_used, sha256_of, write_sums
from harness.build.toolchain import Compiler
from harness.config import ROOT, SuiteRecord
from harness.errors import HarnessError, InfrastructureError
from harness.process import clean_environment

WRAPPERS = ROOT / "kselftest_wrappers"
TREE_FLAGS = ("-static", "-O2", "-Wall", "-pthread")
GUEST_FOLDER = "bin"
ARCHIVE = "initramfs.cpio"


class ProgramError(HarnessError):
    """A program for the guest does not compile; the message has the compiler's own words."""

    default_exit_code = 3


def guest_path(suite: SuiteRecord) -> str:
    """Path of a suite's program in the guest."""
    return f"/{GUEST_FOLDER}/{suite.program.name}"


def build_programs(
    compiler: Compiler,
    suites: Sequence[SuiteRecord],
    sources: Callable[[], AbstractContextManager[Path]],
    tree_id: str,
    cache: Path,
) -> Path:
    """The initramfs, without a manifest, of what the suites need: compiled, or from the cache.

    `sources` makes a folder with the tree's selftests when they must be compiled; `tree_id` is
    their content address.

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
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as draft:
            entry = Path(draft) / "entry"
            entry.mkdir()
            with sources() as tree:
                _compile_all(Path(draft), compiler, suites, tree)
            (entry / ARCHIVE).write_bytes(initramfs.archive(_entries(Path(draft), suites)))
            write_sums(entry, (ARCHIVE,))
            _publish(entry, folder)
    except OSError as error:
        raise InfrastructureError(f"{folder.parent}: {error.strerror}") from None
    return ready


def _publish(entry: Path, folder: Path) -> None:
    """Give a whole entry its name in one step; what is damaged makes room, what is whole stays."""
    if os.path.lexists(folder) and damaged_files(folder, (ARCHIVE,)):
        discard(folder)
    try:
        entry.rename(folder)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):  # then another run was quicker
            raise


def _key(compiler: Compiler, suites: Sequence[SuiteRecord], tree_id: str) -> str:
    wrappers = {path.name: sha256_of(path) for path in sorted(WRAPPERS.glob("*")) if path.is_file()}
    programs = [suite.program.model_dump() for suite in suites]
    return digest({"compiler": compiler.version, "wrappers": wrappers, "programs": programs, "tree": tree_id})


def _compile_all(draft: Path, compiler: Compiler, suites: Sequence[SuiteRecord], tree: Path) -> None:
    ours = dict.fromkeys(suite.program.name for suite in suites if suite.program.wrapper)
    wrappers = ["init", *ours]
    _compile(("make", "-s", "-C", str(WRAPPERS), f"CROSS_COMPILE={compiler.prefix}", f"O={draft}", *wrappers))
    for suite in suites:
        if not suite.program.wrapper:
            _compile(_tree_command(compiler, suite, tree, draft))


def _tree_command(compiler: Compiler, suite: SuiteRecord, tree: Path, draft: Path) -> tuple[str, ...]:
    sources = [str(tree / source) for source in suite.program.tree_sources if (tree / source).is_file()]
    includes = [f"-I{tree / folder}" for folder in suite.program.tree_includes]
    output = str(draft / suite.program.name)
    short_names = f"-ffile-prefix-map={tree}/="  # assertions print __FILE__
    return (f"{compiler.prefix}gcc", *TREE_FLAGS, short_names, *includes, "-o", output, *sources)


def _compile(command: Sequence[str]) -> None:
    result = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False, env=dict(clean_environment())
    )
    if result.returncode:
        raise ProgramError(
            f"a test program does not compile: {' '.join(command)}\n{result.stderr.strip()[-4000:]}"
        )


def _entries(draft: Path, suites: Sequence[SuiteRecord]) -> Mapping[str, initramfs.Entry]:
    programs = {
        f"{GUEST_FOLDER}/{suite.program.name}": initramfs.program(draft / suite.program.name)
        for suite in suites
    }
    return {"init": initramfs.program(draft / "init"), "dev/console": initramfs.console(), **programs}
