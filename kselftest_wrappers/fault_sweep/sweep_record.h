/* SPDX-License-Identifier: GPL-2.0-only */
/* The record of the current attempt, and how the processes that write it end. */
#ifndef SWEEP_RECORD_H
#define SWEEP_RECORD_H

#include "sweep.h"

/* How far the attempt came. */
enum stage {
	STAGE_PREPARING,
	STAGE_SKIPPED,  /* the kernel lacks something: @words */
	STAGE_FAILED,   /* something went wrong before the call: @words */
	STAGE_CALLING,
	STAGE_CHECKING,
	STAGE_RETRYING, /* by a call whose success is the end */
	STAGE_FINISHED,
};

struct split_counters {
	long long splits;
	long long failures;
};

/* In memory that the program shares with all processes of the attempt. */
struct record {
	enum stage stage;
	char words[160];
	int signal; /* that ended the attempt, or 0 */
	int exit_code;
	struct returned returned;
	bool fired;
	bool fired_is_known; /* of a task that died in the call */
	enum effect effect;
	bool intact;
	bool remapped; /* a call that failed has changed how much is mapped */
	bool usable;
	bool retried;
	struct returned retry;
	enum effect retry_effect;
	struct split_counters before, after;
};

/* Set every field for the next attempt; the first call maps the memory. */
struct record *record_reset(void);

/* End this process: the attempt came to @stage. */
__attribute__((noreturn))
void record_end(enum stage stage);

/* End the attempt, because the kernel lacks something. */
__attribute__((noreturn, format(printf, 1, 2)))
void sweep_skip(const char *format, ...);

/* End the attempt, with errno in words, unless @succeeded. */
void sweep_need(bool succeeded, const char *what);

/* Another process found that its memory has changed. */
void record_damage(void);

/* Wait for a process of the attempt; return its status as waitpid() does. */
int record_wait(pid_t pid);

#endif
