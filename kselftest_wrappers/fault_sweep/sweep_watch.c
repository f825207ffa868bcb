// SPDX-License-Identifier: GPL-2.0-only
#include "sweep_watch.h"
#include "fail_nth.h"
#include "lasting.h"
#include "lib/kfile.h"
#include "lib/ktap.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Limits for a call: the first makes a finding, the second does not. */
#define LIMIT_MS 10000
#define WAIT_LIMIT_MS 500

/* Limit for a process to end after SIGKILL, and after its failures have ended. */
#define GRACE_MS 3000
#define PAUSE_MS 2

#define TEXT_SIZE 4096

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void pause_briefly(void)
{
	struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };

	nanosleep(&pause, NULL);
}

static const char *read_of(pid_t pid, const char *file, char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	return kfile_read(path, text, TEXT_SIZE) < 0 ? NULL : text;
}

/* The state follows the name in parentheses, which may contain any character: proc_pid_stat(5). */
static char state_of(pid_t pid)
{
	char text[TEXT_SIZE];
	const char *name_end = read_of(pid, "stat", text) ? strrchr(text, ')') : NULL;

	return name_end && name_end[1] ? name_end[2] : 'X';
}

static bool has_ended(pid_t pid)
{
	char state = state_of(pid);

	return state == 'Z' || state == 'X';
}

static bool ends_within(const struct record *record, pid_t pid, long limit_ms)
{
	long long give_up = now_ms() + limit_ms;

	while (!has_ended(pid) || !has_ended(record->caller)) {
		if (now_ms() > give_up)
			return false;
		pause_briefly();
	}
	return true;
}

/*
 * The limit is for a call in which an allocation failed. Others are slow, not stuck, and
 * all else has the attempt's own alarm.
 */
static bool call_ends(const struct record *record, pid_t pid, long limit_ms)
{
	long long called_ms = 0;

	while (!has_ended(pid)) {
		if (record->stage != STAGE_CALLING)
			called_ms = 0;
		else if (!called_ms)
			called_ms = now_ms();
		else if (now_ms() - called_ms > limit_ms && fail_nth_has_fired_in(record->caller))
			return false;
		pause_briefly();
	}
	return true;
}

/*
 * The kernel shows no stack of a task that is running, but backtraces of all CPUs in its
 * log, as it does for blocked tasks: Documentation/admin-guide/sysrq.rst, commands l and w.
 */
static void show_stack(pid_t pid, const char *when)
{
	char text[TEXT_SIZE], *line, *rest = text;
	char state = state_of(pid);

	ktap_note("%s: process %d, state %c, its stack:", when, (int)pid, state);
	if (!read_of(pid, "stack", text))
		return;
	while ((line = strsep(&rest, "\n")))
		if (*line)
			ktap_note("  %s", line);
	kfile_write("/proc/sysrq-trigger", state == 'R' ? "l" : "w");
}

static void end_stuck(struct record *record, pid_t pid, bool may_wait)
{
	record->stuck = true;
	record->fired = fail_nth_has_fired_in(record->caller);
	record->fired_is_known = true;
	if (!may_wait)
		show_stack(record->caller, "the call has not ended");
	kill(-pid, SIGKILL);
	if (ends_within(record, pid, GRACE_MS))
		return;
	record->unkillable = true;
	show_stack(record->caller, "SIGKILL has not ended the call");
	lasting_end_of(record->caller);
	record->immortal = !ends_within(record, pid, GRACE_MS);
}

int watch_attempt(struct record *record, pid_t pid, bool may_wait)
{
	if (!call_ends(record, pid, may_wait ? WAIT_LIMIT_MS : LIMIT_MS))
		end_stuck(record, pid, may_wait);
	return record->immortal ? SIGKILL : record_wait(pid);
}
