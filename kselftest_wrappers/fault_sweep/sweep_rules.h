/* SPDX-License-Identifier: GPL-2.0-only */
/* What each operation may do when an allocation in it fails. */
#ifndef SWEEP_RULES_H
#define SWEEP_RULES_H

#include "sweep.h"

#define MOST_ERRORS 4
#define MOST_SIGNALS 2

struct sweep_rule {
	const struct sweep_op *op;
	/* Sets of enum effect: what may have happened after success, and after an error. */
	unsigned int success;
	unsigned int failure;
	/* How it may end for want of memory; 0 ends each list. */
	int errors[MOST_ERRORS];
	int signals[MOST_SIGNALS];
	/* It takes pages on every kernel, so that a sweep without a failure has swept nothing. */
	bool allocates;
	/* Where it is documented. */
	const char *source;
};

extern const struct sweep_rule sweep_rules[];
extern const size_t sweep_rule_count;

bool rule_allows_error(const struct sweep_rule *rule, int error);
bool rule_allows_signal(const struct sweep_rule *rule, int number);

#endif
