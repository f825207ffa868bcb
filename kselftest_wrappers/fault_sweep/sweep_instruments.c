// SPDX-License-Identifier: GPL-2.0-only
#include "sweep_instruments.h"
#include "lib/kfile.h"
#include "sweep_record.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whether a mapping with two protections, which can't be one PMD, counts as a split. */
static bool vmstat_shows_splits(const struct thp *thp)
{
	long long before = vmstat_counter("thp_split_pmd");

	return !mprotect(thp->base, thp->size / 2, PROT_READ) &&
	       vmstat_counter("thp_split_pmd") > before;
}

/* Without THPs, or what else the operation needs, the attempts say why: that is no failed proof. */
static __attribute__((noreturn)) void prove(bool (*works)(const struct thp *thp))
{
	struct thp thp;

	alarm(ATTEMPT_SECONDS);
	if (thp_map(&thp))
		_exit(0);
	pattern_fill(thp.base, (struct range){ 0, thp.size }, OLD_PATTERN);
	_exit(works(&thp) ? 0 : 1);
}

static bool is_proved(bool (*works)(const struct thp *thp))
{
	pid_t pid;
	int status;

	record_reset();
	pid = fork();
	if (!pid)
		prove(works);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

struct instruments instruments_prove(const struct sweep_op *op)
{
	return (struct instruments){
		.effect_shows = !op->instrument_works || is_proved(op->instrument_works),
		.splits_show = is_proved(vmstat_shows_splits),
	};
}
