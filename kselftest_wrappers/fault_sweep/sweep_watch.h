/* SPDX-License-Identifier: GPL-2.0-only */
/* Watches a process whose call may not end. */
#ifndef SWEEP_WATCH_H
#define SWEEP_WATCH_H

#include "sweep_record.h"

/*
 * Wait until the attempt @pid, leader of a process group, ends or its call exceeds
 * @limit_ms, in time of the guest. Then print the stack of the caller, try SIGKILL,
 * end the failures, and record what ended the process. Return the status as of
 * waitpid(), or that of SIGKILL if it never ends.
 */
int watch_attempt(struct record *record, pid_t pid, long limit_ms);

#endif
