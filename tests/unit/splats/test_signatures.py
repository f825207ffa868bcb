# SPDX-License-Identifier: GPL-2.0-only
"""One bug has one signature, whoever else prints at the same time; two bugs have two."""

from __future__ import annotations

import re

import pytest

from results.model.run import Splat
from results.splats.find import find_splats
from results.splats.frames import plain_name
from results.splats.kernel_log import KernelLine
from tests.samples import splat_samples as sample

T77, C1 = "[    9.000001][   T77] ", "[    9.000002][    C1] "


def find(*lines: str) -> tuple[Splat, ...]:
    return find_splats(KernelLine(number, line, "t") for number, line in enumerate(lines, start=1))


def alone(text: str, prefix: str = T77) -> str:
    (splat,) = find(*(prefix + line for line in text.split("\n")))
    return splat.signature


@pytest.mark.parametrize(
    "suffix",
    [
        ".isra.0",
        ".constprop.12",
        ".part.0.isra.0",
        ".cold",
        ".constprop.0.cold",
        ".llvm.1234567890",
        ".lto_priv.3",
    ],
)
def test_clones_are_the_function(suffix: str) -> None:
    assert plain_name("split_my_pmd" + suffix) == "split_my_pmd"
    text = sample.WARNING_612.replace("__split_huge_pmd_locked", "__split_huge_pmd_locked" + suffix)
    assert alone(text) == alone(sample.WARNING_612)


def test_a_name_with_a_dot_of_its_own_stays() -> None:
    assert plain_name("f.particular") == "f.particular"


@pytest.mark.parametrize(
    "text", [sample.WARNING_612, sample.WARNING_WITH_MESSAGE, sample.BUG_X86, sample.KASAN]
)
def test_another_cpu_prints_between_all_lines(text: str) -> None:
    lines = [line for each in text.split("\n") for line in (T77 + each, C1 + "random: crng init done")]
    (splat,) = find(*lines)
    assert splat.signature == alone(text)
    assert not any("crng" in line for line in splat.excerpt)


def test_reports_of_two_cpus_at_the_same_time() -> None:
    first, second = sample.WARNING_612.split("\n"), sample.ATOMIC_SLEEP.split("\n")
    lines = [line for pair in zip(first, second, strict=False) for line in (T77 + pair[0], C1 + pair[1])]
    lines += [T77 + line for line in first[len(second) :]]
    assert {splat.signature for splat in find(*lines)} == {
        alone(sample.WARNING_612),
        alone("\n".join(second[: len(first)])),
    }


def test_header_torn_apart_where_callers_are_unknown() -> None:
    prefix = "[    9.000001] "
    lines = [prefix + line for line in sample.WARNING_612.split("\n")]
    lines[1:2] = [prefix + HEADER[:30], prefix + "random: crng init done", prefix + HEADER[30:]]
    (splat,) = find(*lines)
    assert splat.signature.startswith(alone(sample.WARNING_612))


def test_without_callers_lines_of_unknown_origin_are_no_message() -> None:
    first, *rest = sample.WARNING_612.split("\n")
    prefix = "[    9.000001] "
    lines = [first, "random: crng init done", "clocksource: Switched", *rest]
    (splat,) = find(*(prefix + line for line in lines))
    assert splat.signature == alone(sample.WARNING_612)


HEADER = "WARNING: CPU: 0 PID: 71 at mm/huge_memory.c:2841 __split_huge_pmd_locked+0x5c1/0x7a0"


@pytest.mark.parametrize("cut", [4, 9, 24, 30, 40, 60])
@pytest.mark.parametrize("way", ["newline", "glued", "unstamped"])
def test_header_torn_apart_by_another_cpu(cut: int, way: str) -> None:
    head, tail = HEADER[:cut], HEADER[cut:]
    torn = {
        "newline": [T77 + head, C1 + "random: crng init done", T77 + tail],
        "glued": [T77 + head + C1 + "random: crng init done", T77 + tail],
        "unstamped": [T77 + head + C1 + "random: crng init done", tail],
    }[way]
    lines = [T77 + line for line in sample.WARNING_612.split("\n")]
    lines[1:2] = torn
    (splat,) = find(*lines)
    assert splat.signature == alone(sample.WARNING_612)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (sample.KASAN, "slab-use-after-free in"),
        (sample.ATOMIC_SLEEP, "context at"),
        (sample.HUNG_TASK, "blocked for more"),
        (sample.SOFT_LOCKUP, "BUG: soft lockup - CPU#"),
        (sample.BAD_PAGE_STATE, "BUG: Bad page"),
        (sample.PAGE_FAULT_X86, "BUG: unable to handle page"),
    ],
)
def test_headers_of_other_reports_torn_apart(text: str, after: str) -> None:
    head, tail = text.split(after, 1)
    lines = [T77 + line for line in f"{head}{after}\n{tail}".split("\n")]
    torn = next(number for number, line in enumerate(lines, start=1) if line.endswith(after))
    lines.insert(torn, C1 + "random: crng init done")
    (splat,) = find(*lines)
    assert splat.signature == alone(text)


@pytest.mark.parametrize(
    "dirt",
    [
        lambda line: line.replace("a", "\x00a"),
        lambda line: f"\x1b[1;31m{line}\x1b[0m",
        lambda line: line + "\r",
        lambda line: f"guest login: {line}",
        lambda line: f"> {line}",
        lambda line: f"Nov 29 00:37:38 guest kernel: {line}",
        lambda line: f"<4>{line}",
    ],
)
def test_dirt_in_the_lines(dirt: object) -> None:
    assert callable(dirt)
    lines = [dirt(T77 + line) for line in sample.WARNING_612.split("\n")]
    (splat,) = find(*lines)
    assert splat.signature == alone(sample.WARNING_612)


@pytest.mark.parametrize(
    "prefix",
    [
        "4,812,9000001,-,caller=T77;",
        "4,812,9000001,-;",
        "[Sun Nov 29 00:37:38 2026] ",
        "2026-11-29T00:37:38,123456+00:00 ",
        "Nov 29 00:37:38 guest kernel: ",
    ],
)
def test_formats_of_dmesg_and_journal(prefix: str) -> None:
    assert alone(sample.WARNING_612, prefix) == alone(sample.WARNING_612)
    assert alone(sample.SPINLOCK, prefix) == alone(sample.SPINLOCK)


def test_a_process_that_quotes_a_report_between_lines_of_the_kernel() -> None:
    lines = [
        T77 + "mm: something",
        "BUG: something is odd",
        "WARNING: CPU: I see you",
        "Kernel panic - not syncing: no",
    ]
    assert find(*lines) == ()


def test_the_same_line_of_the_kernel_is_a_report() -> None:
    assert [splat.kind for splat in find(T77 + "mm: something", T77 + "BUG: something is odd")] == ["bug"]


def hung(function: str, helper: str) -> str:
    return "\n".join(
        [
            "INFO: task t:77 blocked for more than 120 seconds.",
            "Call Trace:",
            " <TASK>",
            *(
                f" {name}+0x1/0x2"
                for name in ("__switch_to", "__schedule", "schedule", helper, function, "madvise")
            ),
            " </TASK>",
        ]
    )


@pytest.mark.parametrize(
    "helper",
    [
        "mutex_lock", "rwsem_down_read_slowpath", "folio_wait_bit_common", "wait_for_completion",
        "io_schedule", "schedule_timeout", "__flush_work", "rb_erase", "xas_store", "mas_walk",
        "memcpy", "__memset", "memmove", "copy_to_user", "refcount_warn_saturate",
        "__list_del_entry_valid_or_report", "kfree", "kmem_cache_free_noprof",
        "__page_table_check_pmd_set", "stack_depot_save_flags", "__set_page_owner",
        "_raw_spin_lock_irqsave", "percpu_down_write", "rcu_gp_fqs_loop", "clear_page_erms",
        "radix_tree_insert", "idr_alloc",
    ],
)  # fmt: skip
def test_helpers_are_not_blamed(helper: str) -> None:
    old, new = alone(hung("old_fn", helper)), alone(hung("new_fn", helper))
    assert (old, new) == ("hung-task | old_fn", "hung-task | new_fn")


@pytest.mark.parametrize(
    "function",
    [
        "copy_huge_pmd", "copy_page_range", "zap_huge_pmd", "__split_huge_pmd_locked",
        "pgtable_trans_huge_deposit", "clear_page_dirty_for_io", "free_pgtables", "change_huge_pmd",
        "folio_remove_rmap_pmd", "collapse_huge_page", "deferred_split_scan", "pte_alloc_one",
        "madvise_free_huge_pmd", "do_huge_pmd_anonymous_page", "migrate_pages", "try_to_unmap_one",
        "do_exit", "exit_mmap", "handle_mm_fault", "lock_vma_under_rcu", "mm_find_pmd", "sys_madvise",
    ],
)  # fmt: skip
def test_memory_management_is_blamed(function: str) -> None:
    assert alone(hung(function, "mutex_lock")) == f"hung-task | {function}"


def odebug(kind: str) -> str:
    said = "ODEBUG: free active (active state 0) object: 00000000cafecafe "
    said += f"object type: {kind} hint: my_fn+0x0/0x10"
    frames = "\n".join(
        f" {name}+0x1/0x2" for name in ("debug_print_object", "debug_check_no_obj_freed", "kfree", "my_free")
    )
    return (
        f"------------[ cut here ]------------\n{said}\n"
        "WARNING: CPU: 0 PID: 77 at lib/debugobjects.c:514 debug_print_object+0x1/0x2\n"
        f"Call Trace:\n <TASK>\n{frames}\n </TASK>\n---[ end trace 0000000000000000 ]---"
    )


def test_object_debugging_tells_types_apart() -> None:
    timer, work = alone(odebug("timer_list")), alone(odebug("work_struct"))
    assert timer != work
    assert "| my_free |" in timer
    assert timer == alone(re.sub("cafecafe", "12345678", odebug("timer_list")))


def test_stall_without_a_stack_is_one_with_that_of_the_same_boot() -> None:
    without = "\n".join(
        ["rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", "Call Trace:", " system_call+0x1/0x2"]
    )
    lines = [T77 + line for line in f"{without}\n{sample.RCU_STALL}\n{without}".split("\n")]
    (splat,) = find(*lines)
    assert splat.signature == "rcu-stall | rcu_preempt | sys_madvise"
    assert splat.excerpt[-1] == "[… 2 more with this signature in this boot]"


def test_stall_with_the_backtrace_of_another_cpu_by_its_own_caller() -> None:
    c0, t5 = "[    9.000001][    C0] ", "[    9.000001][    T5] "
    lines = [
        c0 + "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
        c0 + "Sending NMI from CPU 0 to CPUs 1:",
        t5 + "usb: a line of somebody else",
        C1 + "NMI backtrace for cpu 1",
        C1 + "Call Trace:",
        C1 + " <TASK>",
        C1 + " spin_in_split+0x1/0x2",
        C1 + " __x64_sys_madvise+0x1/0x2",
        C1 + " </TASK>",
    ]
    (splat,) = find(*lines)
    assert splat.signature == "rcu-stall | rcu_preempt | sys_madvise"
    assert len(splat.excerpt) == len(lines) - 1
