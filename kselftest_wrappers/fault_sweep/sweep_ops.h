/* SPDX-License-Identifier: GPL-2.0-only */
/* All operations of the fault sweep. */
#ifndef SWEEP_OPS_H
#define SWEEP_OPS_H

#include "sweep.h"

extern const struct sweep_op sweep_munmap, sweep_mprotect_ro, sweep_mprotect_rw;
extern const struct sweep_op sweep_mlock, sweep_munlock, sweep_map_fixed;
extern const struct sweep_op sweep_mremap_move, sweep_mremap_shrink, sweep_mremap_grow;
extern const struct sweep_op sweep_madv_dontneed, sweep_madv_free, sweep_madv_pageout;
extern const struct sweep_op sweep_madv_cold, sweep_madv_collapse;
extern const struct sweep_op sweep_madv_remove, sweep_shmem_munmap;
extern const struct sweep_op sweep_fork, sweep_fork_cow_child, sweep_fork_cow_parent;
extern const struct sweep_op sweep_huge_zero_write;
extern const struct sweep_op sweep_process_vm_readv, sweep_vmsplice;
extern const struct sweep_op sweep_uffd_wp, sweep_uffdio_move, sweep_pagemap_scan;
extern const struct sweep_op sweep_mincore, sweep_mbind, sweep_move_pages;
extern const struct sweep_op sweep_set_mempolicy_home_node, sweep_subpage_prot;
extern const struct sweep_op sweep_exit_half, sweep_exec_half;

/* Argument of the program that exec_half executes; it just exits with 0. */
#define AFTER_EXEC "--after-exec"

#endif
