# SPDX-License-Identifier: GPL-2.0-only
"""mm's own selftests: out of a real tree, in a real guest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.build.guest.programs import build_programs
from harness.build.toolchain import find_compiler
from harness.config.arch import ArchRecord
from harness.config.catalogue import find
from harness.config.suite import CaseRecord, SuiteRecord
from harness.core.shipped import ROOT
from harness.engine.boot import Bootable
from harness.plan.plan import planned_tests
from harness.sources.git.mirror import open_mirror
from harness.sources.git.scratch import check_out_only, scratch_repository
from results.model.run import Status
from tests.integration.one_boot import Results, run_tests
from tests.program import Answer, Program

pytestmark = pytest.mark.slow

FOLDER = "tools/testing/selftests/mm"
HELPERS = {"vm_util", "thp_settings", "uffd-common"}
CHOSEN = (
    "map_fixed_noreplace",  # TAP
    "mremap_dontunmap",
    "ksm_functional_tests",
    "uffd-stress-anon",  # no TAP
    "transhuge-stress",  # with evidence
)
UNBUILDABLE = CaseRecord(sources=(f"{FOLDER}/hmm-tests.c",))
"""Wants a header that is nowhere here."""


@pytest.fixture(scope="module")
def commit(ab_run: Answer) -> str:
    return str(ab_run.json["subject"]["series_commit"])


@pytest.fixture(scope="module")
def suite() -> SuiteRecord:
    """A handful of the programs, and one that can't be compiled."""
    mm = find(SuiteRecord, "mm")
    cases = {name: mm.cases[name] for name in CHOSEN}
    return mm.model_copy(update={"cases": {**cases, "hmm-tests": UNBUILDABLE}})


@pytest.fixture(scope="module")
def results(
    suite: SuiteRecord,
    commit: str,
    thp_harness: Program,
    x86_64: ArchRecord,
    base_kernel: Path,
    accelerator: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Results:
    """All of them in one boot."""

    @contextmanager
    def sources() -> Iterator[Path]:
        program = suite.program
        wanted = {FOLDER, *program.tree_includes, *program.tree_also}
        with scratch_repository(open_mirror(thp_harness.cache)) as scratch:
            check_out_only(scratch, commit, wanted)
            yield scratch.path

    folder = tmp_path_factory.mktemp("mm")
    programs = build_programs(find_compiler(x86_64), [suite], sources, commit, folder / "cache")
    planned = planned_tests([suite])
    return run_tests(Bootable(x86_64, base_kernel, programs), accelerator, folder, planned)


@pytest.mark.parametrize("name", CHOSEN)
def test_a_program_of_the_tree_passes_on_base(results: Results, name: str) -> None:
    result = results[f"mm.{name}"]
    assert result.status is Status.PASS, (result.reason, result.output[-5:])


def test_the_evidence_of_a_program_is_a_counter_that_moves(results: Results) -> None:
    assert (results["mm.transhuge-stress"].counters["thp_fault_alloc"].delta or 0) > 0


def test_a_program_that_does_not_compile_is_named_with_the_reason(results: Results) -> None:
    result = results["mm.hmm-tests"]
    assert result.status is Status.SKIP
    assert "it does not compile here: " in result.reason
    assert "test_hmm_uapi.h: No such file or directory" in result.reason


def test_every_program_of_the_tree_runs_or_is_said_not_to(commit: str, thp_harness: Program) -> None:
    listed = open_mirror(thp_harness.cache).run("ls-tree", "--name-only", f"{commit}:{FOLDER}")
    programs = {Path(name).stem for name in listed.splitlines() if name.endswith(".c")} - HELPERS
    suites = (find(SuiteRecord, name) for name in ("mm", "thp_pmd_split"))
    run = {Path(program.tree_sources[0]).stem for suite in suites for program in suite.programs}
    manual = (ROOT / "docs" / "guest-tests.md").read_text().partition("Left out:")[2]
    assert {name for name in programs - run if f"`{name}`" not in manual} == set()
