/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instruments: what the kernel says of an effect that memory does not show. Each proves
 * itself by known states before a row counts.
 */
#ifndef SWEEP_INSTRUMENTS_H
#define SWEEP_INSTRUMENTS_H

#include "sweep.h"

struct instruments {
	bool effect_shows; /* that of the operation, or it needs none */
	bool splits_show;  /* thp_split_pmd of /proc/vmstat */
};

/* Let the instruments of @op prove themselves, each in a process of its own. */
struct instruments instruments_prove(const struct sweep_op *op);

#endif
