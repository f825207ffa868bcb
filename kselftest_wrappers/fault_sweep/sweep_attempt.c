// SPDX-License-Identifier: GPL-2.0-only
#include "sweep_attempt.h"
#include "fail_nth.h"
#include "lasting.h"
#include "lib/kfile.h"
#include "lib/proc_self.h"
#include "sweep_check.h"
#include "sweep_quiet.h"
#include "sweep_watch.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* The current attempt's. */
static struct record *record;

static struct split_counters read_counters(void)
{
	return (struct split_counters){
		.splits = vmstat_counter("thp_split_pmd"),
		.failures = vmstat_counter("thp_split_pmd_failed"),
	};
}

static void map_anonymous_thp(struct attempt *attempt)
{
	const char *reason = thp_map(&attempt->thp);

	if (reason)
		sweep_skip("no THP: %s", reason);
	pattern_fill(attempt->thp.base, (struct range){ 0, attempt->thp.size }, OLD_PATTERN);
}

static struct range upper_half(const struct thp *thp)
{
	return (struct range){ thp->size / 2, thp->size };
}

static void prepare(const struct sweep_op *op, struct attempt *attempt)
{
	if (op->map)
		op->map(attempt);
	else
		map_anonymous_thp(attempt);
	attempt->range = op->choose ? op->choose(&attempt->thp) : upper_half(&attempt->thp);
	if (op->prepare)
		op->prepare(attempt);
}

/* Between arm and disarm, only the call may allocate. */
static void call(const struct sweep_op *op, const struct attempt *attempt, int fd, int lasting,
		 unsigned int n)
{
	long long mapped = mapped_bytes();

	record->before = read_counters();
	record->caller = getpid();
	record->stage = STAGE_CALLING;
	if (lasting >= 0)
		lasting_arm(lasting);
	fail_nth_arm(fd, n);
	record->returned = op->operate(attempt);
	if (lasting >= 0)
		lasting_disarm(lasting);
	record->fired = fail_nth_disarm(fd);
	record->stage = STAGE_CHECKING;
	record->after = read_counters();
	record->remapped = record->returned.error && mapped_bytes() != mapped;
}

static void retry(const struct sweep_op *op, const struct attempt *attempt)
{
	record->retried = true;
	record->retry = op->operate(attempt);
	record->retry_effect = check_effect(op, attempt);
	check_outside(op, attempt);
}

/* Success ends the process, so all checks come before the call. */
static __attribute__((noreturn)) void retry_to_the_end(const struct sweep_op *op,
						       const struct attempt *attempt)
{
	record->usable = check_usable(op, attempt);
	record->retried = true;
	record->retry_effect = EFFECT_FULL;
	record->stage = STAGE_RETRYING;
	record->retry = op->operate(attempt);
	record_end(STAGE_FINISHED);
}

static __attribute__((noreturn)) void perform(const struct sweep_op *op, struct failures failures)
{
	int fd, lasting = -1;
	struct attempt attempt;

	alarm(ATTEMPT_SECONDS);
	setpgid(0, 0);
	quiet_stay_on_cpu();
	prepare(op, &attempt);
	fd = fail_nth_open();
	sweep_need(fd >= 0, "open /proc/self/fail-nth");
	if (failures.last) {
		lasting = lasting_open();
		sweep_need(lasting >= 0, "open /proc/self/make-it-fail");
	}
	sweep_need(quiet_process(fd), "failures hit the test itself, not the call");
	call(op, &attempt, fd, lasting, failures.n);
	record->effect = check_effect(op, &attempt);
	check_outside(op, &attempt);
	if (record->returned.error && op->ends_process)
		retry_to_the_end(op, &attempt);
	if (record->returned.error)
		retry(op, &attempt);
	if (op->peer_is_intact && !op->peer_is_intact(&attempt))
		record->intact = false;
	record->usable = check_usable(op, &attempt);
	record_end(STAGE_FINISHED);
}

/* Fill in what the process would have recorded after its call. */
static void complete_ended(const struct sweep_op *op)
{
	bool well = op->ends_process && !record->signal && !record->exit_code;

	record->after = read_counters();
	record->effect = well ? EFFECT_FULL : EFFECT_NONE;
	record->usable = well;
}

static int wait_for(const struct sweep_op *op, pid_t pid, struct failures failures)
{
	if (!failures.last)
		return record_wait(pid);
	return watch_attempt(record, pid, op->waits_for_memory);
}

const struct record *attempt_run(const struct sweep_op *op, struct failures failures)
{
	int status;
	pid_t pid;

	record = record_reset();
	pid = fork();
	if (!pid)
		perform(op, failures);
	if (pid < 0)
		abort();
	status = wait_for(op, pid, failures);
	if (WIFSIGNALED(status))
		record->signal = WTERMSIG(status);
	else
		record->exit_code = WEXITSTATUS(status);
	if (record->stage == STAGE_CALLING)
		complete_ended(op);
	if (record->stage == STAGE_RETRYING && !record->signal && !record->exit_code)
		record->stage = STAGE_FINISHED;
	return record;
}
