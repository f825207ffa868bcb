/* SPDX-License-Identifier: GPL-2.0-only */
/* A child that shares memory copy-on-write with its parent and waits for orders. */
#ifndef SHARER_H
#define SHARER_H

#include <stdbool.h>
#include <sys/types.h>

struct sharer {
	pid_t pid;
	int to_child;
	int from_child;
};

/* Step of the child; returns whether its checks passed. */
typedef bool (*sharer_step)(const void *argument);

/* Fork; the child waits. */
struct sharer sharer_start(sharer_step step, const void *argument);

/* Run the step in the child and return its result. The child stays alive. */
bool sharer_run_step(const struct sharer *sharer);

/* End the child. */
void sharer_end(const struct sharer *sharer);

#endif
