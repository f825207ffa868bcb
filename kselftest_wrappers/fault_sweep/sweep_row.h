/* SPDX-License-Identifier: GPL-2.0-only */
/* One row of the fault sweep's table: its verdict, and its line. */
#ifndef SWEEP_ROW_H
#define SWEEP_ROW_H

#include "sweep_attempt.h"
#include "sweep_rules.h"

/* What is wrong with an attempt, in one word; NULL if nothing is. */
const char *row_why_broken(const struct sweep_rule *rule, const struct record *record);

/* Before the call: should the machine die in it, this is the last line. */
void row_announce(const struct sweep_op *op, unsigned int n);

/* `data sweep ...`, and for a broken row a note for people. */
void row_print(const struct sweep_rule *rule, unsigned int n, const struct record *record);

/* The result of the call, as a word. */
const char *row_result(const struct record *record);

const char *effect_name(enum effect effect);

#endif
