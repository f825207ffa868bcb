# SPDX-License-Identifier: GPL-2.0-only
"""What the integration tests share: one cache, and the run of base against series that fills it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.build.build_cache import BuildCache
from harness.config.arch import ArchRecord
from harness.config.catalogue import find
from harness.config.host import HostRecord
from harness.core.sandbox import READ_SWITCH
from tests.integration.browser import Visit, chromium
from tests.integration.guest_programs import GUESTS, TESTS, pack_guests
from tests.integration.one_kernel import build_base
from tests.integration.processes import Marker
from tests.lab.host import LabHost, running
from tests.lab.image import build_image
from tests.private_sshd import write_record
from tests.program import Answer, Program

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SMALL_SERIES = "thp-split-standin"
"""A counter and a selftest: little is built for it, and its tests take seconds."""
LAB_CONFIG = Path(__file__).parent.parent / "lab" / "lab.config"
KEPT_CACHE = "THP_HARNESS_TEST_CACHE"
"""Names a folder that is used as cache and kept, so that developers need not build kernels again."""


@pytest.fixture(scope="session", autouse=True)
def _gates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let builds wait at gates: the sandbox shows them this folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(READ_SWITCH, str(tmp_path_factory.mktemp("gates")))
        yield


@pytest.fixture
def marker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Marker]:
    """Marks all that a test starts; nothing of it may be left."""
    mark = Marker()
    monkeypatch.setenv("USER", mark.word)
    yield mark
    assert mark.left_after(5) == {}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def visit(browser: Browser, pages: Path) -> Iterator[Visit]:
    """Opens what is in a module's folder of pages; in the end nothing may have been complained of."""
    visit = Visit(browser, pages)
    yield visit
    visit.close()
    assert visit.troubles == []


@pytest.fixture(scope="session")
def thp_harness(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The program with the cache of this session (or the kept one) and runs of its own."""
    kept = os.environ.get(KEPT_CACHE)
    cache = Path(kept) if kept else tmp_path_factory.mktemp("cache")
    return Program(cache, tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session")
def ab_run(thp_harness: Program) -> Answer:
    """A small series on x86_64, really built and booted."""
    return thp_harness("run", "--arch", "x86_64", "--series", SMALL_SERIES, "--json")


@pytest.fixture(scope="session")
def x86_64() -> ArchRecord:
    return find(ArchRecord, "x86_64")


@pytest.fixture(scope="session")
def base_kernel(thp_harness: Program, ab_run: Answer) -> Path:
    """The image of the base kernel."""
    base = next(cell for cell in ab_run.json["cells"] if cell["variant"] == "base")
    found = BuildCache(thp_harness.cache).lookup(base["build"]["key"])
    assert found, "the run has left no base kernel in the cache"
    return found[1] / "image"


@pytest.fixture(scope="session")
def accelerator(ab_run: Answer) -> str:
    """What the guests of this machine run with."""
    return str(ab_run.json["cells"][0]["boots"][0]["accelerator"])


@pytest.fixture(scope="session")
def new_program(thp_harness: Program, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Program]:
    """Makes programs with an empty cache, but for what was learned of KVM on this machine."""

    def make() -> Program:
        fresh = Program(tmp_path_factory.mktemp("own-cache"), tmp_path_factory.mktemp("own-state"))
        fresh.cache.mkdir()
        learned = thp_harness.cache / "accelerators.json"
        if learned.exists():
            (fresh.cache / learned.name).write_bytes(learned.read_bytes())
        return fresh

    return make


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    image = build_image(tmp_path_factory.mktemp("image"))
    with running(image, Path(tempfile.mkdtemp(prefix="lab-"))) as host:
        yield host


@pytest.fixture
def configuration(lab: LabHost, tmp_path: Path) -> Path:
    """XDG_CONFIG_HOME with the lab host's record."""
    write_record(tmp_path, lab.record())
    return tmp_path


@pytest.fixture
def place(configuration: Path) -> HostRecord:
    return find(HostRecord, "labhost", (configuration / "thp-harness",))


@pytest.fixture(scope="session")
def lab_kernel(thp_harness: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kernel with pstore, the lab host's watchdog, and ways to hang."""
    log = tmp_path_factory.mktemp("build") / "log"
    return build_base(thp_harness.cache, log, SMALL_SERIES, "pstore", str(LAB_CONFIG))


@pytest.fixture(scope="session")
def deadly_programs(x86_64: ArchRecord, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deadly")
    return pack_guests(folder, x86_64.compiler.prefix, GUESTS / "deadly.c") / TESTS
