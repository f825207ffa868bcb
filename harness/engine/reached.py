# SPDX-License-Identifier: GPL-2.0-only
"""Which of the changed lines a boot ran: its counters through gcov(1), which knows the formats."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path, PurePosixPath
from typing import Any

from harness.build.kernel.kconfig import read_symbols
from harness.build.kernel.profile import NOTES
from harness.core.errors import InfrastructureError
from harness.core.process import clean_environment
from harness.core.sandbox import Sandbox, installed
from harness.sources.series.changed_code import ChangedCode
from harness.sources.series.guards import Guard
from results.console.gcov import CountsOfTest, GuestCounts, read_counts
from results.files import open_plain
from results.journal.assemble import MOST_LOG_BYTES
from results.journal.journal import BootFact
from results.model.reached import BOOT, LinesOfTest, ReachedFact
from results.text import first_line

_GCOV_SECONDS = 600
_DATA = ".gcda"

Lines = Mapping[str, Mapping[int, bool]]
"""Path → changed line that is code → whether it ran."""


@dataclass(frozen=True, slots=True)
class CountedKernel:
    """A kernel with counters, and what of it is to be told."""

    folder: Path
    """The entry of the build cache."""
    gcov: str
    """The gcov(1) of the compiler that built it."""
    code: ChangedCode


@dataclass(slots=True)
class _Gcov:
    """Notes and data of some objects in one folder, as gcov(1) wants them."""

    kernel: CountedKernel
    folder: Path
    objects: tuple[str, ...]
    """Paths of the objects without suffix."""
    problems: list[str] = field(default_factory=list)

    def run(self, files: Mapping[str, bytes]) -> Lines:
        """Return the changed lines of objects, of which some have data; all of them if none has.

        Raises:
            InfrastructureError: if gcov fails.
        """
        for name, content in files.items():
            (self.folder / name).with_suffix(_DATA).write_bytes(content)
        names = tuple(files) or self.objects
        try:
            return self._read(_gcov(self.kernel.gcov, self.folder, names))
        finally:
            for name in files:
                (self.folder / name).with_suffix(_DATA).unlink()

    def _read(self, documents: Iterable[Mapping[str, Any]]) -> Lines:
        wanted = {file.path: {row.number for row in file.added} for file in self.kernel.code.files}
        found: dict[str, dict[int, bool]] = {}
        for document in documents:
            for path, line, count in _counted(document):
                if line in wanted.get(path, ()):
                    of_file = found.setdefault(path, {})
                    of_file[line] = of_file.get(line, False) or count > 0
        return found


def read_reached(fact: BootFact, run_dir: Path, kernel: CountedKernel) -> ReachedFact:
    """Read what a boot ran from its console log.

    Raises:
        InfrastructureError: if gcov is missing or fails.
    """
    with TextIOWrapper(
        open_plain(run_dir / fact.log, MOST_LOG_BYTES, below=run_dir), "utf-8", "replace", newline="\n"
    ) as log:
        counts = read_counts(log, fact.nonce, fact.tests)
    with tempfile.TemporaryDirectory(prefix="thp-harness-gcov-") as name:
        gcov = _Gcov(kernel, Path(name), _unpack(kernel.folder / NOTES, Path(name)))
        code = gcov.run({}) if gcov.objects else {}
        tests = tuple(_lines_of(gcov, counts))
    problems = [*counts.problems, *gcov.problems]
    if not counts.objects and not problems:
        problems.append("the kernel reported no counters: it ended before the first test")
    return ReachedFact(
        arch=fact.arch,
        boot=fact.id,
        code={path: tuple(sorted(lines)) for path, lines in code.items()},
        kept_out=_kept_out(kernel),
        tests=tests,
        problems=tuple(dict.fromkeys(problems)),
    )


def _lines_of(gcov: _Gcov, counts: GuestCounts) -> Iterator[LinesOfTest]:
    for test in counts.tests:
        files = _by_object(gcov, test)
        lines = gcov.run(files) if files else {}
        ran = {path: tuple(sorted(line for line in of if of[line])) for path, of in lines.items()}
        yield LinesOfTest(test.test or BOOT, {path: numbers for path, numbers in ran.items() if numbers})


def _by_object(gcov: _Gcov, test: CountsOfTest) -> dict[str, bytes]:
    """Find the object of each file: its path in the guest ends with the folder and the name of one."""
    found: dict[str, bytes] = {}
    for path, content in test.files.items():
        stem = path.removesuffix(_DATA)
        ours = max((name for name in gcov.objects if stem.endswith(f"/{name}")), key=len, default="")
        if ours:
            found[ours] = content
    return found


def _unpack(archive: Path, folder: Path) -> tuple[str, ...]:
    """Unpack the notes; returns the paths of their objects without suffix."""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as tar:
            tar.extractall(folder, filter="data")
            return tuple(str(PurePosixPath(name).with_suffix("")) for name in tar.getnames())
    except (OSError, tarfile.TarError) as error:
        raise InfrastructureError(f"{archive}: {error}") from None


def _gcov(program: str, folder: Path, names: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """Run gcov on objects of a folder; yields a document for each.

    Raises:
        InfrastructureError: if it is missing or fails.
    """
    command = (program, "--json-format", "--stdout", *(name + _DATA for name in names))
    try:
        answer = subprocess.run(
            Sandbox(readable=(folder, *installed(program))).around(command),
            cwd=folder,
            env=dict(clean_environment()),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_GCOV_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InfrastructureError(f"{program} does not run: {error}") from None
    if answer.returncode:
        raise InfrastructureError(f"{program} failed: {first_line(answer.stderr)}")
    for line in answer.stdout.splitlines():
        if line.startswith("{"):
            try:
                yield json.loads(line)
            except ValueError:
                raise InfrastructureError(f"{program} printed what is no JSON") from None


def _counted(document: Mapping[str, Any]) -> Iterator[tuple[str, int, int]]:
    """Yield path in the tree, line and count; the object's own source tells where the tree was.

    The first line of a function that is compiled into its callers has no count of its own there.
    """
    folder = str(document.get("current_working_directory", ""))
    own = str(PurePosixPath(str(document["data_file"])).with_suffix(".c"))
    files = [(os.path.normpath(Path(folder) / file["file"]), file) for file in document["files"]]
    top = next((path.removesuffix(own) for path, _ in files if path.endswith(f"/{own}")), None)
    if top is None:
        return
    for path, file in files:
        if path.startswith(top):
            counts = [(int(line["line_number"]), int(line["count"])) for line in file["lines"]]
            for number, count in (*counts, *_heads(file["functions"], counts)):
                yield path.removeprefix(top), number, count


def _heads(
    functions: Iterable[Mapping[str, Any]], counts: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """Yield the first line of each function of which any line ran."""
    ran = [number for number, count in counts if count]
    for function in functions:
        first, last = int(function["start_line"]), int(function["end_line"])
        if any(first <= number <= last for number in ran):
            yield first, 1


def _kept_out(kernel: CountedKernel) -> dict[str, dict[int, str]]:
    """Name the symbol that keeps each changed line out of this kernel, where one does."""
    config = kernel.folder / ".config"
    symbols = read_symbols(config.read_text().splitlines(), str(config))
    found = {
        path: {line: why for line, guards in lines.items() if (why := _unmet(guards, symbols))}
        for path, lines in kernel.code.guards.items()
    }
    return {path: lines for path, lines in found.items() if lines}


def _unmet(guards: Iterable[Guard], symbols: Mapping[str, str]) -> str:
    for guard in guards:
        if not guard.holds(symbols):
            missing = [name for name in guard.wanted if symbols.get(name, "n") == "n"]
            if missing:
                return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set"
            return f"{' or '.join(guard.unwanted)} is set"
    return ""
