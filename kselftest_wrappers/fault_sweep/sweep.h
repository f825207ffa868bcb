/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fault sweep: one system call (or one memory access) on a THP, again and
 * again, while its first, second, third … allocation fails.
 */
#ifndef SWEEP_H
#define SWEEP_H

#include "lib/thp.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What the THP holds before the call, and what is written over it later. */
#define OLD_PATTERN UINT64_C(0x2468ace000000000)
#define NEW_PATTERN UINT64_C(0x13579bdf55550000)

/* A call that waits for ever is ended by SIGALRM; emulated machines are slow. */
#define ATTEMPT_SECONDS 60

/* How much of what a call is for has happened; the values can be combined to a set. */
enum effect {
	EFFECT_NONE = 1,
	EFFECT_PART = 2,
	EFFECT_FULL = 4,
};

/* One page of the range after the call; DAMAGED is neither as before nor as it should be. */
enum page_state {
	PAGE_UNTOUCHED,
	PAGE_DONE,
	PAGE_DAMAGED,
};

/* What a call returned. */
struct returned {
	int error;     /* errno, or 0 */
	bool is_short; /* it did a part and said so by a count */
};

#define RETURNED_WELL ((struct returned){ 0 })

/* One try: a THP and the part of it that the operation is about. */
struct attempt {
	struct thp thp;
	struct range range;
};

/*
 * One operation. Every attempt has a process of its own, so an operation may
 * keep what it needs in static variables. All but @name and @operate may be NULL.
 */
struct sweep_op {
	const char *name;
	/* Once, before the first attempt: set up the machine; return why it can't, or NULL. */
	const char *(*set_up)(void);
	void (*tear_down)(void);
	/* Map and fill the THP; the default is an anonymous one with the old pattern. */
	void (*map)(struct attempt *attempt);
	/* The part it is about; the default is the upper half. */
	struct range (*choose)(const struct thp *thp);
	void (*prepare)(const struct attempt *attempt);
	/* The one call, and nothing else. */
	struct returned (*operate)(const struct attempt *attempt);
	/* What became of the page at @offset of the range. */
	enum page_state (*look)(const struct attempt *attempt, size_t offset);
	/* In place of @look, for what does not show page by page. */
	enum effect (*measure)(const struct attempt *attempt);
	/* With @measure: whether the range's data is right; the default is the old pattern. */
	bool (*range_is_well)(const struct attempt *attempt);
	/* Whether others who share the memory still see what they should. */
	bool (*peer_is_well)(const struct attempt *attempt);
	/* Make all that is left of the THP writable, whatever the call did. */
	void (*release)(const struct attempt *attempt);
	bool outside_is_zero;
	bool outside_is_readonly;
	bool upper_half_is_gone;
	/* Success is the end of the process, with exit code 0. */
	bool ends_process;
};

/* ok where a call returned 0 or more, else errno. */
static inline struct returned returned_from(long result)
{
	return (struct returned){ .error = result < 0 ? errno : 0 };
}

#endif
