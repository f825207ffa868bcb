# SPDX-License-Identifier: GPL-2.0-only
"""The plan of a series without a record: suites, selftests, claims and symbols from its diff."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.config.catalogue import find, load
from harness.config.derivation import DerivationRecord
from harness.config.series import SeriesRecord
from harness.config.suite import SuiteRecord
from harness.core.shipped import CONFIGS
from harness.plan.derive.derive import NOTE, Derivation, complete, derive
from harness.plan.plan import Plan, PlanRequest, claims, make_plan, planned_tests
from harness.plan.prepare import Checkouts, prepare
from tests.program import Invoke
from tests.samples.tiny_kernel import MAKEFILE, NUMBERS, commit, git, make_kernel

SELFTESTS = "tools/testing/selftests/mm"
VMSTAT = """\
#if defined(CONFIG_PROC_FS) || defined(CONFIG_NUMA)
const char * const vmstat_text[] = {
	"nr_free_pages",
	"nr_old",
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
	"thp_split_pmd",
#endif
#ifdef CONFIG_ZSWAP
	"zswpin",
#endif
};
#endif
"""
MEMINFO = 'show_val_kb(m, "PageTables:     ", 1);\n'
KCONFIG = """\
config TRANSPARENT_HUGEPAGE
	bool "Transparent Hugepage Support"

config ZSWAP
	bool
	prompt "Compressed cache for swap pages"

config HIDDEN
	def_bool y
"""
BASE = {
    "Makefile": MAKEFILE,
    "mm/Makefile": "obj-y := vmstat.o util.o\nobj-$(CONFIG_TRANSPARENT_HUGEPAGE) += huge_memory.o\n",
    "mm/Kconfig": KCONFIG,
    "mm/vmstat.c": VMSTAT,
    "mm/huge_memory.c": NUMBERS,
    "mm/util.c": NUMBERS,
    "fs/proc/meminfo.c": MEMINFO,
    "arch/x86/mm/fault.c": "x\n",
    "arch/loongarch/mm/fault.c": "x\n",
    "arch/riscv/mm/fault.c": "x\n",
    "drivers/lines.c": NUMBERS,
    "Documentation/mm/x.rst": "x\n",
    f"{SELFTESTS}/Makefile": "TEST_GEN_FILES += cow\nTEST_GEN_FILES += hmm-tests\n",
    f"{SELFTESTS}/cow.c": "x\n",
    f"{SELFTESTS}/hmm-tests.c": "x\n",
    "tools/testing/selftests/cgroup/x.c": "x\n",
    "tools/testing/vma/vma.c": "x\n",
}
SERIES = {
    "mm/vmstat.c": VMSTAT.replace('\t"nr_old",\n', "")
    .replace('"thp_split_pmd",\n', '"thp_split_pmd",\n\t"thp_new_event",\n')
    .replace('"zswpin",\n', '"zswpin",\n\t"zswp_new",\n'),
    "mm/huge_memory.c": NUMBERS.replace(
        "line 9\n", "#ifdef CONFIG_HIDDEN\nDEFINE_MTHP_STAT_ATTR(new_stat, X);\n#endif\n"
    ),
    "mm/Kconfig": KCONFIG + '\nconfig BRAND_NEW\n\tbool "New"\n',
    "fs/proc/meminfo.c": MEMINFO + 'show_val_kb(m, "NewTables:      ", 2);\n',
    "arch/x86/mm/fault.c": "#ifdef CONFIG_ZSWAP\ny\n#endif\n",
    "arch/loongarch/mm/fault.c": "#ifdef CONFIG_LOONG\ny\n#endif\n",
    "arch/riscv/mm/fault.c": "y\n",
    "mm/some_kunit.c": "kunit_test_suite(some);\n",
    f"{SELFTESTS}/Makefile": "TEST_GEN_FILES += cow hmm-tests\nTEST_GEN_FILES += brand_new\n"
    "TEST_GEN_PROGS += thp_pmd_split_test\n$(OUTPUT)/brand_new: brand_new.c parts.c\n",
    f"{SELFTESTS}/cow.c": "y\n",
    f"{SELFTESTS}/hmm-tests.c": "y\n",
    f"{SELFTESTS}/brand_new.c": "x\n",
    f"{SELFTESTS}/parts.c": "x\n",
    f"{SELFTESTS}/thp_pmd_split_test.c": "x\n",
    f"{SELFTESTS}/run_new.sh": "x\n",
    "tools/testing/selftests/cgroup/x.c": "y\n",
    "tools/testing/vma/vma.c": "y\n",
}


@dataclass(frozen=True)
class Derived:
    """A series, and what its diff asks for."""

    kernel: Path
    plan: Plan
    checkouts: Checkouts
    cache: Path
    found: Derivation

    def line(self, kind: str, name: str) -> tuple[bool, str]:
        (line,) = (line for line in self.found.lines if (line.kind, line.name) == (kind, name))
        return line.taken, line.reason


def derived(folder: Path, series: dict[str, str], *arches: str, tests: tuple[str, ...] = ()) -> Derived:
    kernel = make_kernel(folder / "linux", BASE)
    git(kernel, "branch", "base")
    commit(kernel, "mm: everything", series)
    request = PlanRequest(arches=arches or ("x86_64",), series=f"git:{kernel}@base..master", tests=tests)
    plan, cache = make_plan(request), folder / "cache"
    checkouts = prepare(plan, cache, lambda line: None)
    return Derived(kernel, plan, checkouts, cache, derive(plan, checkouts, cache))


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Derived:
    """A series that changes a bit of everything."""
    return derived(tmp_path_factory.mktemp("everything"), SERIES, "x86_64", "arm64")


@pytest.mark.parametrize(
    ("kind", "name", "taken", "reason"),
    [
        ("suite", "pmd_split", True, "run with each change of the kernel"),
        ("suite", "fault_sweep", True, "mm/huge_memory.c: can split the PMD of a THP"),
        ("suite", "pgtable_cost", True, "mm/huge_memory.c: can split the PMD of a THP"),
        ("selftest", "thp_pmd_split", True, f"the series adds {SELFTESTS}/thp_pmd_split_test.c"),
        ("selftest", "mm.cow", True, f"the series changes {SELFTESTS}/cow.c"),
        ("selftest", "mm.brand_new", True, f"the series adds {SELFTESTS}/brand_new.c"),
        ("selftest", "mm/hmm-tests.c", False, "not run: suite mm leaves it out"),
        ("selftest", "mm/parts.c", False, "does not add it to TEST_GEN_FILES or TEST_GEN_PROGS"),
        ("selftest", "mm/run_new.sh", False, "guests have no interpreter"),
        ("selftest", "cgroup/x.c", False, f"only programs of {SELFTESTS}/ are built"),
        ("host test", "tools/testing/vma", False, "the series changes tools/testing/vma/vma.c; not run"),
        ("counter", "thp_new_event", True, "claimed: base absent, series present"),
        ("counter", "nr_old", True, "removes it in mm/vmstat.c; claimed: base present, series absent"),
        ("counter", "meminfo.NewTables", True, "adds it in fs/proc/meminfo.c"),
        ("counter", "zswp_new", False, "not claimed: CONFIG_ZSWAP is not asked for on x86_64, arm64"),
        ("sysfs", "new_stat", False, "adds the attribute in mm/huge_memory.c; not watched"),
        ("config", "CONFIG_TRANSPARENT_HUGEPAGE", True, "mm/huge_memory.c and 1 more; asked for by common"),
        ("config", "CONFIG_ZSWAP", False, "no fragment names it"),
        ("config", "CONFIG_HIDDEN", False, "it has no prompt"),
        ("config", "CONFIG_BRAND_NEW", False, "the series defines it in mm/Kconfig; not asked for"),
        ("config", "CONFIG_LOONG", False, "arch/loongarch is not in this run"),
        ("architecture", "x86", True, "in this run: x86_64"),
        ("architecture", "riscv", False, "not in this run: --arch riscv64"),
        ("architecture", "loongarch", False, "no record of an architecture is built from it"),
        ("kunit", "mm/some_kunit.c", False, "not run"),
    ],
)  # fmt: skip
def test_each_line_has_its_reason(
    everything: Derived, kind: str, name: str, taken: bool, reason: str
) -> None:
    line = everything.line(kind, name)
    assert line[0] is taken
    assert reason in line[1]


def test_no_other_counter_is_claimed(everything: Derived) -> None:
    assert sorted(name for name, _ in everything.found.counters) == [
        "meminfo.NewTables",
        "nr_old",
        "thp_new_event",
    ]


def test_a_run_has_what_was_derived(everything: Derived) -> None:
    said: list[str] = []
    plan, checkouts = complete(everything.plan, everything.checkouts, everything.cache, said.append)
    assert said == [NOTE]
    assert checkouts.subject.notes[-1] == NOTE
    tests = {test.name: test for test in planned_tests(plan.suites, claims(plan.series))}
    assert {"thp_pmd_split.partial_munmap", "mm.cow", "mm.brand_new", "fault_sweep.fork"} <= set(tests)
    assert "mm.mremap_test" not in tests
    assert {"meminfo.NewTables", "nr_old"} <= set(tests["pmd_split.munmap"].watch)
    (program,) = (suite.programs_of_tree["brand_new"] for suite in plan.suites if suite.name == "mm")
    assert program.tree_sources[:2] == (f"{SELFTESTS}/brand_new.c", f"{SELFTESTS}/parts.c")
    assert plan.arches[0].qemu.memory_mb >= find(SuiteRecord, "mm").memory_mb


def test_a_driver_gets_only_what_every_series_gets(tmp_path: Path) -> None:
    text = NUMBERS.replace("line 3\n", "line three\n")
    small = derived(tmp_path, {"drivers/lines.c": text})
    assert [suite.name for suite in small.found.suites] == ["pmd_split", "small_pages"]


def test_a_line_that_splits_a_pmd_counts_wherever_it_is(tmp_path: Path) -> None:
    text = NUMBERS.replace("line 3\n", "\tsplit_huge_pmd(vma, pmd, addr);\n")
    small = derived(tmp_path, {"drivers/lines.c": text})
    assert small.line("suite", "fault_sweep") == (True, "drivers/lines.c: can split the PMD of a THP")


def test_documentation_alone_asks_for_nothing(tmp_path: Path) -> None:
    text = derived(tmp_path, {"Documentation/mm/x.rst": "split_huge_pmd\n"})
    assert text.line("suite", "pmd_split") == (False, "no file changes that a kernel is built from")
    assert text.found.suites == ()


def test_tests_of_the_user_stay_and_claims_are_derived(tmp_path: Path) -> None:
    own = derived(tmp_path, SERIES, tests=("timing",))
    plan, _ = complete(own.plan, own.checkouts, own.cache, lambda line: None)
    assert [suite.name for suite in plan.suites] == ["timing"]
    assert "thp_new_event" in plan.series.counters


def test_a_counter_that_only_moved_is_not_new(tmp_path: Path) -> None:
    moved = VMSTAT.replace('\t"nr_old",\n', "").replace("};", '\t"nr_old",\n};')
    assert derived(tmp_path, {"mm/vmstat.c": moved}).found.counters == ()


def test_plan_shows_the_lines(everything: Derived, invoke: Invoke) -> None:
    answer = invoke("plan", "--arch", "x86_64", "--series", f"git:{everything.kernel}@base..master")
    assert answer.code == 0, answer.stderr
    assert "── thp_new_event: base absent, series present\n" in answer.stdout
    assert f"+ selftest mm.brand_new: the series adds {SELFTESTS}/brand_new.c\n" in answer.stdout
    assert "- kunit mm/some_kunit.c: " in answer.stdout


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ("thp_split_pmt: series 0", "names no such counter on either kernel; did you mean 'thp_split_pmd'?"),
        ("meminfo.PageTable: series 0", "did you mean 'meminfo.PageTables'?"),
        ("thp_split_pmd@pmd_splitt.*: series 0", "no planned test is called 'pmd_splitt.*'"),
    ],
)  # fmt: skip
def test_a_claim_on_what_does_not_exist_is_told_before_anything_is_built(
    everything: Derived, invoke: Invoke, claim: str, message: str
) -> None:
    series = ("--arch", "x86_64", "--series", f"git:{everything.kernel}@base..master")
    answer = invoke("plan", *series, "--claim", claim)
    assert answer.code == 2
    assert message in answer.stderr
    answer = invoke(
        "plan", *series, "--claim", "thp_new_event: series >= 1", "--claim", "nr_free_pages_x: series 0"
    )
    assert answer.code == 0, answer.stderr
    assert "── thp_new_event: series >= 1\n" in answer.stdout


def test_rules_name_suites_that_exist() -> None:
    rules = load(CONFIGS / "derivation.yaml", DerivationRecord)
    assert all(find(SuiteRecord, name) for rule in rules.suites for name in rule.tests)
    assert find(SuiteRecord, rules.selftests.suite).is_collection


# thp-harness series init


def test_a_record_is_written_that_asks_for_the_same(
    everything: Derived, invoke: Invoke, tmp_path: Path
) -> None:
    series, home = f"git:{everything.kernel}@base..master", {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    answer = invoke("series", "init", series, env=home)
    assert answer.code == 0, answer.stderr
    name = everything.plan.series.name
    record = tmp_path / "config/thp-harness/series" / f"{name}.yaml"
    assert f"Wrote {record}\n" in answer.stdout
    assert f"thp-harness run --series {name}\n" in answer.stdout
    text = record.read_text()
    assert "# the series adds it in mm/vmstat.c" in text
    assert "#   - kunit mm/some_kunit.c: " in text
    by_record = invoke("plan", "--json", "--arch", "x86_64", "--series", name, env=home).json
    by_diff = invoke("plan", "--json", "--arch", "x86_64", "--series", series, env=home).json
    assert {line["kind"] for line in by_diff["derived"]} >= {"suite", "counter", "config"}
    renamed = [test.replace("mm.", f"{name}-selftests.") for test in by_diff["tests"]]
    assert sorted(by_record["tests"]) == sorted(renamed)
    assert sorted(by_record["claims"], key=str) == sorted(by_diff["claims"], key=str)
    assert by_record["derived"] == []
    again = invoke("series", "init", series, env=home)
    assert again.code == 2
    assert f"{record} exists" in again.stderr
    assert invoke("series", "init", series, "--force", env=home).code == 0


def test_a_record_in_a_file_of_the_users(everything: Derived, invoke: Invoke, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    answer = invoke("series", "init", f"git:{everything.kernel}@base..master", "-o", str(file), "--json")
    assert answer.code == 0, answer.stderr
    assert answer.json["files"] == [str(file), str(tmp_path / "mine-selftests.yaml")]
    assert load(file, SeriesRecord).tests[-1] != ""
    planned = invoke("plan", "--json", "--arch", "x86_64", "--series", str(file))
    assert planned.code == 0, planned.stderr
    assert "mine-selftests.brand_new" in planned.json["tests"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["thp-split-standin"], "the series thp-split-standin has a record: "),
        (["git:/nowhere@a..b"], "there is no folder /nowhere"),
        (["nosuch"], "unknown series 'nosuch'"),
    ],
)
def test_what_gets_no_record(invoke: Invoke, arguments: list[str], said: str) -> None:
    answer = invoke("series", "init", *arguments)
    assert answer.code == 2
    assert said in answer.stderr


def test_a_file_that_is_no_record(everything: Derived, invoke: Invoke, tmp_path: Path) -> None:
    series = f"git:{everything.kernel}@base..master"
    answer = invoke("series", "init", series, "-o", str(tmp_path / "mine.txt"))
    assert answer.code == 2
    assert "a record ends in .yaml" in answer.stderr
