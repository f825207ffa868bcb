// SPDX-License-Identifier: GPL-2.0-only
#include "storm_sharers.h"
#include "lib/ktap.h"
#include "storm_field.h"
#include "storm_press.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static bool own_part_is_right(const struct thp_field *field, size_t number)
{
	size_t in_thp = storm_pages_of_thp(field);

	for (size_t thp = 0; thp < field->count; thp++)
		if (!storm_page_is_right(field, thp * in_thp + number % in_thp))
			return false;
	return true;
}

static __attribute__((noreturn)) void be_sharer(const struct thp_field *field, size_t number,
						bool reads_all, int gate)
{
	char go;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(gate, &go, 1) != 1)
		_exit(KSFT_PASS);
	_exit((reads_all ? storm_all_is_right(field) : own_part_is_right(field, number)) ?
	      KSFT_PASS : KSFT_FAIL);
}

struct sharers sharers_start(const struct thp_field *field, size_t count, size_t free_bytes)
{
	struct sharers sharers = { .pids = calloc(count, sizeof(pid_t)) };

	ktap_need(sharers.pids && !pipe(sharers.gate), "pipe");
	while (sharers.count < count && press_free_bytes() > free_bytes) {
		size_t number = sharers.count;
		pid_t pid = fork();

		if (pid < 0)
			break;
		if (!pid)
			be_sharer(field, number, !number || number == count - 1, sharers.gate[0]);
		sharers.pids[sharers.count++] = pid;
	}
	return sharers;
}

static void forget(struct sharers *sharers)
{
	close(sharers->gate[0]);
	close(sharers->gate[1]);
	free(sharers->pids);
	sharers->count = 0;
}

struct sharers_end sharers_check(struct sharers *sharers)
{
	struct sharers_end end = { 0 };
	int status;

	for (size_t i = 0; i < sharers->count; i++)
		ktap_need(write(sharers->gate[1], "g", 1) == 1, "write to the children");
	for (size_t i = 0; i < sharers->count; i++) {
		waitpid(sharers->pids[i], &status, 0);
		end.died += !WIFEXITED(status);
		end.wrong += WIFEXITED(status) && WEXITSTATUS(status) != KSFT_PASS;
	}
	forget(sharers);
	return end;
}

void sharers_kill(struct sharers *sharers)
{
	for (size_t i = 0; i < sharers->count; i++)
		kill(sharers->pids[i], SIGKILL);
	for (size_t i = 0; i < sharers->count; i++)
		waitpid(sharers->pids[i], NULL, 0);
	forget(sharers);
}
