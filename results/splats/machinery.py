# SPDX-License-Identifier: GPL-2.0-only
"""Functions that are never to blame for a report: they make it, or are small services of their callers.

Names as in Linux 6.12 to 7.1; underscores in front and `_noprof` at the end do not count, `*` is any rest.
"""

from __future__ import annotations

from collections.abc import Mapping

REPORTING: Mapping[str, str] = {
    "stack dumps": """
        arch_stack_walk* debug_show_* dump_backtrace* dump_mm* dump_page* dump_stack* dump_vma*
        nmi_* save_stack* sched_show_task show_regs* show_regs_print_info show_stack* show_state*
        show_trace* stack_depot_* stack_trace_* unwind*
    """,
    "WARN and BUG": """
        add_taint bug_* bug_handler cfi_* check_panic_on_warn die die_* handle_bug oops_* panic
        report_bug* rust_begin_unwind vpanic warn warn_*
    """,
    "x86 entry": """
        asm_* bad_area* common_interrupt* do_error_trap do_general_protection do_int3*
        do_kern_addr_fault do_page_fault* do_trap* do_user_addr_fault entry_* error_entry exc_*
        handle_page_fault handle_reserved* interrupt_return* math_error no_context page_fault_oops
        paranoid_entry spurious_* sysvec_* trace_do_page_fault
    """,
    "arm64 entry": """
        arm64_notify_die arm64_serror_panic brk_handler bug_brk_handler call_break_hook
        call_on_irq_stack do_alignment_fault do_bad_area do_bti do_debug_exception do_el0* do_el1_*
        do_interrupt_handler do_kernel_fault do_mem_abort do_page_fault do_serror do_sp_pc_abort
        do_tag_check_fault do_tag_recovery do_translation_fault do_undefinstr early_brk64 el0* el1*
        handle_bad_stack kasan_handler panic_bad_stack reqsan_handler set_die ubsan_handler
    """,
    "s390 entry": """
        do_dat_exception do_ext_irq do_io_irq do_no_context do_per_trap do_pgm_check*
        do_protection_exception do_secure_storage_access ext_int_handler handle_fault_error*
        illegal_op* io_int_handler kernel_stack_invalid kernel_stack_overflow
        kfence_handle_page_fault monitor_event_exception pgm_check* program_check* stack_invalid
    """,
    "powerpc entry": """
        alignment_exception* bad_page_fault* crash_* data_access* decrementer* do_hash_fault
        do_program_check emulation_assist* hardware_interrupt* hash_fault* instruction_access*
        interrupt_* machine_check* program_check_* replay_soft_interrupts* soft_nmi* system_call_*
        system_reset_* unknown_exception* unrecoverable_exception
    """,
    "sparc entry": """
        bad_trap* die_if_kernel do_kernel_fault do_mna do_privop do_sparc64_fault
        do_unaligned_access etrap* kernel_bad_trap kernel_mna_trap_fault kernel_unaligned_trap
        linux_sparc_syscall* log_unaligned mem_address_unaligned rtrap* sparc64_realfault_common
        spitfire_data_access_exception sun4v_data_access_exception sun4v_do_mna sys_call_table tl0_*
        tl1_* unhandled_fault user_rtt_fill_fixup_common
    """,
    "sanitizers": """
        addr_has_metadata asan_* check_memory_region* check_region* end_report fault_in_report
        hwasan_* kasan_* kcsan_* kfence_* kmsan_* kunit_* msan_* print_address* print_report
        report_* start_report tsan_* ubsan_*
    """,
    "lockdep": """
        check_chain_key check_deadlock check_irq_usage check_noncircular check_preemption*
        check_prev* check_prevs_add check_wait_context debug_check_no* debug_locks_off lock_acquire*
        lock_is_held* lock_release* lock_set_class lockdep_* look_up_lock_class mark_held_locks
        mark_lock* mark_usage print_* rcu_lockdep_* register_lock_class validate_chain
    """,
    "object debugging": """
        check_poison_mem debug_check_no_obj_freed debug_hrtimer_* debug_init debug_mutex_*
        debug_object* debug_print_object debug_rcu_head_* debug_rt_mutex_* debug_smp* debug_spin*
        debug_timer_* debug_work_* dec_stack_record_count inc_stack_record_count kernel_poison_pages
        kernel_unpoison_pages page_owner* page_table_check* poison_page* reset_page_owner*
        save_page_owner* set_page_owner* unpoison_page*
    """,
    "atomic sleep": """
        cant_migrate cant_sleep might_fault* might_resched might_sleep* schedule_bug schedule_debug*
        this_cpu_preempt_check
    """,
    "slab checks": """
        alloc_consistency_checks alloc_debug_processing cache_from_obj check_bytes* check_object
        check_pad_bytes check_slab free_consistency_checks free_debug_processing init_object
        kmem_cache_destroy object_err on_freelist print_track print_trailer setup_object* slab_bug
        slab_err slab_fix slab_free_hook slab_pad_check validate_slab* virt_to_cache
    """,
    "page checks": """
        bad_page bad_page_* bad_range check_new_page* check_new_pages free_page_is_bad*
        free_pages_prepare p4d_clear_bad page_bad_reason pgd_clear_bad pmd_clear_bad post_alloc_hook
        prep_new_page print_bad_page_map print_bad_pte pud_clear_bad vm_normal_page*
    """,
    "stalls": """
        arch_trigger* check_hung* csd_lock_* hung_task* print_cpu_stall* print_other_cpu_stall
        rcu_check* rcu_core* rcu_cpu_* rcu_dump* rcu_exp_* rcu_gp_* rcu_implicit*
        rcu_note_context_switch rcu_pending rcu_sched_clock* rcu_stall* rcu_tasks_* softlockup_*
        synchronize_rcu_expedited_wait* trigger_* watchdog* wd_*
    """,
    "allocation failures": """
        dump_header fail_dump mem_cgroup_oom* mem_cgroup_out_of_memory oom_kill_process
        out_of_memory pagefault_out_of_memory should_fail* warn_alloc*
    """,
}
"""By what they belong to."""

HELPERS: Mapping[str, str] = {
    "waiting": """
        bit_wait* cond_resched* context_switch do_wait_for_common finish_task_switch* flush_work*
        flush_workqueue folio_wait* io_schedule* kthread_park kthread_stop msleep* out_of_line_wait*
        preempt_schedule* prepare_to_wait* rcu_barrier schedule schedule_hrtimeout* schedule_idle
        schedule_loop schedule_preempt_disabled schedule_timeout* schedule_user start_flush_work
        switch_to* synchronize_rcu* synchronize_sched synchronize_srcu* usleep_range* wait_event*
        wait_for_co* wait_for_common* wait_on_bit* wait_on_page* wait_rcu_gp* wait_woken
    """,
    "locks": """
        arch_read* arch_spin* arch_write* bit_spin_* do_raw_* down down_* folio_lock* lock_page*
        lock_sock* mcs_spin* mutex_* native_queued* osq_lock osq_unlock percpu_down* percpu_rwsem*
        percpu_up* pv_queued* queued_read* queued_spin* queued_write* raw_read* raw_spin* raw_write*
        read_lock* rt_mutex* rt_read_* rt_spin_* rt_write_* rtlock_* rwbase* rwsem_* spin_*
        splpar_spin* up up_read up_write write_lock* ww_mutex_* yield_to*
    """,
    "reference counts": """
        atomic_* kref_* percpu_ref_* rcuref_* refcount_*
    """,
    "lists and trees": """
        anon_vma_interval_tree_* assoc_array_* bitmap_* bsearch find_first_* find_last_bit
        find_next_* hlist_add* hlist_del* ida_* idr_* interval_tree_* klist_* list_add* list_del*
        list_move* list_sort list_splice* llist_* mab_* mas_* mt_find* mtree_* plist_* radix_tree_*
        rb_add* rb_erase* rb_find* rb_first* rb_insert* rb_last* rb_link* rb_next* rb_prev*
        rb_replace* rhashtable_* sort sort_r vma_interval_tree_* xa_* xas_*
    """,
    "memory and strings": """
        GENmemcpy M7memcpy NG2memcpy NG4memcpy NGmemcpy U1memcpy U3memcpy arch_clear_user
        arch_copy_* clear_highpage* clear_huge_page* clear_page clear_page_erms clear_page_orig
        clear_page_rep clear_pages* clear_user* copy_from_iter* copy_from_kernel* copy_from_user*
        copy_highpage copy_in_user* copy_mc_* copy_page copy_page_from_iter* copy_page_to_iter*
        copy_to_iter* copy_to_kernel* copy_to_user* copy_user_* copy_user_highpage csum_* fault_in_*
        folio_zero_* get_user* iov_iter_* memchr* memcmp* memcpy* memcpy_orig memmove* memscan
        memset* memzero* put_user* raw_copy_* rep_movs* rep_stos* strcat strchr strcmp strcpy
        strlcpy strlen strncmp strncpy strncpy_from_user* strnlen strrchr strscpy* strstr
    """,
    "allocators": """
        alloc_contig* alloc_from* alloc_frozen* alloc_page alloc_pages* alloc_percpu* allocate_slab
        create_object deactivate_slab delete_object* discard_slab do_kmalloc* do_slab_free
        flush_cpu_slab folio_alloc* folio_put* folios_put* free_contig* free_frozen_*
        free_large_kmalloc free_one_page free_page free_pages* free_pages_and_swap_cache
        free_pcppages* free_percpu free_slab free_swap_cache free_to_partial_list free_unref_*
        get_any_partial get_free_page* get_page_from* get_zeroed_page* kcalloc* kfree* kmalloc*
        kmem_cache_alloc* kmem_cache_free* kmemdup* kmemleak_* krealloc* kstrdup* kvfree* kvmalloc*
        kvzalloc* kzalloc* mempool_* new_slab* pcpu_alloc* put_cpu_partial put_page qlist_*
        quarantine_* release_pages rmqueue* slab_alloc* slab_free* slab_post_alloc* vfree*
        vma_alloc_folio* vmalloc* vzalloc*
    """,
    "processors": """
        cpu_stopper_thread do_handle_IPI flush_smp_call* generic_exec_single generic_handle*
        generic_smp_call* handle_IPI ipi_* multi_cpu_stop on_each_cpu* smp_call* smp_processor_id*
        stop_machine* stop_one_cpu*
    """,
    "interrupts": """
        apic_* arch_timer* call_timer* do_IRQ* do_irq* do_softirq* expire_timers gic_*
        handle_edge_irq handle_fasteoi_irq handle_irq* handle_level_irq handle_percpu_*
        handle_simple_irq handle_softirqs hrtimer* invoke_softirq irq_* note_interrupt
        report_bad_irq run_ksoftirqd run_timer* softirqentry* tick_* timer_interrupt*
        update_process_times
    """,
    "idle": """
        acpi_idle* arch_cpu_idle* cpu_idle* cpu_startup_entry cpuidle_* default_idle* do_idle
        native_safe_halt pv_native_safe_halt rest_init secondary_startup* start_secondary*
    """,
    "sysfs": """
        device_add device_register kernfs_* kobject_* sysfs_*
    """,
}
"""By what they do; a report with no other frame names one of these."""

ENTRY: Mapping[str, str] = {
    "system calls and threads": """
        do_el0_svc do_one_initcall do_syscall do_syscall_64 entry_SYSCALL* invoke_syscall*
        kernel_init* kthread process_one_work process_scheduled_works ret_from_* run_ksoftirqd
        smpboot_thread_fn start_kernel start_thread syscall_* system_call system_call_exception
        worker_thread x64_sys_call x86_64_start_*
    """,
}
"""What every stack ends in."""


class _Names:
    """A list of names and beginnings of names."""

    def __init__(self, *groups: Mapping[str, str]) -> None:
        words = {word for group in groups for names in group.values() for word in names.split()}
        self._whole = frozenset(word for word in words if not word.endswith("*"))
        self._beginnings = tuple(sorted(word[:-1] for word in words if word.endswith("*")))

    def __contains__(self, function: str) -> bool:
        name = function.lstrip("_").removesuffix("_noprof")
        return name in self._whole or name.startswith(self._beginnings)


_ONLY_REPORTING = _Names(REPORTING, ENTRY)
_MACHINERY = _Names(REPORTING, ENTRY, HELPERS)


def only_reports(function: str) -> bool:
    """Tell whether a function is part of how a report is made, or of how every stack begins."""
    return function in _ONLY_REPORTING


def is_machinery(function: str) -> bool:
    """Tell whether a function only reports, or only does something small for others."""
    return function in _MACHINERY
