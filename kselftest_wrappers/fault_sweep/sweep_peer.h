/* SPDX-License-Identifier: GPL-2.0-only */
/* A second process that shares the attempt's memory copy-on-write, and must keep its own data. */
#ifndef SWEEP_PEER_H
#define SWEEP_PEER_H

#include "sweep.h"

/* Fork; the child keeps its copy until it is asked for. */
void peer_start(const struct attempt *attempt);

/* Let the child look at its copy, and end. Return whether all of it is as it was. */
bool peer_is_well(const struct attempt *attempt);

/*
 * Fork, and go on in the child. The parent keeps its copy, looks at it when the
 * child has ended, and ends as the child did.
 */
void peer_become_child(const struct attempt *attempt);

#endif
