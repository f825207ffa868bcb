// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fail each allocation of one operation on a THP in turn, alone or with all after it,
 * and check each time: success must have the full effect, failure none.
 */
#include "fail_nth.h"
#include "lasting.h"
#include "lib/ktap.h"
#include "sweep_ops.h"
#include "sweep_quiet.h"
#include "sweep_row.h"

#include <stdio.h>
#include <string.h>

#define USAGE_ERROR 2

#define LASTING_OPTION "--lasting"
#define UNHARMED_OPTION "--unharmed"

#define MOST_FAILURES 200
/* No operation has so many allocations. */
#define NEVER 1000000

/* Attempts without a failure that end the sweep; not all allocations happen in each attempt. */
#define QUIET_ATTEMPTS 3

/* One operation, and how its allocations fail. */
struct sweep {
	const struct sweep_rule *rule;
	bool lasting;
	/* Nothing fails: what runs without failures is told apart from what runs only with them. */
	bool unharmed;
	struct instruments instruments;
};

struct totals {
	unsigned int rows;
	unsigned int fired;
	unsigned int broken;
	char first_broken[128];
	char ended_early[200];
	bool skipped;
	bool immortal;
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

static const char *why_broken(const struct sweep *sweep, const struct record *record)
{
	return row_why_broken(sweep->rule, record, sweep->instruments.effect_shows);
}

static void count_row(const struct sweep *sweep, unsigned int n, const struct record *record,
		      struct totals *totals)
{
	const char *why = why_broken(sweep, record);

	totals->rows++;
	totals->fired += record->fired;
	totals->immortal = record->immortal;
	if (!why)
		return;
	if (!totals->broken++)
		snprintf(totals->first_broken, sizeof(totals->first_broken),
			 "n=%u: %s (result %s, effect %s)", n, why, row_result(record),
			 effect_name(record->effect));
}

/* Return whether more allocations may be left to fail. */
static bool sweep_one(const struct sweep *sweep, unsigned int n, struct totals *totals)
{
	struct failures failures = { .n = n, .last = sweep->lasting };
	const struct record *record;

	row_announce(sweep->rule->op, failures);
	for (int i = 0; i < QUIET_ATTEMPTS; i++) {
		record = attempt_run(sweep->rule->op, failures);
		if (ended_early(record, totals))
			return false;
		if (record->fired || why_broken(sweep, record))
			break;
	}
	row_print(sweep->rule, failures, record, sweep->instruments);
	count_row(sweep, n, record, totals);
	return record->fired && !record->immortal;
}

static struct totals sweep_all(const struct sweep *sweep)
{
	struct totals totals = { 0 };
	unsigned int n = 1;

	if (sweep->unharmed) {
		sweep_one(sweep, NEVER, &totals);
		return totals;
	}
	while (n <= MOST_FAILURES && sweep_one(sweep, n, &totals))
		n++;
	if (n > MOST_FAILURES)
		ktap_note("stopped at n=%u: there are more allocations", MOST_FAILURES);
	if (!*totals.ended_early && !totals.immortal)
		printf("data sweep_end op=%s rows=%u fired=%u broken=%u\n", sweep->rule->op->name,
		       totals.rows, totals.fired, totals.broken);
	return totals;
}

static __attribute__((noreturn)) void conclude(const struct sweep *sweep,
					       const struct totals *totals)
{
	if (totals->broken)
		ktap_fail("%u of %u rows are broken, first %s%s", totals->broken, totals->rows,
			  totals->first_broken,
			  totals->immortal ? "; nothing ended the last one" : "");
	if (totals->skipped)
		ktap_skip("%s", totals->ended_early);
	if (*totals->ended_early)
		ktap_fail("%s", totals->ended_early);
	if (sweep->rule->allocates && !totals->fired && !sweep->unharmed)
		ktap_fail("it takes pages, but no allocation could be made to fail");
	if (!sweep->instruments.effect_shows)
		ktap_skip("cannot be seen here: %s does not show known states",
			  sweep->rule->op->instrument);
	ktap_pass();
}

/* Return why failures can't be injected, or NULL. */
static const char *set_up_failures(bool lasting)
{
	const char *reason = fail_nth_set_up();

	if (reason)
		return reason;
	if (!fail_nth_works())
		return "cannot be seen here: fail-nth fails no allocation";
	return lasting ? lasting_set_up() : NULL;
}

static __attribute__((noreturn)) void run(struct sweep sweep)
{
	const struct sweep_op *op = sweep.rule->op;
	const char *reason = sweep.unharmed ? NULL : set_up_failures(sweep.lasting);
	struct totals totals;

	if (reason)
		ktap_skip("%s", reason);
	if (sweep.lasting)
		quiet_leave_cpu();
	else
		quiet_stay_on_cpu();
	reason = op->set_up ? op->set_up() : NULL;
	if (reason)
		ktap_skip("%s", reason);
	ktap_note("allowed: %s", sweep.rule->source);
	sweep.instruments = instruments_prove(op);
	totals = sweep_all(&sweep);
	if (op->tear_down)
		op->tear_down();
	lasting_tear_down();
	conclude(&sweep, &totals);
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
	fputs("usage: fault_sweep OPERATION            every allocation of it fails in turn, print KTAP\n"
	      "       fault_sweep --lasting OPERATION  and with it all later ones\n"
	      "       fault_sweep --unharmed OPERATION  none of them fails\n"
	      "       fault_sweep -l                   list the operations\n"
	      "       fault_sweep -h                   show this\n"
	      "exit codes: 0 pass, 1 fail, 2 usage, 4 skip\n", stream);
}

int main(int argc, char **argv)
{
	struct sweep sweep = { .lasting = argc == 3 && !strcmp(argv[1], LASTING_OPTION),
			       .unharmed = argc == 3 && !strcmp(argv[1], UNHARMED_OPTION) };
	static char name[64];

	if (argc == 2 && !strcmp(argv[1], AFTER_EXEC))
		return 0;
	if (argc == 2 && !strcmp(argv[1], "-h")) {
		print_usage(stdout);
		return 0;
	}
	if (argc == 2 && !strcmp(argv[1], "-l"))
		return list_operations();
	sweep.rule = argc == 2 || sweep.lasting || sweep.unharmed ? find_rule(argv[argc - 1]) : NULL;
	if (!sweep.rule) {
		print_usage(stderr);
		return USAGE_ERROR;
	}
	quiet_fix_addresses(argv);
	snprintf(name, sizeof(name), "fault_sweep%s.%s", sweep.lasting ? "_lasting" : "",
		 sweep.rule->op->name);
	ktap_begin(name);
	run(sweep);
}
