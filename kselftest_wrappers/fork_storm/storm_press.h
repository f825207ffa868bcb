/* SPDX-License-Identifier: GPL-2.0-only */
/* Processes that use up memory, so that the kernel has to reclaim. */
#ifndef STORM_PRESS_H
#define STORM_PRESS_H

#include "lib/thp_field.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Memory shared by the process and its parent. */
struct press_talk {
	volatile size_t pages; /* touched so far */
	volatile bool stop;
	volatile bool at_limit;
};

struct press {
	pid_t pid;
	struct press_talk *talk;
};

/* Return the size of free memory, which excludes the page cache. */
size_t press_free_bytes(void);

/*
 * Start a process that unmaps @field and locks memory until @arena bytes are free, which
 * simulates a smaller machine. Return its pid once the memory is locked.
 */
pid_t ballast_start(struct thp_field *field, size_t arena);

/*
 * Start a process that unmaps @field and touches up to @limit bytes of small pages, which can be
 * swapped out, until it is told to stop. It keeps all of them.
 */
struct press press_start(struct thp_field *field, size_t limit);

/* Return whether the process is alive; the OOM killer takes it first. */
bool press_lives(struct press *press);

/* End the process and free its memory. */
void press_end(struct press *press);

#endif
