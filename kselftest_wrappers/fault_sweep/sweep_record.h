/* SPDX-License-Identifier: GPL-2.0-only */
/* The record of the current attempt, and how the processes that write it end. */
#ifndef SWEEP_RECORD_H
#define SWEEP_RECORD_H

#include "sweep.h"

/* Progress of an attempt. */
enum stage {
	STAGE_PREPARING,
	STAGE_SKIPPED,  /* the kernel lacks something: @words */
	STAGE_FAILED,   /* something went wrong before the call: @words */
	STAGE_CALLING,
	STAGE_CHECKING,
	STAGE_RETRYING, /* a call whose success ends the process */
	STAGE_FINISHED,
};

struct split_counters {
	long long splits;
	long long failures;
};

/* Result of an attempt, in memory shared by all of its processes. */
struct record {
	enum stage stage;
	char words[160];
	int signal; /* that ended the attempt, or 0 */
	int exit_code;
	struct returned returned;
	bool fired;
	bool fired_is_known; /* fail-nth was read from the zombie, or the stuck process */
	pid_t caller;        /* the process that makes the call */
	bool stuck;          /* the call did not end within its limit, and was killed */
	bool unkillable;     /* SIGKILL did not end it */
	bool immortal;       /* nor did the end of the failures */
	enum effect effect;
	bool intact;
	bool copied; /* pages are in their new place and still in the old one */
	bool remapped; /* the failed call changed the number of mapped bytes */
	bool usable;
	bool retried;
	struct returned retry;
	enum effect retry_effect;
	struct split_counters before, after;
};

/* Initialise the record for the next attempt; the first call maps its memory. */
struct record *record_reset(void);

/* Record @stage and end this process. */
__attribute__((noreturn))
void record_end(enum stage stage);

/* End the attempt as skipped, with a reason. */
__attribute__((noreturn, format(printf, 1, 2)))
void sweep_skip(const char *format, ...);

/* End the attempt as failed, with @what and strerror(errno), unless @succeeded. */
void sweep_need(bool succeeded, const char *what);

/* Record that memory has changed that should not, or is in two places. */
void record_damage(void);
void record_copy(void);

/* Wait for a process of the attempt; return its status as of waitpid(). */
int record_wait(pid_t pid);

#endif
