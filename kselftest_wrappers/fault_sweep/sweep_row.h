/* SPDX-License-Identifier: GPL-2.0-only */
/* One row of the fault sweep: verdict and data line. */
#ifndef SWEEP_ROW_H
#define SWEEP_ROW_H

#include "sweep_attempt.h"
#include "sweep_instruments.h"
#include "sweep_rules.h"

/* Return what is wrong with an attempt, in one word, or NULL. */
const char *row_why_broken(const struct sweep_rule *rule, const struct record *record,
			   bool effect_shows);

/* Print `data sweep_try …` before the call: the last line if the machine dies in it. */
void row_announce(const struct sweep_op *op, struct failures failures);

/* Print `data sweep …`. */
void row_print(const struct sweep_rule *rule, struct failures failures,
	       const struct record *record, struct instruments instruments);

/* Return the result of the call in one word. */
const char *row_result(const struct record *record);

const char *effect_name(enum effect effect);

#endif
