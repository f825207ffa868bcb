/* SPDX-License-Identifier: GPL-2.0-only */
/* Many children that share THPs and sleep, until each is to look whether its data is right. */
#ifndef STORM_SHARERS_H
#define STORM_SHARERS_H

#include "lib/thp_field.h"

#include <stddef.h>
#include <sys/types.h>

struct sharers {
	pid_t *pids;
	size_t count;
	/* A pipe: each byte lets one child go on. */
	int gate[2];
};

/* What the children came to. */
struct sharers_end {
	size_t wrong; /* found data that is not theirs */
	size_t died;
};

/*
 * Fork @count children, unless fewer than @free_bytes of memory are left before;
 * sharers.count says how many there are.
 */
struct sharers sharers_start(const struct thp_field *field, size_t count, size_t free_bytes);

/*
 * Let every child read a page of each THP, another one than its neighbours; the first and the
 * last read all bytes. Wait for all of them.
 */
struct sharers_end sharers_check(struct sharers *sharers);

/* End them as they are. */
void sharers_kill(struct sharers *sharers);

#endif
