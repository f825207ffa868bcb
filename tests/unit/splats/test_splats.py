# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.console.report import read_report
from results.model.run import LineRange, Splat
from results.splats.find import LONGEST_EXCERPT, MOST_SPLATS, find_splats
from results.splats.kernel_log import KernelLine
from results.splats.rules import LONGEST_REPORT, RULES, hints_at_report
from tests.samples import splat_samples as sample
from tests.samples.guestlog import planned

GOLDEN = Path(__file__).parents[2] / "golden" / "console"


def kernel_lines(
    text: str, prefix: str = "[   12.345678][   T71] ", test: str | None = "t"
) -> list[KernelLine]:
    return [KernelLine(number, prefix + line, test) for number, line in enumerate(text.split("\n"), start=1)]


def find(text: str, prefix: str = "[   12.345678][   T71] ") -> tuple[Splat, ...]:
    return find_splats(kernel_lines(text, prefix))


CASES = [
    (
        "WARNING_612", "warning", "WARNING in __split_huge_pmd_locked",
        "mm/huge_memory.c | __split_huge_pmd_locked",
    ),
    (
        "WARNING_71", "warning", "WARNING in __split_huge_pmd_locked",
        "mm/huge_memory.c | __split_huge_pmd_locked",
    ),
    (
        "WARNING_WITH_MESSAGE", "warning", "WARNING in refcount_warn_saturate",
        "lib/refcount.c | refcount_warn_saturate | refcount_t: underflow; use-after-free at N, count N.",
    ),
    ("BUG_X86", "bug", "kernel BUG in split_folio_to_list", "mm/huge_memory.c | split_folio_to_list"),
    ("PAGE_FAULT_X86", "page-fault", "unable to handle page fault in pmd_pfn", "page fault | pmd_pfn"),
    (
        "NULL_X86", "page-fault", "NULL pointer dereference in pgtable_trans_huge_deposit",
        "NULL pointer dereference | pgtable_trans_huge_deposit",
    ),
    (
        "GPF_X86", "gpf", "general protection fault in pgtable_trans_huge_withdraw",
        "general protection fault | pgtable_trans_huge_withdraw",
    ),
    (
        "NULL_ARM64", "page-fault", "NULL pointer dereference in pgtable_trans_huge_deposit",
        "NULL pointer dereference | pgtable_trans_huge_deposit",
    ),
    (
        "FAULT_POWERPC", "page-fault",
        "unable to handle kernel data access in hash__pgtable_trans_huge_withdraw",
        "kernel data access | hash__pgtable_trans_huge_withdraw",
    ),
    (
        "FAULT_S390", "page-fault",
        "unable to handle kernel pointer dereference in pgtable_trans_huge_withdraw",
        "kernel pointer dereference | pgtable_trans_huge_withdraw",
    ),
    (
        "FAULT_SPARC", "page-fault", "NULL pointer dereference in pgtable_trans_huge_deposit",
        "NULL pointer dereference | pgtable_trans_huge_deposit",
    ),
    (
        "PANIC", "panic", "Kernel panic: Attempted to kill init! exitcode=N",
        "Attempted to kill init! exitcode=N",
    ),
    (
        "KASAN", "kasan", "KASAN: slab-use-after-free in pte_free_defer",
        "slab-use-after-free | pte_free_defer",
    ),
    (
        "KFENCE", "kfence", "KFENCE: out-of-bounds read in pte_offset_map",
        "out-of-bounds read | pte_offset_map",
    ),
    (
        "KCSAN", "kcsan", "KCSAN: data-race in folio_remove_rmap_pmd / page_mapcount",
        "data-race in folio_remove_rmap_pmd / page_mapcount",
    ),
    (
        "UBSAN", "ubsan", "UBSAN: array-index-out-of-bounds in vmstat_start",
        "array-index-out-of-bounds | mm/vmstat.c | vmstat_start",
    ),
    (
        "ATOMIC_SLEEP", "atomic-sleep", "BUG: sleeping function called from invalid context in pte_alloc_one",
        "sleeping function called from invalid context | include/linux/sched/mm.h | pte_alloc_one",
    ),
    (
        "SCHEDULING_WHILE_ATOMIC", "atomic-sleep", "BUG: scheduling while atomic in pmd_alloc_deferred",
        "scheduling while atomic | pmd_alloc_deferred",
    ),
    (
        "RCU_STALL", "rcu-stall", "INFO: rcu_preempt detected stall in sys_madvise",
        "rcu_preempt | sys_madvise",
    ),
    ("SOFT_LOCKUP", "lockup", "BUG: soft lockup in sys_madvise", "soft lockup | sys_madvise"),
    ("HARD_LOCKUP", "lockup", "hard LOCKUP in sys_munmap", "hard LOCKUP | sys_munmap"),
    ("HUNG_TASK", "hung-task", "INFO: task hung in collapse_huge_page", "collapse_huge_page"),
    (
        "BAD_PAGE_STATE", "bad-page", "BUG: Bad page state in free_unref_page",
        "Bad page state | free_unref_page",
    ),
    ("BAD_PAGE_MAP", "bad-page", "BUG: Bad page map in zap_pte_range", "Bad page map | zap_pte_range"),
    (
        "RSS_COUNTER", "bad-page", "BUG: Bad rss-counter state at MM_ANONPAGES",
        "Bad rss-counter state | MM_ANONPAGES",
    ),
    ("PGTABLES_BYTES", "bad-page", "BUG: non-zero pgtables_bytes", "non-zero pgtables_bytes"),
    (
        "PAGE_ALLOCATION", "allocation-failure", "page allocation failure: order:N in pte_alloc_one",
        "page allocation failure: order:N | pte_alloc_one",
    ),
    ("OOM", "oom-kill", "oom-killer invoked", ""),
    (
        "LIST_CORRUPTION", "list-corruption", "list_del corruption in pgtable_trans_huge_withdraw",
        "list_del | pgtable_trans_huge_withdraw",
    ),
    (
        "STACK_OVERFLOW_X86", "stack-overflow", "TASK stack guard page was hit in recurse",
        "TASK stack guard page | recurse",
    ),
    (
        "LOCKDEP_CIRCULAR", "lockdep",
        "possible circular locking dependency detected in __pte_offset_map_lock",
        "possible circular locking dependency detected | __pte_offset_map_lock",
    ),
    (
        "LOCKDEP_RCU", "lockdep", "suspicious rcu_dereference_check() usage! in ___pte_offset_map",
        "suspicious rcu_dereference_check() usage! | mm/pgtable-generic.c | ___pte_offset_map",
    ),
    (
        "INVALID_WAIT", "lockdep", "Invalid wait context in __queue_work",
        "Invalid wait context | __queue_work",
    ),
    (
        "SPINLOCK", "bug", "BUG: spinlock bad magic on CPU#N in pmd_lock",
        "spinlock bad magic on CPU#N | pmd_lock",
    ),
]  # fmt: skip


def _more() -> Iterable[tuple[str, str, str, str]]:
    text = (Path(__file__).parent / "reports.txt").read_text(encoding="utf-8")
    for case in re.split(r"^== ", text, flags=re.MULTILINE)[1:]:
        head, _, report = case.partition("\n")
        name, kind, title = (*head.split(" | "), "")[:3]
        yield name, kind, title, report.rstrip("\n")


MORE = tuple(_more())


@pytest.mark.parametrize(
    ("kind", "title", "text"), [case[1:] for case in MORE], ids=[case[0] for case in MORE]
)
@pytest.mark.parametrize(
    "prefix", ["", "[    9.000001][   T77] ", "guest login: [    9.000001] ", "<3>[    9.000001][    C0] "]
)
def test_report_in_its_words(kind: str, title: str, text: str, prefix: str) -> None:
    expected = [] if kind == "none" else [(kind, title)]
    assert [(splat.kind, splat.title) for splat in find(text, prefix)] == expected


@pytest.mark.parametrize(("name", "kind", "title", "signature"), CASES, ids=[case[0] for case in CASES])
def test_report(name: str, kind: str, title: str, signature: str) -> None:
    (splat,) = find(getattr(sample, name))
    assert (splat.kind, splat.title) == (kind, title)
    assert splat.signature == (f"{kind} | {signature}" if signature else kind)
    assert splat.test == "t"


@pytest.mark.parametrize("name", [case[0] for case in CASES])
def test_signature_is_the_same_in_another_boot(name: str) -> None:
    """Other addresses, offsets, pids, cpus and line numbers, other prefixes."""
    text = getattr(sample, name)
    other = re.sub(r"\+0x[0-9a-f]+/0x[0-9a-f]+", "+0x7/0x9f", text)
    other = re.sub(r"(\.[ch]):[0-9]+", r"\1:77", other)
    other = re.sub(r"\b[0-9a-f]{16}\b", "ffff0000cafe1234", other)
    other = re.sub(r"(PID: |CPU: |CPU#|/|task |pid: )[0-9]+\b", r"\g<1>4711", other)
    (here,) = find(text)
    for prefix in ("", "[    1.000000] ", "<4>[  999.999999][    C3] "):
        (there,) = find(other, prefix)
        assert there.signature == here.signature


def test_lines_and_excerpt() -> None:
    text = f"harmless\n{sample.WARNING_612}\nharmless again"
    (splat,) = find(text)
    assert splat.lines == LineRange(2, 18)
    assert splat.excerpt[0].endswith("------------[ cut here ]------------")
    assert splat.excerpt[-1].endswith("---[ end trace 0000000000000000 ]---")


def test_one_function_with_two_warnings_in_different_words() -> None:
    first, second = sample.WARNING_WITH_MESSAGE, sample.WARNING_WITH_MESSAGE.replace("underflow", "saturated")
    assert len({splat.signature for splat in find(f"{first}\n{second}")}) == 2


def test_reports_after_each_other() -> None:
    text = "\n".join(
        [sample.PAGE_FAULT_X86, sample.PANIC, sample.KASAN, sample.HUNG_TASK, sample.WARNING_612]
    )
    assert [splat.kind for splat in find(text)] == ["page-fault", "panic", "kasan", "hung-task", "warning"]


def test_oops_and_the_panic_inside_of_it_are_both_there() -> None:
    kinds = [splat.kind for splat in find(sample.STACK_OVERFLOW_ARM64)]
    assert kinds == ["stack-overflow", "panic"]


def test_report_that_is_cut_off_by_the_next() -> None:
    cut = "\n".join(sample.WARNING_612.split("\n")[:6])
    assert [splat.kind for splat in find(f"{cut}\n{sample.KASAN}")] == ["warning", "kasan"]


def test_report_ends_when_the_test_does() -> None:
    lines = kernel_lines(sample.BUG_X86.split("---[ end")[0].rstrip())
    lines += [KernelLine(len(lines) + 1, "unrelated", "next")]
    (splat,) = find_splats(lines)
    assert splat.lines.last == len(lines) - 1


def test_cut_here_without_a_header_is_still_a_report() -> None:
    cut_here, end = "------------[ cut here ]------------", "---[ end trace 0 ]---"
    text = f"{cut_here}\nWAR\x00\x00garbled\n split_huge_pmd+0x1/0x2\n{end}"
    (splat,) = find(text)
    assert (splat.kind, splat.title) == ("warning", "report without a header in split_huge_pmd")


def test_repetitions_are_counted_once() -> None:
    (splat,) = find("\n".join([sample.WARNING_612] * 1000))
    assert splat.lines == LineRange(1, 17)
    assert splat.excerpt[-1] == "[… 999 more with this signature in this boot]"


def test_too_many_different_reports_are_cut_and_say_so() -> None:
    text = "\n".join(
        f"BUG: KASAN: wild in f{letter}x{letter * 3}+0x1/0x2\n{'=' * 60}" for letter in _words(500)
    )
    splats = find(text)
    assert len(splats) == MOST_SPLATS + 1
    assert splats[-1].kind == "flood"
    assert splats[-1].title.startswith("400 more reports")


def _words(count: int) -> Iterable[str]:
    return ("".join(chr(ord("a") + int(digit)) for digit in str(number)) for number in range(count))


def test_endless_report_is_cut() -> None:
    lines = "\n".join(f" frame{'x' * (number % 7)}+0x1/0x2" for number in range(1000))
    (splat,) = find(f"WARNING: CPU: 0 PID: 1 at mm/x.c:1 f+0x1/0x2\n{lines}")
    assert len(splat.excerpt) == LONGEST_EXCERPT
    assert splat.lines == LineRange(1, LONGEST_REPORT)


@pytest.mark.parametrize(
    "line",
    [
        "Linux version 6.12.0 DEBUG build",
        "Kernel command line: console=ttyS0 panic=-1 oops=panic",
        "CONFIG_DEBUG_BUGVERBOSE=y",
        "pmd_split[71]: segfault at 0 ip 0000000000401000 sp 00007ffd error 4",
        "rcu: \tRCU debug extended QS entry/exit.",
        "FAULT_INJECTION: forcing a failure.",
        "BUG: Bad page map: 12 messages suppressed",
        "random: crng init done",
        "INFO: lockdep is turned off.",
        "debug: unmapping init memory",
    ],
)
def test_harmless_lines(line: str) -> None:
    assert find(line) == ()


def test_every_kind_has_a_sample() -> None:
    assert {rule.kind for rule in RULES} - {"kmsan"} <= {case[1] for case in CASES} | {
        kind for _, kind, *_ in MORE
    }


@pytest.mark.parametrize(
    ("line", "title"),
    [
        (
            "Internal error: synchronous external abort: 0000000096000210 [#1] SMP",
            "Oops: synchronous external abort",
        ),
        ("illegal operation: 0001 ilc:1 [#1] SMP", "illegal operation"),
        ("init(1): Kernel bad trap [#1]", "Kernel bad trap"),
        ("Internal error: Oops - BUG: 00000000f2000800 [#1] SMP", "Oops: Oops - BUG"),
        ("---[ end Kernel panic - not syncing: x ]---", None),
        ("BUG: KMSAN: uninit-value in f+0x1/0x2", "KMSAN: uninit-value in f"),
    ],
)
def test_bare_headers(line: str, title: str | None) -> None:
    assert [splat.title for splat in find(line)] == ([title] if title else [])


HEADERS = st.sampled_from([line for case in CASES for line in getattr(sample, case[0]).split("\n")])


@given(st.lists(st.one_of(HEADERS, st.text(max_size=40)), max_size=60))
def test_no_log_is_an_error(texts: list[str]) -> None:
    splats = find_splats(KernelLine(number, text, None) for number, text in enumerate(texts, start=1))
    assert len({splat.signature for splat in splats}) == len(splats)
    assert all(1 <= splat.lines.first <= splat.lines.last <= len(texts) for splat in splats)


@pytest.mark.parametrize("log", sorted(GOLDEN.glob("*.log")), ids=lambda log: log.stem)
def test_golden_log(log: Path) -> None:
    """In the logs of real boots there is nothing but what was provoked."""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    started = [line for line in lines if "THP:" in line and " start " in line]
    report = read_report(lines, lines_nonce(lines), planned(*(line.split()[-1] for line in started)))
    expected = [("Kernel panic: sysrq triggered crash", "misbehave.panic")] if "panic" in log.stem else []
    assert [(splat.title, splat.test) for splat in find_splats(report.kernel_lines)] == expected


PROVOKED = {
    "warning": ["WARNING in lkdtm_WARNING"],
    "warning_message": ["WARNING in lkdtm_WARNING_MESSAGE"],
    "refcount": ["WARNING in lkdtm_REFCOUNT_INC_OVERFLOW"],
    "array_bounds": ["UBSAN: array-index-out-of-bounds in lkdtm_ARRAY_BOUNDS"],
    "list_add": ["list_add corruption in lkdtm_CORRUPT_LIST_ADD"],
    "list_del": ["list_del corruption in lkdtm_CORRUPT_LIST_DEL"],
    "hung_task": ["INFO: task hung in lkdtm_HUNG_TASK"],
    "bug": ["kernel BUG in lkdtm_BUG"],
}
"""By LKDTM, on every architecture."""

NULL, POINTER = "NULL pointer dereference", "unable to handle kernel pointer dereference"
OF_ARCH = {
    "x86_64": {
        "exception": [f"{NULL} in lkdtm_EXCEPTION"],
        "access_null": [f"{NULL} in lkdtm_ACCESS_NULL"],
        "exec_null": [f"{NULL} in execute_location"],
        "write_ro": ["unable to handle page fault in lkdtm_WRITE_RO"],
        "softlockup": [
            "INFO: rcu_sched detected stall in sys_write",
            "BUG: soft lockup in sys_write",
            "Kernel panic: softlockup: hung tasks",
        ],
    },
    "arm64": {
        "bug": ["kernel BUG in lkdtm_BUG", "WARNING in ct_kernel_exit"],
        "exception": [f"{NULL} in lkdtm_EXCEPTION"],
        "access_null": [f"{NULL} in lkdtm_ACCESS_NULL"],
        "exec_null": [f"{NULL} in lkdtm_EXEC_NULL"],
        "write_ro": ["unable to handle kernel write to read-only memory in lkdtm_WRITE_RO"],
        "stack": [NULL, "Kernel panic: Oops: Fatal exception in interrupt"],
        "softlockup": ["BUG: soft lockup in sys_write", "Kernel panic: softlockup: hung tasks"],
    },
    "s390": {
        "exception": [f"{POINTER} in lkdtm_EXCEPTION"],
        "access_null": [f"{POINTER} in lkdtm_ACCESS_NULL"],
        "exec_null": ["illegal operation in execute_location"],
        "write_ro": [f"{POINTER} in lkdtm_WRITE_RO"],
        "softlockup": ["INFO: rcu_sched detected stall in sys_write"],
    },
    "powerpc-hash": {
        "exception": [f"{NULL} in lkdtm_EXCEPTION"],
        "access_null": [f"{NULL} in lkdtm_ACCESS_NULL"],
        "exec_null": ["unable to handle kernel instruction fetch in lkdtm_do_action"],
        "write_ro": [],
        "softlockup": [
            "INFO: rcu_sched detected stall in sys_write",
            "BUG: soft lockup in sys_write",
            "Kernel panic: softlockup: hung tasks",
            "WARNING in smp_send_stop",
        ],
    },
    "sparc": {
        "warning": ["WARNING in lkdtm_do_action"],
        "warning_message": ["WARNING in lkdtm_do_action"],
        "array_bounds": [],
        "exception": [f"{NULL} in lkdtm_EXCEPTION"],
        "access_null": [f"{NULL} in lkdtm_ACCESS_NULL"],
        "exec_null": [
            "Bogus kernel PC in lkdtm_do_action",
            f"{NULL} in lkdtm_do_action",
            "unable to handle kernel paging request in lkdtm_do_action",
        ],
        "softlockup": ["BUG: soft lockup in sys_write", "Kernel panic: softlockup: hung tasks"],
    },
}
"""Kernels without KASAN and without a guard at the end of the stack; s390 can't see soft lockups.

An arm64 kernel goes idle in the wrong state after a BUG, and dies of its overwritten stack. sparc has no
UBSAN, its WARN is a call (two in one function differ by their words alone), it faults again while it prints
the code at address 0, and can write to its read-only data.
"""


@pytest.mark.parametrize("arch", sorted(OF_ARCH))
def test_what_a_real_kernel_says_of_its_bugs(arch: str) -> None:
    """Each is found in the test that provoked it, and named by the function that did it."""
    found: dict[str, list[str]] = {test: [] for test in PROVOKED | OF_ARCH[arch]}
    for log in (GOLDEN.parent / "splats").glob(f"{arch}-provoke*.log"):
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
        started = [line.split()[-1] for line in lines if "THP:" in line and " start " in line]
        report = read_report(lines, lines_nonce(lines), planned(*started))
        for splat in find_splats(report.kernel_lines):
            found.setdefault(str(splat.test).removeprefix("provoke."), []).append(splat.title)
    assert found == PROVOKED | OF_ARCH[arch]


def lines_nonce(lines: list[str]) -> str:
    return next(line for line in lines if "THP:" in line).partition("THP:")[2][:16]


@pytest.mark.parametrize("log", sorted(GOLDEN.glob("*.log")), ids=lambda log: log.stem)
def test_what_a_clean_kernel_says_gives_no_hint(log: Path) -> None:
    """Lines with a hint are kept, however long the log: on a clean kernel there must be none."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    hints = [line for line in lines if "THP:" not in line and hints_at_report(line)]
    assert all("Kernel panic" in line for line in hints)
