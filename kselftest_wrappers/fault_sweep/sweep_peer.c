// SPDX-License-Identifier: GPL-2.0-only
#include "sweep_peer.h"
#include "sweep_record.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child;
static int to_child;

static bool copy_is_intact(const struct attempt *attempt)
{
	size_t size = attempt->thp.size;

	return pattern_mismatch(attempt->thp.base, (struct range){ 0, size }, OLD_PATTERN) == size;
}

/* read() returns when the parent closes the pipe, or dies. */
static __attribute__((noreturn)) void keep_copy(const struct attempt *attempt, int from_parent)
{
	char none;

	while (read(from_parent, &none, 1) > 0)
		;
	_exit(copy_is_intact(attempt) ? 0 : 1);
}

void peer_start(const struct attempt *attempt)
{
	int ends[2];

	sweep_need(!pipe(ends), "pipe");
	child = fork();
	sweep_need(child >= 0, "fork");
	if (!child) {
		close(ends[1]);
		keep_copy(attempt, ends[0]);
	}
	close(ends[0]);
	to_child = ends[1];
}

bool peer_is_intact(const struct attempt *attempt)
{
	int status;

	(void)attempt;
	close(to_child);
	return waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status);
}

static __attribute__((noreturn)) void end_like(int status)
{
	if (WIFSIGNALED(status)) {
		signal(WTERMSIG(status), SIG_DFL);
		raise(WTERMSIG(status));
	}
	_exit(WEXITSTATUS(status));
}

void peer_become_child(const struct attempt *attempt)
{
	int status;

	child = fork();
	sweep_need(child >= 0, "fork");
	if (!child) {
		alarm(ATTEMPT_SECONDS);
		return;
	}
	status = record_wait(child);
	if (!copy_is_intact(attempt))
		record_damage();
	end_like(status);
}
