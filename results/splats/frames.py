# SPDX-License-Identifier: GPL-2.0-only
"""Functions in the stack dumps of a kernel report, on every architecture."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_FRAME = re.compile(r"(?P<doubtful>\? )?(?P<function>[A-Za-z_][\w.$]{0,200})\+0x[0-9a-f]+/0x[0-9a-f]+")
_PROGRAM_COUNTER = re.compile(
    r"(?:\bRIP: [0-9a-f]{4}:|^pc : |^NIP \[[0-9a-f]+\] |Krnl PSW : [0-9a-f]+ [0-9a-f]+ \(|\bTPC: <)"
    r"(?P<function>[A-Za-z_][\w.$]{0,200})\+0x"
)
_NOT_A_FRAME = re.compile(
    r"^(?:RIP:|pc :|lr :|NIP |LR |Krnl PSW|TPC:|RPC:|I7:|Workqueue:| *\{)|\bat: |\bat \S+\.[chS]:[0-9]"
)
_LAST_BREAK = "Last Breaking-Event-Address"
_LOCK_PLACE = re.compile(r"\bat: (?P<function>[A-Za-z_][\w.$]{0,200})\+0x")
_CLONE_SUFFIX = re.compile(r"\.(?:isra|constprop|part|cold|llvm|lto_priv)\b.*$")
_SYSTEM_CALL = re.compile(
    r"^(?:__(?:x64|arm64|s390x?|powerpc|sparc|riscv|ia32)_|__(?:se|do)_|)(?:compat_)?(?P<name>sys_(?!call)\w+)$"
)

_MACHINERY = re.compile(
    r"^_*(?:"
    r"refcount_|dump_stack|show_stack|show_regs|show_trace|dump_backtrace|unwind|arch_stack_walk|dump_page|"
    r"warn\b|warn_|report_bug|handle_bug|bug_handler|die\b|die_|panic|vpanic|nmi_|exc_|asm_|sysvec_|do_error_trap|"
    r"do_trap|handle_reserved|no_context|page_fault_oops|bad_area|pgm_check|do_pgm_check|program_check|"
    r"interrupt_return|el[01]|ret_from|brk_handler|call_break_hook|do_debug_exception|do_mem_abort|do_kernel_fault|"
    r"do_translation_fault|might_sleep|might_resched|might_fault|schedule|io_schedule|preempt_schedule|cond_resched|"
    r"mutex_lock|rwsem_|down_(?:read|write)|up_read|up_write|wait_for_co|rt_mutex|rwbase|bit_wait|wait_on_bit|folio_wait|folio_lock|"
    r"(?:do_)?raw_(?:spin|read|write)|queued_spin|native_queued|arch_spin|kasan|print_report|print_address|"
    r"check_memory_region|check_region|asan_|hwasan|ubsan|kfence|kmsan|kcsan|lock_acquire|lock_release|"
    r"lockdep|print_|check_noncircular|check_prev|check_deadlock|check_irq_usage|check_preemption|validate_chain|mark_lock|register_lock_class|debug_check_no|debug_object|debug_smp|spin_|"
    r"alloc_pages|alloc_frozen|get_page_from|get_free_pages|folio_alloc|alloc_from|should_fail|fail_dump|"
    r"bad_page|free_page_is_bad|list_add_valid|list_del_entry_valid|"
    r"rcu_sched_clock|rcu_check|rcu_dump|rcu_implicit|update_process_times|tick_|hrtimer|run_timer|call_timer|"
    r"timer_interrupt|apic_|irq_|do_softirq|handle_softirqs|invoke_softirq|do_irq|do_IRQ|watchdog|"
    r"smp_call|generic_handle|gic_|arch_timer|default_idle|cpu_idle|do_idle|arch_cpu_idle|cpu_startup_entry"
    r")"
)


def program_counter(lines: Sequence[str]) -> str | None:
    """Return the function that the CPU was in."""
    for line in lines:
        if match := _PROGRAM_COUNTER.search(line):
            return plain_name(match["function"])
    return None


def lock_place(lines: Sequence[str]) -> str | None:
    """Return the function that a lockdep report says took, or tries to take, the lock."""
    for line in lines:
        if match := _LOCK_PLACE.search(line):
            return plain_name(match["function"])
    return None


def first_frame(lines: Sequence[str]) -> str | None:
    """Return the innermost function that is not part of the reporting, locking or allocating machinery."""
    fallback: str | None = None
    for function in frames(lines):
        if not _MACHINERY.match(function):
            return function
        fallback = fallback or function
    return fallback


def system_call(lines: Sequence[str]) -> str | None:
    """Return the system call at the bottom of the stack, named alike on every architecture."""
    for function in frames(lines):
        if match := _SYSTEM_CALL.match(function):
            return match["name"]
    return None


def frames(lines: Sequence[str]) -> Iterator[str]:
    """Yield the functions of the call traces, innermost first, without those the unwinder doubts."""
    for line in lines:
        if _LAST_BREAK in line:
            return
        if _NOT_A_FRAME.search(line):
            continue
        match = _FRAME.search(line)
        if match and not match["doubtful"] and "(unreliable)" not in line:
            yield plain_name(match["function"])


def is_machinery(function: str) -> bool:
    """Tell whether a function only reports, locks or allocates for others."""
    return _MACHINERY.match(function) is not None


def has_frame(line: str) -> bool:
    """Tell whether a line belongs to a stack dump, or names the program counter."""
    return "+0x" in line and _FRAME.search(line) is not None


def plain_name(function: str) -> str:
    """Take off what the compiler adds to the name of a clone; two builds don't agree on it."""
    return _CLONE_SUFFIX.sub("", function)
