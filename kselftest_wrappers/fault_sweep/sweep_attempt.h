/* SPDX-License-Identifier: GPL-2.0-only */
/* One attempt of the fault sweep, in a process of its own. */
#ifndef SWEEP_ATTEMPT_H
#define SWEEP_ATTEMPT_H

#include "sweep_record.h"

/* Which allocations of a call fail. */
struct failures {
	unsigned int n;
	bool last; /* the n-th and all after it, not only the n-th */
};

/* Run @op with @failures in its call. The next run reuses the record. */
const struct record *attempt_run(const struct sweep_op *op, struct failures failures);

#endif
