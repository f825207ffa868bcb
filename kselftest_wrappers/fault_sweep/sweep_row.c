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

	if (failed && !(rule->failure & record->effect))
		return "failure_with_effect";
	if (failed && record->remapped && !may_be_done)
		return "failure_with_effect";
	if (!failed && !(rule->success & record->effect))
		return "success_without_effect";
	return count_is_right(rule, record) ? NULL : "success_without_effect";
}

static bool retry_is_right(const struct sweep_rule *rule, const struct record *record)
{
	return !record->retried ||
	       (!record->retry.error && (rule->success & record->retry_effect));
}

const char *row_why_broken(const struct sweep_rule *rule, const struct record *record)
{
	const char *why;

	if (record->stage == STAGE_CALLING)
		return why_dead(rule, record);
	if (record->stage != STAGE_FINISHED)
		return "died";
	why = why_effect_is_wrong(rule, record);
	if (why)
		return why;
	if (!record->intact)
		return "outside_changed";
	if (!record->usable)
		return "unusable";
	if (!retry_is_right(rule, record))
		return "retry_failed";
	if (record->returned.error &&
	    !(record->fired && rule_allows_error(rule, record->returned.error)))
		return "wrong_errno";
	return NULL;
}

void row_announce(const struct sweep_op *op, unsigned int n)
{
	printf("data sweep_try op=%s n=%u\n", op->name, n);
}

static const char *delta(long long before, long long after, char *word)
{
	if (before == ABSENT || after == ABSENT)
		return "absent";
	snprintf(word, WORD, "%lld", after - before);
	return word;
}

void row_print(const struct sweep_rule *rule, unsigned int n, const struct record *record)
{
	const char *why = row_why_broken(rule, record);
	char splits[WORD], failures[WORD];

	printf("data sweep op=%s n=%u fired=%d result=%s effect=%s intact=%d usable=%d retry=%s "
	       "split=%s split_failed=%s verdict=%s%s%s\n",
	       rule->op->name, n, record->fired, row_result(record), effect_name(record->effect),
	       record->intact, record->usable, retry_result(record),
	       delta(record->before.splits, record->after.splits, splits),
	       delta(record->before.failures, record->after.failures, failures),
	       why ? "broken" : "ok", why ? " why=" : "", why ? why : "");
}
