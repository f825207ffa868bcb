# SPDX-License-Identifier: GPL-2.0-only
"""Commits brought into the mirror from other repositories: git servers and local checkouts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from harness.core.errors import InfrastructureError, UsageError, did_you_mean
from harness.sources.git.mirror import has_commit, locked_mirror, open_mirror, read_ref, version_in
from harness.sources.git.repository import GitError, Repository
from results.text import abbrev

_UNREACHABLE = (
    "could not resolve host",
    "connection refused",
    "connection timed out",
    "connection reset",
    "failed to connect",
    "unable to connect",
    "unable to look up",
    "operation too slow",
    "network is unreachable",
    "no route to host",
    "certificate",
    "http code 000",
    "returned error: 5",
    "returned error: 403",
)
_UNKNOWN_COMMIT = ("not our ref", "couldn't find remote ref", "no such remote ref", "unadvertised object")
_FULL_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+|[\w.-]+@[\w.-]+:[^\s:]+")
_SLOW_SERVER = ("-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60")


def fetch_remote(
    url: str,
    branch: str,
    commit: str | None,
    cache: Path,
    log: Callable[[str], None],
    reference: Path | None = None,
) -> str:
    """Fetch a commit (or else the tip of a branch) of a git server, without its history.

    A commit that the mirror holds already is not asked for again; one that the local repository
    `reference` has is copied from there.

    Raises:
        UsageError: when the server has no such commit, branch or repository.
        InfrastructureError: when it can't be reached.
    """
    if commit and not _FULL_ID.fullmatch(commit):
        raise UsageError(
            f"{commit!r} is not a full commit id, and a server is only asked for those",
            hint="Give all 40 digits, or only a branch.",
        )
    if commit and (has_commit(open_mirror(cache), commit) or _copied(reference, commit, cache, log)):
        return commit
    wanted = commit or f"refs/heads/{branch}"
    with locked_mirror(cache, log) as mirror:
        log(f"fetching {abbrev(commit) if commit else branch} from {url}")
        branch_ref = _branch_ref(url, branch)
        try:
            _fetch(mirror, url, wanted, None if commit else branch_ref)
        except GitError as error:
            raise _explained(error, url, wanted, read_ref(mirror, branch_ref)) from error
        fetched = commit or mirror.run("rev-parse", "--verify", branch_ref)
        _keep(mirror, fetched)
    return fetched


def _copied(reference: Path | None, commit: str, cache: Path, log: Callable[[str], None]) -> bool:
    """Whether a local repository had the commit, which is in the mirror then."""
    if reference is None or not has_commit(open_local(reference), commit):
        return False
    fetch_local(reference, commit, cache, log)
    return True


def is_url(text: str) -> bool:
    """Whether a text is the address of a git repository, with or without a revision."""
    return bool(_URL.match(text)) and not Path(text).exists()


def split_url(text: str) -> tuple[str, str]:
    """Take `URL[@REVISION]` apart; a user before the host's name has an @, too."""
    host = re.match(r"[a-z][a-z0-9+.-]*://[^/]*|[^/:]+:", text)
    start = host.end() if host else 0
    path, _, revision = text[start:].partition("@")
    return text[:start] + path, revision or "HEAD"


def fetch_revision(
    url: str, revision: str, cache: Path, log: Callable[[str], None], reference: Path | None = None
) -> str:
    """Fetch a branch, a tag, a full or an abbreviated commit id of a git server, without its history.

    Raises:
        UsageError: when the server has no such revision.
        InfrastructureError: when it can't be reached.
    """
    if _FULL_ID.fullmatch(revision):
        return fetch_remote(url, revision, revision, cache, log, reference)
    mirror = open_mirror(cache)
    ref = _branch_ref(url, f"revisions/{revision}")
    try:
        commit, name = _find(mirror, url, revision, reference)
        if not has_commit(mirror, commit) and not _copied(reference, commit, cache, log):
            with locked_mirror(cache, log):
                log(f"fetching {revision} from {url}")
                _fetch(mirror, url, name, ref)
    except GitError as error:
        raise _explained(error, url, revision, read_ref(mirror, ref)) from error
    _keep(mirror, commit)
    return commit


def _find(mirror: Repository, url: str, revision: str, reference: Path | None) -> tuple[str, str]:
    """The commit that a server has for a revision, and the ref to ask it for."""
    listing = mirror.run(*_SLOW_SERVER, "ls-remote", "--", url, user_config=True)
    refs = {name: commit for commit, name in (line.split("\t") for line in listing.splitlines())}
    for name in (revision, f"refs/{revision}", f"refs/heads/{revision}", f"refs/tags/{revision}"):
        if name in refs:
            return refs.get(f"{name}^{{}}", refs[name]), name
    found = {commit: name for name, commit in refs.items() if commit.startswith(revision)}
    if len(found) == 1 and re.fullmatch(r"[0-9a-f]{7,}", revision):
        ((commit, name),) = found.items()
        return commit, name.removesuffix("^{}")
    if re.fullmatch(r"[0-9a-f]{7,39}", revision):
        for repository in (mirror, *([open_local(reference)] if reference else [])):
            if known := read_ref(repository, revision):
                return known, known
        hint = (
            "A server finds an abbreviated id only if it is the tip of a branch or tag. Give all 40 digits: "
            f"`git rev-parse {revision}` in a clone prints them; or name the clone with --reference."
        )
    else:
        names = {name.removeprefix("refs/heads/").removeprefix("refs/tags/") for name in refs}
        hint = f"It has {len(names)} branches and tags.{did_you_mean(revision, names)}"
    raise UsageError(f"{url} has no revision {revision!r}", hint=hint)


def _fetch(mirror: Repository, url: str, wanted: str, ref: str | None) -> None:
    mirror.run(
        *(*_SLOW_SERVER, "fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head"),
        *("--no-auto-gc", "--no-recurse-submodules", "--", url, f"+{wanted}:{ref}" if ref else wanted),
        user_config=True,
    )


def _branch_ref(url: str, branch: str) -> str:
    return f"refs/fetched/{hashlib.sha256(url.encode()).hexdigest()[:12]}/{branch}"


def _keep(mirror: Repository, commit: str) -> None:
    mirror.run("update-ref", _kept(commit), commit)


def _kept(commit: str) -> str:
    """The ref that keeps a commit in the mirror."""
    return f"refs/trees/{commit}"


def _explained(error: GitError, url: str, wanted: str, last: str | None) -> UsageError | InfrastructureError:
    said = error.stderr.lower()
    if any(phrase in said for phrase in _UNKNOWN_COMMIT):
        return UsageError(
            f"{url} has no {wanted.removeprefix('refs/heads/')}",
            hint="Branches like mm-unstable are rebased and lose commits: use a newer one or the branch.",
        )
    if "mismatched algorithms" in said or "object-format" in said:
        return UsageError(
            f"{url} is a SHA-256 repository; only SHA-1 repositories, as the kernel's are, can be read",
            hint="Use another repository, or give the series as patches.",
        )
    last_line = error.stderr.strip().rpartition("\n")[2]
    if any(phrase in said for phrase in _UNREACHABLE):
        known = f" or the commit that was fetched last, {last}," if last else ""
        return InfrastructureError(
            f"{url} could not be reached: {last_line}",
            hint=f"Check the network, or use{known} another tree: a local checkout or a Debian package.",
        )
    return UsageError(f"can't fetch from {url}: {last_line}", hint="Is this the address of a git repository?")


def fetch_local(
    path: Path, revision: str, cache: Path, log: Callable[[str], None]
) -> tuple[str, tuple[str, ...]]:
    """Copy a commit of a local git repository, which stays as it is, and say what was left out.

    Raises:
        UsageError: when `path` is no git repository, has no such revision, or no kernel tree in it.
        InfrastructureError: when it lacks files, as a partial clone does.
    """
    source = open_local(path)
    commit = local_commit(source, revision)
    if not has_commit(open_mirror(cache), commit):
        version_in(source, commit)
        with locked_mirror(cache, log) as mirror:
            log(f"copying {abbrev(commit)} from {path}")
            try:
                _copy(mirror, source.path, commit)
            except GitError as error:
                raise InfrastructureError(
                    f"can't copy {abbrev(commit)} from {path}: {error}",
                    hint="In a partial clone, check the commit out once, so that git fetches its files.",
                ) from error
    else:
        _keep(open_mirror(cache), commit)
    is_head = revision == "HEAD" or commit == local_commit(source, "HEAD")
    if is_head and _has_changes(source):
        return commit, (f"uncommitted changes in {path} are left out: commit them to have them tested",)
    return commit, ()


def split_revision(text: str) -> tuple[Path | None, str]:
    """Take `PATH@REVISION` apart; both may hold an @, as in `linux@fix@HEAD@{1}`.

    Without a folder of that name, the text is a revision alone.
    """
    places = [place for place, letter in enumerate(text) if letter == "@"]
    for place in reversed(places):
        path = Path(text[:place])
        if text[:place] and path.expanduser().is_dir():
            return path, text[place + 1 :]
    return None, text


def open_local(path: Path) -> Repository:
    """Return the git repository at `path`.

    Raises:
        UsageError: when there is none, or one that the mirror can't take commits from.
    """
    place = path.expanduser().absolute()
    repository = Repository(place)
    if not place.is_dir():
        raise UsageError(
            f"there is no folder {path}", hint="Name a git checkout of the kernel: PATH or PATH@REVISION."
        )
    try:
        object_format = repository.run("rev-parse", "--show-object-format")
    except GitError:
        hint = _hint_for_folder(place)
        raise UsageError(f"{path} is not the top of a git checkout", hint=hint) from None
    if object_format != "sha1":
        raise UsageError(
            f"{path} is a SHA-256 repository; only SHA-1 repositories, as the kernel's are, can be read",
            hint="Write its commits with `git format-patch -o DIR` and give the directory as --series.",
        )
    return repository


def is_kernel_tree(place: Path) -> bool:
    """Tell whether a folder is the top of kernel sources."""
    return (place / "Kbuild").is_file() and (place / "MAINTAINERS").is_file()


def _hint_for_folder(place: Path) -> str:
    for above in place.parents:
        if (above / ".git").exists():
            return f"It is a folder inside the checkout {above}: name that one."
    if is_kernel_tree(place):
        return "Kernel sources without git: run `git init && git add -A && git commit` in it first."
    return "Name the top of a git checkout of the kernel: PATH or PATH@REVISION."


def local_commit(repository: Repository, revision: str) -> str:
    """Return the commit id of a revision; `A...B` is their merge base, as for `git checkout`.

    Raises:
        UsageError: when it is unknown.
    """
    if "..." in revision:
        sides = [local_commit(repository, side or "HEAD") for side in revision.split("...", 1)]
        try:
            return repository.run("merge-base", *sides)
        except GitError as error:
            raise UsageError(
                f"{' and '.join(revision.split('...', 1))} in {repository.path} have no common history",
                hint="Deepen a shallow clone first.",
            ) from error
    try:
        return repository.run(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
        )
    except GitError as error:
        raise UsageError(
            f"{repository.path} has no revision {revision!r}",
            hint=f"See `git -C {repository.path} log --all`.",
        ) from error


def _copy(mirror: Repository, path: Path, commit: str) -> None:
    # A commit that no ref names is refused by default; a reader of the folder may have it all the same.
    upload = "GIT_NO_LAZY_FETCH=0 git -c uploadpack.allowAnySHA1InWant=true -c safe.directory=* upload-pack"
    mirror.run(
        *("fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head", "--no-auto-gc"),
        *(f"--upload-pack={upload}", "--", str(path), f"{commit}:{_kept(commit)}"),
    )


def _has_changes(repository: Repository) -> bool:
    try:
        return bool(repository.run("status", "--porcelain", "--untracked-files=no", "--ignore-submodules"))
    except GitError:  # a bare repository has no files to change
        return False
