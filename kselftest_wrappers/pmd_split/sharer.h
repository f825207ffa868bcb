/* SPDX-License-Identifier: GPL-2.0-only */
/* A child that shares our memory copy-on-write and lives until it is told to end. */
#ifndef SHARER_H
#define SHARER_H

#include <stdbool.h>
#include <sys/types.h>

struct sharer {
	pid_t pid;
	int to_child;
	int from_child;
};

/* What the child does when it is told to go on; it returns whether all was well. */
typedef bool (*sharer_step)(const void *argument);

/* Fork; the child waits. */
struct sharer sharer_start(sharer_step step, const void *argument);

/* Let the child do its step; return when it has, with what it returned. It stays alive. */
bool sharer_run_step(const struct sharer *sharer);

/* End the child. */
void sharer_end(const struct sharer *sharer);

#endif
