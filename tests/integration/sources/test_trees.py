# SPDX-License-Identifier: GPL-2.0-only
"""Trees and series from where they really come: an archive of packages, a git server, a mail archive.

The servers are the tests' own and listen on 127.0.0.1 only.
"""

from __future__ import annotations

import gzip
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from harness.core.errors import InfrastructureError, UsageError
from harness.sources.git.mirror import open_mirror
from harness.sources.git.worktree import worktree
from harness.sources.series.mail.mbox import SeriesError
from harness.sources.series.series import AppliedSeries, prepare_series
from harness.sources.trees.tree import DebianSource, GitRemote, GitRevision, LocalTree, prepare_tree
from tests.private_sshd import free_port
from tests.samples.patch_mail import diff
from tests.samples.tiny_kernel import ADDRESS, commit, git, make_kernel, make_series

MESSAGE_ID = "20260327021403.214713-1-author@kernel.example"


def silent(_: str) -> None:
    pass


class TestGitServer:
    """A shallow fetch of a commit, as from a server that has mm-unstable."""

    @pytest.fixture
    def kernel(self, tmp_path: Path) -> Path:
        kernel = make_kernel(tmp_path / "srv" / "linux")
        make_series(kernel)
        return kernel

    @pytest.fixture
    def url(self, kernel: Path) -> Iterator[str]:
        port = free_port()
        options = ("--export-all", f"--base-path={kernel.parent}", "--listen=127.0.0.1", f"--port={port}")
        command = ["git", "-c", "safe.directory=*", "daemon", *options, "--reuseaddr", str(kernel.parent)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as daemon:
            try:
                _wait_for(lambda: _listens(port))
                yield f"git://127.0.0.1:{port}/linux"
            finally:
                # git starts the daemon as a child of its own, and passes the signal on.
                daemon.terminate()

    def test_commit_in_the_middle_of_a_branch(self, url: str, kernel: Path, tmp_path: Path) -> None:
        wanted = git(kernel, "rev-parse", "master~1")
        cache = tmp_path / "cache"
        tree = prepare_tree(GitRemote(url, "master", wanted), cache, silent)
        assert (tree.commit, tree.version) == (wanted, "6.12.117")
        assert open_mirror(cache).run("rev-list", "--count", wanted) == "1"
        with worktree(cache, "w", tree.commit) as path:
            assert (path / "mm/memory.c").is_file()

    def test_commit_that_was_rebased_away(self, url: str, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="has no 0123456789") as failure:
            prepare_tree(GitRemote(url, "master", "0123456789" * 4), tmp_path / "cache", silent)
        assert "rebased" in failure.value.hint

    def test_unknown_branch(self, url: str, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="has no mm-unstable"):
            prepare_tree(GitRemote(url, "mm-unstable"), tmp_path / "cache", silent)

    def test_abbreviated_id(self, url: str, kernel: Path, tmp_path: Path) -> None:
        cache, tip, below = tmp_path / "cache", *git(kernel, "rev-parse", "master", "master~1").split()
        assert prepare_tree(GitRevision(url, tip[:12]), cache, silent).commit == tip
        with pytest.raises(UsageError, match=f"has no revision '{below[:12]}'") as failure:
            prepare_tree(GitRevision(url, below[:12]), cache, silent)
        assert f"`git rev-parse {below[:12]}` in a clone prints them" in failure.value.hint
        assert "--reference" in failure.value.hint
        tree = prepare_tree(GitRevision(url, below), cache, silent)
        assert prepare_tree(GitRevision(url, below[:12]), cache, silent).commit == tree.commit == below

    def test_abbreviated_id_that_the_reference_knows(self, url: str, kernel: Path, tmp_path: Path) -> None:
        below = git(kernel, "rev-parse", "master~1")
        git(tmp_path, "clone", "--quiet", str(kernel), "clone")
        wanted = GitRevision(url, below[:9])
        tree = prepare_tree(wanted, tmp_path / "cache", silent, reference=tmp_path / "clone")
        assert tree.commit == below

    def test_abbreviated_id_that_only_the_reference_has(self, url: str, tmp_path: Path) -> None:
        own = make_kernel(tmp_path / "own")
        mine = commit(own, "mine", {"mm/new.c": "x\n"})
        tree = prepare_tree(GitRevision(url, mine[:9]), tmp_path / "cache", silent, reference=own)
        assert tree.commit == mine


def _listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "the server did not start"
        time.sleep(0.02)


class Lore:
    """Answers as a public-inbox archive does: one gzipped mbox per thread."""

    def __init__(self, threads: dict[str, str]) -> None:
        self.requests: list[str] = []
        self.threads = threads
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(threads))
        self.mask = f"http://127.0.0.1:{self.server.server_port}/all/%s"

    def _handler(self, threads: dict[str, str]) -> type[BaseHTTPRequestHandler]:
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                requests.append(self.path)
                identifier = unquote(self.path).removeprefix("/all/").removesuffix("/t.mbox.gz")
                header = f"message-id: <{identifier}>\n"
                thread = next((text for text in threads.values() if header in text.lower()), None)
                if thread is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Type", "application/gzip")
                self.end_headers()
                self.wfile.write(gzip.compress(thread.encode()))

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.mark.slow
class TestLore:
    @pytest.fixture
    def kernel(self, tmp_path: Path) -> Path:
        kernel = make_kernel(tmp_path / "linux")
        make_series(kernel)
        return kernel

    @pytest.fixture
    def lore(self, kernel: Path) -> Iterator[Lore]:
        lore = Lore(
            {MESSAGE_ID: _thread(kernel), "talk@kernel.example": _mail("talk@kernel.example", "hello")}
        )
        thread = threading.Thread(target=lore.server.serve_forever, args=(0.02,))
        thread.start()
        yield lore
        lore.server.shutdown()
        thread.join()
        lore.server.server_close()

    def _apply(self, series: str, kernel: Path, tmp_path: Path, mask: str) -> AppliedSeries:
        base = prepare_tree(LocalTree(kernel, "master~3"), tmp_path / "cache", silent).commit
        return prepare_series(series, base, tmp_path / "cache", False, silent, lore_mask=mask)

    def test_series_by_its_cover_letter(self, lore: Lore, kernel: Path, tmp_path: Path) -> None:
        applied = self._apply(MESSAGE_ID, kernel, tmp_path, lore.mask)
        assert applied.title == "mm: thp: lazy page tables"
        assert [patch.subject for patch in applied.patches] == [
            f"mm: thp: change {number}" for number in (1, 2, 3)
        ]
        assert applied.tree == git(kernel, "rev-parse", "master^{tree}")
        message = open_mirror(tmp_path / "cache").run("log", "-1", "--format=%B", applied.patches[1].commit)
        assert "Reviewed-by: Reviewer <reviewer@kernel.example>" in message
        assert applied.letter.message_id == MESSAGE_ID
        assert applied.letter.subject == "[PATCH v3 0/3] mm: thp: lazy page tables"
        assert applied.letter.author == "Committer <committer@kernel.example>"
        assert applied.letter.url == lore.mask.replace("%s", f"{MESSAGE_ID}/")
        assert applied.patches[0].url.startswith(lore.mask.partition("%s")[0])
        assert applied.patches[0].url.endswith("/raw")

    @pytest.mark.parametrize("named", ["review@kernel.example", "thanks@kernel.example"])
    def test_a_reply_names_its_series_with_a_note(
        self, lore: Lore, kernel: Path, tmp_path: Path, named: str
    ) -> None:
        lore.threads[MESSAGE_ID] += _mail("thanks@kernel.example", "Re: thanks", parent=MESSAGE_ID)
        applied = self._apply(named, kernel, tmp_path, lore.mask)
        assert applied.tree == git(kernel, "rev-parse", "master^{tree}")
        assert applied.letter.message_id == MESSAGE_ID
        (note,) = applied.notes
        assert note == f"b4 took v3 of the thread of {named}, which is no mail of that version"

    def test_a_patch_names_its_series_without_a_note(self, lore: Lore, kernel: Path, tmp_path: Path) -> None:
        second = (
            lore.threads[MESSAGE_ID].partition("Subject: [PATCH v3 2/3]")[0].rpartition("essage-Id: <")[2]
        )
        applied = self._apply(second.partition(">")[0], kernel, tmp_path, lore.mask)
        assert len(applied.patches) == 3
        assert applied.notes == ()

    def test_an_older_version_in_the_thread_of_the_new_one_is_told(
        self, lore: Lore, kernel: Path, tmp_path: Path
    ) -> None:
        cover = _mail("old@kernel.example", "[PATCH v2 0/1] mm: thp: lazy page tables")
        body = f"Why.\n---\n{diff(20)}"
        old = cover + _mail("old1@kernel.example", "[PATCH v2 1/1] mm: x", body, "old@kernel.example")
        first = f"Message-Id: <{MESSAGE_ID}>\n"
        answers = "In-Reply-To: <old@kernel.example>\nReferences: <old@kernel.example>\n"
        new = lore.threads[MESSAGE_ID].replace(first, first + answers, 1)
        lore.threads[MESSAGE_ID] = old.replace("Fri, 27 Mar", "Mon, 23 Mar") + new
        applied = self._apply("old@kernel.example", kernel, tmp_path, lore.mask)
        assert applied.tree == git(kernel, "rev-parse", "master^{tree}")
        (note,) = applied.notes
        assert note == "b4 took v3 of the thread of old@kernel.example, which is no mail of that version"

    def test_is_fetched_once(self, lore: Lore, kernel: Path, tmp_path: Path) -> None:
        first = self._apply(f"<{MESSAGE_ID}>", kernel, tmp_path, lore.mask)
        asked = len(lore.requests)
        assert self._apply(f"lore:{MESSAGE_ID}", kernel, tmp_path, lore.mask) == first
        assert len(lore.requests) == asked

    def test_thread_that_was_not_complete_is_fetched_again(
        self, kernel: Path, lore: Lore, tmp_path: Path
    ) -> None:
        whole = lore.threads[MESSAGE_ID]
        begin = whole.index("Subject: [PATCH v3 3/3]")
        end = whole.index("\nFrom ", begin) + 1
        lore.threads[MESSAGE_ID] = whole[: whole.rindex("\nFrom ", 0, begin) + 1] + whole[end:]
        with pytest.raises(SeriesError, match="patch 3 of 3 is missing"):
            self._apply(MESSAGE_ID, kernel, tmp_path, lore.mask)
        shutil.rmtree(tmp_path / "cache" / "b4")  # b4 keeps what it got for ten minutes
        lore.threads[MESSAGE_ID] = whole
        assert len(self._apply(MESSAGE_ID, kernel, tmp_path, lore.mask).patches) == 3

    def test_unknown_message(self, lore: Lore, kernel: Path, tmp_path: Path) -> None:
        with pytest.raises(SeriesError, match=r"has no message nobody@kernel\.example"):
            self._apply("nobody@kernel.example", kernel, tmp_path, lore.mask)

    def test_thread_without_patches(self, lore: Lore, kernel: Path, tmp_path: Path) -> None:
        with pytest.raises(SeriesError, match="holds no patch"):
            self._apply("talk@kernel.example", kernel, tmp_path, lore.mask)

    def test_unreachable(self, kernel: Path, tmp_path: Path) -> None:
        with pytest.raises(InfrastructureError, match="could not be reached") as failure:
            self._apply(MESSAGE_ID, kernel, tmp_path, "http://127.0.0.1:9/all/%s")
        assert "mbox file" in failure.value.hint

    def test_address_of_the_archive_from_the_environment(
        self, lore: Lore, kernel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("THP_HARNESS_LORE_MIDMASK", lore.mask)
        base = prepare_tree(LocalTree(kernel, "master~3"), tmp_path / "cache", silent).commit
        assert len(prepare_series(MESSAGE_ID, base, tmp_path / "cache", False, silent).patches) == 3


def _mail(identifier: str, subject: str, body: str = "text", parent: str = "") -> str:
    reply = f"In-Reply-To: <{parent}>\nReferences: <{parent}>\n" if parent else ""
    return (
        "From mboxrd@z Thu Jan  1 00:00:00 1970\n"
        f"From: Reviewer <reviewer@kernel.example>\nDate: Fri, 27 Mar 2026 10:40:23 +0000\n"
        f"Message-ID: <{identifier}>\nSubject: {subject}\n{reply}\n{body}\n\n"
    )


def _thread(kernel: Path) -> str:
    """The series with a cover letter, patches out of order, and a review of the second patch."""
    options = ("--cover-letter", "--thread=shallow", "-v3", f"--from=Author <{ADDRESS}>")
    folder = kernel.parent / "outgoing"
    git(kernel, "format-patch", "--quiet", "-o", str(folder), *options, "master~3")
    texts = [path.read_text() for path in sorted(folder.iterdir())]
    made = texts[0].partition("Message-Id: <")[2].partition(">")[0]
    texts = [
        text.replace(made, MESSAGE_ID).replace("*** SUBJECT HERE ***", "mm: thp: lazy page tables")
        for text in texts
    ]
    second = texts[2].partition("Message-Id: <")[2].partition(">")[0]
    review = _mail("review@kernel.example", "Re: [PATCH v3 2/3] mm: thp: change 2", REVIEW, second)
    return "".join((texts[0], texts[3], review, texts[1], texts[2]))


REVIEW = "> quoted\n\nReviewed-by: Reviewer <reviewer@kernel.example>"


@pytest.mark.slow
class TestDebianPackage:
    @pytest.fixture(autouse=True)
    def _gigabytes_are_not_kept(self, tmp_path: Path) -> Iterator[None]:
        yield
        shutil.rmtree(tmp_path)

    def test_into_an_empty_cache(self, tmp_path: Path) -> None:
        cache = tmp_path / "cache"
        source = DebianSource("linux-source-6.12")
        started = time.monotonic()
        tree = prepare_tree(source, cache, silent)
        assert time.monotonic() - started < 300
        assert tree.version.startswith("6.12.")
        assert tree.version in tree.description
        assert list((cache / "debian").iterdir()) == []

        said: list[str] = []
        assert prepare_tree(source, cache, said.append) == tree
        assert said == [], "it is not fetched and imported again"

        again = prepare_tree(source, tmp_path / "other", silent)
        assert again.commit == tree.commit

    def test_without_the_systems_package_lists(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        config = tmp_path / "apt.conf"
        (tmp_path / "lists" / "partial").mkdir(parents=True)
        config.write_text(f'Dir::State::lists "{tmp_path}/lists";\n')
        monkeypatch.setenv("APT_CONFIG", str(config))
        said: list[str] = []
        prepare_tree(DebianSource("linux-source-6.12"), tmp_path / "cache", said.append)
        assert said[0].startswith("fetching Debian's package lists")
        with pytest.raises(UsageError, match=r"no configured Debian archive has .* linux-source-9\.99"):
            prepare_tree(DebianSource("linux-source-9.99"), tmp_path / "cache", silent)

    def test_offline(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        config = tmp_path / "apt.conf"
        (tmp_path / "lists" / "partial").mkdir(parents=True)
        config.write_text(f'Dir::State::lists "{tmp_path}/lists";\n')
        monkeypatch.setenv("APT_CONFIG", str(config))
        with pytest.raises(InfrastructureError, match="new lists could not be fetched") as failure:
            prepare_tree(DebianSource("linux-source-6.12"), tmp_path / "cache", silent)
        assert "another tree" in failure.value.hint


def test_series_on_the_base_of_a_remote(tmp_path: Path) -> None:
    """What a user of mm-unstable does: a shallow base, and a series written on it in his own checkout."""
    upstream = make_kernel(tmp_path / "upstream")
    commit(upstream, "history", {"mm/other.c": "x\n"})
    git(tmp_path, "clone", "--quiet", str(upstream), "mine")
    make_series(tmp_path / "mine")
    cache = tmp_path / "cache"
    base = prepare_tree(GitRemote(upstream.as_uri(), "master"), cache, silent).commit
    applied = prepare_series(f"git:{tmp_path / 'mine'}@origin/master..master", base, cache, False, silent)
    assert applied.tree == git(tmp_path / "mine", "rev-parse", "master^{tree}")
