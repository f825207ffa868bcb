/* SPDX-License-Identifier: GPL-2.0-only */
/* Allowed outcomes of each operation when one of its allocations fails. */
#ifndef SWEEP_RULES_H
#define SWEEP_RULES_H

#include "sweep.h"

#define MOST_ERRORS 4
#define MOST_SIGNALS 2

struct sweep_rule {
	const struct sweep_op *op;
	/* Sets of enum effect: allowed after success, and after an error. */
	unsigned int success;
	unsigned int failure;
	/* Allowed errno values and signals if an allocation fails; 0 ends each list. */
	int errors[MOST_ERRORS];
	int signals[MOST_SIGNALS];
	/* It allocates pages on every kernel, so a sweep without an injected failure is void. */
	bool allocates;
	/* Source in the documentation. */
	const char *source;
};

extern const struct sweep_rule sweep_rules[];
extern const size_t sweep_rule_count;

bool rule_allows_error(const struct sweep_rule *rule, int error);
bool rule_allows_signal(const struct sweep_rule *rule, int number);

#endif
