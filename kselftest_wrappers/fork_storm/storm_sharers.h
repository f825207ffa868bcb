/* SPDX-License-Identifier: GPL-2.0-only */
/* Children that share THPs and sleep until they check their data. */
#ifndef STORM_SHARERS_H
#define STORM_SHARERS_H

#include "lib/thp_field.h"

#include <stddef.h>
#include <sys/types.h>

struct sharers {
	pid_t *pids;
	size_t count;
	/* A pipe: each byte wakes one child. */
	int gate[2];
};

/* Results of the children. */
struct sharers_end {
	size_t wrong; /* found data that is not theirs */
	size_t died;
};

/*
 * Fork up to @count children, as long as @free_bytes of memory remain free;
 * sharers.count is the number of children.
 */
struct sharers sharers_start(const struct thp_field *field, size_t count, size_t free_bytes);

/*
 * Let each child check one page of each THP, a different one per child; the first and the last
 * child check all bytes. Wait for all children.
 */
struct sharers_end sharers_check(struct sharers *sharers);

/* Kill all children without a check. */
void sharers_kill(struct sharers *sharers);

#endif
