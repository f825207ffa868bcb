# SPDX-License-Identifier: GPL-2.0-only
"""What gets into a build: configuration, compiler cache. On a tree that builds in a moment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.build.ccache import FOLDER, SWITCH, find_ccache
from harness.build.kernel.kconfig import ABSENT
from harness.build.kernel.kernel import build_kernel
from harness.build.kernel.make import AGAIN
from harness.build.kernel.objects import SEAL, Objects
from harness.build.kernel.recipe import make_recipes
from harness.build.kernel.request import BuildContext, KernelRequest
from harness.build.toolchain import find_compiler
from harness.config.arch import ArchRecord
from harness.config.catalogue import find
from harness.core.errors import InfrastructureError
from harness.core.jobserver import Jobserver
from harness.core.process import Children
from results.model.run import Build
from tests.integration.stub_tree import StubTree, make_stub_tree
from tests.samples.tiny_kernel import commit, git

WARNING = "int huge_split(void)\n{\n\tint unused;\n\treturn 1;\n}\n"
REAL_CCACHE = shutil.which("ccache")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("x86_64-linux-gnu-gcc"), reason="needs x86_64-linux-gnu-gcc"),
]


@dataclass(frozen=True)
class Bench:
    """A tree and a cache to build it in."""

    tree: StubTree
    cache: Path
    said: list[str] = field(default_factory=list)

    def build(
        self,
        *asked: str,
        defconfig: str | None = None,
        origin: str = "",
        children: Children | None = None,
    ) -> Build:
        arch = find(ArchRecord, "x86_64")
        request = KernelRequest(
            arch=arch,
            variant="base",
            commit="c" * 40,
            tree=git(self.tree.path, "rev-parse", "HEAD^{tree}"),
            compiler=find_compiler(arch),
            recipe=make_recipes((arch,), asked, defconfig)["x86_64"],
            origin=origin,
        )
        jobserver = Jobserver(1)
        try:
            return build_kernel(request, self._shop(jobserver, children or Children()))[0]
        finally:
            jobserver.close()

    def _shop(self, jobserver: Jobserver, children: Children) -> BuildContext:
        @contextmanager
        def sources() -> Iterator[Path]:
            yield self.tree.path

        return BuildContext(
            cache=self.cache,
            log_file=self.cache / "build.log",
            log=self.said.append,
            step=lambda steps: None,
            children=children,
            jobserver=jobserver,
            sources=sources,
        )

    def forget_kernels(self, *folders: str) -> None:
        for folder in ("builds", *folders):
            shutil.rmtree(self.cache / folder)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Without a compiler cache, unless a test brings one."""
    monkeypatch.setenv(SWITCH, "0")
    (tmp_path / "image").write_text("finished")
    (tmp_path / "cache").mkdir()
    files = {"mm/number.c": WARNING, "arch/x86/configs/stub_defconfig": "CONFIG_FROM_STUB=y\n"}
    return Bench(make_stub_tree(tmp_path / "tree", tmp_path / "image", series=files), tmp_path / "cache")


def final_config(bench: Bench, build: Build) -> list[str]:
    (entry,) = bench.cache.glob(f"builds/*/{build.key}")
    return (entry / ".config").read_text().splitlines()


# Configuration


def test_a_fragment_gets_into_the_configuration_the_key_and_what_is_said(
    bench: Bench, tmp_path: Path
) -> None:
    mine = tmp_path / "my own.config"
    mine.write_text("CONFIG_MINE=y\n")
    usual, own = bench.build(), bench.build("lockdep", str(mine))
    assert usual.ok
    assert own.ok, own.error
    assert usual.key != own.key
    assert "CONFIG_MINE=y" in final_config(bench, own)
    assert "CONFIG_MINE=y" not in final_config(bench, usual)
    assert own.configuration == f"{usual.configuration} + lockdep + {mine}"
    (merging,) = [command for command in own.commands if command.startswith("cat ")]
    assert merging.endswith(f" configs/kconfig/lockdep.config '{mine}' >> build/.config")


def test_only_what_a_fragment_says_counts_not_where_it_is(bench: Bench, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text("CONFIG_MINE=y\n")
    first, second = bench.build(str(tmp_path / "one")), bench.build(str(tmp_path / "two"))
    assert first.key == second.key
    assert (first.cached, second.cached) == (False, True)
    assert second.configuration.endswith("/two")
    assert any("/two >>" in command for command in second.commands)


def test_a_symbol_that_kconfig_drops_is_named_with_its_fragment(bench: Bench, tmp_path: Path) -> None:
    mine = tmp_path / "mine.config"
    mine.write_text("CONFIG_MINE=y\nCONFIG_UNMET=y\n")
    build = bench.build(str(mine))
    assert not build.ok
    assert f"CONFIG_UNMET=y ({ABSENT}), asked for by {mine}" in build.error
    assert "CONFIG_MINE" not in build.error


def test_a_defconfig_is_the_base(bench: Bench) -> None:
    build = bench.build(defconfig="stub")
    assert build.ok, build.error
    assert build.configuration.startswith("stub_defconfig + common + ")
    assert "CONFIG_FROM_STUB=y" in final_config(bench, build)
    assert "# CONFIG_IO_URING is not set" not in final_config(bench, build)
    assert any(command.endswith("O=build stub_defconfig") for command in build.commands)
    assert build.key not in {bench.build().key, bench.build(defconfig="x86_64").key}


def test_a_defconfig_that_the_architecture_lacks_is_a_clear_error(bench: Bench) -> None:
    build = bench.build(defconfig="other")
    assert not build.ok
    assert "other_defconfig" in build.error


def test_another_configuration_leaves_no_warnings_behind(bench: Bench) -> None:
    """Objects that only it has would hand theirs to the next build in the same folder."""
    bench.build("lockdep")
    bench.build()
    for objects in bench.cache.glob("objects/*/"):
        sealed = json.loads((objects / SEAL).read_text())
        assert sealed["warnings"].keys() == {"mm/number.o"}
    assert len(list(bench.cache.glob("objects/*/"))) == 2


def stamp_of_config(bench: Bench) -> int:
    """Build once more with the objects that are there; when its .config was written."""
    bench.forget_kernels()
    assert bench.build().ok
    (config,) = bench.cache.glob("objects/x86_64/.config")
    return config.stat().st_mtime_ns


def test_kconfig_is_asked_again_only_if_what_it_reads_has_changed(bench: Bench) -> None:
    bench.build()
    stamp = stamp_of_config(bench)
    (bench.tree.path / "mm/before.c").write_text("int before = 1;\n")
    git(bench.tree.path, "add", "--all")
    assert stamp_of_config(bench) == stamp
    assert b"nothing that kconfig reads has changed" in (bench.cache / "build.log").read_bytes()
    (bench.tree.path / "mm/Kconfig").write_text("config SPLIT\n\tbool\n")
    git(bench.tree.path, "add", "--all")
    assert stamp_of_config(bench) != stamp


def test_a_config_that_was_changed_by_hand_is_made_anew(bench: Bench) -> None:
    bench.build()
    (config,) = bench.cache.glob("objects/x86_64/.config")
    with config.open("a") as file:
        file.write("CONFIG_BY_HAND=y\n")
    bench.forget_kernels()
    assert "CONFIG_BY_HAND=y" not in final_config(bench, bench.build())


# Objects that can't be trusted


def objects_of(bench: Bench) -> Path:
    (objects,) = bench.cache.glob("objects/x86_64/")
    return objects


def log_of(bench: Bench) -> str:
    return (bench.cache / "build.log").read_text()


def change(bench: Bench, name: str, text: str) -> None:
    """Commit a change; the next build is of another tree."""
    commit(bench.tree.path, f"change {name}", {name: text})


def test_an_object_that_a_power_cut_emptied_is_compiled_again(bench: Bench) -> None:
    first = bench.build()
    os.truncate(objects_of(bench) / "mm/before.o", 0)
    bench.forget_kernels()
    second = bench.build()
    assert second.ok, second.error
    assert "CC      mm/before.o" in log_of(bench)
    assert "CC      mm/gate.o" not in log_of(bench)
    assert second.warnings == first.warnings


def test_a_build_that_fails_on_old_objects_is_made_again_from_nothing(bench: Bench) -> None:
    """An object that nothing tells from a good one: its seal is whole, its content is not."""
    bench.build()
    (objects_of(bench) / "mm/before.o").write_text("no object")
    sealed = json.loads((objects_of(bench) / SEAL).read_text())
    Objects(objects_of(bench)).seal(sealed["tree"])
    change(bench, "mm/number.c", "int huge = 3;\n")
    build = bench.build()
    assert build.ok, build.error
    assert log_of(bench).count(AGAIN) == 1
    assert [line for line in bench.said if AGAIN in line]


def test_a_failure_from_nothing_counts_at_once(bench: Bench) -> None:
    change(bench, "mm/number.c", "int huge = ;\n")
    build = bench.build()
    assert (build.ok, build.error_is_infrastructure) == (False, False)
    assert AGAIN not in log_of(bench)
    assert log_of(bench).count("CC      mm/number.o") == 1


def test_a_failure_that_comes_from_nothing_too_counts(bench: Bench) -> None:
    bench.build()
    change(bench, "mm/number.c", "int huge = ;\n")
    build = bench.build()
    assert (build.ok, build.error_is_infrastructure) == (False, False)
    assert "expected expression" in build.error
    assert log_of(bench).count("CC      mm/number.o") == 2


def test_a_clock_that_was_set_back_costs_time_and_no_kernel(bench: Bench) -> None:
    """Objects of tomorrow would be newer than any source of today."""
    bench.build()
    for path in objects_of(bench).rglob("*"):
        os.utime(path, (time.time() + 86400,) * 2)
    sealed = json.loads((objects_of(bench) / SEAL).read_text())
    Objects(objects_of(bench)).seal(sealed["tree"])
    change(bench, "mm/number.c", WARNING.replace("unused", "still"))
    build = bench.build()
    assert build.ok
    assert [warning.text for warning in build.warnings] == ["unused variable 'still'"]
    assert log_of(bench).count("  CC ") == 3


def test_sources_of_the_future_are_no_kernels_fault(bench: Bench) -> None:
    """make can't tell what is newer, and says so; the build is not kept."""
    os.utime(bench.tree.path / "mm/before.c", (time.time() + 86400,) * 2)
    build = bench.build()
    assert (build.ok, build.error_is_infrastructure) == (False, True)
    assert "clock" in build.error
    assert not list(bench.cache.glob(f"builds/*/{build.key}"))
    os.utime(bench.tree.path / "mm/before.c")
    assert bench.build().ok


@pytest.mark.parametrize("name", ["KILL", "TERM"])
def test_a_make_that_somebody_kills_is_no_kernels_fault(bench: Bench, name: str) -> None:
    makefile = (bench.tree.path / "Makefile").read_text()
    change(bench, "Makefile", f"{makefile}\n$(O)/mm/gate.o: killed\nkilled:\n\tkill -{name} $$PPID\n")
    build = bench.build()
    assert (build.ok, build.error_is_infrastructure) == (False, True)
    assert f"SIG{name}" in build.error


def test_what_a_command_makes_after_make_was_stopped_is_made_again(bench: Bench) -> None:
    """make removes the targets of interrupted recipes, then waits for a command that makes an empty image."""
    bench.build()
    slow = bench.tree.path / "slow"
    late = "sleep 1.5; trap '' TERM; touch $(O)/started; sleep 2; : > $@"
    makefile = (bench.tree.path / "Makefile").read_text()
    change(
        bench,
        "Makefile",
        makefile.replace("\t@cp image $@", f"\t@test ! -e slow || {{ {late}; }}\n\t@cp image $@"),
    )
    slow.touch()
    children = Children()

    def stop() -> None:
        while not (objects_of(bench) / "started").exists():
            time.sleep(0.01)
        children.end_all()

    thread = threading.Thread(target=stop)
    thread.start()
    stopped = bench.build(children=children)
    thread.join()
    assert not stopped.ok
    slow.unlink()
    build = bench.build()
    assert build.ok
    assert build.image_bytes == len("finished")
    assert "CC      mm/number.o" not in log_of(bench), "objects that were made before are kept"


# The compiler cache


@pytest.fixture
def with_ccache(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.delenv(SWITCH)
    return bench


def statistics(bench: Bench) -> dict[str, int]:
    assert REAL_CCACHE
    environment = {**os.environ, "CCACHE_DIR": str(bench.cache / FOLDER), "CCACHE_CONFIGPATH": os.devnull}
    command = [REAL_CCACHE, "--print-stats"]
    lines = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return {name: int(number) for name, number in (line.split("\t") for line in lines.splitlines())}


@pytest.mark.skipif(not REAL_CCACHE, reason="ccache is not installed")
def test_a_warning_is_seen_again_when_the_object_comes_out_of_ccache(with_ccache: Bench) -> None:
    first = with_ccache.build()
    assert first.ok, first.error
    assert [warning.flag for warning in first.warnings] == ["-Wunused-variable"]
    misses = statistics(with_ccache)["cache_miss"]
    with_ccache.forget_kernels("objects")
    second = with_ccache.build()
    after = statistics(with_ccache)
    assert after["direct_cache_hit"] + after["preprocessed_cache_hit"] >= 3
    assert after["cache_miss"] == misses
    assert not second.cached
    assert second.warnings == first.warnings
    assert second.warnings[0].file == "mm/number.c"


@pytest.mark.skipif(not REAL_CCACHE, reason="ccache is not installed")
def test_with_and_without_ccache_the_key_and_the_objects_are_the_same(
    with_ccache: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for switch in ("1", "0"):
        monkeypatch.setenv(SWITCH, switch)
        build = with_ccache.build()
        (entry,) = with_ccache.cache.glob(f"builds/*/{build.key}")
        made.append((build.key, build.warnings, (entry / "vmlinux").read_bytes()))
        with_ccache.forget_kernels("objects")
    assert made[0] == made[1]


def install_ccache(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    (folder / "ccache").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "ccache").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


ANSWERS = '[ "$1" = --version ] && echo ccache version 4.8 && exit 0\n'


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo no such library >&2; exit 127", ["does not run: no such library"]),
        ("exit 0", ["does not run: exit status 0"]),
        (f"{ANSWERS}echo disk on fire >&2; exit 1", ["does not compile: disk on fire"]),
        (f"{ANSWERS}exit 0", ["does not compile", "no object"]),
        (f'{ANSWERS}shift; exec x86_64-linux-gnu-gcc -Dprobe=other "$@"', ["another object"]),
    ],
    ids=["does not start", "says nothing", "fails", "makes nothing", "makes something else"],
)
def test_a_broken_ccache_is_a_clear_error_that_is_not_the_kernels(
    with_ccache: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: Sequence[str]
) -> None:
    install_ccache(tmp_path / "bin", script, monkeypatch)
    build = with_ccache.build()
    assert not build.ok
    assert build.error_is_infrastructure
    for words in ("ccache", *said, f"{SWITCH}=0"):
        assert words in build.error
    monkeypatch.setenv(SWITCH, "0")
    assert with_ccache.build().ok


def test_a_ccache_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_ccache(tmp_path / "bin", f"{ANSWERS}exec sleep 60", monkeypatch)
    compiler = tmp_path / "bin" / "quick-gcc"
    compiler.write_text('#!/bin/sh\n: >"$3"\n')
    compiler.chmod(0o755)
    monkeypatch.setattr("harness.build.ccache.PROBE_SECONDS", 5)
    ccache = find_ccache(tmp_path)
    assert ccache
    with pytest.raises(InfrastructureError, match=r"^ccache hangs"):
        ccache.prove("quick-")


def test_every_compiler_of_a_build_goes_through_ccache_and_only_through_ours(
    with_ccache: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = with_ccache.cache / FOLDER / "calls"
    note.parent.mkdir()
    script = f'{ANSWERS}echo "$CCACHE_DIR $CCACHE_CONFIGPATH $CCACHE_MAXSIZE $1" >>{note}; exec "$@"'
    install_ccache(tmp_path / "bin", script, monkeypatch)
    monkeypatch.setenv("CCACHE_DIR", "/of/somebody/else")
    build = with_ccache.build()
    assert build.ok, build.error
    calls = set(note.read_text().splitlines())
    assert calls == {f"{with_ccache.cache / FOLDER} /dev/null 2G x86_64-linux-gnu-gcc"}
    assert len(note.read_text().splitlines()) == 4  # the probe and three objects
