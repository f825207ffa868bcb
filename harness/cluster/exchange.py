# SPDX-License-Identifier: GPL-2.0-only
"""How files get from one machine to another: through a folder that all of them reach.

    EXCHANGE/builds/2/KEY/, programs/KEY/   as in a cache, with the sums of their files
    EXCHANGE/mirror.git                     commits under test
    EXCHANGE/parcels/RUN/PARCEL/            what one attempt at a step has left: logs, the initramfs

Whoever takes something hashes it on arrival; what is not as it was sent is not taken. A parcel belongs to
one attempt, so a late worker, given up long ago, disturbs no other.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.build import build_cache as builds
from harness.build.build_cache import DRAFT, damaged_files, publish, sha256_of
from harness.build.guest.programs import ARCHIVE
from harness.core.errors import InfrastructureError
from harness.sources.git.mirror import has_commit, locked_mirror, open_mirror
from results.files import copy_tree, open_plain

BUILDS = f"builds/{builds.FORMAT}"
PROGRAMS = "programs"
PARCELS = "parcels"
_MOST_BYTES = 8 << 30
"""Of a build, or of a file of a parcel."""
_FILES = {BUILDS: builds.FILES, PROGRAMS: (ARCHIVE,)}


class Exchange:
    """The folder, as this machine reaches it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    # Builds and programs

    def offer(self, kind: str, entry: Path) -> None:
        """Put an entry of our cache there, unless it is there.

        Raises:
            InfrastructureError: if it can't be written.
        """
        self._copy(kind, entry, self.folder / kind / entry.name)

    def take(self, kind: str, key: str, cache: Path) -> Path | None:
        """Return the entry in our cache, copied there if it is missing; None if the exchange lacks it."""
        entry = cache / kind / key
        if not damaged_files(entry, _FILES[kind]):
            return entry
        source = self.folder / kind / key
        if damaged_files(source, _FILES[kind]):
            return None
        self._copy(kind, source, entry)
        return entry

    def _copy(self, kind: str, source: Path, target: Path) -> None:
        names = _FILES[kind]
        if not damaged_files(target, names):
            return
        with _writing(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=DRAFT, dir=target.parent) as draft:
                entry = Path(draft) / "entry"
                copy_tree(source, entry, _MOST_BYTES)
                if damaged := damaged_files(entry, names):
                    raise InfrastructureError(f"{source} did not arrive whole: {', '.join(damaged)}")
                publish(entry, target, lambda there: damaged_files(there, names))

    # Sources

    def offer_commit(self, commit: str, cache: Path) -> None:
        """Put a commit of our mirror there; git hashes all of it.

        Raises:
            GitError: if it can't be written.
        """
        with locked_mirror(self.folder, _ignore) as there:
            if not has_commit(there, commit):
                there.run("config", "receive.shallowUpdate", "true")  # trees come without their history
                open_mirror(cache).run("push", "--quiet", str(there.path), f"{commit}:{_ref(commit)}")

    def take_commit(self, commit: str, cache: Path) -> bool:
        """See to it that a commit is in our mirror; False if it is not there either.

        Raises:
            GitError: if it can't be brought.
        """
        with locked_mirror(cache, _ignore) as mirror:
            if has_commit(mirror, commit):
                return True
            if not has_commit(open_mirror(self.folder), commit):
                return False
            there, ref = str(open_mirror(self.folder).path), _ref(commit)
            mirror.run("fetch", "--quiet", "--no-tags", "--update-shallow", there, f"{ref}:{ref}")
            return True

    # Parcels

    def send(self, parcel: str, folder: Path) -> dict[str, str]:
        """Put all files of a folder there, as a parcel; returns their SHA-256 by name.

        Raises:
            InfrastructureError: if it can't be written.
        """
        target = self.folder / PARCELS / parcel
        with _writing(target):
            sums = {name: sha256_of(folder / name) for name in _files(folder)}
            target.parent.mkdir(exist_ok=True)  # but not its parent: a run that has ended wants no parcels
            shutil.copytree(folder, target)
            return sums

    def receive(self, parcel: str, sums: Mapping[str, str], folder: Path) -> None:
        """Bring the files of a parcel into a folder, where they replace what has their names.

        Raises:
            InfrastructureError: if a file is missing, or is not as it was sent.
        """
        source = self.folder / PARCELS / parcel
        for name, known in sums.items():
            draft = folder / f"{name}.new"
            with _writing(draft):
                with open_plain(source / name, _MOST_BYTES, below=source) as file, draft.open("wb") as copy:
                    shutil.copyfileobj(file, copy)
                if sha256_of(draft) != known:
                    raise InfrastructureError(f"{source / name} did not arrive as it was sent")
                draft.replace(folder / name)

    def await_parcels(self, run: str) -> None:
        """Make the folder of a run's parcels, by which workers see that this is the same exchange.

        Raises:
            InfrastructureError: if it can't be made.
        """
        with _writing(self.folder):
            (self.folder / PARCELS / run).mkdir(parents=True, exist_ok=True)

    def forget(self, run: str) -> None:
        """Remove all parcels of a run, fetched or not."""
        shutil.rmtree(self.folder / PARCELS / run, ignore_errors=True)


def _ref(commit: str) -> str:
    return f"refs/trees/cluster/{commit}"


def _files(folder: Path) -> Sequence[str]:
    return [str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_file()]


def _ignore(_: str) -> None:
    pass


@contextmanager
def _writing(where: Path) -> Iterator[None]:
    try:
        yield
    except shutil.Error as error:
        raise InfrastructureError(f"{where}: {error.args[0][0][2]}") from None
    except OSError as error:
        raise InfrastructureError(f"{error.filename or where}: {error.strerror}") from None
