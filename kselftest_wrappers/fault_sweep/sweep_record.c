// SPDX-License-Identifier: GPL-2.0-only
#include "sweep_record.h"
#include "fail_nth.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct record *record;

struct record *record_reset(void)
{
	if (!record)
		record = mmap(NULL, sizeof(*record), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (record == MAP_FAILED)
		abort();
	*record = (struct record){ .intact = true };
	return record;
}

void record_end(enum stage stage)
{
	record->stage = stage;
	_exit(0);
}

void sweep_skip(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(record->words, sizeof(record->words), format, arguments);
	va_end(arguments);
	record_end(STAGE_SKIPPED);
}

void sweep_need(bool succeeded, const char *what)
{
	if (succeeded)
		return;
	snprintf(record->words, sizeof(record->words), "%s: %s", what, strerror(errno));
	record_end(STAGE_FAILED);
}

void record_damage(void)
{
	record->intact = false;
}

void record_copy(void)
{
	record->copied = true;
}

/* Reads fail-nth of the zombie before it is reaped. */
int record_wait(pid_t pid)
{
	siginfo_t info;
	int status;

	waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
	if (record->stage == STAGE_CALLING && !record->fired_is_known) {
		record->fired = fail_nth_has_fired_in(pid);
		record->fired_is_known = true;
	}
	waitpid(pid, &status, 0);
	return status;
}
