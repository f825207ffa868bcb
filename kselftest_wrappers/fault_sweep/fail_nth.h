/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Make one allocation of one task fail: the n-th after n is written to its
 * /proc/PID/fail-nth (Documentation/fault-injection/fault-injection.rst).
 */
#ifndef FAIL_NTH_H
#define FAIL_NTH_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Configure injection to affect every page allocation, and with CONFIG_FAILSLAB
 * every slab object. Return NULL, or why this kernel lacks it.
 */
const char *fail_nth_set_up(void);

/*
 * Return whether failures arrive: a read of /proc/self/mem, which allocates one page
 * (mem_rw() in fs/proc/base.c), returns ENOMEM if and only if it is to fail.
 */
bool fail_nth_works(void);

/* Open fail-nth of the calling task; -1 on failure. A forked child needs its own. */
int fail_nth_open(void);

/* Let the @n-th allocation of the task from now on fail. Does not allocate. */
void fail_nth_arm(int fd, unsigned int n);

/* Disarm. Return whether a failure was injected since fail_nth_arm(). */
bool fail_nth_disarm(int fd);

/* Return whether the failure armed in task @pid was injected; @pid may be a zombie. */
bool fail_nth_has_fired_in(pid_t pid);

#endif
