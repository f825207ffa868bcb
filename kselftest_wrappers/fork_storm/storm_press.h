/* SPDX-License-Identifier: GPL-2.0-only */
/* Processes that take the machine's memory, so that the kernel has to reclaim others'. */
#ifndef STORM_PRESS_H
#define STORM_PRESS_H

#include "lib/thp_field.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What the process and its parent say to each other, in memory of both. */
struct press_talk {
	volatile size_t pages; /* touched so far */
	volatile bool stop;
	volatile bool at_limit;
};

struct press {
	pid_t pid;
	struct press_talk *talk;
};

/* Memory that nobody uses; also what each size here is compared with. */
size_t press_free_bytes(void);

/*
 * Start a process that gives @field back and locks memory until only @arena bytes are free, as
 * if the machine were smaller. Return when it has, with its number; it stays.
 */
pid_t ballast_start(struct thp_field *field, size_t arena);

/*
 * Start a process that gives @field back and touches small pages that can be swapped out,
 * @limit bytes at most, until it is told to stop. It keeps them all.
 */
struct press press_start(struct thp_field *field, size_t limit);

/* Whether it is still there: the first that the OOM killer takes. */
bool press_lives(struct press *press);

/* End it and give its memory back. */
void press_end(struct press *press);

#endif
