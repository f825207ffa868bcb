/* SPDX-License-Identifier: GPL-2.0-only */
/* One attempt of the fault sweep, in a process of its own, and what is known of it afterwards. */
#ifndef SWEEP_ATTEMPT_H
#define SWEEP_ATTEMPT_H

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

/* Lives in memory that the attempt shares with the program. */
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

/* Try @op with the @n-th allocation of its call failing. The next call reuses the record. */
const struct record *attempt_run(const struct sweep_op *op, unsigned int n);

/* For the processes of an attempt. */
void attempt_limit_time(void);
int attempt_wait(pid_t pid);
void attempt_blame_peer(void);
__attribute__((noreturn))
void attempt_end_like(int status);

#endif
