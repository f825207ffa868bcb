/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fault sweep: one system call (or one memory access) on a THP, repeated
 * while its first, second, third … allocation fails.
 */
#ifndef SWEEP_H
#define SWEEP_H

#include "lib/thp.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Content of the THP before the call, and content that checks write. */
#define OLD_PATTERN UINT64_C(0x2468ace000000000)
#define NEW_PATTERN UINT64_C(0x13579bdf55550000)

/* SIGALRM ends a call that does not return; emulated machines are slow. */
#define ATTEMPT_SECONDS 60

/* Extent of a call's effect; the values can be combined into a set. */
enum effect {
	EFFECT_NONE = 1,
	EFFECT_PART = 2,
	EFFECT_FULL = 4,
};

/*
 * State of a page after the call. COPIED: it is in the new place, and the old one still
 * has it, or has a mapping. DAMAGED is neither the old nor the new state.
 */
enum page_state {
	PAGE_UNTOUCHED,
	PAGE_DONE,
	PAGE_COPIED,
	PAGE_DAMAGED,
};

/* Result of a call. */
struct returned {
	int error;     /* errno, or 0 */
	bool is_short; /* returned a count below the requested one */
};

#define RETURNED_WELL ((struct returned){ 0 })

/* One attempt: a THP and the range that the operation affects. */
struct attempt {
	struct thp thp;
	struct range range;
};

/*
 * One operation. Each attempt runs in its own process, so static variables can
 * hold its state. All members but @name and @operate may be NULL.
 */
struct sweep_op {
	const char *name;
	/* Set up the machine once, before the first attempt; return why it fails, or NULL. */
	const char *(*set_up)(void);
	void (*tear_down)(void);
	/* Map and fill the THP; by default anonymous, with the old pattern. */
	void (*map)(struct attempt *attempt);
	/* Choose the affected range; by default the upper half. */
	struct range (*choose)(const struct thp *thp);
	void (*prepare)(const struct attempt *attempt);
	/* The call under test, and nothing else. */
	struct returned (*operate)(const struct attempt *attempt);
	/* Return the state of the page at @offset of the range. */
	enum page_state (*look)(const struct attempt *attempt, size_t offset);
	/* What @look or @measure reads, unless it is memory, and a proof: whether it shows known states. */
	const char *instrument;
	bool (*instrument_works)(const struct thp *thp);
	/* In place of @look, for effects that are not visible page by page. */
	enum effect (*measure)(const struct attempt *attempt);
	/* With @measure: check the range's data; by default for the old pattern. */
	bool (*range_is_intact)(const struct attempt *attempt);
	/* Check the view of processes that share the memory. */
	bool (*peer_is_intact)(const struct attempt *attempt);
	/* Make what remains of the THP writable, whatever the call did. */
	void (*release)(const struct attempt *attempt);
	bool outside_is_zero;
	bool outside_is_readonly;
	bool upper_half_is_gone;
	/* Success ends the process with exit code 0. */
	bool ends_process;
	/* Ends in accesses to memory, which return no error: without memory they wait. */
	bool waits_for_memory;
};

/* Convert a system call's return value; negative means errno. */
static inline struct returned returned_from(long result)
{
	return (struct returned){ .error = result < 0 ? errno : 0 };
}

#endif
