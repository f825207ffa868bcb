// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fail each allocation of one operation on a THP in turn, and check each time:
 * success must have the full effect, failure none.
 */
#include "fail_nth.h"
#include "lib/ktap.h"
#include "sweep_ops.h"
#include "sweep_quiet.h"
#include "sweep_row.h"

#include <stdio.h>
#include <string.h>

#define USAGE_ERROR 2

#define MOST_FAILURES 200

/* Attempts without a failure that end the sweep; not all allocations happen in each attempt. */
#define QUIET_ATTEMPTS 3

struct totals {
	unsigned int rows;
	unsigned int fired;
	unsigned int broken;
	char first_broken[128];
	char ended_early[200];
	bool skipped;
};

/* Report an attempt that ended before its call. */
static bool ended_early(const struct record *record, struct totals *totals)
{
	if (record->stage >= STAGE_CALLING)
		return false;
	totals->skipped = record->stage == STAGE_SKIPPED;
	if (record->stage == STAGE_PREPARING)
		snprintf(totals->ended_early, sizeof(totals->ended_early),
			 "the attempt died before its call (signal %d, exit code %d)",
			 record->signal, record->exit_code);
	else
		snprintf(totals->ended_early, sizeof(totals->ended_early), "%s", record->words);
	return true;
}

static void count_row(const struct sweep_rule *rule, unsigned int n, const struct record *record,
		      struct totals *totals)
{
	const char *why = row_why_broken(rule, record);

	totals->rows++;
	totals->fired += record->fired;
	if (!why)
		return;
	if (!totals->broken++)
		snprintf(totals->first_broken, sizeof(totals->first_broken),
			 "n=%u: %s (result %s, effect %s)", n, why, row_result(record),
			 effect_name(record->effect));
}

/* Return whether more allocations may be left to fail. */
static bool sweep_one(const struct sweep_rule *rule, unsigned int n, struct totals *totals)
{
	const struct record *record;

	row_announce(rule->op, n);
	for (int i = 0; i < QUIET_ATTEMPTS; i++) {
		record = attempt_run(rule->op, n);
		if (ended_early(record, totals))
			return false;
		if (record->fired || row_why_broken(rule, record))
			break;
	}
	row_print(rule, n, record);
	count_row(rule, n, record, totals);
	return record->fired;
}

static struct totals sweep(const struct sweep_rule *rule)
{
	struct totals totals = { 0 };
	unsigned int n = 1;

	while (n <= MOST_FAILURES && sweep_one(rule, n, &totals))
		n++;
	if (n > MOST_FAILURES)
		ktap_note("stopped at n=%u: there are more allocations", MOST_FAILURES);
	if (!*totals.ended_early)
		printf("data sweep_end op=%s rows=%u fired=%u broken=%u\n", rule->op->name,
		       totals.rows, totals.fired, totals.broken);
	return totals;
}

static __attribute__((noreturn)) void conclude(const struct sweep_rule *rule,
					       const struct totals *totals)
{
	if (totals->broken)
		ktap_fail("%u of %u rows are broken, first %s", totals->broken, totals->rows,
			  totals->first_broken);
	if (totals->skipped)
		ktap_skip("%s", totals->ended_early);
	if (*totals->ended_early)
		ktap_fail("%s", totals->ended_early);
	if (rule->allocates && !totals->fired)
		ktap_fail("it takes pages, but no allocation could be made to fail");
	ktap_pass();
}

static __attribute__((noreturn)) void run(const struct sweep_rule *rule)
{
	const struct sweep_op *op = rule->op;
	const char *reason = fail_nth_set_up();
	struct totals totals;

	if (reason)
		ktap_skip("%s", reason);
	quiet_stay_on_cpu();
	reason = op->set_up ? op->set_up() : NULL;
	if (reason)
		ktap_skip("%s", reason);
	ktap_note("allowed: %s", rule->source);
	totals = sweep(rule);
	if (op->tear_down)
		op->tear_down();
	conclude(rule, &totals);
}

static const struct sweep_rule *find_rule(const char *name)
{
	for (size_t i = 0; i < sweep_rule_count; i++)
		if (!strcmp(sweep_rules[i].op->name, name))
			return &sweep_rules[i];
	return NULL;
}

static int list_operations(void)
{
	for (size_t i = 0; i < sweep_rule_count; i++)
		puts(sweep_rules[i].op->name);
	return 0;
}

static void print_usage(FILE *stream)
{
	fputs("usage: fault_sweep OPERATION   let every allocation of it fail, print KTAP\n"
	      "       fault_sweep -l          list the operations\n"
	      "       fault_sweep -h          show this\n"
	      "exit codes: 0 pass, 1 fail, 2 usage, 4 skip\n", stream);
}

int main(int argc, char **argv)
{
	const struct sweep_rule *rule;
	static char name[64];

	if (argc == 2 && !strcmp(argv[1], AFTER_EXEC))
		return 0;
	if (argc == 2 && !strcmp(argv[1], "-h")) {
		print_usage(stdout);
		return 0;
	}
	if (argc == 2 && !strcmp(argv[1], "-l"))
		return list_operations();
	rule = argc == 2 ? find_rule(argv[1]) : NULL;
	if (!rule) {
		print_usage(stderr);
		return USAGE_ERROR;
	}
	quiet_fix_addresses(argv);
	snprintf(name, sizeof(name), "fault_sweep.%s", rule->op->name);
	ktap_begin(name);
	run(rule);
}
