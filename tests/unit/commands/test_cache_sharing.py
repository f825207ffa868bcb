# SPDX-License-Identifier: GPL-2.0-only
"""Nobody loses what he works with, a bad place is told, and who is killed leaves nothing half done."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness.build.build_cache import FORMAT, BuildCache
from harness.commands.cache.collect import TrimRequest, collect, trim
from harness.commands.cache.sharing import FOLDERS, LOCK, alone, in_use
from harness.core.errors import InfrastructureError
from harness.core.locks import claim, locked
from tests.samples.cache_entries import gc, kinds, objects, silent, store

MEBI = 1 << 20


# Who else is there


def test_folders_that_somebody_works_in_stay(cache: Path) -> None:
    """Also for programs that do not know the lock of the whole cache."""
    folder = objects(cache, "x86_64", MEBI, 1)
    with locked(folder.with_suffix(".lock"), lambda: None):
        assert gc(cache, TrimRequest(0))[0] == "objects x86_64 stays: it is in use"
        assert (folder / "a.o").exists()
    assert "removed objects" in gc(cache, TrimRequest(0))[0]


def test_many_share_the_cache_and_whoever_removes_waits_for_all(cache: Path) -> None:
    store(cache, "k1")
    told, waiting, done = list[str](), threading.Event(), threading.Event()

    def tell(line: str) -> None:
        told.append(line)
        waiting.set()

    def make_room() -> None:
        collect(cache, TrimRequest(0), silent, alone(cache, tell))
        done.set()

    collector = threading.Thread(target=make_room)
    with in_use(cache, told.append), in_use(cache, told.append):
        collector.start()
        assert waiting.wait(60)
        assert told == ["waiting until no run uses the cache"]
        trim(cache, 0, told.append)  # does not wait, and says nothing
        assert not done.is_set()
        assert BuildCache(cache).lookup("k1")
    assert done.wait(60)
    collector.join(60)
    assert len(told) == 1
    assert not BuildCache(cache).lookup("k1")


def test_a_run_waits_for_who_makes_room_and_says_so(cache: Path) -> None:
    told, waiting = list[str](), threading.Event()

    def tell(line: str) -> None:
        told.append(line)
        waiting.set()

    def use() -> None:
        with in_use(cache, tell):
            told.append("in")

    user = threading.Thread(target=use)
    with alone(cache, silent):
        user.start()
        assert waiting.wait(60)
    user.join(60)
    assert told == ["waiting for `thp-harness cache`, which makes room", "in"]


# Bad places


@pytest.mark.parametrize("name", FOLDERS)
def test_a_file_in_place_of_a_folder_is_told_before_anything_is_done(cache: Path, name: str) -> None:
    path = cache / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("a file")
    for lock in (in_use, alone):
        with (
            pytest.raises(InfrastructureError, match="a folder should be there") as told,
            lock(cache, silent),
        ):
            raise AssertionError("nothing may be done")
        assert str(path) in str(told.value)


def test_room_is_made_on_a_full_disk(cache: Path) -> None:
    tmpfs = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(cache)]
    if subprocess.run(tmpfs, capture_output=True, check=False).returncode:
        pytest.skip("mounting takes root and a machine that allows it")
    try:
        store(cache, "k1", MEBI)
        with pytest.raises(OSError, match="No space"):
            (cache / "ballast").write_bytes(bytes(8 * MEBI))
        with pytest.raises(InfrastructureError, match="No space left"):
            store(cache, "k2", MEBI)
        assert BuildCache(cache).lookup("k1"), "the entry that was there is whole"
        assert gc(cache, TrimRequest(0))
        assert [name for kind, name in kinds(cache) if kind == "kernel"] == []
        assert store(cache, "k2", MEBI // 2)
    finally:
        subprocess.run(["umount", "--lazy", str(cache)], check=True)


# Killed at any moment

STORE = """
import itertools, sys
from pathlib import Path
from tests.samples.cache_entries import store
cache = Path(sys.argv[1])
print("ready", flush=True)
for number in itertools.count():
    store(cache, f"k{number}", 1 << 20)
"""
COLLECT = """
import sys, time
from contextlib import nullcontext
from pathlib import Path
from harness.commands.cache.collect import TrimRequest, collect
print("ready", flush=True)
collect(Path(sys.argv[1]), TrimRequest(0), lambda line: None, nullcontext())
"""


def kill_after(script: str, cache: Path, seconds: float) -> None:
    process = subprocess.Popen([sys.executable, "-c", script, str(cache)], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("script", [STORE, COLLECT], ids=["store", "collect"])
def test_killed_at_any_moment_every_entry_is_whole_or_absent(cache: Path, script: str) -> None:
    told: list[str] = []
    for attempt in range(3):
        if script is COLLECT:
            for number in range(10):
                store(cache, f"k{number}", MEBI)
                objects(cache, f"a{attempt}n{number}", 4096, 1)
        kill_after(script, cache, 0.003 + 0.012 * attempt)
        for entry in (cache / "builds" / FORMAT).iterdir():
            if not entry.name.startswith("."):
                assert BuildCache(cache).lookup(entry.name, told.append), told
    assert gc(cache, TrimRequest(0))[-1].endswith("are left")
    assert kinds(cache) == []


def test_the_lock_of_a_killed_process_holds_up_nobody(cache: Path) -> None:
    script = "import sys, time; from pathlib import Path; from harness.core.locks import claim; "
    script += "lock = claim(Path(sys.argv[1]) / 'in-use.lock', shared=True); print('ready', flush=True); "
    kill_after(script + "time.sleep(60)", cache, 0)
    lock = claim(cache / LOCK)
    assert lock
    lock.close()
