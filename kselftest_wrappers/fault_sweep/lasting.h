/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Failures that last: every allocation of a task fails while its make-it-fail is 1
 * (Documentation/fault-injection/fault-injection.rst). fail-nth has precedence: the
 * allocations before the n-th succeed, the n-th and all after it fail.
 */
#ifndef LASTING_H
#define LASTING_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Configure injection for tasks with make-it-fail, after fail_nth_set_up(). Return
 * NULL, or why this kernel lacks it.
 */
const char *lasting_set_up(void);
void lasting_tear_down(void);

/* Open make-it-fail of the calling task; -1 on failure. A forked child inherits the value. */
int lasting_open(void);

/* Switch failures on and off. Does not allocate. */
void lasting_arm(int fd);
void lasting_disarm(int fd);

/* Return whether lasting_set_up() has succeeded. */
bool lasting_is_on(void);

/* End the failures of another task. */
void lasting_end_of(pid_t pid);

#endif
