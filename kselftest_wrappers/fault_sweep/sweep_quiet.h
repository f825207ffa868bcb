/* SPDX-License-Identifier: GPL-2.0-only */
/* Keep the injected failure for the call: nothing else may allocate while it is armed. */
#ifndef SWEEP_QUIET_H
#define SWEEP_QUIET_H

#include <stdbool.h>

/*
 * For the whole program, first of all: start anew without random addresses, else
 * some runs need a page table more than others. Returns where that was done.
 */
void quiet_fix_addresses(char **argv);

/* For the whole program: free objects that the kernel keeps for each CPU stay at hand. */
void quiet_stay_on_cpu(void);

/*
 * Make all memory present that this process itself needs. Return whether
 * nothing happens now when the next allocation of @fd's task is to fail.
 */
bool quiet_process(int fd);

#endif
