/* SPDX-License-Identifier: GPL-2.0-only */
/* Keep all but the call from allocating while the failure is armed. */
#ifndef SWEEP_QUIET_H
#define SWEEP_QUIET_H

#include <stdbool.h>

/*
 * Call first: execute the program again without address randomisation, with which
 * some runs need one more page table. Returns in the second execution.
 */
void quiet_fix_addresses(char **argv);

/* Pin the program to one CPU, so that it reuses the same per-CPU lists of free objects. */
void quiet_stay_on_cpu(void);

/*
 * Fault in all memory that this process needs. Return whether a system call that
 * allocates nothing leaves a failure armed in @fd uninjected.
 */
bool quiet_process(int fd);

/* Leave that CPU to the attempts, which may never give it back; with a single CPU, stay. */
void quiet_leave_cpu(void);

#endif
