// SPDX-License-Identifier: GPL-2.0-only
#include "sharer.h"
#include "lib/ktap.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child must not print; only the parent reports. */
static __attribute__((noreturn)) void be_child(int from_parent, int to_parent,
					       sharer_step step, const void *argument)
{
	char go, well;

	while (read(from_parent, &go, 1) == 1) {
		well = step(argument);
		if (write(to_parent, &well, 1) != 1)
			break;
	}
	_exit(0);
}

struct sharer sharer_start(sharer_step step, const void *argument)
{
	struct sharer sharer;
	int down[2], up[2];

	ktap_need(!pipe(down) && !pipe(up), "pipe");
	sharer.pid = fork();
	ktap_need(sharer.pid >= 0, "fork");
	if (sharer.pid == 0) {
		close(down[1]);
		close(up[0]);
		be_child(down[0], up[1], step, argument);
	}
	close(down[0]);
	close(up[1]);
	sharer.to_child = down[1];
	sharer.from_child = up[0];
	return sharer;
}

bool sharer_run_step(const struct sharer *sharer)
{
	char well = 0;

	ktap_need(write(sharer->to_child, "g", 1) == 1, "write to the child");
	if (read(sharer->from_child, &well, 1) != 1)
		ktap_fail("the child died");
	return well;
}

void sharer_end(const struct sharer *sharer)
{
	close(sharer->to_child);
	close(sharer->from_child);
	waitpid(sharer->pid, NULL, 0);
}
