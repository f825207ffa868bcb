/* SPDX-License-Identifier: GPL-2.0-only */
/* A second process that shares the attempt's memory copy-on-write; its data must not change. */
#ifndef SWEEP_PEER_H
#define SWEEP_PEER_H

#include "sweep.h"

/* Fork a child that keeps its copy until peer_is_intact(). */
void peer_start(const struct attempt *attempt);

/* Let the child check its copy and exit. Return whether the copy is unchanged. */
bool peer_is_intact(const struct attempt *attempt);

/*
 * Fork, and return in the child only. The parent checks its copy after the child
 * has ended, and ends with the same status.
 */
void peer_become_child(const struct attempt *attempt);

#endif
