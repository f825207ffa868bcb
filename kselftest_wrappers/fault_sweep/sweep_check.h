/* SPDX-License-Identifier: GPL-2.0-only */
/* Checks of an attempt's memory after the call. */
#ifndef SWEEP_CHECK_H
#define SWEEP_CHECK_H

#include "sweep.h"

/* Return the extent of the effect; record pages that are damaged, or in both places. */
enum effect check_effect(const struct sweep_op *op, const struct attempt *attempt);

/* Record it if memory outside of the range has changed. */
void check_outside(const struct sweep_op *op, const struct attempt *attempt);

/* Return whether the rest of the THP can be written, read and unmapped, which it is then. */
bool check_usable(const struct sweep_op *op, const struct attempt *attempt);

#endif
