/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Make one allocation of one task fail: the n-th that comes after a number was
 * written to its /proc/PID/fail-nth (Documentation/fault-injection of the kernel).
 */
#ifndef FAIL_NTH_H
#define FAIL_NTH_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Let failures reach every page, and every slab object where the kernel has
 * CONFIG_FAILSLAB. Return NULL, or why this kernel can't do that.
 */
const char *fail_nth_set_up(void);

/* Open the switch of the calling task; -1 if that fails. It does not survive a fork. */
int fail_nth_open(void);

/* From here on the @n-th allocation of the task fails. Allocates nothing itself. */
void fail_nth_arm(int fd, unsigned int n);

/* Stop that. Return whether a failure was injected since. */
bool fail_nth_disarm(int fd);

/* Whether the failure that task @pid was armed with was injected; @pid may be a zombie. */
bool fail_nth_has_fired_in(pid_t pid);

#endif
