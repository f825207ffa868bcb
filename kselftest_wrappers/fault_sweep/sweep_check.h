/* SPDX-License-Identifier: GPL-2.0-only */
/* What the memory of an attempt is like after the call. */
#ifndef SWEEP_CHECK_H
#define SWEEP_CHECK_H

#include "sweep.h"

/* How much of the effect there is; clears @intact if a page is neither old nor new. */
enum effect check_effect(const struct sweep_op *op, const struct attempt *attempt, bool *intact);

/* Clears @intact if anything but the range has changed. */
void check_outside(const struct sweep_op *op, const struct attempt *attempt, bool *intact);

/* Whether what is left of the THP can be written, read and unmapped. It is gone afterwards. */
bool check_usable(const struct sweep_op *op, const struct attempt *attempt);

#endif
