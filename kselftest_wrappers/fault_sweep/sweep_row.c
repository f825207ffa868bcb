// SPDX-License-Identifier: GPL-2.0-only
#include "sweep_row.h"
#include "lib/kfile.h"

#include <stdio.h>
#include <string.h>

#define WORD 24

const char *effect_name(enum effect effect)
{
	switch (effect) {
	case EFFECT_FULL:
		return "full";
	case EFFECT_PART:
		return "part";
	default:
		return "none";
	}
}

static const char *error_name(int error)
{
	const char *name = error ? strerrorname_np(error) : "ok";

	return name ? name : "unknown";
}

static const char *signal_name(int number)
{
	static char name[WORD];
	const char *rest = sigabbrev_np(number);

	snprintf(name, sizeof(name), "SIG%s", rest ? rest : "UNKNOWN");
	return name;
}

static bool died_in_call(const struct record *record)
{
	return record->stage == STAGE_CALLING && record->signal;
}

const char *row_result(const struct record *record)
{
	if (record->stuck)
		return "unending";
	if (died_in_call(record))
		return signal_name(record->signal);
	return record->returned.is_short ? "short" : error_name(record->returned.error);
}

static const char *retry_result(const struct record *record)
{
	return record->retried ? error_name(record->retry.error) : "none";
}

/* For a process that ended in its call, which some operations do on success. */
static const char *why_dead(const struct sweep_rule *rule, const struct record *record)
{
	if (record->signal)
		return rule_allows_signal(rule, record->signal) && record->fired ? NULL : "died";
	return rule->op->ends_process && !record->exit_code ? NULL : "died";
}

/* A partial effect needs a short count, unless the call is advisory. */
static bool count_is_right(const struct sweep_rule *rule, const struct record *record)
{
	bool is_advice = rule->success & EFFECT_NONE;

	return record->returned.error || is_advice ||
	       record->returned.is_short == (record->effect == EFFECT_PART);
}

static const char *why_effect_is_wrong(const struct sweep_rule *rule, const struct record *record)
{
	bool failed = record->returned.error, may_be_done = rule->failure & EFFECT_FULL;

	if (record->copied)
		return "left_behind";
	if (failed && !(rule->failure & record->effect))
		return "failure_with_effect";
	if (failed && record->remapped && !may_be_done)
		return "failure_with_effect";
	if (!failed && !(rule->success & record->effect))
		return "success_without_effect";
	return count_is_right(rule, record) ? NULL : "success_without_effect";
}

static bool retry_is_right(const struct sweep_rule *rule, const struct record *record,
			   bool effect_shows)
{
	if (!record->retried)
		return true;
	return !record->retry.error &&
	       (!effect_shows || rule->success & record->retry_effect);
}

/* For a call that was killed because it did not end. */
static const char *why_stuck(const struct sweep_rule *rule, const struct record *record)
{
	if (record->unkillable)
		return "cannot_be_killed";
	return rule->op->waits_for_memory ? NULL : "does_not_end";
}

const char *row_why_broken(const struct sweep_rule *rule, const struct record *record,
			   bool effect_shows)
{
	const char *why;

	if (record->stuck)
		return why_stuck(rule, record);
	if (record->stage == STAGE_CALLING)
		return why_dead(rule, record);
	if (record->stage != STAGE_FINISHED)
		return "died";
	why = effect_shows ? why_effect_is_wrong(rule, record) : NULL;
	if (why)
		return why;
	if (!record->intact)
		return "outside_changed";
	if (!record->usable)
		return "unusable";
	if (!retry_is_right(rule, record, effect_shows))
		return "retry_failed";
	if (record->returned.error &&
	    !(record->fired && rule_allows_error(rule, record->returned.error)))
		return "wrong_errno";
	return NULL;
}

static const char *mode(struct failures failures)
{
	return failures.last ? " mode=lasting" : "";
}

void row_announce(const struct sweep_op *op, struct failures failures)
{
	printf("data sweep_try op=%s%s n=%u\n", op->name, mode(failures), failures.n);
}

static const char *delta(long long before, long long after, char *word)
{
	if (before == ABSENT || after == ABSENT)
		return "absent";
	snprintf(word, WORD, "%lld", after - before);
	return word;
}

static const char *verdict(const char *why, bool is_seen)
{
	if (why)
		return "broken";
	return is_seen ? "ok" : "unseen";
}

void row_print(const struct sweep_rule *rule, struct failures failures,
	       const struct record *record, struct instruments instruments)
{
	bool is_seen = instruments.effect_shows, splits_show = instruments.splits_show;
	const char *why = row_why_broken(rule, record, is_seen);
	char splits[WORD], failed[WORD];

	printf("data sweep op=%s%s n=%u fired=%d result=%s effect=%s intact=%d usable=%d retry=%s "
	       "split=%s split_failed=%s verdict=%s%s%s\n",
	       rule->op->name, mode(failures), failures.n, record->fired, row_result(record),
	       is_seen ? effect_name(record->effect) : "unseen", record->intact, record->usable,
	       retry_result(record),
	       splits_show ? delta(record->before.splits, record->after.splits, splits) : "absent",
	       delta(record->before.failures, record->after.failures, failed),
	       verdict(why, is_seen), why || !is_seen ? " why=" : "",
	       why ? why : is_seen ? "" : rule->op->instrument);
}
