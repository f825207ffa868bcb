/* SPDX-License-Identifier: GPL-2.0-only */
/* Watches a process whose call may not end. */
#ifndef SWEEP_WATCH_H
#define SWEEP_WATCH_H

#include "sweep_record.h"

/*
 * Wait until the attempt @pid, leader of a process group, ends or its call exceeds the
 * limit, in time of the guest. Then print the stack of the caller, try SIGKILL, end the
 * failures, and record what ended the process. @may_wait: not to end is no finding, so
 * print no stack, and wait less. Return the status as of waitpid(), or that of SIGKILL
 * if the process never ends.
 */
int watch_attempt(struct record *record, pid_t pid, bool may_wait);

#endif
