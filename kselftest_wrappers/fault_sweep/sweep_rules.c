// SPDX-License-Identifier: GPL-2.0-only
#include "sweep_rules.h"
#include "sweep_ops.h"

#include <errno.h>
#include <signal.h>

/* Effects: success has the full effect, failure none. */
#define ALL EFFECT_FULL
#define NOTHING EFFECT_NONE

/* A call that may stop after some pages. */
#define SOME (EFFECT_NONE | EFFECT_PART)
#define ANY (EFFECT_NONE | EFFECT_PART | EFFECT_FULL)

/*
 * Strict where the documentation is silent. Columns: operation, effect after
 * success, effect after an error, errno values, signals, takes pages, source.
 */
const struct sweep_rule sweep_rules[] = {
	{ &sweep_munmap, ALL, NOTHING, { ENOMEM }, { 0 }, false,
	  "munmap(2), ERRORS: ENOMEM" },
	{ &sweep_mprotect_ro, ALL, SOME, { ENOMEM }, { 0 }, false,
	  "POSIX mprotect(), ERRORS: protections of some pages may have been changed" },
	{ &sweep_mprotect_rw, ALL, SOME, { ENOMEM }, { 0 }, false,
	  "POSIX mprotect(), ERRORS: protections of some pages may have been changed" },
	{ &sweep_mlock, ALL, ANY, { ENOMEM, EAGAIN }, { 0 }, false,
	  "mlock(2), ERRORS: EAGAIN, some or all of the range could not be locked" },
	{ &sweep_munlock, ALL, NOTHING, { ENOMEM, EAGAIN }, { 0 }, false,
	  "mlock(2), ERRORS" },
	{ &sweep_mremap_move, ALL, NOTHING, { ENOMEM }, { 0 }, false,
	  "mremap(2), ERRORS: ENOMEM" },
	{ &sweep_mremap_shrink, ALL, NOTHING, { ENOMEM }, { 0 }, false,
	  "mremap(2), ERRORS: ENOMEM" },
	{ &sweep_mremap_grow, ALL, NOTHING, { ENOMEM }, { 0 }, false,
	  "mremap(2), ERRORS: ENOMEM" },
	{ &sweep_map_fixed, ALL, ANY, { ENOMEM }, { 0 }, false,
	  "POSIX mmap(), ERRORS: mappings in the range may have been unmapped" },
	{ &sweep_madv_dontneed, ALL, NOTHING, { ENOMEM, EAGAIN }, { 0 }, false,
	  "madvise(2), MADV_DONTNEED: zero-fill on demand after success" },
	{ &sweep_madv_free, ANY, SOME, { ENOMEM, EAGAIN }, { 0 }, false,
	  "madvise(2), MADV_FREE: the freeing could be delayed" },
	{ &sweep_madv_pageout, ANY, SOME, { ENOMEM, EAGAIN }, { 0 }, true,
	  "madvise(2), MADV_PAGEOUT: advice might be ignored for some pages" },
	{ &sweep_madv_cold, ANY, SOME, { ENOMEM, EAGAIN }, { 0 }, false,
	  "madvise(2), MADV_COLD: advice might be ignored for some pages" },
	{ &sweep_madv_remove, ALL, NOTHING, { ENOMEM, EAGAIN }, { 0 }, false,
	  "madvise(2), MADV_REMOVE: zero after success" },
	{ &sweep_madv_collapse, ALL, NOTHING, { ENOMEM, EAGAIN, EBUSY }, { 0 }, true,
	  "madvise(2), MADV_COLLAPSE, ERRORS: ENOMEM, EAGAIN, EBUSY" },
	/*
	 * The next write to the caller's stack copies a page; sparc kills a process whose
	 * registers can't be saved there: arch/sparc/kernel/process_64.c.
	 */
	{ &sweep_fork, ALL, NOTHING, { ENOMEM, EAGAIN }, { SIGSEGV }, true,
	  "fork(2), ERRORS: ENOMEM, EAGAIN" },
	{ &sweep_fork_cow_child, ALL, NOTHING, { 0 }, { 0 }, true,
	  "fork(2): memory of the two is independent; a write returns no error" },
	{ &sweep_fork_cow_parent, ALL, NOTHING, { 0 }, { 0 }, true,
	  "fork(2): memory of the two is independent; a write returns no error" },
	{ &sweep_huge_zero_write, ALL, NOTHING, { 0 }, { 0 }, true,
	  "mmap(2), MAP_ANONYMOUS: memory of zeros; a write returns no error" },
	/* EFAULT if pages can't be pinned: mm/process_vm_access.c. */
	{ &sweep_process_vm_readv, ALL, NOTHING, { ENOMEM, EFAULT }, { 0 }, true,
	  "process_vm_readv(2), RETURN VALUE: no partial transfer that splits an iovec" },
	{ &sweep_vmsplice, ALL | EFFECT_PART, NOTHING, { ENOMEM }, { 0 }, false,
	  "vmsplice(2), RETURN VALUE: the number of bytes transferred" },
	{ &sweep_uffd_wp, ALL, NOTHING, { ENOMEM, EAGAIN, EFAULT }, { 0 }, false,
	  "ioctl_userfaultfd(2), UFFDIO_WRITEPROTECT: EAGAIN, EFAULT" },
	{ &sweep_uffdio_move, ALL, SOME, { ENOMEM, EAGAIN }, { 0 }, false,
	  "UFFDIO_MOVE(2const): the field move says how much was moved" },
	{ &sweep_pagemap_scan, ALL, SOME, { ENOMEM }, { 0 }, false,
	  "PAGEMAP_SCAN(2const): walk_end says how far it came" },
	{ &sweep_mincore, ALL, NOTHING, { EAGAIN, ENOMEM }, { 0 }, true,
	  "mincore(2), ERRORS: EAGAIN" },
	{ &sweep_mbind, ALL, NOTHING, { ENOMEM }, { 0 }, false,
	  "mbind(2), ERRORS: ENOMEM" },
	{ &sweep_move_pages, ALL | EFFECT_PART, SOME, { ENOMEM }, { 0 }, false,
	  "move_pages(2), RETURN VALUE: the number of pages that were not moved" },
	{ &sweep_set_mempolicy_home_node, NOTHING, NOTHING, { ENOMEM }, { 0 }, false,
	  "set_mempolicy_home_node(2); the node does not show anywhere" },
	{ &sweep_subpage_prot, ALL, NOTHING, { ENOMEM }, { 0 }, false,
	  "subpage_prot(2), ERRORS: ENOMEM" },
	{ &sweep_shmem_munmap, ALL, NOTHING, { ENOMEM }, { 0 }, false,
	  "munmap(2), ERRORS: ENOMEM" },
	{ &sweep_exit_half, ALL, NOTHING, { 0 }, { 0 }, false,
	  "_exit(2): does not return and can't fail" },
	/* E2BIG if a page for arguments can't be allocated: fs/exec.c. */
	{ &sweep_exec_half, ALL, NOTHING, { ENOMEM, EAGAIN, E2BIG }, { SIGSEGV, SIGKILL }, true,
	  "execve(2), NOTES: past the point of no return the kernel kills the process" },
};

const size_t sweep_rule_count = sizeof(sweep_rules) / sizeof(sweep_rules[0]);

bool rule_allows_error(const struct sweep_rule *rule, int error)
{
	for (size_t i = 0; i < MOST_ERRORS; i++)
		if (error && rule->errors[i] == error)
			return true;
	return false;
}

bool rule_allows_signal(const struct sweep_rule *rule, int number)
{
	for (size_t i = 0; i < MOST_SIGNALS; i++)
		if (number && rule->signals[i] == number)
			return true;
	return false;
}
