/* SPDX-License-Identifier: GPL-2.0-only */
/* One attempt of the fault sweep, in a process of its own. */
#ifndef SWEEP_ATTEMPT_H
#define SWEEP_ATTEMPT_H

#include "sweep_record.h"

/* Run @op while the @n-th allocation of its call fails. The next run reuses the record. */
const struct record *attempt_run(const struct sweep_op *op, unsigned int n);

#endif
