# SPDX-License-Identifier: GPL-2.0-only
"""Reports of the kernel as they look on a console, without printk's prefix; addresses are made up."""

from __future__ import annotations

WARNING_612 = """\
------------[ cut here ]------------
WARNING: CPU: 0 PID: 71 at mm/huge_memory.c:2841 __split_huge_pmd_locked+0x5c1/0x7a0
Modules linked in:
CPU: 0 UID: 0 PID: 71 Comm: pmd_split Not tainted 6.12.117 #1
Hardware name: QEMU Standard PC (i440FX + PIIX, 1996)
RIP: 0010:__split_huge_pmd_locked+0x5c1/0x7a0
Code: 0f 0b e9 12 34 56 78
RSP: 0018:ffffc900001dfb58 EFLAGS: 00010246
Call Trace:
 <TASK>
 ? __warn+0x81/0x130
 ? report_bug+0x171/0x1a0
 split_huge_pmd_address+0x4b/0x70
 unmap_vmas+0x33/0x44
 do_syscall_64+0x5e/0x90
 </TASK>
---[ end trace 0000000000000000 ]---"""

WARNING_71 = """\
------------[ cut here ]------------
WARNING: mm/huge_memory.c:2911 at __split_huge_pmd_locked+0x5d3/0x7b8, CPU#1: pmd_split/1071
Modules linked in:
pc : __split_huge_pmd_locked+0x5d3/0x7b8
lr : split_huge_pmd_address+0x44/0x70
Call trace:
 __split_huge_pmd_locked+0x5d3/0x7b8 (P)
 split_huge_pmd_address+0x44/0x70
---[ end trace 0000000000000000 ]---"""

WARNING_WITH_MESSAGE = """\
------------[ cut here ]------------
refcount_t: underflow; use-after-free at 00000000deadbeef, count 17.
WARNING: CPU: 3 PID: 9 at lib/refcount.c:28 refcount_warn_saturate+0xba/0x110
RIP: 0010:refcount_warn_saturate+0xba/0x110
---[ end trace 0000000000000000 ]---"""

BUG_X86 = """\
------------[ cut here ]------------
kernel BUG at mm/huge_memory.c:3127!
Oops: invalid opcode: 0000 [#1] PREEMPT SMP NOPTI
CPU: 1 UID: 0 PID: 88 Comm: pmd_split Not tainted 6.12.117 #1
RIP: 0010:split_folio_to_list.isra.0+0x1a2/0x6c0
Call Trace:
 <TASK>
 madvise_free_huge_pmd+0x10/0x20
 </TASK>
---[ end trace 0000000000000000 ]---"""

PAGE_FAULT_X86 = """\
BUG: unable to handle page fault for address: ffffea0000123450
#PF: supervisor read access in kernel mode
#PF: error_code(0x0000) - not-present page
PGD 1000067 P4D 1000067 PUD 0
Oops: Oops: 0000 [#1] PREEMPT SMP
CPU: 0 UID: 0 PID: 55 Comm: pmd_split Tainted: G        W          6.12.117 #1
RIP: 0010:pmd_pfn+0x12/0x34
Call Trace:
 <TASK>
 zap_huge_pmd+0x1/0x2
 </TASK>
CR2: ffffea0000123450
---[ end trace 0000000000000000 ]---"""

NULL_X86 = """\
BUG: kernel NULL pointer dereference, address: 0000000000000018
#PF: supervisor write access in kernel mode
Oops: Oops: 0002 [#1] SMP
RIP: 0010:pgtable_trans_huge_deposit+0x11/0x80
---[ end trace 0000000000000000 ]---"""

GPF_X86 = """\
Oops: general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1] SMP
CPU: 0 UID: 0 PID: 55 Comm: x Not tainted 6.12.117 #1
RIP: 0010:pgtable_trans_huge_withdraw+0x3a/0x90
---[ end trace 0000000000000000 ]---"""

NULL_ARM64 = """\
Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008
Mem abort info:
  ESR = 0x0000000096000004
user pgtable: 4k pages, 48-bit VAs, pgdp=0000000042f2b000
Internal error: Oops: 0000000096000004 [#1] PREEMPT SMP
CPU: 1 UID: 0 PID: 67 Comm: pmd_split Not tainted 6.12.117 #1
pc : pgtable_trans_huge_deposit+0x20/0x68
lr : do_huge_pmd_anonymous_page+0x1c4/0x5a0
Call trace:
 pgtable_trans_huge_deposit+0x20/0x68
 do_huge_pmd_anonymous_page+0x1c4/0x5a0
---[ end trace 0000000000000000 ]---"""

FAULT_POWERPC = """\
BUG: Unable to handle kernel data access on read at 0x5deadbeef0000122
Faulting instruction address: 0xc0000000000a1b2c
Oops: Kernel access of bad area, sig: 11 [#1]
LE PAGE_SIZE=64K MMU=Hash SMP NR_CPUS=4 pSeries
CPU: 0 UID: 0 PID: 66 Comm: pmd_split Not tainted 6.12.117 #1
NIP:  c0000000000a1b2c LR: c0000000000a1b00 CTR: 0000000000000000
NIP [c0000000000a1b2c] hash__pgtable_trans_huge_withdraw+0x4c/0xd0
LR [c0000000000a1b00] hash__pgtable_trans_huge_withdraw+0x20/0xd0
Call Trace:
[c000000004b3f8a0] [c00000000041d0b0] __split_huge_pmd+0x1a0/0xaf0
---[ end trace 0000000000000000 ]---"""

FAULT_S390 = """\
Unable to handle kernel pointer dereference in virtual kernel address space
Failing address: 0000000000000000 TEID: 0000000000000483
Fault in home space mode while using kernel ASCE.
AS:0000000001b10007 R3:000000007fff4007 S:000000007fff9000 P:000000000000013d
Oops: 0004 ilc:3 [#1] SMP
CPU: 0 UID: 0 PID: 63 Comm: pmd_split Not tainted 6.12.117 #1
Krnl PSW : 0704e00180000000 00000000004f1e2a (pgtable_trans_huge_withdraw+0x2a/0x90)
           R:0 T:1 IO:1 EX:1 Key:0 M:1 W:0 P:0 AS:3 CC:2 PM:0 RI:0 EA:3
Call Trace:
 [<00000000004f1e2a>] pgtable_trans_huge_withdraw+0x2a/0x90
 [<00000000004f0c10>] __split_huge_pmd+0x150/0x8c0
Last Breaking-Event-Address:
 [<00000000004f1df0>] something_else+0x10/0x20
---[ end trace 0000000000000000 ]---"""

FAULT_SPARC = """\
Unable to handle kernel NULL pointer dereference
tsk->{mm,active_mm}->context = 0000000000000021
              \\|/ ____ \\|/
pmd_split(71): Oops [#1]
TSTATE: 0000004411001606 TPC: 00000000005c3a10 TNPC: 00000000005c3a14 Y: 00000000    Not tainted
TPC: <pgtable_trans_huge_deposit+0x30/0x60>
RPC: <do_huge_pmd_anonymous_page+0x2ac/0x4e0>
Call Trace:
[<00000000005c3a10>] pgtable_trans_huge_deposit+0x30/0x60"""

PANIC = """\
Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b
CPU: 0 UID: 0 PID: 1 Comm: init Not tainted 6.12.117 #1
Call Trace:
 <TASK>
 panic+0x32a/0x340
 </TASK>
---[ end Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b ]---"""

KASAN = """\
==================================================================
BUG: KASAN: slab-use-after-free in pte_free_defer+0x60/0x80
Read of size 8 at addr ffff888006b7a0c0 by task pmd_split/77

CPU: 0 UID: 0 PID: 77 Comm: pmd_split Not tainted 6.12.117 #1
Call Trace:
 <TASK>
 dump_stack_lvl+0x53/0x70
 print_report+0xce/0x610
 kasan_report+0xb4/0xe0
 pte_free_defer+0x60/0x80
 </TASK>
Allocated by task 77:
 kasan_save_stack+0x24/0x50
=================================================================="""

KFENCE = """\
==================================================================
BUG: KFENCE: out-of-bounds read in pte_offset_map+0xa/0x20

Out-of-bounds read at 0x(____ptrval____) (32B right of kfence-#72):
 pte_offset_map+0xa/0x20
=================================================================="""

KCSAN = """\
==================================================================
BUG: KCSAN: data-race in folio_remove_rmap_pmd / page_mapcount

write to 0xffffea0000a80030 of 4 bytes by task 90 on cpu 1:
=================================================================="""

UBSAN = """\
------------[ cut here ]------------
UBSAN: array-index-out-of-bounds in ../mm/vmstat.c:1912:11
index 12 is out of range for type 'long unsigned int [10]'
CPU: 0 UID: 0 PID: 77 Comm: pmd_split Not tainted 6.12.117 #1
Call Trace:
 <TASK>
 dump_stack_lvl+0x53/0x70
 __ubsan_handle_out_of_bounds+0x90/0xd0
 vmstat_start+0x8/0x10
 </TASK>
---[ end trace ]---"""

ATOMIC_SLEEP = """\
BUG: sleeping function called from invalid context at include/linux/sched/mm.h:321
in_atomic(): 1, irqs_disabled(): 0, non_block: 0, pid: 80, name: pmd_split
preempt_count: 1, expected: 0
CPU: 0 UID: 0 PID: 80 Comm: pmd_split Not tainted 6.12.117 #1
Call Trace:
 <TASK>
 dump_stack_lvl+0x53/0x70
 __might_resched+0x1f1/0x2c0
 __alloc_pages_noprof+0x2c1/0x320
 ? left_on_the_stack+0x10/0x20
 pte_alloc_one+0x2a/0xf0
 </TASK>"""

SCHEDULING_WHILE_ATOMIC = """\
BUG: scheduling while atomic: pmd_split/83/0x00000002
Modules linked in:
Call trace:
 show_stack+0x18/0x24
 dump_stack_lvl+0x60/0x80
 __schedule_bug+0x54/0x70
 __schedule+0x8f0/0x9c0
 schedule+0x30/0xd0
 pmd_alloc_deferred+0x24/0x90
EXT4-fs: something harmless"""

RCU_STALL = """\
rcu: INFO: rcu_preempt self-detected stall on CPU
rcu: \t0-....: (5249 ticks this GP) idle=d9cc/1/0x4000000000000000 softirq=152/152 fqs=1312
CPU: 0 UID: 0 PID: 90 Comm: sharer Not tainted 6.12.117 #1
RIP: 0010:rmap_walk_anon+0x12/0x34
Call Trace:
 <IRQ>
 rcu_dump_cpu_stacks+0xc4/0x100
 </IRQ>
 <TASK>
 rmap_walk_anon+0x12/0x34
 __x64_sys_madvise+0x24/0x30
 do_syscall_64+0x5e/0x90
 </TASK>"""

SOFT_LOCKUP = """\
watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [sharer:90]
Modules linked in:
pc : rmap_walk_anon+0x12/0x34
Call trace:
 rmap_walk_anon+0x12/0x34
 __arm64_sys_madvise+0x24/0x30
 el0_svc+0x3c/0x148
random line"""

HARD_LOCKUP = """\
watchdog: Watchdog detected hard LOCKUP on cpu 1
RIP: 0010:native_queued_spin_lock_slowpath+0x60/0x2b0
Call Trace:
 <TASK>
 native_queued_spin_lock_slowpath+0x60/0x2b0
 __do_sys_munmap+0x10/0x20
 </TASK>"""

HUNG_TASK = """\
INFO: task khugepaged:34 blocked for more than 122 seconds.
      Not tainted 6.12.117 #1
"echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.
task:khugepaged      state:D stack:0     pid:34    tgid:34    ppid:2      flags:0x00004000
Call Trace:
 <TASK>
 __schedule+0x3e8/0x1430
 schedule+0x27/0xf0
 rwsem_down_write_slowpath+0x1a5/0x7d0
 collapse_huge_page+0x2b1/0xa70
 </TASK>"""

BAD_PAGE_STATE = """\
BUG: Bad page state in process pmd_split  pfn:05e2a
page: refcount:0 mapcount:0 mapping:0000000000000000 index:0x0 pfn:0x5e2a
page dumped because: nonzero pgtable
Call Trace:
 <TASK>
 dump_stack_lvl+0x53/0x70
 bad_page+0x71/0x100
 free_unref_page+0x44/0x50
 </TASK>"""

BAD_PAGE_MAP = """\
BUG: Bad page map in process pmd_split  pte:8000000005e2a067 pmd:05f3b067
addr:00007f2a40000000 vm_flags:00200073 anon_vma:ffff888005c1f8c0 mapping:0000000000000000 index:7f2a40000
file:(null) fault:0x0 mmap:0x0 read_folio:0x0
Call Trace:
 <TASK>
 print_bad_pte+0x1d3/0x2b0
 zap_pte_range+0x9f0/0xa50
 </TASK>"""

RSS_COUNTER = "BUG: Bad rss-counter state mm:ffff888006b7a0c0 type:MM_ANONPAGES val:512 Comm:pmd_split Pid:77"
PGTABLES_BYTES = "BUG: non-zero pgtables_bytes on freeing mm: 4096"

PAGE_ALLOCATION = """\
pmd_split: page allocation failure: order:0, mode:0x400dc0(GFP_KERNEL_ACCOUNT|__GFP_ZERO), nodemask=(null)
CPU: 0 UID: 0 PID: 80 Comm: pmd_split Not tainted 6.12.117 #1
Call Trace:
 <TASK>
 dump_stack_lvl+0x53/0x70
 warn_alloc+0x164/0x190
 __alloc_pages_noprof+0x2c1/0x320
 pte_alloc_one+0x2a/0xf0
 </TASK>
Mem-Info:"""

OOM = """\
pmd_split invoked oom-killer: gfp_mask=0x140dca(GFP_HIGHUSER_MOVABLE|__GFP_ZERO), order=0, oom_score_adj=0
CPU: 0 UID: 0 PID: 80 Comm: pmd_split Not tainted 6.12.117 #1
Call Trace:
 <TASK>
 dump_header+0x44/0x180
 </TASK>
Mem-Info:
Out of memory: Killed process 80 (pmd_split) total-vm:1200000kB"""

LIST_CORRUPTION = """\
list_del corruption. prev->next should be ffffea0000123408, but was dead000000000100. (prev=ffffea0000a80008)
------------[ cut here ]------------
kernel BUG at lib/list_debug.c:62!
Oops: invalid opcode: 0000 [#1] PREEMPT SMP
RIP: 0010:__list_del_entry_valid_or_report+0x9e/0xb0
Call Trace:
 <TASK>
 pgtable_trans_huge_withdraw+0x22/0x90
 </TASK>
---[ end trace 0000000000000000 ]---"""

STACK_OVERFLOW_X86 = """\
BUG: TASK stack guard page was hit at 00000000f8a5b2c1 (stack is 00000000a1b2c3d4..00000000b5c6d7e8)
Oops: stack guard page: 0000 [#1] PREEMPT SMP
RIP: 0010:recurse+0x5/0x20
---[ end trace 0000000000000000 ]---"""

STACK_OVERFLOW_ARM64 = """\
Insufficient stack space to handle exception!
ESR: 0x0000000096000047 -- DABT (current EL)
CPU: 0 UID: 0 PID: 70 Comm: x Not tainted 6.12.117 #1
pc : recurse+0x5/0x20
Kernel panic - not syncing: kernel stack overflow"""

LOCKDEP_CIRCULAR = """\
======================================================
WARNING: possible circular locking dependency detected
6.12.117 #1 Not tainted
------------------------------------------------------
pmd_split/80 is trying to acquire lock:
ffff888005c1f8c0 (ptlock_ptr(ptdesc)){+.+.}-{3:3}, at: __pte_offset_map_lock+0x6a/0x110

but task is already holding lock:
ffff888005c1f900 (&mm->page_table_lock){+.+.}-{3:3}, at: __split_huge_pmd+0x44/0x120

stack backtrace:
CPU: 0 UID: 0 PID: 80 Comm: pmd_split Not tainted 6.12.117 #1
Call Trace:
 <TASK>
 dump_stack_lvl+0x53/0x70
 </TASK>"""

LOCKDEP_RCU = """\
=============================
WARNING: suspicious RCU usage
6.12.117 #1 Not tainted
-----------------------------
mm/pgtable-generic.c:290 suspicious rcu_dereference_check() usage!

other info that might help us debug this:
stack backtrace:
Call Trace:
 <TASK>
 lockdep_rcu_suspicious+0x12f/0x180
 ___pte_offset_map+0x12/0x34
 </TASK>"""

INVALID_WAIT = """\
=============================
[ BUG: Invalid wait context ]
6.12.117 #1 Not tainted
-----------------------------
pmd_split/80 is trying to lock:
ffff888005c1f8c0 (&pool->lock){+.+.}-{3:3}, at: __queue_work+0x6a/0x110"""

SPINLOCK = """\
BUG: spinlock bad magic on CPU#0, pmd_split/80
 lock: 0xffff888005c1f8c0, .magic: 00000000, .owner: <none>/-1, .owner_cpu: 0
Call Trace:
 <TASK>
 dump_stack_lvl+0x53/0x70
 do_raw_spin_lock+0x6a/0xa0
 pmd_lock+0x11/0x20
 </TASK>"""
